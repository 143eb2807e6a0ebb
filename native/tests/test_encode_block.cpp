// Frames cut, flipped and wrongly counted at every byte: an answer or an error code, never a byte out of bounds.
#include <string>
#include <vector>

#include "expect.hpp"
#include "zero/encode_block.hpp"

namespace {

using zero::BlockEncoder;
using zero::EncodeError;
using zero::RowRange;

std::string field(int number, std::string_view bytes) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  if (bytes.size() >= 0x80) out += static_cast<char>(bytes.size() | 0x80);
  out += static_cast<char>(bytes.size() < 0x80 ? bytes.size() : bytes.size() >> 7);
  return out.append(bytes);
}

std::string attribute(std::string_view key, std::string_view value) { return field(10, field(1, key) + field(2, value)); }

std::string entry(std::string_view message) {
  using namespace std::string_literals;
  const std::string fixed = "\x11\x01\x02\x03\x04\x05\x06\x07\x08"s + "\x18\x05";
  return field(
      1, field(1, "app") + fixed + field(4, message) + field(5, "host") + field(7, "0123456789abcdef0123456789abcdef") +
             attribute("text", field(1, "v")) + attribute("int", "\x10\x07") + attribute("uint", "\x18\x07") +
             attribute("float", "\x21\0\0\0\0\0\0\x04\x40"s) + attribute("bool", "\x28\x01") + attribute("text", "\x10\x07"));
}

std::string frame(std::string_view payload, unsigned char count) {
  std::string out(30, '\0');
  out[0] = 'Z', out[1] = 'F', out[2] = 1;
  out[24] = static_cast<char>(count);
  out[28] = 3;
  return out + "ten" + std::string(payload);
}

EncodeError encode(const std::string& data, std::string* block = nullptr) {
  BlockEncoder encoder;
  const std::vector<std::string_view> frames{data};
  const EncodeError error = encoder.read(frames);
  if (error != EncodeError::none) return error;
  std::vector<char> exact(encoder.size());
  encoder.write(exact.data());
  if (block) block->assign(exact.begin(), exact.end());
  return error;
}

void whole_frames_are_encoded() {
  std::string block;
  EXPECT(encode(frame(entry("took 5 ms") + entry("x"), 2), &block) == EncodeError::none);
  EXPECT(block[0] == 15 && block[1] == 2);
  EXPECT(block.find("took 5 ms") != std::string::npos);
  EXPECT(encode(frame("", 0), &block) == EncodeError::none);
  EXPECT(block[0] == 15 && block[1] == 0);
}

void every_cut_is_refused() {
  const std::string good = frame(entry("one") + entry("two"), 2);
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT(encode(std::string(good, 0, size)) == (size < 33 ? EncodeError::bad_frame : EncodeError::bad_payload));
}

void every_flipped_bit_gives_an_answer_or_an_error() {
  const std::string good = frame(entry("one") + entry("two"), 2);
  for (std::size_t at = 0; at < good.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = good;
      changed[at] = static_cast<char>(changed[at] ^ 1 << bit);
      encode(changed);
    }
}

void ranges_are_checked() {
  const std::string data = frame(entry("one") + entry("two"), 2);
  const std::vector<std::string_view> frames{data, data};
  BlockEncoder encoder;
  const auto read = [&](std::vector<RowRange> ranges) { return encoder.read(frames, ranges); };
  EXPECT(read({{0, 0, 1}, {1, 1, 2}, {1, 0, 2}, {0, 2, 2}}) == EncodeError::none && encoder.rows() == 4);
  EXPECT(read({{2, 0, 1}}) == EncodeError::bad_row_range);
  EXPECT(read({{0, 0, 3}}) == EncodeError::bad_row_range);
  EXPECT(read({{0, 1, 0}}) == EncodeError::bad_row_range);
  EXPECT(read({}) == EncodeError::none && encoder.rows() == 0);
}

void memory_beyond_the_bound_is_given_back_and_the_encoder_goes_on() {
  const std::string small = frame(entry("one"), 1);
  const std::string large = frame(entry(std::string(16'000, 'm')), 1);
  const std::vector<std::string_view> many(10'000, large), one{small};
  BlockEncoder encoder;
  for (const auto& frames : {many, one}) {
    EXPECT(encoder.read(frames) == EncodeError::none);
    std::vector<char> exact(encoder.size());
    encoder.write(exact.data());
    EXPECT(encoder.rows() == 0);
  }
}

}  // namespace

int main() {
  whole_frames_are_encoded();
  every_cut_is_refused();
  every_flipped_bit_gives_an_answer_or_an_error();
  ranges_are_checked();
  memory_beyond_the_bound_is_given_back_and_the_encoder_goes_on();
  return failures != 0;
}
