// Columns in ClickHouse's Native format, filled row by row and written as a whole.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "zero/bytes.hpp"

namespace zero {

static_assert(std::endian::native == std::endian::little, "the Native format is little endian");

// Bytes with what the Native format is made of: numbers, varints and strings.
class ByteBuffer : public Bytes {
 public:
  void clear() { resize_down(0); }
  void append_byte(char byte) { *extend(1) = byte; }
  void append_fill(char byte, std::size_t count) {
    if (count != 0) std::memset(extend(count), byte, count);
  }
  template <typename Number>
  void append_number(Number number) {
    std::memcpy(extend(sizeof number), &number, sizeof number);
  }
  template <typename Number>
  void append_repeated(Number number, std::size_t count) {
    char* const start = extend(count * sizeof number);
    for (std::size_t at = 0; at < count; ++at) std::memcpy(start + at * sizeof number, &number, sizeof number);
  }
  void append_varint(std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) append_byte(static_cast<char>(number | 0x80));
    append_byte(static_cast<char>(number));
  }
  // The way Native writes a String: its length as a varint, then its bytes.
  void append_string(std::string_view text) {
    append_varint(text.size());
    append(text);
  }

  static std::size_t varint_bytes(std::uint64_t number) {
    return (static_cast<std::size_t>(std::bit_width(number | 1)) + 6) / 7;
  }
};

// Distinct texts, each with a number in order of first appearance. Keeps views: the texts must outlive the set.
class TextSet {
 public:
  TextSet();
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  // Returns the number of the text, or `none`.
  std::uint32_t find(std::string_view text) const;
  // Returns the number of the text, which is size() - 1 when it was not there before.
  std::uint32_t add(std::string_view text);
  std::size_t size() const { return texts_.size(); }
  const std::vector<std::string_view>& texts() const { return texts_; }
  std::size_t capacity_bytes() const;
  void clear();

 private:
  std::size_t slot_of(std::string_view text, std::uint32_t hash) const;
  void rehash(std::size_t slots);

  struct Slot {
    std::uint32_t hash;
    std::uint32_t number;  // counted from 1; 0 is free
  };
  std::vector<Slot> slots_;
  std::vector<std::string_view> texts_;
  std::vector<std::uint32_t> hashes_;
};

// LowCardinality(String): a dictionary of the block and an index for every row.
class DictionaryColumn {
 public:
  void append(std::string_view text) {
    if (rows() == 0 || !same_text(text, last_)) {
      last_number_ = texts_.add(text);
      last_ = text;
    }
    indexes_.append_number(last_number_);
  }
  void append_repeated(std::string_view text, std::size_t rows);
  std::size_t rows() const { return indexes_.size() / sizeof(std::uint32_t); }
  // Replaces what `out` holds; nothing for a block without rows.
  void write(ByteBuffer& out) const;
  std::size_t capacity_bytes() const { return indexes_.capacity() + texts_.capacity_bytes(); }
  void clear();

 private:
  TextSet texts_;
  ByteBuffer indexes_;
  std::string_view last_;
  std::uint32_t last_number_ = 0;
};

}  // namespace zero
