// JSON of a known form: a reading that ends at the first value that is not what the form has there.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "zero/decoded.hpp"
#include "zero/json_document.hpp"

namespace zero {

// Methods return false when the walk is over; `wrong_at` then says where, unless the text is not JSON at all.
class JsonForm {
 public:
  explicit JsonForm(JsonWalker& walker) : walker_(walker) {}

  // Calls on(key) in front of each member's value, which it has to read.
  template <typename On>
  bool object(On&& on) {
    if (!open('{')) return false;
    if (walker_.take('}')) return true;
    do {
      std::string_view key;
      if (!walker_.string(key) || !walker_.take(':') || !on(key)) return false;
    } while (walker_.take(','));
    return walker_.take('}');
  }
  // Calls on() in front of each element, which it has to read.
  template <typename On>
  bool array(On&& on) {
    if (!open('[')) return false;
    if (walker_.take(']')) return true;
    do {
      if (!on()) return false;
    } while (walker_.take(','));
    return walker_.take(']');
  }
  bool scalar(JsonToken& token) {
    wrong_at_ = walker_.offset();
    return walker_.peek() != '{' && walker_.peek() != '[' && walker_.scalar(token);
  }
  bool string(std::string_view& text) {
    wrong_at_ = walker_.offset();
    return walker_.peek() == '"' && walker_.string(text);
  }
  // Takes a null, which stands for a member that is not there.
  bool take_null() {
    JsonToken token;
    return walker_.peek() == 'n' && walker_.scalar(token);
  }
  bool skip() { return walker_.skip(0); }
  // Says that the value at this offset is wrong, although each part of it was not.
  bool fail(std::size_t offset) {
    wrong_at_ = offset;
    return false;
  }

  // Offset of the value that is wrong.
  std::size_t wrong_at() const { return wrong_at_; }

 private:
  bool open(char bracket) {
    wrong_at_ = walker_.offset();
    return walker_.take(bracket);
  }

  JsonWalker& walker_;
  std::size_t wrong_at_ = 0;
};

// Opens a body. Returns how many bytes lie before its text, or nothing when it is refused: too large, empty or not JSON.
std::optional<std::size_t> open_form(std::string_view body, JsonDocument& document, Decoded& decoded);
// Refuses a body whose reading has ended before its end, or that is no JSON behind the place where it was refused.
void end_form(const JsonDocument& document, const JsonForm& form, std::size_t mark_bytes, Decoded& decoded);

// Reads a body with read(), which returns whether all of it has the form.
template <typename Read>
void read_form(std::string_view body, JsonDocument& document, const JsonForm& form, Decoded& decoded, Read&& read) {
  const auto mark_bytes = open_form(body, document, decoded);
  if (mark_bytes && !(read() && document.walker().at_end())) end_form(document, form, *mark_bytes, decoded);
  if (decoded.refusal != Refusal::none) decoded.payload.resize_down(0);
}

}  // namespace zero
