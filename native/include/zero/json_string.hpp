// The text between the quotes of a JSON string.
#pragma once

#include <optional>
#include <string_view>

#include "zero/bytes.hpp"

namespace zero {

// Returns the text that `raw` stands for, made in the arena; nothing when an escape is wrong. A surrogate without its pair
// becomes U+FFFD and sets `repaired`.
std::optional<std::string_view> unescape_json(std::string_view raw, Arena& arena, bool& repaired);

// Returns whether every escape in `raw` is right. A surrogate without its pair sets `repaired`.
bool check_json_escapes(std::string_view raw, bool& repaired);

// Returns JSON text like `json` in which each escaped surrogate without its pair is the escape of U+FFFD, made in the arena.
std::string_view repair_json_surrogates(std::string_view json, Arena& arena);

}  // namespace zero
