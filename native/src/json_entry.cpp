#include "zero/json_entry.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <string>

#include "zero/name_table.hpp"
#include "zero/timestamp.hpp"

namespace zero {
namespace {

// Each name has a slot. The slots of a field lie together, its own name first, then its aliases by rank.
constexpr std::pair<std::string_view, int> slot_names[] = {
    {"message", 0},   {"msg", 1},        {"body", 2},      {"log", 3},        {"text", 4},         {"short_message", 5},
    {"timestamp", 6}, {"time", 7},       {"ts", 8},        {"@timestamp", 9}, {"level", 10},       {"severity", 11},
    {"lvl", 12},      {"log.level", 13}, {"app_id", 14},   {"app", 15},       {"service", 16},     {"service.name", 17},
    {"source", 18},   {"host", 19},      {"hostname", 20}, {"logger", 21},    {"environment", 22}, {"env", 23},
    {"trace_id", 24}, {"span_id", 25},   {"user_id", 26},  {"metadata", 27},  {"attributes", 28},  {"fields", 29},
    {"extra", 30},
};
constexpr auto slots_by_name = name_table(slot_names);

struct SlotRange {
  std::size_t first;
  std::size_t count;
};
constexpr SlotRange message_slots{0, 6};
constexpr SlotRange timestamp_slots{6, 4};
constexpr SlotRange level_slots{10, 4};
constexpr std::size_t metadata_first_slot = 27;

struct TextSlots {
  Field field;
  SlotRange slots;
};
constexpr TextSlots app_id_slots{Field::app_id, {14, 4}};
constexpr std::array<TextSlots, 5> later_slots = {{{Field::source, {18, 4}},
                                                   {Field::environment, {22, 2}},
                                                   {Field::trace_id, {24, 1}},
                                                   {Field::span_id, {25, 1}},
                                                   {Field::user_id, {26, 1}}}};

constexpr std::size_t shown_bytes_max = 32;  // of a sender's text in an error

std::string not_text(std::size_t slot, const JsonToken& token) {
  const char* kind = token.kind == JsonToken::Kind::object ? ": an object, not text" : ": an array, not text";
  return std::string(slot_names[slot].first).append(kind);
}

std::string not_a_level(std::string_view text) {
  if (text.size() > shown_bytes_max) return "level: " + std::to_string(text.size()) + " bytes that are not a level";
  return std::string("level: \"").append(text).append("\" is not a level");
}

}  // namespace

bool JsonEntryReader::read(const Stamp& stamp) {
  present_ = 0;
  walker_.forget();
  if (!walker_.take('{')) return false;
  if (!walker_.take('}')) {
    do {
      std::string_view key;
      if (!walker_.string(key) || !walker_.take(':') || !member(key)) return false;
    } while (walker_.take(','));
    if (!walker_.take('}')) return false;
  }
  if (walker_.deepest() > limits::nesting_depth) {
    entry_.reject("nesting deeper than " + std::to_string(limits::nesting_depth));
  } else {
    resolve(stamp);
  }
  if (walker_.repaired()) entry_.mark_repaired();
  return true;
}

bool JsonEntryReader::member(std::string_view key) {
  const int slot = slots_by_name.find(key);
  if (slot < 0) return metadata(join({}, key), 1);
  if (slot < static_cast<int>(metadata_first_slot)) return known(static_cast<std::size_t>(slot));
  return metadata(walker_.peek() == '{' ? Path{} : join({}, key), 1);
}

bool JsonEntryReader::known(std::size_t slot) {
  JsonToken& token = slots_[slot];
  const bool container = walker_.peek() == '{' || walker_.peek() == '[';
  if (!(container ? walker_.container(token, 1) : walker_.scalar(token))) return false;
  const bool absent = token.kind == JsonToken::Kind::null || token.text.empty();
  const std::uint32_t bit = 1u << slot;
  present_ = absent ? present_ & ~bit : present_ | bit;
  return true;
}

JsonEntryReader::Path JsonEntryReader::join(const Path& path, std::string_view key) {
  if (path.root) return {key, key.size(), false};
  const std::size_t bytes = path.bytes + 1 + key.size();
  if (bytes > joined_.size()) return {{}, bytes, false};
  if (path.text.data() != joined_.data()) std::copy(path.text.begin(), path.text.end(), joined_.begin());
  joined_[path.bytes] = '.';
  std::copy(key.begin(), key.end(), joined_.begin() + static_cast<std::ptrdiff_t>(path.bytes) + 1);
  return {{joined_.data(), bytes}, bytes, false};
}

void JsonEntryReader::put(const Path& path, const Value& value) {
  if (path.bytes > limits::metadata_key_bytes) return entry_.put_oversize_key(path.bytes);
  std::string_view* kept = entry_.put(path.text, value);
  if (!kept || kept->data() != joined_.data()) return;
  char* key = arena_.take(kept->size());
  std::copy(kept->begin(), kept->end(), key);
  *kept = {key, kept->size()};
}

// `depth` is that of the container around the value.
bool JsonEntryReader::metadata(const Path& path, int depth) {
  JsonToken token;
  if (walker_.peek() == '{') return metadata_object(path, depth);
  if (walker_.peek() == '[') {
    if (!walker_.container(token, depth)) return false;
    put(path, Value::of_text(token.text));
    return true;
  }
  if (!walker_.scalar(token)) return false;
  if (token.kind != JsonToken::Kind::null) put(path, token.value);
  return true;
}

bool JsonEntryReader::metadata_object(const Path& path, int depth) {
  if (depth >= limits::nesting_depth) return walker_.skip(depth);  // too deep: the walker remembers
  walker_.take('{');
  if (walker_.take('}')) return true;
  do {
    std::string_view key;
    if (!walker_.string(key) || !walker_.take(':') || !metadata(join(path, key), depth + 1)) return false;
  } while (walker_.take(','));
  return walker_.take('}');
}

// Returns the present slots of a field that were not chosen. Only a field's own name, or any with `containers`, may hold one.
std::uint32_t JsonEntryReader::choose(std::size_t first, std::size_t count, bool containers, const JsonToken*& chosen) {
  const std::uint32_t mask = ((1u << count) - 1) << first;
  const std::uint32_t candidates = present_ & mask;
  chosen = nullptr;
  if (candidates == 0) return 0;
  for (std::uint32_t left = candidates; left != 0; left &= left - 1) {
    const auto slot = static_cast<std::size_t>(std::countr_zero(left));
    if (slots_[slot].container() && !containers && slot != first) continue;
    chosen = &slots_[slot];
    if (chosen->container() && !containers) entry_.reject(not_text(slot, *chosen));
    return candidates & ~(1u << slot);
  }
  return candidates;
}

void JsonEntryReader::resolve(const Stamp& stamp) {
  const JsonToken* token = nullptr;
  std::uint32_t unchosen = 0;
  const auto read_text = [&](const TextSlots& text) {
    unchosen |= choose(text.slots.first, text.slots.count, text.field == Field::message, token);
    if (token) entry_[text.field] = token->text;
  };
  read_text({Field::message, message_slots});
  read_text(app_id_slots);
  unchosen |= choose(timestamp_slots.first, timestamp_slots.count, false, token);
  const JsonToken* timestamp = token;
  unchosen |= choose(level_slots.first, level_slots.count, false, token);
  if (token) {
    const Level level = parse_level(token->text);
    if (level == level_unknown) entry_.reject(not_a_level(token->text));
    entry_.set_level(level);
  }
  for (const TextSlots& text : later_slots) read_text(text);
  keep_unchosen(unchosen);
  if (timestamp) entry_.set_timestamp(stamp, parse_timestamp(timestamp->text), timestamp->text);
}

// What another name of the same field has displaced is kept as metadata under its own name.
bool JsonEntryReader::keep_unchosen(std::uint32_t slots) {
  for (; slots != 0; slots &= slots - 1) {
    const auto slot = static_cast<std::size_t>(std::countr_zero(slots));
    const JsonToken& token = slots_[slot];
    const Path path = join({}, slot_names[slot].first);
    if (token.kind != JsonToken::Kind::object) {
      put(path, token.container() ? Value::of_text(token.text) : token.value);
      continue;
    }
    const std::size_t end = walker_.mark();
    walker_.rewind(token.mark);
    const bool whole = metadata(path, 1);
    walker_.rewind(end);
    if (!whole) return false;
  }
  return true;
}

}  // namespace zero
