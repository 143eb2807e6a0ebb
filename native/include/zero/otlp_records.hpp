// OTLP log records as log entries: what of the resource, the scope and the record becomes which field. Messages come in the
// protobuf encoding, whatever the request's own was.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "zero/bytes.hpp"
#include "zero/decoded.hpp"
#include "zero/entry.hpp"
#include "zero/json_text.hpp"

namespace zero {

// A member of opentelemetry.proto.common.v1.AnyValue, not looked into.
struct OtlpValue {
  // The numbers of the members.
  enum class Kind : std::uint8_t { none = 0, text, boolean, integer, floating, array, list, bytes };

  Kind kind = Kind::none;
  std::string_view encoded;  // of text, array, list and bytes
  std::uint64_t number = 0;  // of boolean, integer and floating
};

// Texts of a message must live until the next one of its kind begins. Methods throw protozero::exception; `field_start` then
// says at which field.
class OtlpRecords {
 public:
  void start(Decoded& decoded, const Stamp& stamp);
  const char*& field_start() { return field_start_; }

  // A resource begins, and a scope of it; either may be given in several messages, or in none.
  void begin_resource();
  void read_resource(std::string_view message);
  void begin_scope();
  void read_scope(std::string_view message);
  // A record of the scope becomes an entry or a rejection. `repaired`: its text was not valid UTF-8.
  void record(std::string_view message, bool repaired);
  // Something in the resource or the scope was not valid UTF-8.
  void mark_repaired() { shared_->mark_repaired(); }

  // Gives back the memory that a large body took.
  void trim();

 private:
  // The fields of a record that are read together at its end.
  struct Record {
    std::uint64_t time_ns = 0;
    std::uint64_t observed_ns = 0;
    std::uint64_t severity = 0;
    std::uint64_t dropped_attributes = 0;
    std::uint64_t flags = 0;
    std::string_view severity_text;
    std::string_view event_name;
    std::string_view trace_id;
    std::string_view span_id;
    OtlpValue body;
  };
  static constexpr std::size_t name_count = 5;
  static constexpr int attribute_depth = 2;  // of a value that is no member of another

  using JoinedKey = std::array<char, limits::metadata_key_bytes>;

  void use(Entry& entry, Arena& arena) { shared_ = &entry, arena_ = &arena; }
  OtlpValue read_value(std::string_view message, OtlpValue value);
  static bool read_plain_value(std::string_view message, OtlpValue& value);
  bool read_plain_pair(std::string_view message, std::string_view& key, OtlpValue& value);
  void read_pair(std::string_view message, std::string_view& key, OtlpValue& value);
  void resource_attribute(std::string_view message);
  void attribute(std::string_view message);
  void put(std::string_view path, std::size_t path_bytes, const OtlpValue& value, int depth);
  static std::string_view join(JoinedKey& room, std::string_view path, std::size_t path_bytes, std::string_view key);
  bool make_text(const OtlpValue& value, int depth, std::size_t bytes_max);
  void write_json(const OtlpValue& value, int depth);
  void write_container(const OtlpValue& value, int depth);
  bool too_deep(int depth);
  void reject_long(std::string_view what, std::size_t limit);
  void count(std::string_view key, std::uint64_t dropped);

  void read_record(std::string_view message, Record& record);
  void message(const Record& record);
  void level(const Record& record);
  bool says(Level level, std::string_view word);
  void identifier(Field field, std::string_view name, std::string_view bytes, std::size_t bytes_max);
  void timestamp(const Record& record);
  void finish();

  std::string_view text(std::string_view raw);
  std::string_view keep(std::string_view text);

  const Stamp* stamp_ = nullptr;
  Decoded* decoded_ = nullptr;
  const char* field_start_ = nullptr;
  Entry resource_, scope_, entry_;
  Arena resource_arena_, scope_arena_, entry_arena_;
  Entry* shared_ = &resource_;  // the one that is being filled, and where its texts are made
  Arena* arena_ = &resource_arena_;
  std::array<std::string_view, name_count> names_;        // of the resource; empty: absent
  std::array<std::string, level_fatal + 1> level_words_;  // the latest severity text that names each level
  JsonText json_;
};

}  // namespace zero
