#include "zero/json_document.hpp"

#include "zero/decoded.hpp"
#include "zero/json_syntax.hpp"

namespace zero {

bool JsonDocument::open(std::string_view text) {
  text_ = text;
  repairs_.clear();
  if (!index_.build(text_)) {
    if (is_valid_utf8(text_)) return false;
    repaired_text_ = repair_utf8(text_, &repairs_);
    text_ = repaired_text_;
    if (!index_.build(text_)) return false;
  }
  walker_.start(text_, index_);
  return true;
}

std::size_t JsonDocument::error_offset() const {
  const std::size_t offset = json_error(text_);
  return original(offset == no_error ? walker_.offset() : offset);
}

void JsonDocument::trim() {
  index_.trim();
  if (repaired_text_.capacity() > kept_bytes) repaired_text_ = {};
  repairs_.trim(kept_bytes);
}

}  // namespace zero
