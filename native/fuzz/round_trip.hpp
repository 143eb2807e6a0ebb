// What holds for the result of every door, whatever came in.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "zero/decode.hpp"

namespace zero {

inline Stamp fuzz_stamp() { return Stamp(1'795'341'600'000'000'000, "192.0.2.7"); }

// Aborts unless what was accepted passes the LogBatch door unchanged, and what was refused left nothing. Ends the result's
// life.
inline void expect_round_trip(const Decoded& decoded, const Stamp& stamp) {
  if (decoded.refusal != Refusal::none || decoded.accepted == 0) {
    if (!decoded.batch().empty()) std::abort();
    return;
  }
  const std::string payload(decoded.batch());
  const std::uint32_t accepted = decoded.accepted;
  const Decoded& again = decode_log_batch(payload, stamp);
  if (again.refusal != Refusal::none || again.accepted != accepted || again.rejected != 0 || again.repaired != 0) std::abort();
  if (again.batch() != payload) std::abort();
}

}  // namespace zero
