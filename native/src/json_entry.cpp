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
    {"message", 0},        {"msg", 1},
    {"body", 2},           {"log", 3},
    {"text", 4},           {"short_message", 5},
    {"event.original", 6}, {"timestamp", 7},
    {"time", 8},           {"ts", 9},
    {"@timestamp", 10},    {"level", 11},
    {"severity", 12},      {"lvl", 13},
    {"log.level", 14},     {"app_id", 15},
    {"app", 16},           {"service", 17},
    {"service.name", 18},  {"source", 19},
    {"host", 20},          {"hostname", 21},
    {"logger", 22},        {"host.name", 23},
    {"host.hostname", 24}, {"environment", 25},
    {"env", 26},           {"service.environment", 27},
    {"trace_id", 28},      {"trace.id", 29},
    {"span_id", 30},       {"span.id", 31},
    {"user_id", 32},       {"user.id", 33},
    {"metadata", 34},      {"attributes", 35},
    {"fields", 36},        {"extra", 37},
};
constexpr std::uint64_t bit_of(std::size_t slot) { return std::uint64_t{1} << slot; }

// Names of the Elastic Common Schema that count only in its documents, and all of its names.
constexpr std::uint64_t ecs_only = bit_of(6) | bit_of(23) | bit_of(24) | bit_of(27) | bit_of(29) | bit_of(31) | bit_of(33);
constexpr std::uint64_t ecs_names = ecs_only | bit_of(14) | bit_of(18);

template <std::size_t Count>
consteval NameTable<Count> slots_of(std::uint64_t chosen) {
  typename NameTable<Count>::Names names;
  std::size_t count = 0;
  for (const auto& name : slot_names) {
    if (chosen & bit_of(static_cast<std::size_t>(name.second))) names[count++] = name;
  }
  return NameTable<Count>(names);
}
constexpr auto slots_by_name = slots_of<31>(~ecs_only);
constexpr auto ecs_slots_by_name = slots_of<9>(ecs_names);

constexpr SlotRange message_slots{0, 7};
constexpr SlotRange timestamp_slots{7, 4};
constexpr SlotRange level_slots{11, 4};
constexpr std::size_t metadata_first_slot = 34;

struct TextSlots {
  Field field;
  SlotRange slots;
};
constexpr TextSlots app_id_slots{Field::app_id, {15, 4}};
constexpr std::array<TextSlots, 5> later_slots = {{{Field::source, {19, 6}},
                                                   {Field::environment, {25, 3}},
                                                   {Field::trace_id, {28, 2}},
                                                   {Field::span_id, {30, 2}},
                                                   {Field::user_id, {32, 2}}}};

std::string not_text(std::size_t slot, const JsonToken& token) {
  const char* kind = token.kind == JsonToken::Kind::object ? ": an object, not text" : ": an array, not text";
  return std::string(slot_names[slot].first).append(kind);
}

}  // namespace

