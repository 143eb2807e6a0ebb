#include "zero/label_set.hpp"

#include <cstring>

#include "zero/utf8.hpp"

namespace zero {
namespace {

bool is_letter(char byte) { return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_'; }

bool goes_on(char byte) {
  return is_letter(byte) || (byte >= '0' && byte <= '9') || byte == '.' || byte == ':' || byte == '/' || byte == '-';
}

int digit_of(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  const char lower = static_cast<char>(byte | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
}

// An escape of Go's strings behind its backslash: what it stands for and its length. No bytes: it is none.
struct Escape {
  std::uint32_t value = 0;
  std::size_t bytes = 0;
  bool character = false;  // of Unicode; else a byte
};

Escape read_number(std::string_view text, std::size_t start, std::size_t digits, std::uint32_t base) {
  if (text.size() < start + digits) return {};
  std::uint32_t value = 0;
  for (std::size_t at = start; at < start + digits; ++at) {
    const auto digit = static_cast<std::uint32_t>(digit_of(text[at]));
    if (digit >= base) return {};
    value = value * base + digit;
  }
  const bool character = digits >= 4;
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (character ? surrogate || value > 0x10ffff : value > 0xff) return {};
  return {value, start + digits, character};
}

Escape read_escape(std::string_view text) {
  constexpr std::string_view pairs = "a\ab\bf\fn\nr\rt\tv\v\\\\''\"\"";
  if (text.empty()) return {};
  for (std::size_t at = 0; at < pairs.size(); at += 2) {
    if (text[0] == pairs[at]) return {static_cast<std::uint32_t>(pairs[at + 1]), 1, false};
  }
  if (text[0] == 'x') return read_number(text, 1, 2, 16);
  if (text[0] == 'u') return read_number(text, 1, 4, 16);
  if (text[0] == 'U') return read_number(text, 1, 8, 16);
  return read_number(text, 0, 3, 8);
}

}  // namespace

bool LabelSet::next() {
  skip_blanks();
  if (!begun_) {
    begun_ = true;
    if (!take('{')) return wrong_ = true, false;
    skip_blanks();
    if (is('}')) return end();
  } else {
    if (is('}')) return end();
    if (!take(',')) return wrong_ = true, false;
    skip_blanks();
    if (is('}')) return end();
  }
  wrong_ = !(read_name() && read_value());
  return !wrong_;
}

void LabelSet::skip_blanks() {
  while (is(' ') || is('\t') || is('\n') || is('\r')) ++at_;
}

bool LabelSet::end() {
  ++at_;
  skip_blanks();
  wrong_ = at_ != text_.size();
  return false;
}

bool LabelSet::read_name() {
  const std::size_t start = at_;
  if (at_ == text_.size() || !is_letter(text_[at_])) return false;
  while (at_ < text_.size() && goes_on(text_[at_])) ++at_;
  name_ = text_.substr(start, at_ - start);
  skip_blanks();
  return take('=');
}

bool LabelSet::read_value() {
  skip_blanks();
  const char quote = at_ < text_.size() ? text_[at_] : '\0';
  if (quote != '"' && quote != '\'' && quote != '`') return false;
  const std::size_t start = at_ + 1;
  std::size_t end = start;
  bool escaped = false;
  for (; end < text_.size() && text_[end] != quote; ++end) {
    if (text_[end] != '\\' || quote == '`') continue;
    escaped = true;
    ++end;
  }
  if (end >= text_.size()) return at_ = text_.size(), false;
  value_ = text_.substr(start, end - start);
  if (escaped && !unescape(value_, start)) return false;
  at_ = end + 1;
  return true;
}

// No escape is shorter than what it stands for.
bool LabelSet::unescape(std::string_view raw, std::size_t start) {
  char* const made = arena_.take(raw.size());
  char* out = made;
  for (std::size_t at = 0; at < raw.size();) {
    if (raw[at] != '\\') {
      *out++ = raw[at++];
      continue;
    }
    const Escape escape = read_escape(raw.substr(at + 1));
    if (escape.bytes == 0) return at_ = start + at, false;
    if (escape.character) {
      out = put_utf8(out, escape.value);
    } else {
      *out++ = static_cast<char>(escape.value);
    }
    at += 1 + escape.bytes;
  }
  arena_.shrink(out);
  value_ = {made, static_cast<std::size_t>(out - made)};
  return true;
}

}  // namespace zero
