// Points in time as senders write them, in nanoseconds of the Unix epoch, UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace zero {

// Reads RFC 3339 (also with a blank for the T, a comma for the point, or no offset: UTC), or a decimal number whose size tells
// its unit: below 1e11 seconds, 1e14 milliseconds, 1e17 microseconds, else nanoseconds. Digits below a nanosecond are left out.
// Nothing when the text is neither, or lies before 1970 or behind 2286.
std::optional<std::uint64_t> parse_timestamp(std::string_view text);

}  // namespace zero
