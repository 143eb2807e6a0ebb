// The values of OTLP attributes and bodies: flat metadata, or JSON text.
#include <bit>
#include <cstring>
#include <string>

#include "zero/otlp_records.hpp"
#include "zero/wire_reader.hpp"

namespace zero {

// Reads a value that is one member and nothing else, as most are, without a loop over fields. Returns false for any other form.
bool OtlpRecords::read_plain_value(std::string_view encoded, OtlpValue& value) {
  const std::size_t size = encoded.size();
  if (size < 2) return false;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(encoded[at]); };
  switch (byte(0)) {
    case bytes_tag(1): {
      const std::size_t head = byte(1) < 0x80 ? 2 : 3;
      if (size < head || (head == 3 && byte(2) >= 0x80)) return false;
      const std::size_t text_bytes = head == 2 ? byte(1) : (byte(1) & 0x7f) | static_cast<std::size_t>(byte(2)) << 7;
      if (text_bytes != size - head) return false;
      value = {OtlpValue::Kind::text, encoded.substr(head), 0};
      return true;
    }
    case varint_tag(2):
    case varint_tag(3): {
      if (size > 9) return false;
      std::uint64_t number = 0;
      for (std::size_t at = 1; at < size; ++at) {
        if ((byte(at) < 0x80) != (at + 1 == size)) return false;
        number |= static_cast<std::uint64_t>(byte(at) & 0x7f) << (7 * (at - 1));
      }
      value = {static_cast<OtlpValue::Kind>(byte(0) >> 3), {}, number};
      return true;
    }
    case fixed64_tag(4):
      if (size != 9) return false;
      value = {OtlpValue::Kind::floating, {}, little_endian(encoded.substr(1))};
      return true;
    default:
      return false;
  }
}

// Reads a key and a plain value, both shorter than 128 bytes and in their order. Returns false for any other form.
bool OtlpRecords::read_plain_pair(std::string_view encoded, std::string_view& key, OtlpValue& value) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(encoded[at]); };
  if (encoded.size() < 6 || byte(0) != bytes_tag(1)) return false;
  const std::size_t key_bytes = byte(1);
  const std::size_t value_at = 4 + key_bytes;
  if (key_bytes >= 0x80 || value_at > encoded.size() || byte(value_at - 2) != bytes_tag(2)) return false;
  if (byte(value_at - 1) >= 0x80 || byte(value_at - 1) != encoded.size() - value_at) return false;
  if (!read_plain_value(encoded.substr(value_at), value)) return false;
  key = text(encoded.substr(2, key_bytes));
  return true;
}

OtlpValue OtlpRecords::read_value(std::string_view encoded, OtlpValue value) {
  if (read_plain_value(encoded, value)) return value;
  WireReader reader(encoded, field_start_);
  while (reader.next()) {
    switch (reader.tag()) {
      case varint_tag(2):
      case varint_tag(3):
      case fixed64_tag(4):
        value = {static_cast<OtlpValue::Kind>(reader.tag() >> 3), {}, reader.number()};
        break;
      case bytes_tag(1):
      case bytes_tag(5):
      case bytes_tag(6):
      case bytes_tag(7):
        value = {static_cast<OtlpValue::Kind>(reader.tag() >> 3), reader.bytes(), 0};
        break;
      default:
        break;
    }
  }
  return value;
}

void OtlpRecords::read_pair(std::string_view encoded, std::string_view& key, OtlpValue& value) {
  if (read_plain_pair(encoded, key, value)) return;
  WireReader reader(encoded, field_start_);
  while (reader.next()) {
    if (reader.tag() == bytes_tag(1)) key = reader.bytes();
    if (reader.tag() == bytes_tag(2)) value = read_value(reader.bytes(), value);
  }
  key = text(key);
}

