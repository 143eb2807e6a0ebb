// Any bytes as a message: the mask stays within its bound, depends on the message alone, and leaves no digit of ASCII.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "zero/pattern.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  zero::ByteBuffer masked;
  static zero::PatternMaker patterns;
  patterns.mask(message, masked);
  if (masked.size() > 2 * size + 3) std::abort();
  if (masked.view().find_first_of("0123456789") != std::string_view::npos) std::abort();
  if (patterns.id(message) != patterns.id(message)) std::abort();
  return 0;
}
