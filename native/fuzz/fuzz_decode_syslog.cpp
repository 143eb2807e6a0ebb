// Any bytes: what is accepted passes the LogBatch door unchanged, and a cut never reaches beyond the stream.
#include "round_trip.hpp"
#include "zero/syslog_frames.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace zero;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const Stamp stamp = fuzz_stamp();
  const SyslogCut cut = cut_syslog(body, 64, 100);
  if (cut.complete > size || cut.skip < -1) std::abort();
  const long utc_offset_seconds = size % 2 != 0 ? 7200 : -3600;
  const Decoded& decoded = decode_syslog(body, stamp, utc_offset_seconds);
  expect_round_trip(decoded, stamp);
  return 0;
}
