// Elasticsearch's bulk requests: actions and documents on lines of their own, and one answer for each action.
#pragma once

#include <cstdint>
#include <string_view>

#include "zero/bytes.hpp"
#include "zero/decoded.hpp"
#include "zero/json_text.hpp"

namespace zero {

struct BulkDecoded {
  const Decoded& decoded;
  std::string_view outcomes;  // what became of each action, in order; for bulk_items
};

// Reads index and create actions; others are rejected one by one. `index` is that of actions without one. The result belongs to
// the thread and holds until its next call.
BulkDecoded decode_bulk(std::string_view body, const Stamp& stamp, std::string_view index);

// Writes the array `items` of the answer, the accepted entries numbered from `first_index` in the batch. Returns false when the
// outcomes are none.
bool bulk_items(std::string_view outcomes, std::uint64_t batch_id, std::uint32_t first_index, JsonText& out);

}  // namespace zero
