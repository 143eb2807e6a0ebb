// Entries of a LogBatch that are taken over as they were sent: checked, and not written anew.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "zero/bytes.hpp"
#include "zero/canonical_entry.hpp"
#include "zero/entry.hpp"

namespace zero {

class EntryCopier {
 public:
  explicit EntryCopier(Bytes& payload) : payload_(payload) {}

  void start(const Stamp& stamp);
  // Takes the entry `encoded`, whose tag and length begin at `head`, with what it lacks put in where it belongs. Returns false
  // when it does not have the canonical form, or is to be rejected or repaired. Entries that lack nothing are copied together.
  bool take(const char* head, std::string_view encoded);
  // The entries that wait to be copied.
  std::string_view run() const { return run_; }
  void flush();

 private:
  struct Attribute {
    std::string_view key;
    std::string_view text;
  };
  static constexpr std::size_t stamped_fields = 5;

  bool keep(std::string_view key, const Value& value);
  bool is_new(std::string_view key);
  bool within_limits(const CanonicalEntry& entry) const;
  bool is_valid_utf8(const CanonicalEntry& entry) const;
  void extend_run(const char* head, std::string_view encoded);

  Bytes& payload_;
  const Stamp* stamp_ = nullptr;
  std::array<std::string, stamped_fields> additions_;  // what an entry without the field gets
  std::array<const char*, stamped_fields> places_;     // where the fields begin, or would
  std::string_view run_;
  std::array<Attribute, limits::metadata_keys> attributes_;
  std::size_t attribute_count_ = 0;
  std::uint64_t key_marks_ = 0;  // a bit for each key; equal keys have equal bits
};

}  // namespace zero
