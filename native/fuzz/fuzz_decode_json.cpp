// Any bytes: what is accepted passes the LogBatch door unchanged, and what is refused is refused by the syntax check too.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "zero/decode.hpp"
#include "zero/json_syntax.hpp"
#include "zero/utf8.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace zero;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const Stamp stamp(1'795'341'600'000'000'000, "192.0.2.7");
  const Decoded& decoded = decode_json(body, stamp);
  if (decoded.refusal == Refusal::not_json && json_error(repair_utf8(body)) == no_error) std::abort();
  if (decoded.refusal != Refusal::none || decoded.accepted == 0) {
    if (decoded.payload.size() != 0) std::abort();
    return 0;
  }
  const std::string payload(decoded.payload.view());
  const std::uint32_t accepted = decoded.accepted;
  const Decoded& again = decode_log_batch(payload, stamp);
  if (again.refusal != Refusal::none || again.accepted != accepted || again.rejected != 0 || again.repaired != 0) std::abort();
  if (again.payload.view() != payload) std::abort();
  return 0;
}
