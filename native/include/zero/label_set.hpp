// A Prometheus label set in text: {name="value", other="value"}.
#pragma once

#include <optional>
#include <string_view>

#include "zero/bytes.hpp"

namespace zero {

// Reads the labels of a set one after the other. Values are quoted with " or ' and Go's escapes, or with ` and none; a comma
// may follow the last. Names begin with a letter or _ and go on with those, digits and . : / -
class LabelSet {
 public:
  LabelSet(std::string_view text, Arena& arena) : text_(text), arena_(arena) {}

  // Moves to the next label. Returns false at the end, and where the text is no label set: `wrong` tells which.
  bool next();
  bool wrong() const { return wrong_; }
  // Offset of what cannot be read.
  std::size_t offset() const { return at_; }

  std::string_view name() const { return name_; }
  std::string_view value() const { return value_; }  // escapes may stand for bytes that are not UTF-8

 private:
  bool is(char byte) const { return at_ < text_.size() && text_[at_] == byte; }
  bool take(char byte) { return is(byte) && ++at_; }
  void skip_blanks();
  bool end();
  bool read_name();
  bool read_value();
  bool unescape(std::string_view raw, std::size_t start);

  std::string_view text_;
  Arena& arena_;
  std::size_t at_ = 0;
  bool begun_ = false;
  bool wrong_ = false;
  std::string_view name_;
  std::string_view value_;
};

}  // namespace zero
