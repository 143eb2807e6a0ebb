#include "zero/json_text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace zero {
namespace {

constexpr std::size_t kept_bytes_max = 64 * 1024;
constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr bool needs_escape(char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == '"' || byte == '\\'; }

// The layout of a finite number: plain from 1e-4 up to 1e16, scientific outside.
std::string layout(bool negative, std::string digits, int power) {
  std::string text = negative ? "-" : "";
  const int count = static_cast<int>(digits.size());
  if (power < -4 || power >= 16) {
    text += digits[0];
    if (count > 1) text.append(".").append(digits, 1);
    const std::string exponent = std::to_string(std::abs(power));
    return text.append(power < 0 ? "e-" : "e+").append(exponent.size() < 2 ? "0" : "").append(exponent);
  }
  if (power < 0) return text.append("0.").append(static_cast<std::size_t>(-power - 1), '0').append(digits);
  if (count <= power + 1) return text.append(digits).append(static_cast<std::size_t>(power + 1 - count), '0').append(".0");
  return text.append(digits, 0, static_cast<std::size_t>(power) + 1)
      .append(".")
      .append(digits, static_cast<std::size_t>(power) + 1);
}

}  // namespace

void JsonText::start(std::size_t bytes_max) {
  out_.resize_down(0);
  bytes_max_ = bytes_max;
  fits_ = true;
}

void JsonText::trim() { out_.clear(kept_bytes_max); }

void JsonText::raw(std::string_view text) {
  fits_ = fits_ && out_.size() + text.size() <= bytes_max_;
  if (fits_) out_.append(text);
}

void JsonText::string(std::string_view text) {
  constexpr std::string_view short_escapes = "\"\"\\\\\bb\ff\nn\rr\tt";
  raw("\"");
  std::size_t from = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!needs_escape(text[at])) continue;
    raw(text.substr(from, at - from));
    from = at + 1;
    std::size_t pair = 0;
    while (pair < short_escapes.size() && short_escapes[pair] != text[at]) pair += 2;
    if (pair < short_escapes.size()) {
      const std::array<char, 2> escape = {'\\', short_escapes[pair + 1]};
      raw({escape.data(), escape.size()});
    } else {
      const auto byte = static_cast<unsigned char>(text[at]);
      const std::array<char, 6> escape = {'\\', 'u', '0', '0', hex_digits[byte >> 4], hex_digits[byte & 15]};
      raw({escape.data(), escape.size()});
    }
  }
  raw(text.substr(from));
  raw("\"");
}

void JsonText::integer(std::int64_t value) { raw(std::to_string(value)); }

void JsonText::number(double value) {
  if (std::isnan(value)) return raw("NaN");
  if (std::isinf(value)) return raw(value > 0 ? "Infinity" : "-Infinity");
  std::array<char, 32> room;
  const auto written = std::to_chars(room.data(), room.data() + room.size(), std::fabs(value), std::chars_format::scientific);
  const std::string_view text(room.data(), static_cast<std::size_t>(written.ptr - room.data()));
  const std::size_t exponent_at = text.find('e');
  std::string digits(text.substr(0, 1));
  if (exponent_at > 1) digits.append(text.substr(2, exponent_at - 2));
  int power = 0;
  const char* exponent = text.data() + exponent_at + (text[exponent_at + 1] == '+' ? 2 : 1);
  std::from_chars(exponent, written.ptr, power);
  raw(layout(std::signbit(value), digits, power));
}

void JsonText::base64(std::string_view bytes) {
  const auto byte = [&](std::size_t at) {
    return at < bytes.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at])) : 0;
  };
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::uint32_t group = byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
    std::array<char, 4> text;
    for (std::size_t place = 0; place < text.size(); ++place) text[place] = base64_digits[group >> (18 - 6 * place) & 63];
    if (at + 1 >= bytes.size()) text[2] = '=';
    if (at + 2 >= bytes.size()) text[3] = '=';
    raw({text.data(), text.size()});
  }
}

}  // namespace zero
