#include "zero/otlp_json.hpp"

#include <bit>
#include <optional>

#include "zero/name_table.hpp"

namespace zero {

namespace {

using Form = OtlpForm;

constexpr int code(Form form, int number) { return number << 8 | static_cast<int>(form); }

// Each name has the code of its member.
namespace names {

constexpr auto resource = name_table({{"attributes", code(Form::pairs, 1)},
                                      {"droppedAttributesCount", code(Form::uint32, 2)},
                                      {"dropped_attributes_count", code(Form::uint32, 2)}});
constexpr auto scope = name_table({{"name", code(Form::text, 1)},
                                   {"version", code(Form::text, 2)},
                                   {"attributes", code(Form::pairs, 3)},
                                   {"droppedAttributesCount", code(Form::uint32, 4)},
                                   {"dropped_attributes_count", code(Form::uint32, 4)}});
constexpr auto record = name_table({{"timeUnixNano", code(Form::fixed64, 1)},
                                    {"time_unix_nano", code(Form::fixed64, 1)},
                                    {"severityNumber", code(Form::severity, 2)},
                                    {"severity_number", code(Form::severity, 2)},
                                    {"severityText", code(Form::text, 3)},
                                    {"severity_text", code(Form::text, 3)},
                                    {"body", code(Form::value, 5)},
                                    {"attributes", code(Form::pairs, 6)},
                                    {"droppedAttributesCount", code(Form::uint32, 7)},
                                    {"dropped_attributes_count", code(Form::uint32, 7)},
                                    {"flags", code(Form::fixed32, 8)},
                                    {"traceId", code(Form::hex, 9)},
                                    {"trace_id", code(Form::hex, 9)},
                                    {"spanId", code(Form::hex, 10)},
                                    {"span_id", code(Form::hex, 10)},
                                    {"observedTimeUnixNano", code(Form::fixed64, 11)},
                                    {"observed_time_unix_nano", code(Form::fixed64, 11)},
                                    {"eventName", code(Form::text, 12)},
                                    {"event_name", code(Form::text, 12)}});
constexpr auto pair = name_table({{"key", code(Form::text, 1)}, {"value", code(Form::value, 2)}});
constexpr auto value = name_table({{"stringValue", code(Form::text, 1)},
                                   {"string_value", code(Form::text, 1)},
                                   {"boolValue", code(Form::boolean, 2)},
                                   {"bool_value", code(Form::boolean, 2)},
                                   {"intValue", code(Form::int64, 3)},
                                   {"int_value", code(Form::int64, 3)},
                                   {"doubleValue", code(Form::float64, 4)},
                                   {"double_value", code(Form::float64, 4)},
                                   {"arrayValue", code(Form::array, 5)},
                                   {"array_value", code(Form::array, 5)},
                                   {"kvlistValue", code(Form::list, 6)},
                                   {"kvlist_value", code(Form::list, 6)},
                                   {"bytesValue", code(Form::base64, 7)},
                                   {"bytes_value", code(Form::base64, 7)}});
constexpr auto array = name_table({{"values", code(Form::values, 1)}});
constexpr auto list = name_table({{"values", code(Form::pairs, 1)}});
}  // namespace names

constexpr std::uint64_t severity_max = 24;

int digit64(char byte) {
  if (byte >= 'A' && byte <= 'Z') return byte - 'A';
  if (byte >= 'a' && byte <= 'z') return byte - 'a' + 26;
  if (byte >= '0' && byte <= '9') return byte - '0' + 52;
  if (byte == '+' || byte == '-') return 62;
  return byte == '/' || byte == '_' ? 63 : -1;
}

int digit16(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  const char lower = static_cast<char>(byte | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Reads digits of `width` bits each; bits left over at the end say nothing. Returns false when a character is no digit.
template <int (*digit)(char), int width>
bool read_digits(std::string_view text, Bytes& out) {
  out.resize_down(0);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char character : text) {
    const int value = digit(character);
    if (value < 0) return false;
    bits = bits << width | static_cast<std::uint32_t>(value);
    count += width;
    if (count < 8) continue;
    count -= 8;
    *out.extend(1) = static_cast<char>(bits >> count);
  }
  return true;
}

bool read_hex(std::string_view text, Bytes& out) { return text.size() % 2 == 0 && read_digits<digit16, 4>(text, out); }

// The ordinary alphabet or that of URLs, with padding or without.
bool read_base64(std::string_view text, Bytes& out) {
  while (text.ends_with('=')) text.remove_suffix(1);
  return text.size() % 4 != 1 && read_digits<digit64, 6>(text, out);
}

// SEVERITY_NUMBER_INFO2 and its like.
std::optional<std::uint64_t> severity_named(std::string_view name) {
  constexpr std::string_view prefix = "SEVERITY_NUMBER_";
  constexpr std::string_view words[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
  if (!name.starts_with(prefix)) return {};
  name.remove_prefix(prefix.size());
  if (name == "UNSPECIFIED") return 0;
  std::uint64_t first = 1;
  for (const std::string_view word : words) {
    if (name == word) return first;
    if (name.size() == word.size() + 1 && name.starts_with(word) && name.back() >= '2' && name.back() <= '4') {
      return first + static_cast<std::uint64_t>(name.back() - '1');
    }
    first += 4;
  }
  return {};
}

std::optional<double> read_double(const JsonToken& token) {
  if (token.kind == JsonToken::Kind::string) {
    if (token.text == "NaN") return std::bit_cast<double>(std::uint64_t{0x7ff8000000000000});
    if (token.text == "Infinity") return std::bit_cast<double>(std::uint64_t{0x7ff0000000000000});
    if (token.text == "-Infinity") return std::bit_cast<double>(std::uint64_t{0xfff0000000000000});
  }
  return parse_json_double(token.text);
}

}  // namespace

bool OtlpJson::resource(Bytes& out) {
  WireWriter writer(out);
  return message(names::resource, writer, 1);
}

bool OtlpJson::scope(Bytes& out) {
  WireWriter writer(out);
  return message(names::scope, writer, 1);
}

bool OtlpJson::record(Bytes& out) {
  WireWriter writer(out);
  return message(names::record, writer, 1);
}

template <typename Table>
bool OtlpJson::message(const Table& table, WireWriter& out, int depth) {
  return form_.object([&](std::string_view key) {
    const int code = table.find(key);
    if (form_.take_null()) return true;
    return code < 0 ? form_.skip() : member(code, out, depth);
  });
}

// `depth` is that of the record or container that the member belongs to.
bool OtlpJson::member(int code, WireWriter& out, int depth) {
  const auto form = static_cast<Form>(code & 0xff);
  const auto number = static_cast<std::uint32_t>(code >> 8);
  return form < Form::value ? scalar(form, number, out) : container(form, number, out, depth);
}

bool OtlpJson::scalar(Form form, std::uint32_t number, WireWriter& out) {
  if (form == Form::text) {
    std::string_view text;
    if (!form_.string(text)) return false;
    out.bytes(number, text);
    return true;
  }
  JsonToken token;
  if (!form_.scalar(token)) return false;
  if (form == Form::boolean) {
    out.varint(number, token.value.bits != 0);
    return token.kind == JsonToken::Kind::boolean;
  }
  if (form == Form::hex || form == Form::base64) {
    const bool read = form == Form::hex ? read_hex(token.text, decoded_) : read_base64(token.text, decoded_);
    out.bytes(number, decoded_.view());
    return read && token.kind == JsonToken::Kind::string;
  }
  const bool known = token.kind == JsonToken::Kind::number || token.kind == JsonToken::Kind::string;
  return known && this->number(form, number, token, out);
}

bool OtlpJson::number(Form form, std::uint32_t number, const JsonToken& token, WireWriter& out) {
  if (form == Form::float64) {
    const auto value = read_double(token);
    if (value) out.fixed64(number, std::bit_cast<std::uint64_t>(*value));
    return value.has_value();
  }
  if (form == Form::severity && token.kind == JsonToken::Kind::string) {
    if (const auto named = severity_named(token.text)) {
      out.varint(number, *named);
      return true;
    }
  }
  Value value;
  if (!parse_json_number(token.text, value)) return false;
  const bool negative = value.kind == Value::Kind::int64 && static_cast<std::int64_t>(value.bits) < 0;
  switch (form) {
    case Form::int64:
      out.varint(number, value.bits);
      return value.kind == Value::Kind::int64;
    case Form::fixed64:
      out.fixed64(number, value.bits);
      return value.kind == Value::Kind::uint64 || (value.kind == Value::Kind::int64 && !negative);
    case Form::fixed32:
      out.fixed32(number, value.bits);
      break;
    default:
      out.varint(number, value.bits);
      break;
  }
  const std::uint64_t most = form == Form::severity ? severity_max : UINT32_MAX;
  return value.kind == Value::Kind::int64 && value.bits <= most;
}

bool OtlpJson::container(Form form, std::uint32_t number, WireWriter& out, int depth) {
  const auto read_value = [&] { return message(names::value, out, depth); };
  const auto read_pair = [&] { return message(names::pair, out, depth); };
  switch (form) {
    case Form::values:
      return form_.array([&] { return nested(number, out, [&] { return form_.take_null() || read_value(); }); });
    case Form::pairs:
      return form_.array([&] { return nested(number, out, read_pair); });
    case Form::array:
    case Form::list: {
      const auto inner = [&] {
        return form == Form::array ? message(names::array, out, depth + 1) : message(names::list, out, depth + 1);
      };
      // Deeper than entries may be: that it is there is enough to reject it.
      return nested(number, out, [&] { return depth + 1 > limits::nesting_depth ? form_.skip() : inner(); });
    }
    default:
      return nested(number, out, read_value);
  }
}

template <typename Read>
bool OtlpJson::nested(std::uint32_t number, WireWriter& out, Read&& read) {
  const std::size_t start = out.begin(number);
  if (!read()) return false;
  out.end(start);
  return true;
}

}  // namespace zero
