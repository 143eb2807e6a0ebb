// Any bytes as the payload of a frame: the block fits its announced size, and is the same when made again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "zero/encode_block.hpp"

namespace {

// Returns an empty block on error.
std::vector<char> encode(zero::BlockEncoder& encoder, const std::vector<std::string_view>& frames, unsigned choice) {
  const std::vector<zero::RowRange> ranges{{choice & 1u, choice >> 5u, choice >> 4u}, {0, 0, choice >> 6u}};
  const auto error = choice & 2 ? encoder.read(frames, ranges) : encoder.read(frames);
  std::vector<char> block(error == zero::EncodeError::none ? encoder.size() : 0);
  if (!block.empty()) encoder.write(block.data());
  return block;
}

}  // namespace

// The input: one byte of choices, one the number of entries claimed, then the payload.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string frame(30, '\0');
  frame[24] = static_cast<char>(data[1]);
  frame.append(reinterpret_cast<const char*>(data) + 2, size - 2);
  static zero::BlockEncoder encoder;
  const std::vector<std::string_view> frames{frame, frame};
  if (encode(encoder, frames, data[0]) != encode(encoder, frames, data[0])) std::abort();
  return 0;
}
