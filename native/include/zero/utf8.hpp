// UTF-8: is it valid, and what it becomes when it is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace zero {

inline constexpr std::string_view replacement_character = "\xef\xbf\xbd";

bool is_valid_utf8(std::string_view text);

// Writes a character, of up to 4 bytes, and returns the end of it.
char* put_utf8(char* out, std::uint32_t character);

// Where U+FFFD stands in repaired text, and how far the original text is ahead behind it.
struct Replacement {
  std::size_t at;
  std::ptrdiff_t shift;
};

// Returns the text with U+FFFD for every maximal subpart of an ill-formed sequence (Unicode 15, section 3.9).
std::string repair_utf8(std::string_view text, std::vector<Replacement>* replacements = nullptr);

// Returns the offset in the original text of an offset in the repaired one.
std::size_t original_offset(const std::vector<Replacement>& replacements, std::size_t offset);

}  // namespace zero
