// CRC-32C (Castagnoli), as in RFC 3720.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zero {

std::uint32_t crc32c(const void* data, std::size_t size, std::uint32_t seed = 0);

}  // namespace zero
