#include "zero/json_string.hpp"

#include <cstdint>
#include <cstring>

#include "zero/utf8.hpp"

namespace zero {
namespace {

constexpr std::uint32_t replacement = 0xfffd;
constexpr std::size_t unit_bytes = 6;  // \uXXXX

int hex_value(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

// Returns the code unit of \uXXXX at the start of the text, or -1.
int code_unit(std::string_view text) {
  if (text.size() < unit_bytes || text[0] != '\\' || text[1] != 'u') return -1;
  int unit = 0;
  for (std::size_t at = 2; at < unit_bytes; ++at) {
    const int digit = hex_value(text[at]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

// One escape: the character it stands for and its length. No bytes: it is wrong.
struct Escape {
  std::uint32_t character = 0;
  std::size_t bytes = 0;
  bool lone_surrogate = false;
};

Escape unicode_escape(std::string_view text) {
  const int unit = code_unit(text);
  if (unit < 0) return {};
  if (unit < 0xd800 || unit > 0xdfff) return {static_cast<std::uint32_t>(unit), unit_bytes, false};
  const int next = unit < 0xdc00 ? code_unit(text.substr(unit_bytes)) : -1;
  if (next < 0xdc00 || next > 0xdfff) return {replacement, unit_bytes, true};
  return {0x10000 + (static_cast<std::uint32_t>(unit - 0xd800) << 10 | static_cast<std::uint32_t>(next - 0xdc00)),
          2 * unit_bytes, false};
}

Escape read_escape(std::string_view text) {
  if (text.size() < 2) return {};
  switch (text[1]) {
    case '"':
    case '\\':
    case '/':
      return {static_cast<std::uint32_t>(text[1]), 2, false};
    case 'b':
      return {'\b', 2, false};
    case 'f':
      return {'\f', 2, false};
    case 'n':
      return {'\n', 2, false};
    case 'r':
      return {'\r', 2, false};
    case 't':
      return {'\t', 2, false};
    case 'u':
      return unicode_escape(text);
    default:
      return {};
  }
}

// Calls on(escape, at) for each escape, in order. Returns false at the first wrong one.
template <typename On>
bool each_escape(std::string_view text, On on) {
  for (std::size_t at = 0; (at = text.find('\\', at)) != std::string_view::npos;) {
    const Escape escape = read_escape(text.substr(at));
    if (escape.bytes == 0) return false;
    on(escape, at);
    at += escape.bytes;
  }
  return true;
}

}  // namespace

std::optional<std::string_view> unescape_json(std::string_view raw, Arena& arena, bool& repaired) {
  char* const start = arena.take(raw.size());  // no escape is shorter than what it stands for
  char* out = start;
  std::size_t from = 0;
  const auto copy = [&](std::size_t to) {
    if (to != from) std::memcpy(out, raw.data() + from, to - from);
    out += to - from;
  };
  const bool right = each_escape(raw, [&](const Escape& escape, std::size_t at) {
    copy(at);
    out = put_utf8(out, escape.character);
    from = at + escape.bytes;
    repaired |= escape.lone_surrogate;
  });
  if (!right) return {};
  copy(raw.size());
  arena.shrink(out);
  return std::string_view(start, static_cast<std::size_t>(out - start));
}

bool check_json_escapes(std::string_view raw, bool& repaired) {
  return each_escape(raw, [&](const Escape& escape, std::size_t) { repaired |= escape.lone_surrogate; });
}

std::string_view repair_json_surrogates(std::string_view json, Arena& arena) {
  char* const copy = arena.take(json.size());
  std::memcpy(copy, json.data(), json.size());
  each_escape(json, [&](const Escape& escape, std::size_t at) {
    if (escape.lone_surrogate) std::memcpy(copy + at, "\\ufffd", unit_bytes);
  });
  return {copy, json.size()};
}

}  // namespace zero
