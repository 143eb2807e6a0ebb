// One log entry on its way into a payload: every door fills an Entry, and only here are limits and defaults applied.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "zero/bytes.hpp"
#include "zero/level.hpp"
#include "zero/value.hpp"

namespace zero {

// The text fields of zero.v1.LogEntry, in the order in which they are checked.
enum class Field : std::uint8_t { message, app_id, source, environment, trace_id, span_id, user_id };
inline constexpr std::size_t field_count = 7;

// The metadata key of a level that is none; the entry is INFO.
inline constexpr std::string_view original_level = "original_level";

namespace limits {
inline constexpr std::array<std::size_t, field_count> text_bytes = {256 * 1024, 128, 255, 64, 64, 32, 128};
inline constexpr std::size_t metadata_keys = 128;
inline constexpr std::size_t metadata_key_bytes = 128;
inline constexpr std::size_t metadata_value_bytes = 16 * 1024;
inline constexpr int nesting_depth = 64;
inline constexpr std::size_t entries = 20'000;
inline constexpr std::size_t body_bytes = 16 * 1024 * 1024;
// What many entries share is said once in a body and written with each of them.
inline constexpr std::size_t payload_bytes = 32 * 1024 * 1024;
}  // namespace limits

// What the platform adds to entries that do not say it themselves.
struct Stamp {
  static constexpr std::string_view app_id = "default";
  static constexpr std::string_view environment = "prod";
  static constexpr Level level = level_info;

  Stamp(std::uint64_t now_ns, std::string_view source);
  bool allows(std::uint64_t timestamp_ns) const { return timestamp_ns >= earliest_ns && timestamp_ns <= latest_ns; }

  std::uint64_t now_ns;
  std::uint64_t earliest_ns;  // outside of these two a timestamp is kept as metadata and now_ns is used
  std::uint64_t latest_ns;
  std::string_view source;
};

// Texts are views: they must live until the entry has been appended.
class Entry {
 public:
  void clear();
  // Begins as a copy of an entry that holds what several share.
  void start_from(const Entry& shared);

  std::string_view& operator[](Field field) { return texts_[static_cast<std::size_t>(field)]; }
  void set_level(Level level) { level_ = level; }
  // Uses the time of receipt, and keeps `original`, when the timestamp is none or wild.
  void set_timestamp(const Stamp& stamp, std::optional<std::uint64_t> timestamp_ns, std::string_view original);
  // Adds a metadata value; of equal keys the last value wins, at the place of the first. Returns where a new key is kept, else
  // null: only a kept key has to live on.
  std::string_view* put(std::string_view key, const Value& value);
  // Notes a key too long to be made at all.
  void put_oversize_key(std::size_t key_bytes);
  void mark_repaired() { repaired_ = true; }
  bool repaired() const { return repaired_; }

  // Rejects the entry; the first reason stays.
  void reject(std::string reason);

  // Stamps what is absent and checks the limits. Returns false when the entry is rejected; `reason` says why.
  bool finish(const Stamp& stamp);
  const std::string& reason() const { return reason_; }

  // Bytes of the finished entry without its tag and length.
  std::size_t encoded_bytes() const;
  void append_to(Bytes& payload, std::size_t encoded_bytes) const;

 private:
  struct Attribute {
    std::string_view key;
    Value value;
    std::size_t value_bytes = 0;  // encoded
  };

  std::size_t find(std::string_view key) const;
  void stamp_text(Field field, std::string_view text);

  std::array<std::string_view, field_count> texts_;
  std::uint64_t timestamp_ns_ = 0;
  Level level_ = level_unknown;
  bool repaired_ = false;
  bool rejected_ = false;
  std::size_t attribute_count_ = 0;
  std::size_t metadata_bytes_ = 0;  // of all attributes, encoded
  std::array<Attribute, limits::metadata_keys> attributes_;
  std::string reason_;
  std::string metadata_reason_;  // reported after those of the fields
};

// Bytes of the tag and length of an entry.
std::size_t encoded_head_bytes(std::size_t encoded_bytes);
// Appends the tag and length of an entry.
void append_entry_head(Bytes& payload, std::size_t encoded_bytes);

}  // namespace zero
