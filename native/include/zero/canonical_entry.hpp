// A zero.v1.LogEntry in the form that the platform itself writes: known fields in ascending order, none of them twice or empty,
// lengths and numbers as short as can be. Nearly every entry has it, and is read in one pass; other forms are left to
// WireReader.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "zero/entry.hpp"
#include "zero/value.hpp"
#include "zero/wire_reader.hpp"

namespace zero {

// What is empty or 0 is absent.
struct CanonicalEntry {
  std::string_view& operator[](Field field) { return texts[static_cast<std::size_t>(field)]; }

  std::array<std::string_view, field_count> texts;
  std::uint64_t timestamp_ns = 0;
  std::uint64_t level = 0;
};

// Every method that reads returns false at what has another form; the reading is over then.
class CanonicalReader {
 public:
  explicit CanonicalReader(std::string_view encoded) : at_(encoded.data()), end_(at_ + encoded.size()) {}

  // Reads an entry to its end. Calls `place(0)` to `place(4)` where app_id, timestamp, level, source and environment begin, or
  // would, and `attribute(key, value)`, which returns whether to go on.
  template <typename Place, typename Attribute>
  [[gnu::always_inline]] bool read(CanonicalEntry& entry, Place&& place, Attribute&& attribute) {
    place(0);
    if (!text(1, entry[Field::app_id])) return false;
    place(1);
    if (take(fixed64_tag(2)) && !(fixed64(entry.timestamp_ns) && entry.timestamp_ns != 0)) return false;
    place(2);
    if (take(varint_tag(3)) && !(varint(entry.level) && entry.level != 0)) return false;
    if (!text(4, entry[Field::message])) return false;
    place(3);
    if (!text(5, entry[Field::source])) return false;
    place(4);
    if (!text(6, entry[Field::environment]) || !text(7, entry[Field::trace_id]) || !text(8, entry[Field::span_id]) ||
        !text(9, entry[Field::user_id])) {
      return false;
    }
    while (take(bytes_tag(10))) {
      std::string_view key;
      Value value;
      if (!read_attribute(key, value) || !attribute(key, value)) return false;
    }
    return at_ == end_;
  }

  const char* at() const { return at_; }
  // How many of the bytes read, those of texts aside, have their highest bit set.
  std::size_t high_bytes() const { return high_bytes_; }

 private:
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  [[gnu::always_inline]] bool take(std::uint32_t tag) {
    if (at_ == end_ || *at_ != static_cast<char>(tag)) return false;
    ++at_;
    return true;
  }

  [[gnu::always_inline]] bool varint(std::uint64_t& number) {
    if (at_ != end_ && static_cast<unsigned char>(*at_) < 0x80) {
      number = static_cast<unsigned char>(*at_++);
      return true;
    }
    const LongVarint found = long_varint(at_, end_);
    if (found.bytes == 0) return false;
    number = found.number;
    at_ += found.bytes;
    high_bytes_ += found.bytes - 1;
    return true;
  }

  // By value: were the reader seen from outside, it would have to be kept in memory.
  struct LongVarint {
    std::uint64_t number;
    std::size_t bytes;  // 0: not one
  };
  [[gnu::noinline]] static LongVarint long_varint(const char* at, const char* end) {
    LongVarint found{0, 0};
    for (int shift = 0; shift < 63 && at != end; shift += 7) {
      const auto byte = static_cast<unsigned char>(*at++);
      found.number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      ++found.bytes;
      if (byte < 0x80) return byte != 0 ? found : LongVarint{0, 0};
    }
    return {0, 0};
  }

  [[gnu::always_inline]] bool fixed64(std::uint64_t& number) {
    if (left() < sizeof number) return false;
    number = little_endian({at_, sizeof number});
    at_ += sizeof number;
    high_bytes_ += static_cast<std::size_t>((number >> 7 & ones) * ones >> 56);
    return true;
  }

  [[gnu::always_inline]] bool bytes(std::string_view& bytes) {
    std::uint64_t size = 0;
    if (!varint(size) || size > left()) return false;
    bytes = {at_, static_cast<std::size_t>(size)};
    at_ += size;
    return true;
  }

  [[gnu::always_inline]] bool text(std::uint32_t number, std::string_view& text) {
    return !take(bytes_tag(number)) || (bytes(text) && !text.empty());
  }

  [[gnu::always_inline]] bool read_attribute(std::string_view& key, Value& value) {
    std::uint64_t size = 0;
    if (!varint(size) || size > left()) return false;
    const char* const stop = at_ + size;
    if (!take(bytes_tag(1)) || !bytes(key) || !take(bytes_tag(2)) || !varint(size)) return false;
    return size == static_cast<std::uint64_t>(stop - at_) && at_ < stop && read_value(value) && at_ == stop;
  }

  // Numbers above 2^63 - 1 are too rare to be read here.
  [[gnu::always_inline]] bool read_value(Value& value) {
    std::uint64_t bits = 0;
    switch (static_cast<unsigned char>(*at_++)) {
      case bytes_tag(1):
        value.kind = Value::Kind::text;
        return bytes(value.text);
      case varint_tag(2):
        value.kind = Value::Kind::int64;
        if (!varint(bits)) return false;
        value.bits = bits >> 1 ^ (0 - (bits & 1));
        return true;
      case fixed64_tag(4):
        value.kind = Value::Kind::float64;
        return fixed64(value.bits) && std::isfinite(std::bit_cast<double>(value.bits));
      case varint_tag(5):
        value.kind = Value::Kind::boolean;
        return varint(value.bits) && value.bits <= 1;
      default:
        return false;
    }
  }

  static constexpr std::uint64_t ones = 0x0101010101010101u;

  const char* at_;
  const char* end_;
  std::size_t high_bytes_ = 0;
};

}  // namespace zero
