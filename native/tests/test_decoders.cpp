#include <string>

#include "expect.hpp"
#include "zero/decode.hpp"
#include "zero/json_syntax.hpp"

using namespace zero;

namespace {

const Stamp stamp(1'795'341'600'000'000'000, "192.0.2.7");

// The report in one line: refusal/position or accepted/rejected/repaired and the first error.
std::string report(const Decoded& decoded) {
  if (decoded.refusal != Refusal::none) {
    return "refused " + std::to_string(static_cast<int>(decoded.refusal)) + " at " + std::to_string(decoded.position);
  }
  std::string text =
      std::to_string(decoded.accepted) + "/" + std::to_string(decoded.rejected) + "/" + std::to_string(decoded.repaired);
  if (!decoded.errors.empty()) text += " " + std::to_string(decoded.errors[0].first) + ": " + decoded.errors[0].second;
  return text;
}

std::string json(std::string_view body) { return report(decode_json(body, stamp)); }

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

void every_form_of_a_json_body_is_read() {
  EXPECT(json(R"({"message":"a"})") == "1/0/0");
  EXPECT(json(R"([{"message":"a"},{"msg":"b"}])") == "2/0/0");
  EXPECT(json(R"({"logs":[{"message":"a"}]})") == "1/0/0");
  EXPECT(json("{\"message\":\"a\"}\n\n{\"message\":\"b\"}\n") == "2/0/0");
  EXPECT(json("[]") == "0/0/0");
  EXPECT(json(" ") == "refused 1 at 0");
  EXPECT(json("5") == "refused 3 at 0");
  EXPECT(json("[1,") == "refused 2 at 3");
}

void one_bad_entry_never_costs_its_neighbours() {
  EXPECT(json("{\"message\":\"a\"}\n{\n{\"message\":\"b\"}") == "2/1/0 1: line is not valid JSON at byte 1");
  EXPECT(json(R"([{"message":"a"},{"message":"b","x":)" + nested(64) + R"(},{"message":"c\ud800"}])") ==
         "2/1/1 1: nesting deeper than 64");
}

void depth_needs_no_stack() {
  EXPECT(json(R"({"message":"a","x":)" + nested(1'000'000) + "}") == "0/1/0 0: nesting deeper than 64");
  EXPECT(json(std::string(1'000'000, '[')) == "refused 2 at 1000000");
}

void the_buffer_may_end_where_the_body_ends() {
  for (const std::string_view text :
       {R"({"message":"a","n":12)", R"({"message":"a","n":tru)", R"({"message":"\ud8)", R"({"message":)"}) {
    const std::string exact(text);
    EXPECT(json({exact.data(), exact.size()}) == "refused 2 at " + std::to_string(exact.size()));
  }
}

void what_is_written_passes_the_other_door_unchanged() {
  const std::string payload(
      decode_json(R"({"message":"a","n":1,"f":-0,"t":true,"big":18446744073709551615,"s":""})", stamp).payload.view());
  const Decoded& again = decode_log_batch(payload, stamp);
  EXPECT(report(again) == "1/0/0");
  EXPECT(again.batch() == std::string_view(payload));
}

void malformed_protobuf_is_refused_where_it_is() {
  using namespace std::string_view_literals;
  EXPECT(report(decode_log_batch("\x0a\x00\x0a\x05"
                                 "ab"sv,
                                 stamp)) == "refused 6 at 2");
  EXPECT(report(decode_log_batch("\x0b"sv, stamp)) == "refused 6 at 0");
  EXPECT(report(decode_log_batch("\x0a\x03\x22\x01m"sv, stamp)) == "1/0/0");
}

void the_syntax_check_names_the_first_byte_that_fits_nowhere() {
  EXPECT(json_error(R"({"a":[1,2.5e-3,"x\u00e9",true,null,{}]})") == no_error);
  EXPECT(json_error("[1 2]") == 3u);
  EXPECT(json_error("{\"a\":01}") == 6u);
  EXPECT(json_error("[1}") == 2u);
  EXPECT(json_error("\"\\u12x4\"") == 5u);
  EXPECT(json_error("tru") == 3u);
}

}  // namespace

int main() {
  every_form_of_a_json_body_is_read();
  one_bad_entry_never_costs_its_neighbours();
  depth_needs_no_stack();
  the_buffer_may_end_where_the_body_ends();
  what_is_written_passes_the_other_door_unchanged();
  malformed_protobuf_is_refused_where_it_is();
  the_syntax_check_names_the_first_byte_that_fits_nowhere();
  return failures != 0;
}
