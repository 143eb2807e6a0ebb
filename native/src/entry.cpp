#include "zero/entry.hpp"

#include <algorithm>
#include <cstring>
#include <protozero/types.hpp>
#include <protozero/varint.hpp>
#include <utility>

namespace zero {
namespace {

constexpr std::uint64_t nanoseconds_per_day = 86'400'000'000'000;
constexpr std::uint64_t past_days = 30;
constexpr std::uint64_t future_days = 1;
constexpr std::string_view original_timestamp = "original_timestamp";

constexpr std::array<std::string_view, field_count> names = {"message",  "app_id",  "source", "environment",
                                                             "trace_id", "span_id", "user_id"};

constexpr char tag(int number, protozero::pbf_wire_type type) {
  return static_cast<char>(number << 3 | static_cast<int>(type));
}
constexpr auto varint = protozero::pbf_wire_type::varint;
constexpr auto fixed64 = protozero::pbf_wire_type::fixed64;
constexpr auto bytes = protozero::pbf_wire_type::length_delimited;

std::size_t varint_bytes(std::uint64_t value) {
  return value < 0x80 ? 1 : static_cast<std::size_t>(protozero::length_of_varint(value));
}
std::size_t text_bytes(std::string_view text) { return 1 + varint_bytes(text.size()) + text.size(); }

std::uint64_t zigzag(std::uint64_t bits) { return bits << 1 ^ (0 - (bits >> 63)); }

std::size_t value_bytes(const Value& value) {
  switch (value.kind) {
    case Value::Kind::text:
      return text_bytes(value.text);
    case Value::Kind::int64:
      return 1 + varint_bytes(zigzag(value.bits));
    case Value::Kind::uint64:
      return 1 + varint_bytes(value.bits);
    case Value::Kind::float64:
      return 1 + sizeof(double);
    case Value::Kind::boolean:
      break;
  }
  return 2;
}

// Writes into room that was measured before.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}
  void byte(char value) { *at_++ = value; }
  void number(std::uint64_t value) {
    if (value < 0x80) return byte(static_cast<char>(value));
    at_ += protozero::add_varint_to_buffer(at_, value);
  }
  void little_endian(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) byte(static_cast<char>(value >> shift));
  }
  void text(int field, std::string_view value) {
    byte(tag(field, bytes));
    number(value.size());
    copy_text(at_, value.data(), value.size());
    at_ += value.size();
  }
  void optional_text(int field, std::string_view value) {
    if (!value.empty()) text(field, value);
  }
  void value(const Value& value) {
    switch (value.kind) {
      case Value::Kind::text:
        return text(1, value.text);
      case Value::Kind::int64:
        byte(tag(2, varint));
        return number(zigzag(value.bits));
      case Value::Kind::uint64:
        byte(tag(3, varint));
        return number(value.bits);
      case Value::Kind::float64:
        byte(tag(4, fixed64));
        return little_endian(value.bits);
      case Value::Kind::boolean:
        byte(tag(5, varint));
        return byte(static_cast<char>(value.bits));
    }
  }

 private:
  char* at_;
};

std::size_t attribute_bytes(std::string_view key, std::size_t value_bytes) {
  return text_bytes(key) + 1 + varint_bytes(value_bytes) + value_bytes;
}
std::size_t field_bytes(std::string_view key, std::size_t value_bytes) {
  const std::size_t attribute = attribute_bytes(key, value_bytes);
  return 1 + varint_bytes(attribute) + attribute;
}

std::string over_limit(std::string_view what, std::size_t size, std::size_t limit) {
  std::string text(what);
  return text.append(": ").append(std::to_string(size)).append(" bytes, limit ").append(std::to_string(limit));
}

}  // namespace

Stamp::Stamp(std::uint64_t now, std::string_view peer)
    : now_ns(now),
      earliest_ns(now > past_days * nanoseconds_per_day ? now - past_days * nanoseconds_per_day : 0),
      latest_ns(now + future_days * nanoseconds_per_day),
      source(peer) {}

void Entry::clear() {
  texts_.fill({});
  timestamp_ns_ = 0;
  level_ = level_unknown;
  repaired_ = rejected_ = false;
  attribute_count_ = metadata_bytes_ = 0;
  reason_.clear();
  metadata_reason_.clear();
}

void Entry::start_from(const Entry& shared) {
  texts_ = shared.texts_;
  timestamp_ns_ = shared.timestamp_ns_;
  level_ = shared.level_;
  repaired_ = shared.repaired_;
  rejected_ = shared.rejected_;
  attribute_count_ = shared.attribute_count_;
  metadata_bytes_ = shared.metadata_bytes_;
  std::copy_n(shared.attributes_.begin(), attribute_count_, attributes_.begin());
  reason_.clear();
  metadata_reason_.clear();
  if (!shared.reason_.empty()) reason_ = shared.reason_;
  if (!shared.metadata_reason_.empty()) metadata_reason_ = shared.metadata_reason_;
}

