#include "zero/pattern_lines.hpp"

#include <algorithm>

namespace zero {

PatternLines::PatternLines(std::string_view lines, PatternMaker& patterns) {
  ByteBuffer masked;
  numbers_.reserve(static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n')) + 1);
  while (!lines.empty()) {
    const std::size_t stop = std::min(lines.find('\n'), lines.size());
    std::string_view line = lines.substr(0, stop);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    add(line, patterns, masked);
    lines.remove_prefix(std::min(stop + 1, lines.size()));
  }
}

void PatternLines::add(std::string_view line, PatternMaker& patterns, ByteBuffer& masked) {
  const std::uint64_t id = patterns.id(line);
  const auto [at, is_new] = known_.try_emplace(id, static_cast<std::uint32_t>(ids_.size()));
  numbers_.push_back(at->second);
  if (!is_new) return;
  patterns.mask(line, masked);
  ids_.push_back(id);
  texts_.append(masked.view());
  ends_.push_back(texts_.size());
}

}  // namespace zero