// `depth` is that of the value, should it be a container. A path longer than any key may be is only measured. The key of a
// member is made in one room for all members of its list: of millions that say nothing none is kept.
void OtlpRecords::put(std::string_view path, std::size_t path_bytes, const OtlpValue& value, int depth) {
  using Kind = OtlpValue::Kind;
  if (value.kind == Kind::none) return;
  if (value.kind == Kind::list) {
    if (too_deep(depth)) return;
    JoinedKey room;
    WireReader reader(value.encoded, field_start_);
    while (reader.next()) {
      if (reader.tag() != bytes_tag(1)) continue;
      std::string_view key;
      OtlpValue inner;
      read_pair(reader.bytes(), key, inner);
      const std::size_t bytes = path_bytes + 1 + key.size();
      put(join(room, path, path_bytes, key), bytes, inner, depth + 1);
    }
    return;
  }
  if (path_bytes > limits::metadata_key_bytes) return shared_->put_oversize_key(path_bytes);
  std::string_view* kept = nullptr;
  if (value.kind == Kind::text) {
    kept = shared_->put(path, Value::of_text(text(value.encoded)));
  } else if (value.kind == Kind::boolean) {
    kept = shared_->put(path, Value::of_bool(value.number != 0));
  } else if (value.kind == Kind::integer) {
    kept = shared_->put(path, Value::of_int(static_cast<std::int64_t>(value.number)));
  } else if (value.kind == Kind::floating) {
    kept = shared_->put(path, Value::of_float(std::bit_cast<double>(value.number)));
  } else if (make_text(value, depth, limits::metadata_value_bytes)) {
    kept = shared_->put(path, Value::of_text(keep(json_.view())));
  } else {
    reject_long(std::string("metadata.").append(path), limits::metadata_value_bytes);
  }
  if (kept && depth > attribute_depth) *kept = keep(*kept);  // it lies in the room of the list
}

// Returns the dotted key of a member, made in the room; nothing when it is longer than any key may be.
std::string_view OtlpRecords::join(JoinedKey& room, std::string_view path, std::size_t path_bytes, std::string_view key) {
  const std::size_t bytes = path_bytes + 1 + key.size();
  if (bytes > limits::metadata_key_bytes) return {};
  if (path_bytes != 0) std::memcpy(room.data(), path.data(), path_bytes);
  room[path_bytes] = '.';
  if (!key.empty()) std::memcpy(room.data() + path_bytes + 1, key.data(), key.size());
  return {room.data(), bytes};
}

// Makes the text of a value that is none in `json_`. Returns false when it is too long.
bool OtlpRecords::make_text(const OtlpValue& value, int depth, std::size_t bytes_max) {
  json_.start(bytes_max);
  if (value.kind == OtlpValue::Kind::bytes) {
    json_.base64(value.encoded);
  } else if (value.kind == OtlpValue::Kind::floating) {
    json_.number(std::bit_cast<double>(value.number));
  } else {
    write_json(value, depth);
  }
  return json_.fits();
}

void OtlpRecords::write_json(const OtlpValue& value, int depth) {
  switch (value.kind) {
    case OtlpValue::Kind::none:
      return json_.raw("null");
    case OtlpValue::Kind::text:
      return json_.string(text(value.encoded));
    case OtlpValue::Kind::boolean:
      return json_.raw(value.number != 0 ? "true" : "false");
    case OtlpValue::Kind::integer:
      return json_.integer(static_cast<std::int64_t>(value.number));
    case OtlpValue::Kind::floating: {
      const Value number = Value::of_float(std::bit_cast<double>(value.number));
      if (number.kind == Value::Kind::text) return json_.string(number.text);
      return json_.number(std::bit_cast<double>(value.number));
    }
    case OtlpValue::Kind::bytes:
      json_.raw("\"");
      json_.base64(value.encoded);
      return json_.raw("\"");
    case OtlpValue::Kind::array:
    case OtlpValue::Kind::list:
      return write_container(value, depth);
  }
}

void OtlpRecords::write_container(const OtlpValue& value, int depth) {
  if (too_deep(depth)) return;
  const bool list = value.kind == OtlpValue::Kind::list;
  json_.raw(list ? "{" : "[");
  bool first = true;
  WireReader reader(value.encoded, field_start_);
  while (reader.next()) {
    if (reader.tag() != bytes_tag(1)) continue;
    if (!first) json_.raw(",");
    first = false;
    OtlpValue inner;
    if (list) {
      std::string_view key;
      read_pair(reader.bytes(), key, inner);
      json_.string(key);
      json_.raw(":");
    } else {
      inner = read_value(reader.bytes(), inner);
    }
    write_json(inner, depth + 1);
  }
  json_.raw(list ? "}" : "]");
}

void OtlpRecords::reject_long(std::string_view what, std::size_t limit) {
  shared_->reject(std::string(what).append(": text longer than ").append(std::to_string(limit)).append(" bytes"));
}

bool OtlpRecords::too_deep(int depth) {
  if (depth <= limits::nesting_depth) return false;
  shared_->reject("nesting deeper than " + std::to_string(limits::nesting_depth));
  return true;
}

}  // namespace zero