void Entry::set_timestamp(const Stamp& stamp, std::optional<std::uint64_t> timestamp_ns, std::string_view original) {
  if (timestamp_ns && stamp.allows(*timestamp_ns)) {
    timestamp_ns_ = *timestamp_ns;
    return;
  }
  put(original_timestamp, Value::of_text(original));
}

std::size_t Entry::find(std::string_view key) const {
  std::size_t at = 0;
  while (at < attribute_count_ && !same_text(attributes_[at].key, key)) ++at;
  return at;
}

std::string_view* Entry::put(std::string_view key, const Value& value) {
  if (!metadata_reason_.empty()) return nullptr;  // an object of a million keys costs no more than reading it
  if (key.empty()) {
    metadata_reason_ = "metadata key: empty";
  } else if (key.size() > limits::metadata_key_bytes) {
    put_oversize_key(key.size());
  } else if (value.text.size() > limits::metadata_value_bytes) {
    metadata_reason_ = over_limit(std::string("metadata.").append(key), value.text.size(), limits::metadata_value_bytes);
  } else if (const std::size_t at = find(key); at == limits::metadata_keys) {
    metadata_reason_ = "metadata: more than " + std::to_string(limits::metadata_keys) + " keys";
  } else if (at == attribute_count_) {
    attributes_[at] = {key, value, value_bytes(value)};
    metadata_bytes_ += field_bytes(key, attributes_[at].value_bytes);
    ++attribute_count_;
    return &attributes_[at].key;
  } else {
    Attribute& attribute = attributes_[at];
    metadata_bytes_ -= field_bytes(key, attribute.value_bytes);
    attribute.value = value;
    attribute.value_bytes = value_bytes(value);
    metadata_bytes_ += field_bytes(key, attribute.value_bytes);
  }
  return nullptr;
}

void Entry::put_oversize_key(std::size_t key_bytes) {
  if (metadata_reason_.empty()) metadata_reason_ = over_limit("metadata key", key_bytes, limits::metadata_key_bytes);
}

void Entry::reject(std::string reason) {
  if (!rejected_) reason_ = std::move(reason);
  rejected_ = true;
}

void Entry::stamp_text(Field field, std::string_view text) {
  std::string_view& present = (*this)[field];
  if (present.empty()) present = text;
}

bool Entry::finish(const Stamp& stamp) {
  stamp_text(Field::app_id, Stamp::app_id);
  stamp_text(Field::environment, Stamp::environment);
  stamp_text(Field::source, stamp.source);
  if (timestamp_ns_ == 0) timestamp_ns_ = stamp.now_ns;
  if (level_ == level_unknown) level_ = Stamp::level;
  if ((*this)[Field::message].empty()) {
    reject("message: missing or empty, limit 1 to " + std::to_string(limits::text_bytes[0]) + " bytes");
  }
  for (std::size_t at = 0; at < field_count && !rejected_; ++at) {
    const std::size_t limit = limits::text_bytes[at];
    if (texts_[at].size() > limit) reject(over_limit(names[at], texts_[at].size(), limit));
  }
  if (!metadata_reason_.empty()) reject(metadata_reason_);
  return !rejected_;
}

std::size_t Entry::encoded_bytes() const {
  std::size_t size = 1 + sizeof timestamp_ns_ + 2;  // the timestamp and the level
  for (const std::string_view text : texts_) size += text.empty() ? 0 : text_bytes(text);
  return size + metadata_bytes_;
}

void Entry::append_to(Bytes& payload, std::size_t encoded_bytes) const {
  const auto text = [this](Field field) { return texts_[static_cast<std::size_t>(field)]; };
  Writer out(payload.extend(1 + varint_bytes(encoded_bytes) + encoded_bytes));
  out.byte(tag(1, bytes));
  out.number(encoded_bytes);
  out.optional_text(1, text(Field::app_id));
  out.byte(tag(2, fixed64));
  out.little_endian(timestamp_ns_);
  out.byte(tag(3, varint));
  out.byte(static_cast<char>(level_));
  out.text(4, text(Field::message));
  out.optional_text(5, text(Field::source));
  out.optional_text(6, text(Field::environment));
  out.optional_text(7, text(Field::trace_id));
  out.optional_text(8, text(Field::span_id));
  out.optional_text(9, text(Field::user_id));
  for (std::size_t at = 0; at < attribute_count_; ++at) {
    const auto& [key, value, inner] = attributes_[at];
    out.byte(tag(10, bytes));
    out.number(attribute_bytes(key, inner));
    out.text(1, key);
    out.byte(tag(2, bytes));
    out.number(inner);
    out.value(value);
  }
}

std::size_t encoded_head_bytes(std::size_t encoded_bytes) { return 1 + varint_bytes(encoded_bytes); }

void append_entry_head(Bytes& payload, std::size_t encoded_bytes) {
  Writer out(payload.extend(encoded_head_bytes(encoded_bytes)));
  out.byte(tag(1, bytes));
  out.number(encoded_bytes);
}

}  // namespace zero
