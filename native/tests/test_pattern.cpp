// Masking of every prefix, from memory of exactly its size: no byte is read or written out of bounds.
#include <string>
#include <vector>

#include "expect.hpp"
#include "zero/pattern.hpp"
#include "zero/pattern_lines.hpp"

namespace {

std::string masked(std::string_view message) {
  const std::vector<char> exact(message.begin(), message.end());
  zero::ByteBuffer out;
  zero::PatternMaker patterns;
  patterns.mask({exact.data(), exact.size()}, out);
  return std::string(out.view());
}

void variable_parts_are_masked() {
  EXPECT(masked("took 5 ms for /a/b, 1 of 2") == "took <*> for <*> of <*>");
  EXPECT(masked("").empty());
  EXPECT(masked("depth........5 and icache....off...7") == "depth........<*> and icache....off...<*>");
}

void lines_are_numbered_by_pattern() {
  const std::string all = "took 5 ms\nlost\r\ntook 6 ms\n\nlost";
  const std::vector<char> exact(all.begin(), all.end());
  zero::PatternMaker patterns;
  const zero::PatternLines found({exact.data(), exact.size()}, patterns);
  EXPECT((found.numbers() == std::vector<std::uint32_t>{0, 1, 0, 2, 1}));
  EXPECT(found.text(0) == "took <*>" && found.text(1) == "lost" && found.text(2).empty());
  EXPECT(found.id(1) == patterns.id("lost"));
}

void every_prefix_stays_in_bounds() {
  const std::string all =
      "a.b:1 ::1 fe80::1 ' \"x\" \"y z\" (5) 1 (2) 1 () <1 >2 Sun Jul 10 03:55:15 2005 a....b...1 ...2 3....:4 C:\\x /p/q x@y "
      "a.b.c... 5 \xc2\xb5s "
      "1=1=1=1=1=1";
  for (std::size_t start = 0; start < all.size(); ++start)
    for (std::size_t size = 0; start + size <= all.size(); ++size) {
      const std::string_view part = std::string_view(all).substr(start, size);
      EXPECT(masked(part).size() <= 2 * part.size() + 3);
    }
}

void the_largest_growth_fits() {
  std::string worst;
  for (int pair = 0; pair < 100'000; ++pair) worst += "1=";
  EXPECT(masked(worst).size() == 400'000);
  EXPECT(masked(worst + "1").size() == 400'003);
}

}  // namespace

int main() {
  variable_parts_are_masked();
  lines_are_numbered_by_pattern();
  every_prefix_stays_in_bounds();
  the_largest_growth_fits();
  return failures != 0;
}
