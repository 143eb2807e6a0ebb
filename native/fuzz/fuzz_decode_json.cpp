// Any bytes: what is accepted passes the LogBatch door unchanged, and what is refused is refused by the syntax check too.
#include "round_trip.hpp"
#include "zero/json_syntax.hpp"
#include "zero/utf8.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace zero;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const Stamp stamp = fuzz_stamp();
  const Decoded& decoded = decode_json(body, stamp);
  if (decoded.refusal == Refusal::not_json && json_error(repair_utf8(body)) == no_error) std::abort();
  expect_round_trip(decoded, stamp);
  return 0;
}
