#include "zero/level.hpp"

#include <array>
#include <cstddef>

#include "zero/bytes.hpp"
#include "zero/name_table.hpp"

namespace zero {
namespace {

constexpr std::size_t word_bytes_max = 16;

constexpr auto words = name_table({
    {"trace", level_trace},
    {"trc", level_trace},
    {"t", level_trace},
    {"finest", level_trace},
    {"finer", level_trace},
    {"silly", level_trace},
    {"debug", level_debug},
    {"dbg", level_debug},
    {"d", level_debug},
    {"fine", level_debug},
    {"verbose", level_debug},
    {"v", level_debug},
    {"info", level_info},
    {"inf", level_info},
    {"i", level_info},
    {"information", level_info},
    {"informational", level_info},
    {"notice", level_info},
    {"n", level_info},
    {"config", level_info},
    {"http", level_info},
    {"success", level_info},
    {"warn", level_warn},
    {"warning", level_warn},
    {"wrn", level_warn},
    {"w", level_warn},
    {"error", level_error},
    {"err", level_error},
    {"e", level_error},
    {"severe", level_error},
    {"failure", level_error},
    {"fatal", level_fatal},
    {"ftl", level_fatal},
    {"f", level_fatal},
    {"critical", level_fatal},
    {"crit", level_fatal},
    {"c", level_fatal},
    {"alert", level_fatal},
    {"a", level_fatal},
    {"emerg", level_fatal},
    {"emergency", level_fatal},
    {"panic", level_fatal},
    {"dpanic", level_fatal},
});

constexpr std::array<Level, 8> syslog = {level_fatal, level_fatal, level_fatal, level_error,
                                         level_warn,  level_info,  level_info,  level_debug};

Level parse_number(std::string_view text) {
  const auto digit = [&](std::size_t at) { return static_cast<unsigned>(text[at] - '0'); };
  if (text.size() == 1 && digit(0) < syslog.size()) return syslog[digit(0)];
  if (text.size() == 2 && digit(0) >= 1 && digit(0) <= 6 && digit(1) <= 9) return static_cast<Level>(digit(0));
  return level_unknown;
}

}  // namespace

Level parse_level(std::string_view text) {
  text = trimmed(text);
  if (text.empty() || text.size() > word_bytes_max) return level_unknown;
  if (text[0] >= '0' && text[0] <= '9') return parse_number(text);
  std::array<char, word_bytes_max> lower;
  for (std::size_t at = 0; at < text.size(); ++at) {
    lower[at] = text[at] >= 'A' && text[at] <= 'Z' ? static_cast<char>(text[at] | 0x20) : text[at];
  }
  const int level = words.find({lower.data(), text.size()});
  return level < 0 ? level_unknown : static_cast<Level>(level);
}

}  // namespace zero
