// The line in front of a document of a bulk request, and what its index says about the document.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "zero/json_form.hpp"

namespace zero {

struct BulkAction {
  // In the order of bulk_names.
  enum class Kind : std::uint8_t { index, create, update, remove };

  Kind kind = Kind::index;
  std::string index;
  std::string id;

  bool has_document() const { return kind != Kind::remove; }
};
inline constexpr std::string_view bulk_names[] = {"index", "create", "update", "delete"};

// Reads {"index": {"_index": …, "_id": …}} and its like; other members say nothing here.
class BulkActionReader {
 public:
  BulkActionReader(JsonWalker& walker, JsonForm& form) : walker_(walker), form_(form) {}
  bool read(BulkAction& action);

 private:
  JsonWalker& walker_;
  JsonForm& form_;
};

// What the name of an index says: the application, and perhaps the environment.
struct IndexMeaning {
  std::string_view app_id;
  std::string_view environment;
};

// A data stream logs-DATASET-NAMESPACE is both (the namespace `default` is none); any other name is the application without the
// date at its end.
IndexMeaning read_index(std::string_view index);

}  // namespace zero
