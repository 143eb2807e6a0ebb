// A fixed set of words of up to eight bytes, found with one multiplication and one comparison.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace zero {

template <std::size_t Count>
class WordSet {
 public:
  // The compiler looks for a factor that gives every word a slot of its own.
  consteval explicit WordSet(const std::string_view (&words)[Count]) {
    while (!fits(words)) factor_ *= 0x9e3779b97f4a7c15u;
  }

  constexpr bool contains(std::string_view word) const {
    if (word.size() - 1 >= bytes_max) return false;
    const Slot found = pack(word);
    const Slot& slot = slots_[place(found)];
    return slot.ends == found.ends && slot.size == found.size;
  }

 private:
  static constexpr std::size_t bytes_max = 8;
  static constexpr unsigned place_bits = 8;
  static_assert(Count <= 64);

  struct Slot {
    std::uint64_t ends = 0;  // both ends of the word, which may overlap
    std::uint64_t size = 0;
  };

  static constexpr Slot pack(std::string_view word) {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint64_t>(static_cast<unsigned char>(word[at])); };
    const auto four = [&](std::size_t at) { return byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24; };
    const std::size_t size = word.size();
    if (size >= 4) return {four(0) | four(size - 4) << 32, size};
    return {byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16, size};
  }

  constexpr std::size_t place(const Slot& slot) const { return (slot.ends ^ slot.size) * factor_ >> (64 - place_bits); }

  consteval bool fits(const std::string_view (&words)[Count]) {
    slots_ = {};
    for (const std::string_view word : words) {
      const Slot packed = pack(word);
      Slot& slot = slots_[place(packed)];
      if (slot.size != 0) return false;
      slot = packed;
    }
    return true;
  }

  std::uint64_t factor_ = 0x9e3779b97f4a7c15u;
  std::array<Slot, 1u << place_bits> slots_{};
};

template <std::size_t Count>
consteval WordSet<Count> word_set(const std::string_view (&words)[Count]) {
  return WordSet<Count>(words);
}

}  // namespace zero
