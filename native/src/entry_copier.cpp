#include "zero/entry_copier.hpp"

#include <algorithm>

#include "zero/utf8.hpp"

namespace zero {
namespace {

// A field of text as it is written; nothing for no text.
std::string text_field(std::uint32_t number, std::string_view text) {
  if (text.empty()) return {};
  std::string field(1, static_cast<char>(bytes_tag(number)));
  for (std::size_t size = text.size(); size != 0; size >>= 7) {
    field.push_back(static_cast<char>((size & 0x7f) | (size > 0x7f ? 0x80 : 0)));
  }
  return field.append(text);
}

std::string timestamp_field(std::uint64_t timestamp_ns) {
  std::string field(1, static_cast<char>(fixed64_tag(2)));
  for (int shift = 0; shift < 64; shift += 8) field.push_back(static_cast<char>(timestamp_ns >> shift));
  return field;
}

}  // namespace

void EntryCopier::start(const Stamp& stamp) {
  stamp_ = &stamp;
  run_ = {};
  additions_ = {text_field(1, Stamp::app_id),
                timestamp_field(stamp.now_ns),
                {static_cast<char>(varint_tag(3)), static_cast<char>(Stamp::level)},
                text_field(5, stamp.source),
                text_field(6, Stamp::environment)};
}

bool EntryCopier::take(const char* head, std::string_view encoded) {
  CanonicalEntry entry;
  CanonicalReader reader(encoded);
  attribute_count_ = key_marks_ = 0;
  const auto place = [&](std::size_t at) { places_[at] = reader.at(); };
  const auto attribute = [&](std::string_view key, const Value& value) { return keep(key, value); };
  if (!reader.read(entry, place, attribute) || !within_limits(entry)) return false;
  // When the numbers explain every byte above 0x7f, all texts are ASCII.
  if (reader.high_bytes() != count_high_bytes(encoded) && !is_valid_utf8(entry)) return false;
  const std::array<bool, stamped_fields> absent = {entry[Field::app_id].empty(), entry.timestamp_ns == 0, entry.level == 0,
                                                   entry[Field::source].empty(), entry[Field::environment].empty()};
  std::size_t size = encoded.size();
  for (std::size_t at = 0; at < stamped_fields; ++at) size += absent[at] ? additions_[at].size() : 0;
  if (size == encoded.size() && encoded_head_bytes(size) == static_cast<std::size_t>(encoded.data() - head)) {
    extend_run(head, encoded);
    return true;
  }
  flush();
  append_entry_head(payload_, size);
  const char* from = encoded.data();
  for (std::size_t at = 0; at < stamped_fields; ++at) {
    if (!absent[at]) continue;
    payload_.append({from, places_[at]});
    payload_.append(additions_[at]);
    from = places_[at];
  }
  payload_.append({from, encoded.data() + encoded.size()});
  return true;
}

void EntryCopier::flush() {
  payload_.append(run_);
  run_ = {};
}

void EntryCopier::extend_run(const char* head, std::string_view encoded) {
  const char* const end = encoded.data() + encoded.size();
  if (run_.data() + run_.size() != head) {
    flush();
    run_ = {head, 0};
  }
  run_ = {run_.data(), end};
}

bool EntryCopier::keep(std::string_view key, const Value& value) {
  const bool fits = key.size() - 1 < limits::metadata_key_bytes && value.text.size() <= limits::metadata_value_bytes;
  if (!fits || attribute_count_ == attributes_.size() || !is_new(key)) return false;
  attributes_[attribute_count_++] = {key, value.text};
  return true;
}

bool EntryCopier::is_new(std::string_view key) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(key[at]); };
  const std::uint64_t mark = std::uint64_t{1} << ((key.size() * 7 + byte(0) + byte(key.size() - 1) * 3) & 63);
  const bool marked = (key_marks_ & mark) != 0;
  key_marks_ |= mark;
  if (!marked) return true;
  const auto end = attributes_.begin() + static_cast<std::ptrdiff_t>(attribute_count_);
  return std::none_of(attributes_.begin(), end, [&](const Attribute& attribute) { return attribute.key == key; });
}

bool EntryCopier::within_limits(const CanonicalEntry& entry) const {
  bool within = !entry.texts[static_cast<std::size_t>(Field::message)].empty() && entry.level <= level_fatal;
  within &= entry.timestamp_ns == 0 || stamp_->allows(entry.timestamp_ns);
  for (std::size_t at = 0; at < field_count; ++at) within &= entry.texts[at].size() <= limits::text_bytes[at];
  return within;
}

bool EntryCopier::is_valid_utf8(const CanonicalEntry& entry) const {
  const auto valid = [](std::string_view text) { return zero::is_valid_utf8(text); };
  const auto end = attributes_.begin() + static_cast<std::ptrdiff_t>(attribute_count_);
  return std::all_of(entry.texts.begin(), entry.texts.end(), valid) &&
         std::all_of(attributes_.begin(), end, [&](const Attribute& each) { return valid(each.key) && valid(each.text); });
}

}  // namespace zero
