#include <array>
#include <charconv>
#include <memory>

#include "zero/decode.hpp"
#include "zero/loki_entries.hpp"
#include "zero/wire_reader.hpp"

namespace zero {
namespace {

constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;
constexpr std::uint64_t seconds_end = 10'000'000'000;  // the year 2286, as for every timestamp

class LokiDecoder {
 public:
  const Decoded& decode(std::string_view body, const Stamp& stamp) {
    decoded_.clear();
    entries_.start(decoded_, stamp);
    if (body.size() > limits::body_bytes) {
      decoded_.refuse(Refusal::too_many_bytes, body.size());
    } else {
      try {
        push(body);
      } catch (const protozero::exception&) {
        decoded_.refuse(Refusal::not_protobuf, static_cast<std::size_t>(field_start_ - body.data()));
      }
    }
    if (decoded_.refusal != Refusal::none) decoded_.payload.resize_down(0);
    entries_.trim();
    return decoded_;
  }

 private:
  bool going() const { return decoded_.refusal == Refusal::none; }

  void push(std::string_view message) {
    WireReader reader(message, field_start_);
    while (going() && reader.next()) {
      if (reader.tag() == bytes_tag(1)) stream(reader.bytes());
    }
  }

  // Fields come in any order, so the labels are looked for first.
  void stream(std::string_view message) {
    std::string_view labels;
    WireReader shared(message, field_start_);
    while (shared.next()) {
      if (shared.tag() == bytes_tag(1)) labels = shared.bytes();
    }
    entries_.begin_stream();
    entries_.labels(labels);
    WireReader reader(message, field_start_);
    while (going() && reader.next()) {
      if (reader.tag() != bytes_tag(2)) continue;
      if (decoded_.full()) return decoded_.refuse(Refusal::too_many_entries);
      entry(reader.bytes());
    }
  }

  void entry(std::string_view message) {
    entries_.begin_entry();
    std::string_view line;
    seconds_ = nanoseconds_ = 0;
    WireReader reader(message, field_start_);
    while (reader.next()) {
      if (reader.tag() == bytes_tag(1)) timestamp(reader.bytes());
      if (reader.tag() == bytes_tag(2)) line = reader.bytes();
      if (reader.tag() == bytes_tag(3)) pair(reader.bytes());
    }
    if (seconds_ >= seconds_end || nanoseconds_ >= nanoseconds_per_second) return entries_.end_entry(line, {}, original());
    const std::uint64_t time_ns = seconds_ * nanoseconds_per_second + nanoseconds_;
    const bool wild = time_ns < entries_.stamp().earliest_ns || time_ns > entries_.stamp().latest_ns;
    if (time_ns == 0) return entries_.end_entry(line, {}, {});
    entries_.end_entry(line, time_ns, wild ? written(original_.data(), time_ns) : std::string_view());
  }

  void timestamp(std::string_view message) {
    WireReader reader(message, field_start_);
    while (reader.next()) {
      if (reader.tag() == varint_tag(1)) seconds_ = reader.number();
      if (reader.tag() == varint_tag(2)) nanoseconds_ = reader.number();
    }
  }

  void pair(std::string_view message) {
    std::string_view name;
    std::string_view value;
    WireReader reader(message, field_start_);
    while (reader.next()) {
      if (reader.tag() == bytes_tag(1)) name = reader.bytes();
      if (reader.tag() == bytes_tag(2)) value = reader.bytes();
    }
    entries_.metadata(name, value, Value::of_text(value));
  }

  // Writes a number, and returns all that is written.
  template <typename Number>
  std::string_view written(char* at, Number number) {
    at = std::to_chars(at, original_.data() + original_.size(), number).ptr;
    return {original_.data(), static_cast<std::size_t>(at - original_.data())};
  }

  // A timestamp that is none as text: seconds, a point, nanoseconds.
  std::string_view original() {
    const std::size_t point = written(original_.data(), static_cast<std::int64_t>(seconds_)).size();
    original_[point] = '.';
    return written(original_.data() + point + 1, static_cast<std::int64_t>(nanoseconds_));
  }

  LokiEntries entries_;
  Decoded decoded_;
  const char* field_start_ = nullptr;
  std::uint64_t seconds_ = 0;
  std::uint64_t nanoseconds_ = 0;
  std::array<char, 48> original_;
};

}  // namespace

const Decoded& decode_loki(std::string_view body, const Stamp& stamp) {
  // By pointer: a member of a thread-local object costs a call of __tls_get_addr each time in a shared object.
  static thread_local const auto decoder = std::make_unique<LokiDecoder>();
  return decoder->decode(body, stamp);
}

}  // namespace zero