bool JsonEntryReader::read(const Stamp& stamp) {
  present_ = 0;
  member_ = 0;
  walker_.forget();
  if (!walker_.take('{')) return false;
  if (!walker_.take('}')) {
    do {
      std::string_view key;
      std::string_view text;
      if (walker_.plain_member(key, text)) {
        text_member(key, text);
      } else if (!walker_.string(key) || !walker_.take(':') || !member(key)) {
        return false;
      }
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
  const int found = slot_of(key);
  if (found < 0) return metadata(join({}, key), 1);
  const auto slot = static_cast<std::size_t>(found);
  if (slot >= metadata_first_slot) return metadata(walker_.peek() == '{' ? Path{} : join({}, key), 1);
  // In a document of Elastic's, "log" and "host" are objects whose members are fields.
  const bool nested = documents_ && slot != message_slots.first && is_container();
  return nested ? metadata(join({}, key), 1) : known(slot);
}

// What `member` does with a string.
void JsonEntryReader::text_member(std::string_view key, std::string_view text) {
  const auto slot = static_cast<std::size_t>(slot_of(key));
  if (slot >= metadata_first_slot) return put(join({}, key), Value::of_text(text));
  JsonToken& token = slots_[slot];
  token.kind = JsonToken::Kind::string;
  token.text = text;
  token.value = Value::of_text(text);
  note(slot);
}

int JsonEntryReader::slot_of(std::string_view key) {
  KnownKey& known = known_keys_[member_++ % known_keys_.size()];
  if (known.slot != KnownKey::none && same_text(known.view(), key)) return known.slot;
  int found = slots_by_name.find(key);
  if (found < 0 && documents_) found = ecs_slots_by_name.find(key);
  if (key.size() <= known.text.size()) known.remember(key, found);
  return found;
}

bool JsonEntryReader::known(std::size_t slot) {
  JsonToken& token = slots_[slot];
  if (!(is_container() ? walker_.container(token, 1) : walker_.scalar(token))) return false;
  note(slot);
  return true;
}

void JsonEntryReader::note(std::size_t slot) {
  const JsonToken& token = slots_[slot];
  const bool absent = token.kind == JsonToken::Kind::null || token.text.empty();
  present_ = absent ? present_ & ~bit_of(slot) : present_ | bit_of(slot);
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
  const int slot = documents_ ? ecs_slots_by_name.find(path.text) : -1;  // a path too long to be one has no text
  if (slot >= 0) {
    slots_[static_cast<std::size_t>(slot)] = token;
    note(static_cast<std::size_t>(slot));
  } else if (token.kind != JsonToken::Kind::null) {
    put(path, token.value);
  }
  return true;
}

bool JsonEntryReader::metadata_object(const Path& path, int depth) {
  if (depth >= limits::nesting_depth) return walker_.skip(depth);  // too deep: the walker remembers
  walker_.take('{');
  if (walker_.take('}')) return true;
  do {
    std::string_view key;
    std::string_view text;
    if (!documents_ && walker_.plain_member(key, text)) {
      put(join(path, key), Value::of_text(text));
    } else if (!walker_.string(key) || !walker_.take(':') || !metadata(join(path, key), depth + 1)) {
      return false;
    }
  } while (walker_.take(','));
  return walker_.take('}');
}

// Returns the present slots of a field that were not chosen. Only a field's own name, or any with `containers`, may hold one.
[[gnu::always_inline]] inline std::uint64_t JsonEntryReader::choose(SlotRange slots, bool containers,
                                                                    const JsonToken*& chosen) {
  const std::uint64_t candidates = present_ & (bit_of(slots.count) - 1) << slots.first;
  chosen = nullptr;
  if (candidates == 0) return 0;
  if (candidates != bit_of(slots.first) || slots_[slots.first].container())
    return choose_among(candidates, slots.first, containers, chosen);
  chosen = &slots_[slots.first];
  return 0;
}

std::uint64_t JsonEntryReader::choose_among(std::uint64_t candidates, std::size_t first, bool containers,
                                            const JsonToken*& chosen) {
  for (std::uint64_t left = candidates; left != 0; left &= left - 1) {
    const auto slot = static_cast<std::size_t>(std::countr_zero(left));
    if (slots_[slot].container() && !containers && slot != first) continue;
    chosen = &slots_[slot];
    if (chosen->container() && !containers) entry_.reject(not_text(slot, *chosen));
    return candidates & ~bit_of(slot);
  }
  return candidates;
}

void JsonEntryReader::resolve(const Stamp& stamp) {
  const JsonToken* token = nullptr;
  std::uint64_t unchosen = 0;
  const auto read_text = [&](const TextSlots& text) {
    unchosen |= choose(text.slots, text.field == Field::message, token);
    if (token) entry_[text.field] = token->text;
  };
  read_text({Field::message, message_slots});
  read_text(app_id_slots);
  unchosen |= choose(timestamp_slots, false, token);
  const JsonToken* timestamp = token;
  unchosen |= choose(level_slots, false, token);
  if (token) {
    const Level level = parse_level(token->text);
    if (level == level_unknown && !token->container()) entry_.put(original_level, token->value);
    entry_.set_level(level);
  }
  for (const TextSlots& text : later_slots) read_text(text);
  if (unchosen != 0) keep_unchosen(unchosen);
  if (timestamp) entry_.set_timestamp(stamp, parse_timestamp(timestamp->text), timestamp->text);
}

// What another name of the same field has displaced is kept as metadata under its own name.
bool JsonEntryReader::keep_unchosen(std::uint64_t slots) {
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
