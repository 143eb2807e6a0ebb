// A 64-bit hash of bytes, the same on every platform and for ever: pattern ids are made of it.
//
// Words are little endian; the constants are the first digits of the fractional part of pi. mix(a, b) is the exclusive or of
// the two halves of the 128-bit product. The state starts as seed ^ k0. While more than 16 bytes are left, the next 16, (a, b),
// are folded in: state = mix(a ^ state, b ^ rotl(state, 32) ^ k1). The last 0 to 16 bytes are folded in once more with (a, b) =
// the first and the last 8 of them (of 8 to 16), the first and the last 4 (of 4 to 7), first << 16 | middle << 8 | last and 0
// (of 1 to 3), or 0 and 0. The hash is mix(state ^ k0, size ^ k1). With an unknown seed nobody can make texts that collide.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>

namespace zero {
namespace hash64_detail {

constexpr std::uint64_t k0 = 0x243f6a8885a308d3u;
constexpr std::uint64_t k1 = 0x13198a2e03707344u;

inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

template <typename Word>
std::uint64_t load(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

inline std::uint64_t fold(std::uint64_t state, std::uint64_t a, std::uint64_t b) {
  return mix(a ^ state, b ^ std::rotl(state, 32) ^ k1);
}

}  // namespace hash64_detail

inline std::uint64_t hash64(const char* data, std::size_t size, std::uint64_t seed = 0) {
  using namespace hash64_detail;
  std::uint64_t state = seed ^ k0;
  std::size_t left = size;
  for (; left > 16; data += 16, left -= 16) state = fold(state, load<std::uint64_t>(data), load<std::uint64_t>(data + 8));
  std::uint64_t a = 0, b = 0;
  if (left >= 8) {
    a = load<std::uint64_t>(data), b = load<std::uint64_t>(data + left - 8);
  } else if (left >= 4) {
    a = load<std::uint32_t>(data), b = load<std::uint32_t>(data + left - 4);
  } else if (left > 0) {
    a = load<std::uint8_t>(data) << 16 | load<std::uint8_t>(data + left / 2) << 8 | load<std::uint8_t>(data + left - 1);
  }
  return mix(fold(state, a, b) ^ k0, size ^ k1);
}

// Returns a seed that nobody knows.
inline std::uint64_t random_seed() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

}  // namespace zero
