// Any bytes as a message: the mask stays within its bound, depends on the message alone, and leaves no digit of ASCII. As
// lines: each has the pattern that it has alone.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "zero/pattern.hpp"
#include "zero/pattern_lines.hpp"

namespace {

void check_lines(std::string_view text, zero::PatternMaker& patterns) {
  const zero::PatternLines found(text, patterns);
  std::size_t line = 0;
  for (std::size_t start = 0; start < text.size(); ++line) {
    const std::size_t stop = std::min(text.find('\n', start), text.size());
    std::string_view one = text.substr(start, stop - start);
    if (!one.empty() && one.back() == '\r') one.remove_suffix(1);
    if (line >= found.numbers().size() || found.id(found.numbers()[line]) != patterns.id(one)) std::abort();
    start = stop + 1;
  }
  if (line != found.numbers().size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  zero::ByteBuffer masked;
  static zero::PatternMaker patterns;
  patterns.mask(message, masked);
  if (masked.size() > 2 * size + 3) std::abort();
  if (masked.view().find_first_of("0123456789") != std::string_view::npos) std::abort();
  if (patterns.id(message) != patterns.id(message)) std::abort();
  check_lines(message, patterns);
  return 0;
}
