// Any bytes: decoding what was accepted gives the same bytes again, none of it rejected or repaired.
#include "round_trip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace zero;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const Stamp stamp = fuzz_stamp();
  const Decoded& decoded = decode_log_batch(body, stamp);
  if (decoded.refusal == Refusal::not_protobuf && decoded.position >= size) std::abort();
  expect_round_trip(decoded, stamp);
  return 0;
}
