// Protobuf written without knowing lengths beforehand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "zero/bytes.hpp"
#include "zero/wire_reader.hpp"

namespace zero {

class WireWriter {
 public:
  explicit WireWriter(Bytes& out) : out_(out) {}

  void varint(std::uint32_t number, std::uint64_t value) {
    put(varint_tag(number));
    put(value);
  }
  void fixed64(std::uint32_t number, std::uint64_t value) {
    put(fixed64_tag(number));
    little_endian(value, 8);
  }
  void fixed32(std::uint32_t number, std::uint64_t value) {
    put(fixed32_tag(number));
    little_endian(value, 4);
  }
  void bytes(std::uint32_t number, std::string_view value) {
    put(bytes_tag(number));
    put(value.size());
    out_.append(value);
  }
  // A field whose bytes are what is written until `end` is called with what this returns.
  std::size_t begin(std::uint32_t number) {
    put(bytes_tag(number));
    out_.extend(length_bytes);
    return out_.size();
  }
  void end(std::size_t start) {
    std::size_t length = out_.size() - start;
    char* at = out_.data() + start - length_bytes;
    for (std::size_t left = length_bytes; left-- != 0; length >>= 7) {
      *at++ = static_cast<char>((length & 0x7f) | (left != 0 ? 0x80 : 0));
    }
  }

 private:
  static constexpr std::size_t length_bytes = 4;  // a varint with leading zeros: up to 256 MiB

  void put(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) *out_.extend(1) = static_cast<char>(value | 0x80);
    *out_.extend(1) = static_cast<char>(value);
  }
  void little_endian(std::uint64_t value, int count) {
    for (int at = 0; at < count; ++at, value >>= 8) *out_.extend(1) = static_cast<char>(value);
  }

  Bytes& out_;
};

}  // namespace zero
