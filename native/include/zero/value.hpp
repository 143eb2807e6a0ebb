// One metadata value, and how a JSON number becomes one.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace zero {

struct Value {
  // The numbers are those of the members of zero.v1.Value.
  enum class Kind : std::uint8_t { text = 1, int64 = 2, uint64 = 3, float64 = 4, boolean = 5 };

  Kind kind = Kind::text;
  std::string_view text;   // of a text; not owned
  std::uint64_t bits = 0;  // of everything else

  static Value of_text(std::string_view text) { return {Kind::text, text, 0}; }
  static Value of_int(std::int64_t value) { return {Kind::int64, {}, static_cast<std::uint64_t>(value)}; }
  // Values up to 2^63 - 1 become int64, so that equal numbers have one form.
  static Value of_uint(std::uint64_t value) {
    return {value > static_cast<std::uint64_t>(INT64_MAX) ? Kind::uint64 : Kind::int64, {}, value};
  }
  // NaN and the infinities become text: the store's JSON has no such numbers.
  static Value of_float(double value);
  static Value of_bool(bool value) { return {Kind::boolean, {}, value}; }
};

// Reads a number of JSON's grammar. Returns false when the text is not one. A number that Int64, UInt64 or Float64 cannot hold
// exactly (for decimals: whose shortest form is another number) becomes the text itself; -0 is the float.
bool parse_json_number(std::string_view text, Value& value);

// Reads a number of JSON's grammar as the nearest double; nothing when it is not one, or lies outside of what a double can be.
std::optional<double> parse_json_double(std::string_view text);

}  // namespace zero
