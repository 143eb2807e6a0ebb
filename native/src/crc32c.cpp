#include "zero/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace zero {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0x82f63b78u : value >> 1;
    table[byte] = value;
  }
  return table;
}

constexpr auto table = make_table();

std::uint32_t crc_portable(const unsigned char* data, std::size_t size, std::uint32_t crc) {
  for (std::size_t at = 0; at < size; ++at) crc = table[(crc ^ data[at]) & 0xff] ^ crc >> 8;
  return crc;
}

#if defined(__x86_64__)
constexpr std::size_t lane_bytes = 1024;

// Returns x to the power of `exponent`, modulo the polynomial, in the reflected form of a checksum.
constexpr std::uint32_t power_of_x(std::size_t exponent) {
  std::uint32_t power = 0x80000000u;
  for (; exponent != 0; --exponent) power = power & 1 ? power >> 1 ^ 0x82f63b78u : power >> 1;
  return power;
}

// A checksum times this is one with `bytes` zeros behind; the product of two reflected words and its reduction add 33 to the
// power.
constexpr std::uint32_t zeros_behind(std::size_t bytes) { return power_of_x(8 * bytes - 33); }
constexpr std::uint32_t one_lane = zeros_behind(lane_bytes);
constexpr std::uint32_t two_lanes = zeros_behind(2 * lane_bytes);

__attribute__((target("sse4.2,pclmul"))) std::uint64_t append_zeros(std::uint64_t crc, std::uint32_t zeros) {
  const __m128i product =
      _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(crc)), _mm_cvtsi32_si128(static_cast<int>(zeros)), 0);
  return _mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(product)));
}

std::uint64_t word_at(const unsigned char* data) {
  std::uint64_t word;
  std::memcpy(&word, data, sizeof word);
  return word;
}

// The instruction takes three cycles but can start one each cycle: three lanes side by side.
__attribute__((target("sse4.2,pclmul"))) std::uint32_t crc_lanes(const unsigned char* data, std::size_t size,
                                                                 std::uint32_t crc) {
  std::uint64_t first = crc;
  for (; size >= 3 * lane_bytes; data += 3 * lane_bytes, size -= 3 * lane_bytes) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t at = 0; at < lane_bytes; at += 8) {
      first = _mm_crc32_u64(first, word_at(data + at));
      second = _mm_crc32_u64(second, word_at(data + lane_bytes + at));
      third = _mm_crc32_u64(third, word_at(data + 2 * lane_bytes + at));
    }
    first = append_zeros(first, two_lanes) ^ append_zeros(second, one_lane) ^ third;
  }
  for (; size >= 8; data += 8, size -= 8) first = _mm_crc32_u64(first, word_at(data));
  crc = static_cast<std::uint32_t>(first);
  for (; size; ++data, --size) crc = _mm_crc32_u8(crc, *data);
  return crc;
}
#endif

}  // namespace

std::uint32_t crc32c(const void* data, std::size_t size, std::uint32_t seed) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  const std::uint32_t crc = ~seed;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) return ~crc_lanes(bytes, size, crc);
#endif
  return ~crc_portable(bytes, size, crc);
}

}  // namespace zero
