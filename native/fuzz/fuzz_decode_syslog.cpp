// Any bytes: what is accepted passes the LogBatch door unchanged, and a cut never reaches beyond the stream.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "zero/decode.hpp"
#include "zero/syslog_frames.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace zero;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const Stamp stamp(1'795'341'600'000'000'000, "192.0.2.7");
  const SyslogCut cut = cut_syslog(body, 64, 100);
  if (cut.complete > size || cut.skip < -1) std::abort();
  const long utc_offset_seconds = size % 2 != 0 ? 7200 : -3600;
  const Decoded& decoded = decode_syslog(body, stamp, utc_offset_seconds);
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
