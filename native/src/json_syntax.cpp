#include "zero/json_syntax.hpp"

#include <vector>

namespace zero {
namespace {

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

bool is_hex(char byte) { return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F'); }

// Each method moves to the first byte that it cannot take, and returns whether what it read was whole.
class SyntaxCheck {
 public:
  explicit SyntaxCheck(std::string_view text) : text_(text) {}

  std::size_t run() {
    while (step()) {
    }
    return expect_ == Expect::end && done() ? no_error : at_;
  }

 private:
  enum class Expect { value, value_or_close, key, key_or_close, colon, comma_or_close, end };

  bool done() const { return at_ == text_.size(); }
  bool is(char byte) const { return !done() && text_[at_] == byte; }
  bool take(char byte) { return is(byte) && ++at_; }

  bool step() {
    while (is(' ') || is('\t') || is('\n') || is('\r')) ++at_;
    if (done()) return false;
    switch (expect_) {
      case Expect::value_or_close:
        return is(']') ? close(false) : value();
      case Expect::value:
        return value();
      case Expect::key_or_close:
        return is('}') ? close(true) : key();
      case Expect::key:
        return key();
      case Expect::colon:
        expect_ = Expect::value;
        return take(':');
      case Expect::comma_or_close:
        return comma_or_close();
      case Expect::end:
        return false;
    }
    return false;
  }

  bool key() {
    expect_ = Expect::colon;
    return take('"') && string();
  }

  bool comma_or_close() {
    if (is('}') || is(']')) return close(is('}'));
    expect_ = in_object_.back() ? Expect::key : Expect::value;
    return take(',');
  }

  bool open(bool object) {
    ++at_;
    in_object_.push_back(object);
    expect_ = object ? Expect::key_or_close : Expect::value_or_close;
    return true;
  }

  bool close(bool object) {
    if (in_object_.back() != object) return false;
    ++at_;
    in_object_.pop_back();
    after_value();
    return true;
  }

  void after_value() { expect_ = in_object_.empty() ? Expect::end : Expect::comma_or_close; }

  bool value() {
    const char first = text_[at_];
    if (first == '{' || first == '[') return open(first == '{');
    const bool whole = scalar(first);
    if (whole) after_value();
    return whole;
  }

  bool scalar(char first) {
    switch (first) {
      case '"':
        ++at_;
        return string();
      case 't':
        return literal("true");
      case 'f':
        return literal("false");
      case 'n':
        return literal("null");
      default:
        return number();
    }
  }

  bool literal(std::string_view word) {
    for (const char byte : word) {
      if (!take(byte)) return false;
    }
    return true;
  }

  bool digits() {
    if (done() || !is_digit(text_[at_])) return false;
    while (!done() && is_digit(text_[at_])) ++at_;
    return true;
  }

  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (!take('e') && !take('E')) return true;
    if (!take('+')) take('-');
    return digits();
  }

  bool string() {
    for (; !done(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return false;
      if (text_[at_] == '\\' && !escape()) return false;
    }
    return false;
  }

  // Stops at the last byte of the escape.
  bool escape() {
    ++at_;
    if (done() || std::string_view("\"\\/bfnrtu").find(text_[at_]) == std::string_view::npos) return false;
    if (text_[at_] != 'u') return true;
    for (int digit = 0; digit < 4; ++digit) {
      ++at_;
      if (done() || !is_hex(text_[at_])) return false;
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Expect expect_ = Expect::value;
  std::vector<bool> in_object_;
};

}  // namespace

std::size_t json_error(std::string_view text) { return SyntaxCheck(text).run(); }

}  // namespace zero
