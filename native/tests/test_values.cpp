#include <bit>
#include <cmath>
#include <string>

#include "expect.hpp"
#include "zero/json_string.hpp"
#include "zero/level.hpp"
#include "zero/timestamp.hpp"
#include "zero/utf8.hpp"
#include "zero/value.hpp"

using namespace zero;

namespace {

std::string number(std::string_view text) {
  Value value;
  if (!parse_json_number(text, value)) return "none";
  switch (value.kind) {
    case Value::Kind::text:
      return "text " + std::string(value.text);
    case Value::Kind::int64:
      return "int " + std::to_string(static_cast<std::int64_t>(value.bits));
    case Value::Kind::uint64:
      return "uint " + std::to_string(value.bits);
    case Value::Kind::float64:
      return "float " + std::to_string(std::bit_cast<double>(value.bits));
    case Value::Kind::boolean:
      break;
  }
  return "bool";
}

void numbers_keep_their_type_or_become_their_text() {
  EXPECT(number("0") == "int 0");
  EXPECT(number("-0") == "float -0.000000");
  EXPECT(number("-9223372036854775808") == "int -9223372036854775808");
  EXPECT(number("-9223372036854775809") == "text -9223372036854775809");
  EXPECT(number("9223372036854775808") == "uint 9223372036854775808");
  EXPECT(number("18446744073709551616") == "text 18446744073709551616");
  EXPECT(number("1.50") == "float 1.500000");
  EXPECT(number("1e400") == "text 1e400");
  EXPECT(number("1e-400") == "text 1e-400");
  EXPECT(number("0e99999") == "float 0.000000");
  EXPECT(number("0.10000000000000000001") == "text 0.10000000000000000001");
  EXPECT(number("2.383548404950943e+16") == "float 23835484049509432.000000");
}

void what_the_grammar_refuses_is_no_number() {
  for (const char* text : {"", "-", "01", "1.", ".1", "1e", "1e+", "+1", "1x", "0x1", "NaN", "--1"})
    EXPECT(number(text) == "none");
}

void timestamps_are_read_by_form_and_size() {
  constexpr std::uint64_t second = 1'000'000'000;
  constexpr std::uint64_t time = 1'795'341'600 * second;
  EXPECT(parse_timestamp("2026-11-22T10:00:00Z") == time);
  EXPECT(parse_timestamp("2026-11-22T11:30:00.5+01:30") == time + second / 2);
  EXPECT(parse_timestamp(" 1795341600.000000001 ") == time + 1);
  EXPECT(parse_timestamp("1795341600000") == time);
  EXPECT(parse_timestamp("1795341600000001") == time + 1000);
  EXPECT(parse_timestamp("0") == 0u);
  for (const char* text :
       {"", " ", "-1", "2026-02-29T00:00:00Z", "2026-11-22", "1e30", "99999999999999999999", "2026-11-22T10:00:00+"}) {
    EXPECT(!parse_timestamp(text));
  }
}

void levels_are_words_or_numbers() {
  EXPECT(parse_level("Warning") == level_warn);
  EXPECT(parse_level(" err\n") == level_error);
  EXPECT(parse_level("0") == level_fatal);
  EXPECT(parse_level("30") == level_info);
  for (const char* text : {"", "8", "70", "300", "loud", "a very long word indeed"}) EXPECT(parse_level(text) == level_unknown);
}

void each_maximal_subpart_becomes_one_replacement() {
  EXPECT(repair_utf8("a\xff"
                     "b\xe2\x82"
                     "c\xed\xa0\x80") ==
         "a\xef\xbf\xbd"
         "b\xef\xbf\xbd"
         "c\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  Repairs repairs;
  const std::string text = repair_utf8("\xf0\x9f\x98!\xff?", &repairs);
  EXPECT(repairs.original(text.find('!')) == 3u);
  EXPECT(repairs.original(text.find('?')) == 5u);
  EXPECT(is_valid_utf8(text));
}

void escapes_are_undone_and_surrogates_without_a_pair_replaced() {
  Arena arena;
  bool repaired = false;
  EXPECT(unescape_json(R"(a\n\u00e9\ud83d\ude00)", arena, repaired).value_or("wrong") == "a\n\u00e9\U0001f600");
  EXPECT(!repaired);
  EXPECT(unescape_json(R"(\ud83d\ud83d\ude00)", arena, repaired).value_or("wrong") == "\ufffd\U0001f600");
  EXPECT(repaired);
  for (const char* raw : {R"(\)", R"(\x)", R"(\u12)", R"(\u12g4)"}) EXPECT(!unescape_json(raw, arena, repaired));
  EXPECT(repair_json_surrogates(R"(["\ud800\\ud800"])", arena) == R"(["\ufffd\\ud800"])");
}

}  // namespace

int main() {
  numbers_keep_their_type_or_become_their_text();
  what_the_grammar_refuses_is_no_number();
  timestamps_are_read_by_form_and_size();
  levels_are_words_or_numbers();
  each_maximal_subpart_becomes_one_replacement();
  escapes_are_undone_and_surrogates_without_a_pair_replaced();
  return failures != 0;
}
