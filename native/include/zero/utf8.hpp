// UTF-8: is it valid, and what it becomes when it is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace zero {

inline constexpr std::string_view replacement_character = "\xef\xbf\xbd";

// The last word of a text may overlap the one before: cheaper than its bytes one by one.
inline bool is_ascii(std::string_view text) {
  const auto load = [](const char* at, auto word) {
    std::memcpy(&word, at, sizeof word);
    return static_cast<std::uint64_t>(word);
  };
  const char* at = text.data();
  const char* const end = at + text.size();
  std::uint64_t seen = 0;
  if (text.size() >= 8) {
    for (; end - at > 8; at += 8) seen |= load(at, std::uint64_t{});
    seen |= load(end - 8, std::uint64_t{});
  } else if (text.size() >= 4) {
    seen = load(at, std::uint32_t{}) | load(end - 4, std::uint32_t{});
  } else {
    for (; at != end; ++at) seen |= static_cast<unsigned char>(*at);
  }
  return (seen & 0x8080808080808080u) == 0;
}

// Returns how many bytes have their highest bit set.
std::size_t count_high_bytes(std::string_view bytes);

bool is_valid_multibyte(std::string_view text);

inline bool is_valid_utf8(std::string_view text) { return is_ascii(text) || is_valid_multibyte(text); }

// Writes a character, of up to 4 bytes, and returns the end of it.
char* put_utf8(char* out, std::uint32_t character);

// Where U+FFFD stands in repaired text for what was broken, and where that was: a bit for each byte, however much it is.
class Repairs {
 public:
  // Whether something between the offsets was repaired.
  bool any(std::size_t start, std::size_t end) const;
  // Returns the offset in the original text of an offset in the repaired one.
  std::size_t original(std::size_t offset) const;
  void clear();
  // Gives back the memory that a large text took.
  void trim(std::size_t keep_bytes);

  // For who repairs: begins a text of so many bytes; tells of each character where it stands in both; and of a repaired one,
  // how many of its three bytes were there.
  void start(std::size_t size);
  void pass(std::size_t repaired, std::size_t original) {
    if (points_.empty() || repaired - points_.back().repaired >= point_bytes) points_.push_back({repaired, original});
  }
  void mark(std::size_t at, std::size_t bytes);

 private:
  struct Point {
    std::size_t repaired;
    std::size_t original;
  };
  static constexpr std::size_t point_bytes = 4096;  // from one point on it is counted

  bool is_marked(std::size_t at) const { return (bits_[at / 64] >> at % 64 & 1) != 0; }

  std::vector<std::uint64_t> bits_;  // of a repaired character the first, and as many as its original had bytes
  std::vector<Point> points_;
};

// Returns the text with U+FFFD for every maximal subpart of an ill-formed sequence (Unicode 15, section 3.9).
std::string repair_utf8(std::string_view text, Repairs* repairs = nullptr);

}  // namespace zero
