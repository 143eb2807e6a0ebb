#include "zero/pattern.hpp"

#include <array>

#include "zero/hash64.hpp"

namespace zero {
namespace {

enum : unsigned char { word = 1, digit = 2 };

constexpr auto classes = [] {
  std::array<unsigned char, 256> table{};
  for (int byte = 0; byte < 256; ++byte) {
    const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 0x80;
    if (letter) table[byte] = word;
    if (byte >= '0' && byte <= '9') table[byte] = word | digit;
  }
  for (const char byte : {'_', '.', '-', '/', '\\', '@', '%', '+', '$', '#', '~'}) table[static_cast<unsigned char>(byte)] = word;
  return table;
}();

}  // namespace

void mask(std::string_view message, ByteBuffer& out) {
  out.clear();
  for (std::size_t at = 0; at < message.size();) {
    const std::size_t start = at;
    unsigned char seen = 0;
    for (; at < message.size(); ++at) {
      const unsigned char kind = classes[static_cast<unsigned char>(message[at])];
      if (kind == 0) break;
      seen |= kind;
    }
    if (seen & digit)
      out.append("<*>", 3);
    else
      out.append(message.data() + start, at - start);
    if (at < message.size()) out.append(message[at++]);
  }
}

std::uint64_t pattern_id(std::string_view message) {
  thread_local ByteBuffer masked;
  mask(message, masked);
  return hash64(masked.data(), masked.size());
}

}  // namespace zero
