// JSON text made from values, no longer than it is worth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "zero/bytes.hpp"

namespace zero {

class JsonText {
 public:
  // Begins a text of at most `bytes_max`; what goes beyond is not kept.
  void start(std::size_t bytes_max);
  bool fits() const { return fits_; }
  std::string_view view() const { return out_.view(); }
  // Gives back the memory that a large text took.
  void trim();

  // What is written as it is.
  void raw(std::string_view text);
  // A string in its quotes, escaped where JSON needs it.
  void string(std::string_view text);
  void integer(std::int64_t value);
  // The shortest form that reads back as the same number, laid out as Python's repr. NaN and the infinities are words.
  void number(double value);
  // RFC 4648 base64 with padding, without quotes.
  void base64(std::string_view bytes);

 private:
  Bytes out_;
  std::size_t bytes_max_ = 0;
  bool fits_ = true;
};

}  // namespace zero
