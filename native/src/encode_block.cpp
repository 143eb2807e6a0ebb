#include "zero/encode_block.hpp"

#include <array>
#include <bit>
#include <iterator>
#include <protozero/pbf_reader.hpp>

#include "zero/canonical_entry.hpp"
#include "zero/columns.hpp"
#include "zero/columns_json.hpp"
#include "zero/pattern.hpp"

namespace zero {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::tag_and_type;

// The layout of domain/frame.py.
constexpr std::size_t flags_at = 3, batch_id_at = 8, received_ms_at = 16, count_at = 24, tenant_bytes_at = 28, tenant_at = 30;

constexpr std::string_view level_type = "Enum8('TRACE' = 1, 'DEBUG' = 2, 'INFO' = 3, 'WARN' = 4, 'ERROR' = 5, 'FATAL' = 6)";
constexpr std::uint64_t timestamp_ns_max = ~std::uint64_t{0} >> 1;
constexpr std::size_t packed_trace_bytes = 16;

struct FrameHeader {
  std::uint64_t batch_id, received_ms;
  std::uint32_t count, first_index;
  std::string_view tenant, payload;
};

// What stops the reading of a block; caught in BlockEncoder::read.
struct Refused {
  EncodeError error;
};

std::string_view view_of(pbf_reader& reader) {
  const protozero::data_view view = reader.get_view();
  return {view.data(), view.size()};
}

template <typename Number>
Number number_at(std::string_view frame, std::size_t at) {
  Number number;
  std::memcpy(&number, frame.data() + at, sizeof number);
  return number;
}

FrameHeader read_header(std::string_view frame) {
  if (frame.size() < tenant_at) throw Refused{EncodeError::bad_frame};
  const std::size_t tenant_ends = tenant_at + number_at<std::uint16_t>(frame, tenant_bytes_at);
  const std::size_t payload_at = tenant_ends + (frame[flags_at] != 0 ? sizeof(std::uint32_t) : 0);
  if (frame.size() < payload_at) throw Refused{EncodeError::bad_frame};
  const auto first_index = payload_at > tenant_ends ? number_at<std::uint32_t>(frame, tenant_ends) : 0;
  return {number_at<std::uint64_t>(frame, batch_id_at),     number_at<std::uint64_t>(frame, received_ms_at),
          number_at<std::uint32_t>(frame, count_at),        first_index,
          frame.substr(tenant_at, tenant_ends - tenant_at), frame.substr(payload_at)};
}

// By the number of Value::Kind.
constexpr std::array<ColumnType, 6> column_type_of = {ColumnType{},       ColumnType::string,  ColumnType::int64,
                                                      ColumnType::uint64, ColumnType::float64, ColumnType::boolean};

std::uint64_t bits_of(double number) { return std::bit_cast<std::uint64_t>(number); }

// Returns false when no member is set.
bool read_value(pbf_reader reader, ColumnValue& value) {
  bool found = false;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited):
        value = {ColumnType::string, view_of(reader)};
        break;
      case tag_and_type(2, pbf_wire_type::varint):
        value = {ColumnType::int64, {}, static_cast<std::uint64_t>(reader.get_sint64())};
        break;
      case tag_and_type(3, pbf_wire_type::varint):
        value = {ColumnType::uint64, {}, reader.get_uint64()};
        break;
      case tag_and_type(4, pbf_wire_type::fixed64):
        value = {ColumnType::float64, {}, bits_of(reader.get_double())};
        break;
      case tag_and_type(5, pbf_wire_type::varint):
        value = {ColumnType::boolean, {}, reader.get_bool()};
        break;
      default:
        reader.skip();
        continue;
    }
    found = true;
  }
  return found;
}

void read_attribute(pbf_reader reader, ColumnJson& metadata) {
  std::string_view key;
  ColumnValue value{};
  bool found = false;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited):
        key = view_of(reader);
        break;
      case tag_and_type(2, pbf_wire_type::length_delimited):
        found |= read_value(reader.get_message(), value);
        break;
      default:
        reader.skip();
    }
  }
  if (found) metadata.append(key, value);
}

CanonicalEntry read_any_entry(pbf_reader reader, ColumnJson& metadata) {
  CanonicalEntry entry;
  std::string_view* const texts[] = {nullptr,
                                     &entry[Field::app_id],
                                     nullptr,
                                     nullptr,
                                     &entry[Field::message],
                                     &entry[Field::source],
                                     &entry[Field::environment],
                                     &entry[Field::trace_id],
                                     &entry[Field::span_id],
                                     &entry[Field::user_id]};
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case tag_and_type(2, pbf_wire_type::fixed64):
        entry.timestamp_ns = reader.get_fixed64();
        break;
      case tag_and_type(3, pbf_wire_type::varint):
        entry.level = reader.get_uint64();
        break;
      case tag_and_type(10, pbf_wire_type::length_delimited):
        read_attribute(reader.get_message(), metadata);
        break;
      default: {
        const bool text = reader.wire_type() == pbf_wire_type::length_delimited && reader.tag() < std::size(texts);
        if (std::string_view* const field = text ? texts[reader.tag()] : nullptr)
          *field = view_of(reader);
        else
          reader.skip();
      }
    }
  }
  return entry;
}

