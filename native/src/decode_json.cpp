#include <algorithm>
#include <memory>
#include <string>

#include "zero/decode.hpp"
#include "zero/json_document.hpp"
#include "zero/json_entry.hpp"
#include "zero/json_syntax.hpp"

namespace zero {
namespace {

constexpr std::string_view blanks = " \t\r\n";
const std::string not_an_object = "entry is not an object";

// NDJSON is more than one line with something on it, when the first line and the first byte of the second cannot begin one
// value.
bool is_lines(std::string_view body) {
  const std::size_t line_end = body.find('\n', body.find_first_not_of(blanks));
  if (line_end == std::string_view::npos) return false;
  const std::size_t second = body.find_first_not_of(blanks, line_end);
  return second != std::string_view::npos && json_error(body.substr(0, second + 1)) <= second;
}

class JsonDecoder {
 public:
  const Decoded& decode(std::string_view body, const Stamp& stamp) {
    stamp_ = &stamp;
    decoded_.clear();
    if (body.size() > limits::body_bytes) {
      decoded_.refuse(Refusal::too_many_bytes, body.size());
      return decoded_;
    }
    const std::size_t mark_bytes = body.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
    const std::string_view text = body.substr(mark_bytes);
    if (is_blank(text)) {
      decoded_.refuse(Refusal::empty);
    } else if (is_lines(text)) {
      lines(text);
    } else if (!document(text) && decoded_.refusal == Refusal::none) {
      decoded_.refuse(Refusal::not_json, mark_bytes + document_.error_offset());
    }
    if (decoded_.refusal != Refusal::none) decoded_.payload.resize_down(0);
    trim();
    return decoded_;
  }

 private:
  void trim() {
    document_.trim();
    arena_.clear();
  }

  void lines(std::string_view body) {
    for (std::size_t start = 0; start < body.size();) {
      const std::size_t end = std::min(body.find('\n', start), body.size());
      const std::string_view text = body.substr(start, end - start);
      start = end + 1;
      if (is_blank(text)) continue;
      if (decoded_.full()) return decoded_.refuse(Refusal::too_many_entries);
      arena_.clear();
      line(text);
    }
  }

  void line(std::string_view text) {
    if (!document_.open(text) || !read(walker_.peek() == '{')) {
      return decoded_.reject("line is not valid JSON at byte " + std::to_string(document_.error_offset()));
    }
    finish(opened_object_, 0);
  }

  // Reads the next value into the entry, or over it when it is no object, up to the end of the text.
  bool read(bool object) {
    opened_object_ = object;
    entry_.clear();
    return (object ? reader_.read(*stamp_) : walker_.skip(0)) && walker_.at_end();
  }

  bool document(std::string_view text) {
    if (!document_.open(text)) return false;
    if (walker_.peek() == '[') return array() && walker_.at_end();
    if (walker_.peek() == '{' && is_wrapper()) {
      walker_.rewind(3);  // { "logs" :
      if (walker_.peek() == '[') return array();
      decoded_.refuse(Refusal::not_entries);
      return true;
    }
    walker_.rewind(0);
    if (!read(walker_.peek() == '{')) return false;
    if (opened_object_) {
      finish(true, 0);
    } else {
      decoded_.refuse(Refusal::not_entries);
    }
    return true;
  }

  // Whether the text is an object whose only key is "logs".
  bool is_wrapper() {
    std::string_view key;
    return walker_.take('{') && walker_.string(key) && key == "logs" && walker_.take(':') && walker_.skip(1) &&
           walker_.take('}') && walker_.at_end();
  }

  bool array() {
    walker_.take('[');
    if (walker_.take(']')) return true;
    do {
      if (decoded_.full()) return refuse_count();
      const std::size_t start = walker_.offset();
      const bool object = walker_.peek() == '{';
      entry_.clear();
      if (!(object ? reader_.read(*stamp_) : walker_.skip(0))) return false;
      finish(object, start);
      arena_.clear();
    } while (walker_.take(','));
    return walker_.take(']');
  }

  // Too many entries, unless what follows is not even JSON.
  bool refuse_count() {
    if (json_error(document_.text()) == no_error) decoded_.refuse(Refusal::too_many_entries);
    return false;
  }

  // Takes the entry, whose text lies between `start` and the walker, or its rejection into the result.
  void finish(bool object, std::size_t start) {
    if (!object) return decoded_.reject(not_an_object);
    if (!entry_.finish(*stamp_)) return decoded_.reject(entry_.reason());
    if (document_.was_repaired(start, walker_.offset())) entry_.mark_repaired();
    decoded_.accept(entry_);
  }

  Arena arena_;
  JsonDocument document_{arena_};
  JsonWalker& walker_ = document_.walker();
  Entry entry_;
  JsonEntryReader reader_{walker_, entry_, arena_};
  Decoded decoded_;
  const Stamp* stamp_ = nullptr;
  bool opened_object_ = false;
};

}  // namespace

const Decoded& decode_json(std::string_view body, const Stamp& stamp) {
  // By pointer: a member of a thread-local object costs a call of __tls_get_addr each time in a shared object.
  static thread_local const auto decoder = std::make_unique<JsonDecoder>();
  return decoder->decode(body, stamp);
}

}  // namespace zero
