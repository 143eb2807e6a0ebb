// Memory that is written once and read in order: the output buffer and the arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace zero {

// Most texts are short: two words that may overlap cost less than a call.
template <typename Word>
void copy_ends(char* to, const char* from, std::size_t size) {
  Word first;
  Word last;
  std::memcpy(&first, from, sizeof first);
  std::memcpy(&last, from + size - sizeof last, sizeof last);
  std::memcpy(to, &first, sizeof first);
  std::memcpy(to + size - sizeof last, &last, sizeof last);
}
inline void copy_text(char* to, const char* from, std::size_t size) {
  if (size > 2 * sizeof(std::uint64_t)) {
    std::memcpy(to, from, size);
  } else if (size >= sizeof(std::uint64_t)) {
    copy_ends<std::uint64_t>(to, from, size);
  } else if (size >= sizeof(std::uint32_t)) {
    copy_ends<std::uint32_t>(to, from, size);
  } else {
    for (std::size_t at = 0; at < size; ++at) to[at] = from[at];
  }
}

template <typename Word>
bool same_ends(const char* one, const char* other, std::size_t size) {
  const auto differ = [&](std::size_t at) {
    Word a;
    Word b;
    std::memcpy(&a, one + at, sizeof a);
    std::memcpy(&b, other + at, sizeof b);
    return a ^ b;
  };
  return (differ(0) | differ(size - sizeof(Word))) == 0;
}
inline bool same_text(std::string_view one, std::string_view other) {
  const std::size_t size = one.size();
  if (size != other.size()) return false;
  if (size > 2 * sizeof(std::uint64_t)) return std::memcmp(one.data(), other.data(), size) == 0;
  if (size >= sizeof(std::uint64_t)) return same_ends<std::uint64_t>(one.data(), other.data(), size);
  if (size >= sizeof(std::uint32_t)) return same_ends<std::uint32_t>(one.data(), other.data(), size);
  for (std::size_t at = 0; at < size; ++at) {
    if (one[at] != other[at]) return false;
  }
  return true;
}

constexpr bool is_blank(char byte) { return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'; }
inline bool is_blank(std::string_view text) {
  for (const char byte : text) {
    if (!is_blank(byte)) return false;
  }
  return true;
}

// Returns the text without the blanks at its ends.
constexpr std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// A growing buffer that never fills what it is about to overwrite.
class Bytes {
 public:
  // Returns room for `count` bytes behind the end; they belong to the buffer from then on.
  char* extend(std::size_t count) {
    if (capacity_ - size_ < count) grow(count);
    char* room = data_.get() + size_;
    size_ += count;
    return room;
  }
  void append(std::string_view text) {
    if (!text.empty()) copy_text(extend(text.size()), text.data(), text.size());
  }
  void resize_down(std::size_t size) { size_ = size; }
  // Empties the buffer, and frees it when it has grown beyond `keep_bytes`.
  void clear(std::size_t keep_bytes) {
    size_ = 0;
    if (capacity_ <= keep_bytes) return;
    data_.reset();
    capacity_ = 0;
  }
  const char* data() const { return data_.get(); }
  char* data() { return data_.get(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  void grow(std::size_t count) {
    std::size_t capacity = capacity_ < 4096 ? 4096 : capacity_ * 2;
    if (capacity < size_ + count) capacity = size_ + count;
    std::unique_ptr<char[]> data(new char[capacity]);
    if (size_ != 0) std::memcpy(data.get(), data_.get(), size_);
    data_ = std::move(data);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// Gives out memory that stays where it is until `clear`.
class Arena {
 public:
  // Returns room for `count` bytes; give back what was too much with `shrink`.
  char* take(std::size_t count) {
    if (room_ < count) add_chunk(count);
    char* start = next_;
    next_ += count;
    room_ -= count;
    return start;
  }
  // Returns the end of the latest `take` that was not needed: [used_end, end of take).
  void shrink(char* used_end) {
    room_ += static_cast<std::size_t>(next_ - used_end);
    next_ = used_end;
  }
  // Forgets everything given out; keeps one chunk of ordinary size.
  void clear() {
    if (chunks_.empty()) return;
    chunks_.resize(1);
    next_ = chunks_[0].get();
    room_ = chunk_bytes;
  }

 private:
  static constexpr std::size_t chunk_bytes = 64 * 1024;

  void add_chunk(std::size_t count) {
    if (chunks_.empty()) chunks_.emplace_back(new char[chunk_bytes]);  // the one that clear() keeps
    const std::size_t size = count > chunk_bytes ? count : chunk_bytes;
    chunks_.emplace_back(new char[size]);
    next_ = chunks_.back().get();
    room_ = size;
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  std::size_t room_ = 0;
};

}  // namespace zero
