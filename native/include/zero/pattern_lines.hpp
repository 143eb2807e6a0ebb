// The patterns of a text with one message a line, each pattern numbered at its first line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "zero/pattern.hpp"

namespace zero {

// Lines end with \n; a \r before it is no part of them, and what follows the last \n is a line unless it is empty.
class PatternLines {
 public:
  explicit PatternLines(std::string_view lines, PatternMaker& patterns);

  const std::vector<std::uint32_t>& numbers() const { return numbers_; }  // of each line
  std::size_t patterns() const { return ids_.size(); }
  std::uint64_t id(std::size_t number) const { return ids_[number]; }
  std::string_view text(std::size_t number) const {
    const std::size_t start = number == 0 ? 0 : ends_[number - 1];
    return texts_.view().substr(start, ends_[number] - start);
  }

 private:
  void add(std::string_view line, PatternMaker& patterns, ByteBuffer& masked);

  std::vector<std::uint32_t> numbers_;
  std::unordered_map<std::uint64_t, std::uint32_t> known_;
  std::vector<std::uint64_t> ids_;
  ByteBuffer texts_;
  std::vector<std::size_t> ends_;
};

}  // namespace zero
