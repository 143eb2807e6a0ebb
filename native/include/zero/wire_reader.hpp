// The fields of one protobuf message, in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <protozero/exception.hpp>
#include <protozero/types.hpp>
#include <protozero/varint.hpp>
#include <string_view>

namespace zero {

using WireType = protozero::pbf_wire_type;

// Number and type in one value: a known number with another type is an unknown field.
constexpr std::uint32_t wire_tag(std::uint32_t number, WireType type) { return number << 3 | static_cast<std::uint32_t>(type); }
constexpr std::uint32_t varint_tag(std::uint32_t number) { return wire_tag(number, WireType::varint); }
constexpr std::uint32_t fixed64_tag(std::uint32_t number) { return wire_tag(number, WireType::fixed64); }
constexpr std::uint32_t fixed32_tag(std::uint32_t number) { return wire_tag(number, WireType::fixed32); }
constexpr std::uint32_t bytes_tag(std::uint32_t number) { return wire_tag(number, WireType::length_delimited); }

inline std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t at = bytes.size(); at-- != 0;) value = value << 8 | static_cast<unsigned char>(bytes[at]);
  return value;
}

// Throws a protozero::exception at a field that cannot be read; `field_start` then says where it is. Groups cannot be read.
class WireReader {
 public:
  WireReader(std::string_view message, const char*& field_start)
      : at_(message.data()), end_(message.data() + message.size()), field_start_(field_start) {}

  // Moves to the next field. Returns false at the end.
  [[gnu::always_inline]] bool next() {
    if (at_ == end_) return false;
    field_start_ = at_;
    const std::uint64_t tag = varint();
    if (tag >> 32 != 0 || tag >> 3 == 0) throw protozero::invalid_tag_exception{};
    tag_ = static_cast<std::uint32_t>(tag);
    switch (static_cast<WireType>(tag & 7)) {
      case WireType::varint:
        number_ = varint();
        break;
      case WireType::fixed64:
        number_ = little_endian(take(8));
        break;
      case WireType::length_delimited:
        bytes_ = take(varint());
        break;
      case WireType::fixed32:
        number_ = little_endian(take(4));
        break;
      default:
        throw protozero::unknown_pbf_wire_type_exception{};
    }
    return true;
  }

  std::uint32_t tag() const { return tag_; }
  std::uint64_t number() const { return number_; }   // of varint, fixed64 and fixed32
  std::string_view bytes() const { return bytes_; }  // of length_delimited

 private:
  // Lengths of one or two bytes are nearly all there are.
  std::uint64_t varint() {
    const auto byte = [&](std::ptrdiff_t at) { return static_cast<unsigned char>(at_[at]); };
    if (end_ - at_ >= 2 && byte(0) >= 0x80 && byte(1) < 0x80) {
      const std::uint64_t value = (byte(0) & 0x7fu) | static_cast<std::uint64_t>(byte(1)) << 7;
      at_ += 2;
      return value;
    }
    return protozero::decode_varint(&at_, end_);
  }

  std::string_view take(std::uint64_t count) {
    if (count > static_cast<std::uint64_t>(end_ - at_)) throw protozero::end_of_buffer_exception{};
    const std::string_view taken(at_, static_cast<std::size_t>(count));
    at_ += count;
    return taken;
  }

  const char* at_;
  const char* end_;
  const char*& field_start_;
  std::uint32_t tag_ = 0;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
};

}  // namespace zero
