// Columns in ClickHouse's Native format, filled row by row and written as a whole.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace zero {

static_assert(std::endian::native == std::endian::little, "the Native format is little endian");

// Bytes that grow without being zeroed first; clearing keeps the memory.
class ByteBuffer {
 public:
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  const char* data() const { return data_.get(); }
  char* data() { return data_.get(); }
  void clear() { size_ = 0; }
  void truncate(std::size_t size) { size_ = size; }

  char* extend(std::size_t more) {
    if (capacity_ - size_ < more) grow(more);
    char* start = data_.get() + size_;
    size_ += more;
    return start;
  }
  void append(const void* bytes, std::size_t count) {
    if (count != 0) std::memcpy(extend(count), bytes, count);
  }
  void append(char byte) { *extend(1) = byte; }
  void append_fill(char byte, std::size_t count) {
    if (count != 0) std::memset(extend(count), byte, count);
  }
  template <typename Number>
  void append_number(Number number) {
    std::memcpy(extend(sizeof number), &number, sizeof number);
  }
  void append_varint(std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) append(static_cast<char>(number | 0x80));
    append(static_cast<char>(number));
  }
  // The way Native writes a String: its length as a varint, then its bytes.
  void append_string(std::string_view text) {
    append_varint(text.size());
    append(text.data(), text.size());
  }
  std::string_view view() const { return {data_.get(), size_}; }

  static std::size_t varint_bytes(std::uint64_t number) {
    return (static_cast<std::size_t>(std::bit_width(number | 1)) + 6) / 7;
  }

 private:
  void grow(std::size_t more);

  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
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
    if (rows() == 0 || text != last_) {
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
