// The values of OTLP attributes and bodies: flat metadata, or JSON text.
#include <bit>
#include <cstring>
#include <string>

#include "zero/otlp_records.hpp"
#include "zero/wire_reader.hpp"

namespace zero {

OtlpValue OtlpRecords::read_value(std::string_view encoded, OtlpValue value) {
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
  WireReader reader(encoded, field_start_);
  while (reader.next()) {
    if (reader.tag() == bytes_tag(1)) key = reader.bytes();
    if (reader.tag() == bytes_tag(2)) value = read_value(reader.bytes(), value);
  }
  key = text(key);
}

// `depth` is that of the value, should it be a container.
void OtlpRecords::put(const Path& path, const OtlpValue& value, int depth) {
  using Kind = OtlpValue::Kind;
  if (value.kind == Kind::none) return;
  if (value.kind == Kind::list) {
    if (too_deep(depth)) return;
    WireReader reader(value.encoded, field_start_);
    while (reader.next()) {
      if (reader.tag() != bytes_tag(1)) continue;
      std::string_view key;
      OtlpValue inner;
      read_pair(reader.bytes(), key, inner);
      put(join(path, key), inner, depth + 1);
    }
    return;
  }
  if (path.bytes > limits::metadata_key_bytes) return shared_->put_oversize_key(path.bytes);
  if (value.kind == Kind::text) {
    shared_->put(path.text, Value::of_text(text(value.encoded)));
  } else if (value.kind == Kind::boolean) {
    shared_->put(path.text, Value::of_bool(value.number != 0));
  } else if (value.kind == Kind::integer) {
    shared_->put(path.text, Value::of_int(static_cast<std::int64_t>(value.number)));
  } else if (value.kind == Kind::floating) {
    shared_->put(path.text, Value::of_float(std::bit_cast<double>(value.number)));
  } else if (make_text(value, depth, limits::metadata_value_bytes)) {
    shared_->put(path.text, Value::of_text(keep(json_.view())));
  } else {
    reject_long(std::string("metadata.").append(path.text), limits::metadata_value_bytes);
  }
}

OtlpRecords::Path OtlpRecords::join(const Path& path, std::string_view key) {
  const std::size_t bytes = path.bytes + 1 + key.size();
  if (bytes > limits::metadata_key_bytes) return {{}, bytes};
  char* const joined = arena_->take(bytes);
  std::memcpy(joined, path.text.data(), path.bytes);
  joined[path.bytes] = '.';
  if (!key.empty()) std::memcpy(joined + path.bytes + 1, key.data(), key.size());
  return {{joined, bytes}, bytes};
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
