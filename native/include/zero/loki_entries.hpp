// Loki's lines as log entries: which label means which field, and what becomes metadata.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "zero/bytes.hpp"
#include "zero/decoded.hpp"
#include "zero/entry.hpp"

namespace zero {

// Texts given must live until the next stream begins, those of an entry until the next entry begins.
class LokiEntries {
 public:
  void start(Decoded& decoded, const Stamp& stamp);

  // A stream begins; then its labels.
  void begin_stream();
  void label(std::string_view name, std::string_view text, const Value& value);
  // The labels are in text.
  void labels(std::string_view text);
  // Something in the labels was not valid UTF-8.
  void mark_stream_repaired() { labels_.mark_repaired(); }
  // Makes a text of the stream's that outlives its entries.
  std::string_view stream_text(std::string_view text) { return kept(text, stream_arena_); }

  // An entry begins; then its structured metadata.
  void begin_entry();
  void metadata(std::string_view name, std::string_view text, const Value& value);
  void mark_repaired() { entry_.mark_repaired(); }
  // The entry becomes one, or a rejection. `original` is what is kept of a timestamp that is none or wild.
  void end_entry(std::string_view line, std::optional<std::uint64_t> timestamp_ns, std::string_view original);

  const Stamp& stamp() const { return *stamp_; }
  // Gives back the memory that a large body took.
  void trim();

 private:
  struct Label {
    std::string_view text;
    Value value;
  };
  static constexpr std::size_t slot_count = 21;
  using Slots = std::array<Label, slot_count>;

  // Returns whether the name is that of a field, which then has the label.
  static bool keep(Slots& slots, std::string_view name, const Label& label);
  static void resolve(Entry& entry, const Slots& slots);
  static std::string_view kept(std::string_view text, Arena& arena);
  static std::string_view repaired(std::string_view raw, Entry& entry, Arena& arena);

  const Stamp* stamp_ = nullptr;
  Decoded* decoded_ = nullptr;
  Arena stream_arena_, entry_arena_;
  Entry labels_;  // of the stream, without those that are fields
  Entry entry_;
  Slots stream_slots_, entry_slots_;
  bool has_slots_ = false;  // the entry says a field itself
};

}  // namespace zero
