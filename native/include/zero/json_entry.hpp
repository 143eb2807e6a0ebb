// One JSON object as a log entry: which key means which field, and what becomes metadata.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "zero/entry.hpp"
#include "zero/json_walker.hpp"

namespace zero {

// The names of one field: its own, then its aliases.
struct SlotRange {
  std::size_t first;
  std::size_t count;
};

class JsonEntryReader {
 public:
  // `documents`: the objects are Elasticsearch's, whose nested members are fields under the names of the Elastic Common Schema.
  JsonEntryReader(JsonWalker& walker, Entry& entry, Arena& arena, bool documents = false)
      : walker_(walker), entry_(entry), arena_(arena), documents_(documents) {}

  // Reads the object that comes next in the walker into the entry. Returns false when it is not well-formed; whatever else is
  // wrong rejects the entry and the walker stands behind it.
  bool read(const Stamp& stamp);

 private:
  // The path of a metadata key: a key of the object itself, or several joined in `joined_`. Longer ones than any key may be are
  // only measured.
  struct Path {
    std::string_view text;
    std::size_t bytes = 0;
    bool root = true;
  };

  // A key of the latest entries, at its place among their members: most senders repeat themselves.
  struct KnownKey {
    static constexpr int none = -2;

    std::string_view view() const { return {text.data(), size}; }
    void remember(std::string_view key, int key_slot) {
      std::copy(key.begin(), key.end(), text.begin());
      size = static_cast<std::uint8_t>(key.size());
      slot = static_cast<std::int8_t>(key_slot);
    }

    std::array<char, 16> text;
    std::uint8_t size = 0;
    std::int8_t slot = none;  // -1: no field
  };

  bool member(std::string_view key);
  void text_member(std::string_view key, std::string_view text);
  int slot_of(std::string_view key);
  bool known(std::size_t slot);
  void note(std::size_t slot);
  bool is_container() const { return walker_.peek() == '{' || walker_.peek() == '['; }
  bool metadata(const Path& path, int depth);
  bool metadata_object(const Path& path, int depth);
  Path join(const Path& path, std::string_view key);
  void put(const Path& path, const Value& value);

  std::uint64_t choose(SlotRange slots, bool containers, const JsonToken*& chosen);
  std::uint64_t choose_among(std::uint64_t candidates, std::size_t first, bool containers, const JsonToken*& chosen);
  void resolve(const Stamp& stamp);
  bool keep_unchosen(std::uint64_t slots);

  static constexpr std::size_t slot_count = 38;

  JsonWalker& walker_;
  Entry& entry_;
  Arena& arena_;
  const bool documents_;
  std::array<JsonToken, slot_count> slots_;
  std::uint64_t present_ = 0;  // a bit for each slot
  std::size_t member_ = 0;
  std::array<KnownKey, 16> known_keys_;
  std::array<char, limits::metadata_key_bytes> joined_;
};

}  // namespace zero
