#include "zero/loki_entries.hpp"

#include <cstring>
#include <string>

#include "zero/label_set.hpp"
#include "zero/level.hpp"
#include "zero/name_table.hpp"
#include "zero/utf8.hpp"

namespace zero {
namespace {

// Each name has a slot. The slots of a field lie together, the better names first.
constexpr std::pair<std::string_view, int> slot_names[] = {
    {"app_id", 0},         {"app", 1},      {"service_name", 2}, {"service", 3},  {"job", 4},       {"level", 5},
    {"detected_level", 6}, {"severity", 7}, {"host", 8},         {"hostname", 9}, {"instance", 10}, {"source", 11},
    {"environment", 12},   {"env", 13},     {"trace_id", 14},    {"traceID", 15}, {"traceId", 16},  {"span_id", 17},
    {"spanID", 18},        {"spanId", 19},  {"user_id", 20},
};
constexpr auto slots_by_name = name_table(slot_names);

constexpr std::size_t first_level = 5;
constexpr std::size_t levels_end = 8;

struct FieldSlots {
  Field field;
  std::size_t first;
  std::size_t end;
};
constexpr FieldSlots fields[] = {{Field::app_id, 0, 5},     {Field::source, 8, 12},   {Field::environment, 12, 14},
                                 {Field::trace_id, 14, 17}, {Field::span_id, 17, 20}, {Field::user_id, 20, 21}};

}  // namespace

void LokiEntries::start(Decoded& decoded, const Stamp& stamp) {
  decoded_ = &decoded;
  stamp_ = &stamp;
}

void LokiEntries::trim() {
  stream_arena_.clear();
  entry_arena_.clear();
}

void LokiEntries::begin_stream() {
  stream_arena_.clear();
  labels_.clear();
  stream_slots_.fill({});
}

bool LokiEntries::keep(Slots& slots, std::string_view name, const Label& label) {
  const int slot = slots_by_name.find(name);
  if (slot < 0) return false;
  slots[static_cast<std::size_t>(slot)] = label;
  return true;
}

void LokiEntries::label(std::string_view name, std::string_view text, const Value& value) {
  if (text.empty()) return;
  if (!keep(stream_slots_, name, {text, value})) labels_.put(name, value);
}

void LokiEntries::labels(std::string_view text) {
  LabelSet set(text, stream_arena_);
  while (set.next()) {
    const std::string_view value = repaired(set.value(), labels_, stream_arena_);
    label(set.name(), value, Value::of_text(value));
  }
  if (set.wrong()) labels_.reject("labels: not a label set at byte " + std::to_string(set.offset()));
}

void LokiEntries::begin_entry() {
  entry_arena_.clear();
  entry_.start_from(labels_);
  has_slots_ = false;
}

void LokiEntries::metadata(std::string_view name, std::string_view text, const Value& value) {
  name = repaired(name, entry_, entry_arena_);
  Value kept = value;
  if (value.kind == Value::Kind::text) text = kept.text = repaired(text, entry_, entry_arena_);
  if (text.empty()) return;
  if (slots_by_name.find(name) < 0) {
    entry_.put(name, kept);
    return;
  }
  if (!has_slots_) entry_slots_ = stream_slots_;
  has_slots_ = true;
  keep(entry_slots_, name, {text, kept});
}

void LokiEntries::end_entry(std::string_view line, std::optional<std::uint64_t> timestamp_ns, std::string_view original) {
  resolve(entry_, has_slots_ ? entry_slots_ : stream_slots_);
  entry_[Field::message] = repaired(line, entry_, entry_arena_);
  if (timestamp_ns || !original.empty()) entry_.set_timestamp(*stamp_, timestamp_ns, original);
  if (!entry_.finish(*stamp_)) return decoded_->reject(entry_.reason());
  decoded_->accept(entry_);
}

// The better name of a field wins; the others are metadata, and so is a level that is none.
void LokiEntries::resolve(Entry& entry, const Slots& slots) {
  const auto put = [&](std::size_t slot) { entry.put(slot_names[slot].first, slots[slot].value); };
  for (const auto& [field, first, end] : fields) {
    for (std::size_t slot = first; slot < end; ++slot) {
      if (slots[slot].text.empty()) continue;
      if (entry[field].empty()) {
        entry[field] = slots[slot].text;
      } else {
        put(slot);
      }
    }
  }
  Level level = level_unknown;
  for (std::size_t slot = first_level; slot < levels_end; ++slot) {
    if (slots[slot].text.empty()) continue;
    const Level named = level == level_unknown ? parse_level(slots[slot].text) : level_unknown;
    if (named == level_unknown) {
      put(slot);
    } else {
      level = named;
    }
  }
  entry.set_level(level);
}

std::string_view LokiEntries::kept(std::string_view text, Arena& arena) {
  char* const copy = arena.take(text.size());
  if (!text.empty()) std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

std::string_view LokiEntries::repaired(std::string_view raw, Entry& entry, Arena& arena) {
  if (is_valid_utf8(raw)) return raw;
  entry.mark_repaired();
  return kept(repair_utf8(raw), arena);
}

}  // namespace zero
