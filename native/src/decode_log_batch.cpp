#include <bit>
#include <cstring>
#include <memory>
#include <string>

#include "zero/decode.hpp"
#include "zero/entry_copier.hpp"
#include "zero/utf8.hpp"
#include "zero/wire_reader.hpp"

namespace zero {
namespace {

constexpr std::uint32_t entries_tag = wire_tag(1, WireType::length_delimited);
constexpr std::uint32_t metadata_tag = wire_tag(10, WireType::length_delimited);
constexpr std::uint32_t key_tag = wire_tag(1, WireType::length_delimited);
constexpr std::uint32_t value_tag = wire_tag(2, WireType::length_delimited);

class LogBatchDecoder {
 public:
  const Decoded& decode(std::string_view body, const Stamp& stamp) {
    decoded_.clear();
    if (body.size() > limits::body_bytes) {
      decoded_.refuse(Refusal::too_many_bytes, body.size());
    } else if (body.empty()) {
      decoded_.refuse(Refusal::empty);
    } else {
      try {
        batch(body, stamp);
      } catch (const protozero::exception&) {
        decoded_.refuse(Refusal::not_protobuf, static_cast<std::size_t>(field_start_ - body.data()));
      }
    }
    if (decoded_.refusal != Refusal::none) decoded_.payload.resize_down(0);
    arena_.clear();
    return decoded_;
  }

 private:
  void batch(std::string_view body, const Stamp& stamp) {
    WireReader reader(body, field_start_);
    copier_.start(stamp);
    while (reader.next()) {
      if (reader.tag() != entries_tag) continue;
      if (decoded_.full()) return decoded_.refuse(Refusal::too_many_entries);
      if (copier_.take(field_start_, reader.bytes())) {
        ++decoded_.accepted;
      } else {
        copier_.flush();
        arena_.clear();
        entry(reader.bytes(), stamp);
      }
    }
    if (copier_.run() == body) {
      decoded_.as_sent = body;
    } else {
      copier_.flush();
    }
  }

  void entry(std::string_view encoded, const Stamp& stamp) {
    entry_.clear();
    timestamp_ns_ = level_ = 0;
    WireReader reader(encoded, field_start_);
    while (reader.next()) field(reader);
    level();
    timestamp(stamp);
    if (!entry_.finish(stamp)) return decoded_.reject(entry_.reason());
    decoded_.accept(entry_);
  }

  void field(const WireReader& reader) {
    switch (reader.tag()) {
      case wire_tag(1, WireType::length_delimited):
        entry_[Field::app_id] = text(reader.bytes());
        break;
      case wire_tag(2, WireType::fixed64):
        timestamp_ns_ = reader.number();
        break;
      case wire_tag(3, WireType::varint):
        level_ = reader.number();
        break;
      case wire_tag(4, WireType::length_delimited):
        entry_[Field::message] = text(reader.bytes());
        break;
      case wire_tag(5, WireType::length_delimited):
        entry_[Field::source] = text(reader.bytes());
        break;
      case wire_tag(6, WireType::length_delimited):
        entry_[Field::environment] = text(reader.bytes());
        break;
      case wire_tag(7, WireType::length_delimited):
        entry_[Field::trace_id] = text(reader.bytes());
        break;
      case wire_tag(8, WireType::length_delimited):
        entry_[Field::span_id] = text(reader.bytes());
        break;
      case wire_tag(9, WireType::length_delimited):
        entry_[Field::user_id] = text(reader.bytes());
        break;
      case metadata_tag:
        attribute(reader.bytes());
        break;
      default:
        break;
    }
  }

  void attribute(std::string_view encoded) {
    std::string_view key;
    Value value_read;
    int values = 0;
    WireReader reader(encoded, field_start_);
    while (reader.next()) {
      if (reader.tag() == key_tag) {
        key = text(reader.bytes());
      } else if (reader.tag() == value_tag) {
        values += value(reader.bytes(), value_read);
      }
    }
    if (values != 0) entry_.put(key, value_read);
  }

  // Returns how many members of the value were set; the last one wins.
  int value(std::string_view encoded, Value& value) {
    int members = 0;
    WireReader reader(encoded, field_start_);
    for (; reader.next(); ++members) {
      switch (reader.tag()) {
        case wire_tag(1, WireType::length_delimited):
          value = Value::of_text(text(reader.bytes()));
          break;
        case wire_tag(2, WireType::varint):
          value = Value::of_int(unzigzag(reader.number()));
          break;
        case wire_tag(3, WireType::varint):
          value = Value::of_uint(reader.number());
          break;
        case wire_tag(4, WireType::fixed64):
          value = Value::of_float(std::bit_cast<double>(reader.number()));
          break;
        case wire_tag(5, WireType::varint):
          value = Value::of_bool(reader.number() != 0);
          break;
        default:
          --members;
      }
    }
    return members;
  }

  static std::int64_t unzigzag(std::uint64_t value) { return static_cast<std::int64_t>(value >> 1 ^ (0 - (value & 1))); }

  std::string_view text(std::string_view raw) {
    if (is_valid_utf8(raw)) return raw;
    entry_.mark_repaired();
    return keep(repair_utf8(raw));
  }

  std::string_view keep(std::string_view text) {
    char* kept = arena_.take(text.size());
    std::memcpy(kept, text.data(), text.size());
    return {kept, text.size()};
  }

  void level() {
    if (level_ > level_fatal) {
      entry_.put(original_level, Value::of_int(static_cast<std::int64_t>(level_)));
    } else {
      entry_.set_level(static_cast<Level>(level_));
    }
  }

  void timestamp(const Stamp& stamp) {
    if (timestamp_ns_ == 0) return;
    std::string_view original;
    if (timestamp_ns_ < stamp.earliest_ns || timestamp_ns_ > stamp.latest_ns) {
      original = keep(std::to_string(timestamp_ns_));
    }
    entry_.set_timestamp(stamp, timestamp_ns_, original);
  }

  Arena arena_;
  Entry entry_;
  Decoded decoded_;
  EntryCopier copier_{decoded_.payload};
  const char* field_start_ = nullptr;
  std::uint64_t timestamp_ns_ = 0;
  std::uint64_t level_ = 0;
};

}  // namespace

const Decoded& decode_log_batch(std::string_view body, const Stamp& stamp) {
  // By pointer: a member of a thread-local object costs a call of __tls_get_addr each time in a shared object.
  static thread_local const auto decoder = std::make_unique<LogBatchDecoder>();
  return decoder->decode(body, stamp);
}

}  // namespace zero
