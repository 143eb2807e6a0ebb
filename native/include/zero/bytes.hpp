// Memory that is written once and read in order: the output buffer and the arena.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace zero {

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
    if (!text.empty()) std::memcpy(extend(text.size()), text.data(), text.size());
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
