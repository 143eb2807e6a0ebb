#include "zero/timestamp.hpp"

#include <array>
#include <cstddef>

#include "zero/bytes.hpp"

namespace zero {
namespace {

constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;
constexpr std::array<int, 12> days_of_month = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

// Reads characters from the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  bool done() const { return at_ == text_.size(); }
  bool digit() const { return !done() && is_digit(text_[at_]); }
  char take() { return text_[at_++]; }
  bool take_any(std::string_view choices) {
    if (done() || choices.find(text_[at_]) == std::string_view::npos) return false;
    ++at_;
    return true;
  }
  // Returns the number made of exactly `count` digits, or -1.
  int digits(std::size_t count) {
    if (text_.size() - at_ < count) return -1;
    int value = 0;
    for (std::size_t end = at_ + count; at_ < end; ++at_) {
      if (!is_digit(text_[at_])) return -1;
      value = value * 10 + (text_[at_] - '0');
    }
    return value;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

// Days since 1970-01-01 of a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
std::int64_t days_from_civil(int year, int month, int day) {
  year -= month <= 2;
  const int era = year / 400;
  const int year_of_era = year - era * 400;
  const int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return static_cast<std::int64_t>(era) * 146097 + day_of_era - 719468;
}

bool is_date(int year, int month, int day) {
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= days_of_month[static_cast<std::size_t>(month - 1)] + (month == 2 && leap);
}

// Reads what follows the seconds, in nanoseconds: the fraction. -1: a point without digits.
std::int64_t read_fraction(Scanner& scan) {
  if (!scan.take_any(".,")) return 0;
  if (!scan.digit()) return -1;
  constexpr std::array<std::int64_t, 10> units = {1'000'000'000, 100'000'000, 10'000'000, 1'000'000, 100'000,
                                                  10'000,        1'000,       100,        10,        1};
  std::int64_t value = 0;
  std::size_t count = 0;
  for (; scan.digit() && count < units.size() - 1; ++count) value = value * 10 + (scan.take() - '0');
  while (scan.digit()) scan.take();
  return value * units[count];
}

// Reads Z, +hh:mm, +hhmm or +hh to the end of the text; no offset is UTC. Returns false on anything else.
bool read_offset(Scanner& scan, std::int64_t& seconds) {
  seconds = 0;
  if (scan.done()) return true;
  if (scan.take_any("Zz")) return scan.done();
  const bool behind = scan.take_any("-");
  if (!behind && !scan.take_any("+")) return false;
  const int hours = scan.digits(2);
  if (hours < 0 || hours > 23) return false;
  int minutes = 0;
  if (!scan.done()) {
    scan.take_any(":");
    minutes = scan.digits(2);
    if (minutes < 0 || minutes > 59) return false;
  }
  seconds = (hours * 60 + minutes) * (behind ? -60 : 60);
  return scan.done();
}

// Returns the number of two digits, or -1.
int two_digits(const char* text) {
  const unsigned tens = static_cast<unsigned char>(text[0]) - '0';
  const unsigned ones = static_cast<unsigned char>(text[1]) - '0';
  return tens <= 9 && ones <= 9 ? static_cast<int>(tens * 10 + ones) : -1;
}

std::optional<std::uint64_t> parse_rfc3339(std::string_view text) {
  constexpr std::size_t seconds_end = 19;  // of 2026-11-22T10:00:00
  if (text.size() < seconds_end || text[7] != '-' || text[13] != ':' || text[16] != ':') return {};
  if (text[10] != 'T' && text[10] != 't' && text[10] != ' ') return {};
  const int century = two_digits(&text[0]), year = two_digits(&text[2]), month = two_digits(&text[5]),
            day = two_digits(&text[8]);
  const int hour = two_digits(&text[11]), minute = two_digits(&text[14]), second = two_digits(&text[17]);
  if (century < 0 || year < 0 || !is_date(century * 100 + year, month, day)) return {};
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return {};
  Scanner scan(text.substr(seconds_end));
  const std::int64_t fraction = read_fraction(scan);
  std::int64_t offset = 0;
  if (fraction < 0 || !read_offset(scan, offset)) return {};
  const std::int64_t days = days_from_civil(century * 100 + year, month, day);
  const std::int64_t seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset;
  if (seconds < 0 || seconds >= 10'000'000'000) return {};
  return static_cast<std::uint64_t>(seconds) * nanoseconds_per_second + static_cast<std::uint64_t>(fraction);
}

// A decimal number without its leading zeros: 0.DIGITS times ten to the power of `point`.
struct Decimal {
  std::array<char, 20> digits;  // no more than 19 are ever asked for
  std::size_t count = 0;
  std::int64_t point = 0;
};

constexpr std::int64_t exponent_max = 100'000'000;  // far outside of every unit, far inside of the integer

bool read_exponent(Scanner& scan, std::int64_t& exponent) {
  const bool negative = scan.take_any("-");
  if (!negative) scan.take_any("+");
  if (!scan.digit()) return false;
  while (scan.digit()) exponent = exponent < exponent_max ? exponent * 10 + (scan.take() - '0') : (scan.take(), exponent);
  if (negative) exponent = -exponent;
  return true;
}

bool read_decimal(std::string_view text, Decimal& number) {
  Scanner scan(text);
  if (!scan.digit()) return false;
  const auto keep = [&](char digit) {
    if (number.count == 0 && digit == '0') return false;
    if (number.count < number.digits.size()) number.digits[number.count++] = digit;
    return true;
  };
  while (scan.digit()) number.point += keep(scan.take());
  if (scan.take_any(".")) {
    if (!scan.digit()) return false;
    while (scan.digit()) number.point -= !keep(scan.take());
  }
  std::int64_t exponent = 0;
  if (scan.take_any("eE") && !read_exponent(scan, exponent)) return false;
  number.point += exponent;
  return scan.done();
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  Decimal number;
  if (!read_decimal(text, number)) return {};
  const std::int64_t scale = number.point <= 11 ? 9 : number.point <= 14 ? 6 : number.point <= 17 ? 3 : 0;
  const std::int64_t places = number.count == 0 ? 0 : number.point + scale;
  if (places > 19) return {};
  std::uint64_t value = 0;
  for (std::int64_t at = 0; at < places; ++at) {
    const bool known = static_cast<std::size_t>(at) < number.count;
    value = value * 10 + (known ? static_cast<std::uint64_t>(number.digits[static_cast<std::size_t>(at)] - '0') : 0);
  }
  return value;
}

}  // namespace

std::optional<std::uint64_t> parse_timestamp(std::string_view text) {
  text = trimmed(text);
  return text.size() > 4 && text[4] == '-' ? parse_rfc3339(text) : parse_number(text);
}

}  // namespace zero
