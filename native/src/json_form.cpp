#include "zero/json_form.hpp"

#include "zero/json_syntax.hpp"

namespace zero {

std::optional<std::size_t> open_form(std::string_view body, JsonDocument& document, Decoded& decoded) {
  const std::size_t mark_bytes = body.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
  if (body.size() > limits::body_bytes) {
    decoded.refuse(Refusal::too_many_bytes, body.size());
  } else if (body.find_first_not_of(" \t\r\n", mark_bytes) == std::string_view::npos) {
    decoded.refuse(Refusal::empty);
  } else if (!document.open(body.substr(mark_bytes))) {
    decoded.refuse(Refusal::not_json, mark_bytes + document.original(json_error(document.text())));
  } else {
    return mark_bytes;
  }
  return {};
}

void end_form(const JsonDocument& document, const JsonForm& form, std::size_t mark_bytes, Decoded& decoded) {
  const std::size_t error = json_error(document.text());
  if (error != no_error) {
    decoded.refuse(Refusal::not_json, mark_bytes + document.original(error));
  } else if (decoded.refusal == Refusal::none) {
    decoded.refuse(Refusal::wrong_form, mark_bytes + document.original(form.wrong_at()));
  }
}

}  // namespace zero