// Returns false at another form; what of the metadata has been read by then is read again, over itself.
bool read_canonical_entry(std::string_view encoded, CanonicalEntry& entry, ColumnJson& metadata) {
  const auto append = [&metadata](std::string_view key, const Value& value) {
    metadata.append(key, {column_type_of[static_cast<std::size_t>(value.kind)], value.text, value.bits});
    return true;
  };
  return CanonicalReader(encoded).read(entry, [](std::size_t) {}, append);
}

CanonicalEntry read_entry(std::string_view encoded, ColumnJson& metadata) {
  CanonicalEntry entry;
  if (!read_canonical_entry(encoded, entry, metadata))
    entry = read_any_entry(pbf_reader(encoded.data(), encoded.size()), metadata);
  if (entry.level < level_trace || entry.level > level_fatal || entry.timestamp_ns > timestamp_ns_max)
    throw Refused{EncodeError::bad_payload};
  return entry;
}

// Turns eight lower-case hex digits into four bytes. Returns false when one of them is something else.
bool pack_hex(const char* text, char* packed) {
  constexpr std::uint64_t ones = 0x0101010101010101u;
  std::uint64_t letters;
  std::memcpy(&letters, text, sizeof letters);
  const std::uint64_t nibbles = (letters & ones * 0x0f) + (letters >> 6 & ones) * 9;
  const std::uint64_t above_nine = (nibbles + ones * 6) >> 4 & ones;
  if ((nibbles & ones * 0xf0) != 0 || nibbles + ones * '0' + above_nine * ('a' - '0' - 10) != letters) return false;
  std::uint64_t bytes = (nibbles << 4 | nibbles >> 8) & 0x00ff00ff00ff00ffu;
  bytes = (bytes | bytes >> 8) & 0x0000ffff0000ffffu;
  bytes |= bytes >> 16;
  std::memcpy(packed, &bytes, 4);
  return true;
}

// 32 lower-case hex digits become 16 bytes. Any other text stays, with one NUL appended where it would look like packed bytes
// or like a text with that NUL: of 16 bytes, or longer with only NULs behind the 16th.
void append_trace(ByteBuffer& out, std::string_view text) {
  if (text.size() == 2 * packed_trace_bytes) {
    char* const packed = out.extend(1 + packed_trace_bytes);
    packed[0] = packed_trace_bytes;
    bool hex = true;
    for (std::size_t at = 0; at < packed_trace_bytes; at += 4) hex &= pack_hex(text.data() + 2 * at, packed + 1 + at);
    if (hex) return;
    out.resize_down(out.size() - 1 - packed_trace_bytes);
  }
  const bool marked =
      text.size() >= packed_trace_bytes && text.find_first_not_of('\0', packed_trace_bytes) == std::string_view::npos;
  out.append_varint(text.size() + marked);
  out.append(text);
  if (marked) out.append_byte('\0');
}

// Reads the entries of one frame in order; going back means starting again.
class FrameReader {
 public:
  explicit FrameReader(std::string_view frame) : header_(read_header(frame)), entries_(view_of_payload()) {}

  const FrameHeader& header() const { return header_; }
  std::uint32_t position() const { return position_; }
  bool next() {
    if (!entries_.next(1, pbf_wire_type::length_delimited)) return false;
    ++position_;
    return true;
  }
  void skip_to(std::uint32_t index) {
    for (; position_ < index; entries_.skip())
      if (!next()) throw Refused{EncodeError::bad_payload};
  }
  std::string_view entry() { return view_of(entries_); }

 private:
  protozero::data_view view_of_payload() const { return {header_.payload.data(), header_.payload.size()}; }

  FrameHeader header_;
  pbf_reader entries_;
  std::uint32_t position_ = 0;
};

}  // namespace

const char* describe(EncodeError error) {
  switch (error) {
    case EncodeError::none:
      return "no error";
    case EncodeError::bad_frame:
      return "the frame is shorter than its header says";
    case EncodeError::bad_payload:
      return "the payload is not a LogBatch of complete entries";
    case EncodeError::bad_row_range:
      return "the row range names entries that are not there";
  }
  return "unknown error";
}

struct BlockEncoder::Columns {
  std::size_t rows = 0;
  DictionaryColumn tenant, app_id, source, environment;
  ByteBuffer timestamp, received_at, level, message, trace, span_id, user_id, pattern, batch, index;
  ColumnJson metadata;
  PatternMaker patterns;
  std::array<ByteBuffer, 5> rendered;  // the dictionaries and the metadata

  void read_rows(FrameReader& frame, std::uint32_t stop) {
    const FrameHeader& header = frame.header();
    const std::uint32_t start = frame.position();
    while (frame.position() < stop) {
      const std::uint32_t row = frame.position();
      if (!frame.next()) throw Refused{EncodeError::bad_payload};
      append(read_entry(frame.entry(), metadata));
      index.append_number(header.first_index + row);
    }
    tenant.append_repeated(header.tenant, stop - start);
    received_at.append_repeated(header.received_ms, stop - start);
    batch.append_repeated(header.batch_id, stop - start);
  }

