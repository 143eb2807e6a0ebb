#include "zero/utf8.hpp"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

namespace zero {
namespace {

struct Sequence {
  std::size_t bytes;
  bool valid;
};

// Returns the well-formed sequence at the start of the text, or the maximal subpart of an ill-formed one.
Sequence first_sequence(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, true};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return {1, false};
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  for (std::size_t at = 1; at < bytes; ++at) {
    if (at == text.size() || byte(at) < low || byte(at) > high) return {at, false};
    low = 0x80;
    high = 0xbf;
  }
  return {bytes, true};
}

}  // namespace

// Eight bytes a step: a count in each byte of a sum, which holds for 255 steps.
std::size_t count_high_bytes(std::string_view bytes) {
  constexpr std::uint64_t ones = 0x0101010101010101u;
  constexpr std::uint64_t pairs = 0x00ff00ff00ff00ffu;
  constexpr std::size_t step = sizeof(std::uint64_t);
  std::size_t count = 0;
  while (bytes.size() >= step) {
    const std::size_t words = std::min<std::size_t>(bytes.size() / step, 255);
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < words; ++at) {
      std::uint64_t word;
      std::memcpy(&word, bytes.data() + at * step, step);
      sum += word >> 7 & ones;
    }
    count += static_cast<std::size_t>(((sum & pairs) + (sum >> 8 & pairs)) * 0x0001000100010001u >> 48);
    bytes.remove_prefix(words * step);
  }
  for (const char byte : bytes) count += static_cast<unsigned char>(byte) >> 7;
  return count;
}

bool is_valid_multibyte(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

char* put_utf8(char* out, std::uint32_t character) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (character >> shift & 0x3f)); };
  if (character < 0x80) {
    *out++ = static_cast<char>(character);
  } else if (character < 0x800) {
    *out++ = static_cast<char>(0xc0 | character >> 6);
    *out++ = tail(0);
  } else if (character < 0x10000) {
    *out++ = static_cast<char>(0xe0 | character >> 12);
    *out++ = tail(6);
    *out++ = tail(0);
  } else {
    *out++ = static_cast<char>(0xf0 | character >> 18);
    *out++ = tail(12);
    *out++ = tail(6);
    *out++ = tail(0);
  }
  return out;
}

std::string repair_utf8(std::string_view text, Repairs* repairs) {
  std::size_t size = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Sequence sequence = first_sequence(text.substr(at));
    size += sequence.valid ? sequence.bytes : replacement_character.size();
    at += sequence.bytes;
  }
  if (repairs) repairs->start(size);
  std::string repaired;
  repaired.reserve(size);
  for (std::size_t at = 0; at < text.size();) {
    const Sequence sequence = first_sequence(text.substr(at));
    if (repairs) repairs->pass(repaired.size(), at);
    if (sequence.valid) {
      repaired.append(text.substr(at, sequence.bytes));
    } else {
      if (repairs) repairs->mark(repaired.size(), sequence.bytes);
      repaired.append(replacement_character);
    }
    at += sequence.bytes;
  }
  return repaired;
}

void Repairs::start(std::size_t size) {
  bits_.assign((size + 63) / 64, 0);
  points_.clear();
}

void Repairs::clear() {
  bits_.clear();
  points_.clear();
}

void Repairs::trim(std::size_t keep_bytes) {
  if (bits_.capacity() * sizeof(std::uint64_t) > keep_bytes) bits_ = {};
  if (points_.capacity() * sizeof(Point) > keep_bytes) points_ = {};
}

void Repairs::mark(std::size_t at, std::size_t bytes) {
  for (std::size_t bit = at; bit < at + bytes; ++bit) bits_[bit / 64] |= std::uint64_t{1} << bit % 64;
}

bool Repairs::any(std::size_t start, std::size_t end) const {
  end = std::min(end, bits_.size() * 64);
  for (std::size_t at = start; at < end;) {
    const std::uint64_t ahead = bits_[at / 64] >> at % 64;
    if (ahead != 0) return at + static_cast<std::size_t>(std::countr_zero(ahead)) < end;
    at = (at / 64 + 1) * 64;
  }
  return false;
}

std::size_t Repairs::original(std::size_t offset) const {
  if (points_.empty()) return offset;
  const auto behind = std::upper_bound(points_.begin(), points_.end(), offset,
                                       [](std::size_t at, const Point& point) { return at < point.repaired; });
  const Point& point = behind[-1];
  std::size_t original = point.original + (offset - point.repaired);
  for (std::size_t at = point.repaired; at < offset && at < bits_.size() * 64;) {
    if (!is_marked(at)) {
      ++at;
      continue;
    }
    std::size_t bytes = 1;
    while (bytes < replacement_character.size() && is_marked(at + bytes)) ++bytes;
    original -= replacement_character.size() - bytes;
    at += replacement_character.size();
  }
  return original;
}

}  // namespace zero
