#include "zero/otlp_records.hpp"

#include <cstring>
#include <string>

#include "zero/name_table.hpp"
#include "zero/utf8.hpp"
#include "zero/wire_reader.hpp"

namespace zero {
namespace {

constexpr std::size_t message_bytes_max = 256 * 1024;
constexpr std::size_t trace_id_bytes_max = 64 / 2;  // before they become hex
constexpr std::size_t span_id_bytes_max = 32 / 2;

// The resource attributes that are fields, the better name of a field first.
enum Name : std::size_t { service_name, host_name, instance_id, environment_name, environment };
constexpr std::string_view names[] = {"service.name", "host.name", "service.instance.id", "deployment.environment.name",
                                      "deployment.environment"};
constexpr auto names_by_text = name_table({{names[service_name], service_name},
                                           {names[host_name], host_name},
                                           {names[instance_id], instance_id},
                                           {names[environment_name], environment_name},
                                           {names[environment], environment}});

constexpr std::size_t level_word_bytes_max = 16;
constexpr std::uint64_t levels = 6;
constexpr auto hex_pairs = [] {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (std::size_t byte = 0; byte < pairs.size(); ++byte) pairs[byte] = {digits[byte >> 4], digits[byte & 15]};
  return pairs;
}();
constexpr std::uint64_t severities_per_level = 4;

}  // namespace

void OtlpRecords::start(Decoded& decoded, const Stamp& stamp) {
  decoded_ = &decoded;
  stamp_ = &stamp;
  field_start_ = nullptr;
}

void OtlpRecords::trim() {
  resource_arena_.clear();
  scope_arena_.clear();
  entry_arena_.clear();
  json_.trim();
}

void OtlpRecords::begin_resource() {
  resource_arena_.clear();
  use(resource_, resource_arena_);
  resource_.clear();
  names_.fill({});
}

void OtlpRecords::read_resource(std::string_view message) {
  WireReader reader(message, field_start_);
  while (reader.next()) {
    if (reader.tag() == bytes_tag(1)) resource_attribute(reader.bytes());
    if (reader.tag() == varint_tag(2)) count("resource.dropped_attributes_count", reader.number());
  }
}

void OtlpRecords::begin_scope() {
  scope_arena_.clear();
  use(scope_, scope_arena_);
  scope_.start_from(resource_);
  const auto name = [this](Name better, Name other) {
    if (!names_[better].empty() && !names_[other].empty()) scope_.put(names[other], Value::of_text(names_[other]));
    return names_[better].empty() ? names_[other] : names_[better];
  };
  scope_[Field::app_id] = names_[service_name];
  scope_[Field::source] = name(host_name, instance_id);
  scope_[Field::environment] = name(environment_name, environment);
}

void OtlpRecords::read_scope(std::string_view message) {
  WireReader reader(message, field_start_);
  while (reader.next()) {
    switch (reader.tag()) {
      case bytes_tag(1):
        if (!reader.bytes().empty()) scope_.put("scope.name", Value::of_text(text(reader.bytes())));
        break;
      case bytes_tag(2):
        if (!reader.bytes().empty()) scope_.put("scope.version", Value::of_text(text(reader.bytes())));
        break;
      case bytes_tag(3):
        attribute(reader.bytes());
        break;
      case varint_tag(4):
        count("scope.dropped_attributes_count", reader.number());
        break;
      default:
        break;
    }
  }
}

void OtlpRecords::record(std::string_view encoded, bool repaired) {
  entry_arena_.clear();
  use(entry_, entry_arena_);
  entry_.start_from(scope_);
  if (repaired) entry_.mark_repaired();
  Record record;
  read_record(encoded, record);
  message(record);
  level(record);
  count("flags", record.flags);
  count("dropped_attributes_count", record.dropped_attributes);
  identifier(Field::trace_id, "trace_id", record.trace_id, trace_id_bytes_max);
  identifier(Field::span_id, "span_id", record.span_id, span_id_bytes_max);
  timestamp(record);
  finish();
}

void OtlpRecords::read_record(std::string_view encoded, Record& record) {
  WireReader reader(encoded, field_start_);
  while (reader.next()) {
    switch (reader.tag()) {
      case fixed64_tag(1):
        record.time_ns = reader.number();
        break;
      case varint_tag(2):
        record.severity = reader.number();
        break;
      case bytes_tag(3):
        record.severity_text = reader.bytes();
        break;
      case bytes_tag(5):
        record.body = read_value(reader.bytes(), record.body);
        break;
      case bytes_tag(6):
        attribute(reader.bytes());
        break;
      case varint_tag(7):
        record.dropped_attributes = reader.number();
        break;
      case fixed32_tag(8):
        record.flags = reader.number();
        break;
      case bytes_tag(9):
        record.trace_id = reader.bytes();
        break;
      case bytes_tag(10):
        record.span_id = reader.bytes();
        break;
      case fixed64_tag(11):
        record.observed_ns = reader.number();
        break;
      case bytes_tag(12):
        record.event_name = reader.bytes();
        break;
      default:
        break;
    }
  }
}

void OtlpRecords::message(const Record& record) {
  const std::string_view event = text(record.event_name);
  if (record.body.kind == OtlpValue::Kind::text) {
    entry_[Field::message] = text(record.body.encoded);
  } else if (record.body.kind != OtlpValue::Kind::none) {
    if (make_text(record.body, 2, message_bytes_max)) {
      entry_[Field::message] = keep(json_.view());
    } else {
      reject_long("message", message_bytes_max);
    }
  }
  if (event.empty()) return;
  if (entry_[Field::message].empty()) {
    entry_[Field::message] = event;
  } else {
    entry_.put("event_name", Value::of_text(event));
  }
}

void OtlpRecords::level(const Record& record) {
  const std::string_view word = text(record.severity_text);
  const bool known = record.severity - 1 < levels * severities_per_level;  // 0 becomes huge
  const Level level = known ? static_cast<Level>((record.severity - 1) / severities_per_level + 1) : parse_level(word);
  entry_.set_level(level);
  if (!word.empty() && !says(level, word)) entry_.put("severity_text", Value::of_text(word));
  if (record.severity == 0 || (known && (record.severity - 1) % severities_per_level == 0)) return;
  entry_.put("severity_number", Value::of_int(static_cast<std::int64_t>(record.severity)));
}

// Whether the word says no more than the level; senders use one for each.
bool OtlpRecords::says(Level level, std::string_view word) {
  std::string& known = level_words_[level];
  if (level == level_unknown || word == known) return level != level_unknown;
  if (parse_level(word) != level) return false;
  if (word.size() <= level_word_bytes_max) known = word;
  return true;
}

void OtlpRecords::count(std::string_view key, std::uint64_t dropped) {
  if (dropped != 0) shared_->put(key, Value::of_uint(dropped));
}

void OtlpRecords::identifier(Field field, std::string_view name, std::string_view bytes, std::size_t bytes_max) {
  if (bytes.find_first_not_of('\0') == std::string_view::npos) return;  // all zero, or none: it has no id
  if (bytes.size() > bytes_max) {
    entry_.reject(std::string(name)
                      .append(": ")
                      .append(std::to_string(2 * bytes.size()))
                      .append(" bytes, limit ")
                      .append(std::to_string(2 * bytes_max)));
    return;
  }
  char* const hex = arena_->take(2 * bytes.size());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    std::memcpy(hex + 2 * at, hex_pairs[byte].data(), 2);
  }
  entry_[field] = {hex, 2 * bytes.size()};
}

