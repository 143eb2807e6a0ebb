// The pattern of a message: its text with the variable parts masked as <*>, and a 64-bit hash of that.
//
// One pass, no state between messages, so every process gives the same id for ever. Masked are:
//   words (runs of letters, digits, _ . - / \ @ % + $ # ~ and all beyond ASCII) that hold a digit, are eight or more hex
//   letters,
//     look like a path (a slash in front, or a slash and one more slash or dot), an address (@ inside) or a host name (lower
//     case, two or more dots, and no = behind it); dots at their end stay;
//   three or more dots between two words belong to neither;
//   IPv6 and MAC addresses and times of day: groups of hex digits with two or more colons and a digit;
//   values in quotes, unless they hold white space or are followed by a colon, as the keys of JSON objects are;
//   the query of a URL behind its path (?key=value, up to white space, a quote or a bracket);
//   a unit behind a number and a blank, the port behind a host name, names of days and months in front of a number, < or > in
//     front of a number, and brackets behind a mask that hold a mask or nothing.
// Masks with only blanks and : , ; | between them, and names of days and months, become one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "zero/columns.hpp"

namespace zero {

// Keeps its memory from message to message, and what became of the latest: services repeat themselves. Two hashes with seeds
// that nobody knows stand for a message, so that no sender can make one that passes for another.
class PatternMaker {
 public:
  PatternMaker();
  // Replaces what `out` holds by the masked message.
  void mask(std::string_view message, ByteBuffer& out);
  // Returns the hash64 of the masked message.
  std::uint64_t id(std::string_view message);
  std::size_t capacity_bytes() const { return masked_.capacity(); }

 private:
  static constexpr std::size_t known_messages = 16'384;
  struct Known {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    std::uint64_t id = 0;
  };

  std::array<std::uint64_t, 2> seeds_;
  std::vector<Known> known_;
  ByteBuffer masked_;
};

}  // namespace zero
