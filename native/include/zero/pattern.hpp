// The pattern of a message: its text with the variable parts masked as <*>, and a 64-bit hash of that.
//
// One pass, no state between messages, so every process gives the same id for ever. Masked are:
//   words (runs of letters, digits, _ . - / \ @ % + $ # ~ and all beyond ASCII) that hold a digit, are eight or more hex
//   letters,
//     look like a path (a slash in front, or a slash and one more slash or dot), an address (@ inside) or a host name (lower
//     case, two or more dots); dots at their end stay;
//   IPv6 and MAC addresses and times of day: groups of hex digits with two or more colons and a digit;
//   values in quotes, unless they hold white space or are followed by a colon, as the keys of JSON objects are;
//   a unit behind a number and a blank, the port behind a host name, names of days and months in front of a number, < or > in
//     front of a number, and brackets behind a mask that hold a mask or nothing.
// Masks with only blanks and : , ; | between them, and names of days and months, become one.
#pragma once

#include <cstdint>
#include <string_view>

#include "zero/columns.hpp"

namespace zero {

// Replaces what `out` holds by the masked message.
void mask(std::string_view message, ByteBuffer& out);

// The hash64 of the masked message.
std::uint64_t pattern_id(std::string_view message);

}  // namespace zero
