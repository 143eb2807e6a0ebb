#include "zero/json_document.hpp"

#include <algorithm>

#include "zero/decoded.hpp"
#include "zero/json_syntax.hpp"

namespace zero {

bool JsonDocument::open(std::string_view text) {
  text_ = text;
  replacements_.clear();
  if (!index_.build(text_)) {
    if (is_valid_utf8(text_)) return false;
    repaired_text_ = repair_utf8(text_, &replacements_);
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

bool JsonDocument::was_repaired(std::size_t start, std::size_t end) const {
  const auto first = std::lower_bound(replacements_.begin(), replacements_.end(), start,
                                      [](const Replacement& replacement, std::size_t at) { return replacement.at < at; });
  return first != replacements_.end() && first->at < end;
}

void JsonDocument::trim() {
  index_.trim();
  if (repaired_text_.capacity() > kept_bytes) repaired_text_ = {};
  if (replacements_.capacity() * sizeof(Replacement) > kept_bytes) replacements_ = {};
}

}  // namespace zero
