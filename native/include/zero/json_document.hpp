// One JSON text under a walker: its UTF-8 repaired where it is broken, and offsets in it told as offsets in what was sent.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "zero/json_walker.hpp"
#include "zero/utf8.hpp"

namespace zero {

inline constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

class JsonDocument {
 public:
  explicit JsonDocument(Arena& arena) : walker_(arena) {}

  // Makes the walker stand at the start of the text. Returns false when it is not JSON.
  bool open(std::string_view text);
  JsonWalker& walker() { return walker_; }
  // The text that the walker walks over.
  std::string_view text() const { return text_; }

  // Where the text stops being JSON, or, when it is some, what the walker stands before: as an offset in what was sent.
  std::size_t error_offset() const;
  std::size_t original(std::size_t offset) const { return repairs_.original(offset); }
  // Whether something between the offsets was repaired.
  bool was_repaired(std::size_t start, std::size_t end) const { return repairs_.any(start, end); }

  // Gives back the memory that a large text took.
  void trim();

 private:
  JsonIndex index_;
  JsonWalker walker_;
  std::string_view text_;
  std::string repaired_text_;
  Repairs repairs_;
};

}  // namespace zero