void OtlpRecords::timestamp(const Record& record) {
  const std::uint64_t time_ns = record.time_ns ? record.time_ns : record.observed_ns;
  if (time_ns == 0) return;
  const bool wild = time_ns < stamp_->earliest_ns || time_ns > stamp_->latest_ns;
  entry_.set_timestamp(*stamp_, time_ns, wild ? keep(std::to_string(time_ns)) : std::string_view());
}

void OtlpRecords::finish() {
  if (!entry_.finish(*stamp_)) return decoded_->reject(entry_.reason());
  decoded_->accept(entry_);
}

void OtlpRecords::resource_attribute(std::string_view encoded) {
  std::string_view key;
  OtlpValue value;
  read_pair(encoded, key, value);
  const int name = value.kind == OtlpValue::Kind::text ? names_by_text.find(key) : -1;
  if (name < 0) return put(key, key.size(), value, attribute_depth);
  names_[static_cast<std::size_t>(name)] = text(value.encoded);
}

void OtlpRecords::attribute(std::string_view encoded) {
  std::string_view key;
  OtlpValue value;
  read_pair(encoded, key, value);
  put(key, key.size(), value, attribute_depth);
}

std::string_view OtlpRecords::text(std::string_view raw) {
  if (is_valid_utf8(raw)) return raw;
  shared_->mark_repaired();
  return keep(repair_utf8(raw));
}

std::string_view OtlpRecords::keep(std::string_view text) {
  char* const kept = arena_->take(text.size());
  if (!text.empty()) std::memcpy(kept, text.data(), text.size());
  return {kept, text.size()};
}

}  // namespace zero
