// Where a text stops being JSON: slow, exact, and only asked when something is wrong.
#pragma once

#include <cstddef>
#include <string_view>

namespace zero {

inline constexpr std::size_t no_error = static_cast<std::size_t>(-1);

// Returns the offset of the first byte that cannot go on any JSON text (RFC 8259); the size of the text when it ends too early;
// no_error when it is one. Bytes from 0x80 on are taken as they are inside strings. Any depth, without recursion.
std::size_t json_error(std::string_view text);

}  // namespace zero
