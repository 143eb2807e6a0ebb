// A fixed set of short names, found with one hash and one comparison. The hash is chosen by the compiler.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "zero/bytes.hpp"
namespace zero {

template <std::size_t Count>
class NameTable {
 public:
  using Names = std::array<std::pair<std::string_view, int>, Count>;

  consteval explicit NameTable(const Names& names) : names_(names) {
    while (!fits()) seed_ += 2;
  }

  // Returns the number of the name, or -1.
  constexpr int find(std::string_view name) const {
    if (name.empty()) return -1;
    const std::uint8_t at = places_[hash(name)];
    return at != 0 && same_text(names_[at - 1].first, name) ? names_[at - 1].second : -1;
  }

 private:
  static constexpr unsigned bits = Count > 32 ? 9 : 8;
  static_assert(Count < 128);

  constexpr std::size_t hash(std::string_view name) const {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(name[at])); };
    const std::uint32_t mixed = byte(0) | byte(name.size() / 2) << 8 | byte(name.size() - 1) << 16;
    return (mixed + static_cast<std::uint32_t>(name.size() * 0x9e3779b1u)) * seed_ >> (32 - bits);
  }

  consteval bool fits() {
    places_ = {};
    for (std::size_t at = 0; at < Count; ++at) {
      std::uint8_t& place = places_[hash(names_[at].first)];
      if (place != 0) return false;
      place = static_cast<std::uint8_t>(at + 1);
    }
    return true;
  }

  Names names_;
  std::uint32_t seed_ = 0x9e3779b1u;
  std::array<std::uint8_t, 1u << bits> places_{};
};

template <std::size_t Count>
consteval NameTable<Count> name_table(const std::pair<std::string_view, int> (&names)[Count]) {
  return NameTable<Count>(std::to_array(names));
}

}  // namespace zero
