// What a decoder made of one body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "zero/bytes.hpp"
#include "zero/entry.hpp"

namespace zero {

// What a thread keeps of each buffer from one body to the next.
inline constexpr std::size_t kept_bytes = 1024 * 1024;

// Why a whole body is refused.
enum class Refusal : int {
  none = 0,
  empty = 1,             // nothing but blanks
  not_json = 2,          // `position`: the first byte that no JSON text has there
  not_entries = 3,       // a number, text or word at the top, or what is under "logs" is no array
  too_many_entries = 4,  // more than limits::entries
  too_many_bytes = 5,    // more than limits::body_bytes
  not_protobuf = 6,      // `position`: the field that cannot be read
  wrong_form = 7,        // `position`: a value that is not what the protocol has there
  too_much_shared = 8,   // more than limits::payload_bytes
};

struct Decoded {
  static constexpr std::size_t errors_max = 100;

  Refusal refusal = Refusal::none;
  std::size_t position = 0;
  Bytes payload;             // a zero.v1.LogBatch
  std::string_view as_sent;  // the body, when it is what the payload would be
  std::uint32_t accepted = 0;
  std::uint32_t rejected = 0;
  std::uint32_t repaired = 0;
  std::vector<std::pair<std::uint32_t, std::string>> errors;  // index in the body, reason

  std::string_view batch() const { return as_sent.empty() ? payload.view() : as_sent; }
  std::uint32_t seen() const { return accepted + rejected; }
  bool full() const { return seen() == limits::entries; }
  void reject(const std::string& reason) {
    if (errors.size() < errors_max) errors.emplace_back(seen(), reason);
    ++rejected;
  }
  // Takes a finished entry. Refuses the body when what its entries share makes too much of it.
  void accept(const Entry& entry) {
    entry.append_to(payload, entry.encoded_bytes());
    ++accepted;
    repaired += entry.repaired();
    if (payload.size() > limits::payload_bytes) refuse(Refusal::too_much_shared, payload.size());
  }
  void refuse(Refusal why, std::size_t at = 0) {
    refusal = why;
    position = at;
  }
  void clear() {
    refuse(Refusal::none);
    payload.clear(kept_bytes);
    as_sent = {};
    accepted = rejected = repaired = 0;
    errors.clear();
  }
};

}  // namespace zero
