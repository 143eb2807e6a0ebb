#include "zero/value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <version>

namespace zero {
namespace {

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

// The parts of a number of JSON's grammar.
struct Parts {
  std::string_view whole;     // without the sign
  std::string_view fraction;  // without the point
  std::string_view exponent;  // with its sign
  bool negative = false;
  bool decimal = false;  // has a fraction or an exponent
};

std::string_view take_digits(std::string_view text, std::size_t& at) {
  const std::size_t start = at;
  while (at < text.size() && is_digit(text[at])) ++at;
  return text.substr(start, at - start);
}

bool split(std::string_view text, Parts& parts) {
  std::size_t at = 0;
  parts.negative = !text.empty() && text[0] == '-';
  at += parts.negative;
  parts.whole = take_digits(text, at);
  if (parts.whole.empty() || (parts.whole.size() > 1 && parts.whole[0] == '0')) return false;
  if (at == text.size()) return true;
  parts.decimal = true;
  if (text[at] == '.') {
    parts.fraction = take_digits(text, ++at);
    if (parts.fraction.empty()) return false;
  }
  if (at == text.size()) return true;
  if (text[at] != 'e' && text[at] != 'E') return false;
  const std::size_t start = ++at;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
  if (take_digits(text, at).empty()) return false;
  parts.exponent = text.substr(start, at - start);
  return at == text.size();
}

std::uint64_t to_uint(std::string_view digits, std::uint64_t value = 0) {
  for (const char digit : digits) value = value * 10 + static_cast<std::uint64_t>(digit - '0');
  return value;
}

Value read_integer(std::string_view text, const Parts& parts) {
  constexpr std::uint64_t int64_min = std::uint64_t{1} << 63;
  std::uint64_t value = 0;
  if (parts.whole.size() <= 19) {
    value = to_uint(parts.whole);
  } else {
    const char* end = parts.whole.data() + parts.whole.size();
    if (std::from_chars(parts.whole.data(), end, value).ec != std::errc()) return Value::of_text(text);
  }
  if (!parts.negative) return Value::of_uint(value);
  if (value == 0) return Value::of_float(-0.0);
  if (value > int64_min) return Value::of_text(text);
  return Value::of_int(static_cast<std::int64_t>(0 - value));
}

double to_double(std::string_view text) {
#if defined(__cpp_lib_to_chars)
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() ? value : HUGE_VAL;  // out of range, above or below: never exact
#else
  return std::strtod(std::string(text).c_str(), nullptr);
#endif
}

// The one form of a decimal number: its digits without zeros at either end, and the power of ten of the first.
struct Canonical {
  std::string digits;
  long long power = 0;
  bool operator==(const Canonical&) const = default;
};

Canonical canonical(const Parts& parts) {
  constexpr std::size_t exponent_digits_max = 9;  // beyond that nothing is near a double
  Canonical number{std::string(parts.whole) + std::string(parts.fraction), 0};
  std::string_view exponent = parts.exponent;
  const bool negative = !exponent.empty() && exponent[0] == '-';
  if (!exponent.empty() && !is_digit(exponent[0])) exponent.remove_prefix(1);
  exponent.remove_prefix(std::min(exponent.find_first_not_of('0'), exponent.size()));
  const auto power = static_cast<long long>(to_uint(exponent.substr(0, exponent_digits_max)));
  const std::size_t zeros = std::min(number.digits.find_first_not_of('0'), number.digits.size());
  number.digits.erase(0, zeros);
  number.digits.erase(number.digits.find_last_not_of('0') + 1);
  if (number.digits.empty()) return number;
  number.power = static_cast<long long>(parts.whole.size()) - static_cast<long long>(zeros) + (negative ? -power : power);
  return number;
}

bool is_shortest_form(double value, const Parts& parts) {
  if (!std::isfinite(value)) return false;
  std::array<char, 32> shortest;
  char* const room_end = shortest.data() + shortest.size();
  // Scientific: the plain form writes large values with all their digits.
  const char* end = std::to_chars(shortest.data(), room_end, std::fabs(value), std::chars_format::scientific).ptr;
  Parts other;
  return split({shortest.data(), static_cast<std::size_t>(end - shortest.data())}, other) &&
         canonical(other) == canonical(parts);
}

// Up to 15 digits and no exponent: exact by one division (W. Clinger), and every such number is its own shortest form.
constexpr std::size_t easy_digits_max = 15;
constexpr std::array<double, easy_digits_max + 1> powers_of_ten = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

Value read_decimal(std::string_view text, const Parts& parts) {
  if (parts.exponent.empty() && parts.whole.size() + parts.fraction.size() <= easy_digits_max) {
    const auto digits = static_cast<double>(to_uint(parts.fraction, to_uint(parts.whole)));
    const double value = digits / powers_of_ten[parts.fraction.size()];
    return Value::of_float(parts.negative ? -value : value);
  }
  if (canonical(parts).digits.empty()) return Value::of_float(parts.negative ? -0.0 : 0.0);
  const double value = to_double(text);
  return is_shortest_form(value, parts) ? Value::of_float(value) : Value::of_text(text);
}

}  // namespace

Value Value::of_float(double value) {
  if (std::isfinite(value)) return {Kind::float64, {}, std::bit_cast<std::uint64_t>(value)};
  return of_text(std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
}

bool parse_json_number(std::string_view text, Value& value) {
  Parts parts;
  if (!split(text, parts)) return false;
  value = parts.decimal ? read_decimal(text, parts) : read_integer(text, parts);
  return true;
}

std::optional<double> parse_json_double(std::string_view text) {
  Parts parts;
  if (!split(text, parts)) return {};
  if (canonical(parts).digits.empty()) return parts.negative ? -0.0 : 0.0;
  const double value = to_double(text);
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace zero
