// The pattern of a message: its text with the variable parts masked, and a 64-bit hash of that.
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
