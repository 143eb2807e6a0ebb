// Any bytes: what is accepted passes the LogBatch door unchanged, and a fault lies within them.
#include "round_trip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace zero;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const Stamp stamp = fuzz_stamp();
  const Decoded& decoded = decode_loki(body, stamp);
  if (decoded.refusal == Refusal::not_protobuf && decoded.position >= size) std::abort();
  expect_round_trip(decoded, stamp);
  return 0;
}
