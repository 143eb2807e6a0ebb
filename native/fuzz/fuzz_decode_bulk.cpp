// Any bytes: what is accepted passes the LogBatch door unchanged, and every outcome can be answered with.
#include "round_trip.hpp"
#include "zero/bulk.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace zero;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const Stamp stamp = fuzz_stamp();
  static JsonText items;
  bulk_items(body, 1, 0, items);  // as outcomes they may be nonsense
  const BulkDecoded bulk = decode_bulk(body, stamp, "shop");
  const Decoded& decoded = bulk.decoded;
  if (decoded.refusal == Refusal::none && !bulk_items(bulk.outcomes, 1, 0xFFFF'FFF0u, items)) std::abort();
  expect_round_trip(decoded, stamp);
  return 0;
}
