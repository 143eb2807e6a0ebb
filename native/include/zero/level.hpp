// Severity: the words and numbers that senders use for it.
#pragma once

#include <string_view>

namespace zero {

// The numbers of zero.v1.Level.
enum Level : int { level_unknown = 0, level_trace, level_debug, level_info, level_warn, level_error, level_fatal };

// Reads a word of any case, a syslog number (0 to 7) or a pino number (10 to 69, by its ten). level_unknown: neither.
Level parse_level(std::string_view text);

}  // namespace zero