  void append(CanonicalEntry entry) {
    app_id.append(entry[Field::app_id]);
    source.append(entry[Field::source]);
    environment.append(entry[Field::environment]);
    timestamp.append_number(entry.timestamp_ns);
    level.append_byte(static_cast<char>(entry.level));
    message.append_string(entry[Field::message]);
    append_trace(trace, entry[Field::trace_id]);
    span_id.append_string(entry[Field::span_id]);
    user_id.append_string(entry[Field::user_id]);
    pattern.append_number(patterns.id(entry[Field::message]));
    metadata.end_row();
    ++rows;
  }

  void render() {
    tenant.write(rendered[0]);
    app_id.write(rendered[1]);
    source.write(rendered[2]);
    environment.write(rendered[3]);
    metadata.write(rendered[4]);
  }

  // Calls `part` with (name, type, data) of every column in the order of the table.
  template <typename Part>
  void each(Part&& part) const {
    constexpr std::string_view dictionary = "LowCardinality(String)";
    part("tenant", dictionary, rendered[0]);
    part("app_id", dictionary, rendered[1]);
    part("source", dictionary, rendered[2]);
    part("environment", dictionary, rendered[3]);
    part("timestamp", "DateTime64(9, 'UTC')", timestamp);
    part("received_at", "DateTime64(3, 'UTC')", received_at);
    part("level", level_type, level);
    part("message", "String", message);
    part("_trace", "String", trace);
    part("span_id", "String", span_id);
    part("user_id", "String", user_id);
    part("metadata", "JSON", rendered[4]);
    part("pattern_id", "UInt64", pattern);
    part("_bid", "UInt64", batch);
    part("_idx", "UInt32", index);
  }
  static constexpr std::size_t count = 15;

  void clear() {
    rows = 0;
    for (DictionaryColumn* column : {&tenant, &app_id, &source, &environment}) column->clear();
    for (ByteBuffer* column :
         {&timestamp, &received_at, &level, &message, &trace, &span_id, &user_id, &pattern, &batch, &index})
      column->clear();
    metadata.clear();
  }

  std::size_t capacity_bytes() const {
    std::size_t bytes = metadata.capacity_bytes() + patterns.capacity_bytes();
    for (const DictionaryColumn* column : {&tenant, &app_id, &source, &environment}) bytes += column->capacity_bytes();
    each([&bytes](std::string_view, std::string_view, const ByteBuffer& data) { bytes += data.capacity(); });
    return bytes;
  }
};

BlockEncoder::BlockEncoder() : columns_(std::make_unique<Columns>()) {}
BlockEncoder::~BlockEncoder() = default;

EncodeError BlockEncoder::read(std::span<const std::string_view> frames) {
  columns_->clear();
  try {
    for (const std::string_view data : frames) {
      FrameReader frame(data);
      columns_->read_rows(frame, frame.header().count);
      if (frame.next()) return EncodeError::bad_payload;
    }
  } catch (const Refused& refused) {
    return refused.error;
  } catch (const protozero::exception&) {
    return EncodeError::bad_payload;
  }
  columns_->render();
  return EncodeError::none;
}

EncodeError BlockEncoder::read(std::span<const std::string_view> frames, std::span<const RowRange> ranges) {
  columns_->clear();
  try {
    std::unique_ptr<FrameReader> frame;
    std::uint32_t current = 0;
    for (const RowRange& range : ranges) {
      if (range.frame >= frames.size() || range.start > range.stop) return EncodeError::bad_row_range;
      if (!frame || current != range.frame || frame->position() > range.start)
        frame = std::make_unique<FrameReader>(frames[range.frame]);
      current = range.frame;
      if (range.stop > frame->header().count) return EncodeError::bad_row_range;
      frame->skip_to(range.start);
      columns_->read_rows(*frame, range.stop);
    }
  } catch (const Refused& refused) {
    return refused.error;
  } catch (const protozero::exception&) {
    return EncodeError::bad_payload;
  }
  columns_->render();
  return EncodeError::none;
}

std::size_t BlockEncoder::rows() const { return columns_->rows; }

std::size_t BlockEncoder::size() const {
  std::size_t bytes = ByteBuffer::varint_bytes(Columns::count) + ByteBuffer::varint_bytes(columns_->rows);
  columns_->each([&bytes](std::string_view name, std::string_view type, const ByteBuffer& data) {
    bytes += 1 + name.size() + 1 + type.size() + data.size();
  });
  return bytes;
}

void BlockEncoder::write(char* to) {
  ByteBuffer header;
  const auto put = [&to](std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    to += bytes.size();
  };
  header.append_varint(Columns::count);
  header.append_varint(columns_->rows);
  put(header.view());
  columns_->each([&](std::string_view name, std::string_view type, const ByteBuffer& data) {
    header.clear();
    header.append_string(name);
    header.append_string(type);
    put(header.view());
    put(data.view());
  });
  columns_->clear();
  if (columns_->capacity_bytes() > scratch_bytes_max) columns_ = std::make_unique<Columns>();
}

}  // namespace zero
