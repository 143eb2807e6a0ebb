#include "zero/bulk_action.hpp"

#include <algorithm>

namespace zero {
namespace {

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

// Whether the text has the form, in which 0 is any digit and . is a point or a hyphen.
bool has_form(std::string_view text, std::string_view form) {
  return text.size() == form.size() && std::equal(text.begin(), text.end(), form.begin(), [](char byte, char expected) {
           return expected == '0' ? is_digit(byte) : byte == '.' || byte == '-';
         });
}

std::string_view without_date(std::string_view index) {
  for (const std::string_view form : {".0000.00.00", ".0000.00"}) {
    if (index.size() > form.size() && has_form(index.substr(index.size() - form.size()), form)) {
      return index.substr(0, index.size() - form.size());
    }
  }
  return index;
}

}  // namespace

bool BulkActionReader::read(BulkAction& action) {
  int actions = 0;
  const std::size_t start = walker_.offset();
  const bool read = form_.object([&](std::string_view name) {
    const auto* const found = std::find(std::begin(bulk_names), std::end(bulk_names), name);
    if (found == std::end(bulk_names) || ++actions > 1) return form_.fail(walker_.offset());
    action.kind = static_cast<BulkAction::Kind>(found - std::begin(bulk_names));
    return form_.object([&](std::string_view key) {
      if (key != "_index" && key != "_id") return form_.skip();
      if (form_.take_null()) return true;
      std::string_view text;
      if (!form_.string(text)) return false;
      (key == "_id" ? action.id : action.index) = text;
      return true;
    });
  });
  return read && (actions == 1 || form_.fail(start));
}

IndexMeaning read_index(std::string_view index) {
  constexpr std::string_view prefix = "logs-";
  if (!index.starts_with(prefix)) return {without_date(index), {}};
  const std::string_view stream = index.substr(prefix.size());
  const std::size_t hyphen = stream.find('-');
  const bool whole = hyphen != std::string_view::npos && hyphen != 0 && hyphen + 1 != stream.size() &&
                     stream.find('-', hyphen + 1) == std::string_view::npos;
  if (!whole) return {without_date(index), {}};
  const std::string_view name = stream.substr(hyphen + 1);
  return {stream.substr(0, hyphen), name == "default" ? std::string_view() : name};
}

}  // namespace zero
