#include "zero/columns.hpp"

#include "zero/hash64.hpp"

namespace zero {
namespace {

constexpr std::size_t initial_slots = 256;
constexpr std::uint64_t shared_dictionaries_with_additional_keys = 1;
constexpr std::uint64_t has_additional_keys = 1 << 9 | 1 << 10;  // and "the dictionary needs an update"

// Unknown to senders, so that they cannot fill one chain of the table; the columns do not depend on it.
std::uint32_t hash_of(std::string_view text) {
  static const std::uint64_t seed = random_seed();
  return static_cast<std::uint32_t>(hash64(text.data(), text.size(), seed));
}

template <typename Index>
void append_narrowed(ByteBuffer& out, const ByteBuffer& indexes, std::size_t rows) {
  char* to = out.extend(rows * sizeof(Index));
  const char* from = indexes.data();
  for (std::size_t row = 0; row < rows; ++row) {
    std::uint32_t wide;
    std::memcpy(&wide, from + row * sizeof wide, sizeof wide);
    const auto narrow = static_cast<Index>(wide);
    std::memcpy(to + row * sizeof narrow, &narrow, sizeof narrow);
  }
}

}  // namespace

TextSet::TextSet() : slots_(initial_slots) {}

std::size_t TextSet::slot_of(std::string_view text, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].number != 0 && (slots_[at].hash != hash || !same_text(texts_[slots_[at].number - 1], text)))
    at = (at + 1) & mask;
  return at;
}

std::uint32_t TextSet::find(std::string_view text) const {
  const std::uint32_t number = slots_[slot_of(text, hash_of(text))].number;
  return number == 0 ? none : number - 1;
}

std::uint32_t TextSet::add(std::string_view text) {
  const std::uint32_t hash = hash_of(text);
  std::size_t at = slot_of(text, hash);
  if (slots_[at].number != 0) return slots_[at].number - 1;
  if (texts_.size() * 2 >= slots_.size()) {
    rehash(slots_.size() * 4);
    at = slot_of(text, hash);
  }
  texts_.push_back(text);
  hashes_.push_back(hash);
  slots_[at] = {hash, static_cast<std::uint32_t>(texts_.size())};
  return static_cast<std::uint32_t>(texts_.size() - 1);
}

void TextSet::rehash(std::size_t slots) {
  slots_.assign(slots, Slot{});
  for (std::size_t number = 0; number < hashes_.size(); ++number) {
    std::size_t at = hashes_[number] & (slots - 1);
    while (slots_[at].number != 0) at = (at + 1) & (slots - 1);
    slots_[at] = {hashes_[number], static_cast<std::uint32_t>(number + 1)};
  }
}

std::size_t TextSet::capacity_bytes() const {
  return slots_.capacity() * sizeof(Slot) + texts_.capacity() * sizeof(std::string_view) +
         hashes_.capacity() * sizeof(std::uint32_t);
}

void TextSet::clear() {
  texts_.clear();
  hashes_.clear();
  slots_.assign(slots_.size(), Slot{});
}

void DictionaryColumn::append_repeated(std::string_view text, std::size_t rows) {
  if (rows == 0) return;
  append(text);
  indexes_.append_repeated(last_number_, rows - 1);
}

void DictionaryColumn::write(ByteBuffer& out) const {
  out.clear();
  if (rows() == 0) return;
  const std::size_t keys = texts_.size();
  const std::uint64_t width = keys <= 1u << 8 ? 0 : keys <= 1u << 16 ? 1 : 2;  // UInt8, UInt16, UInt32
  out.append_number(shared_dictionaries_with_additional_keys);
  out.append_number(has_additional_keys | width);
  out.append_number(static_cast<std::uint64_t>(keys));
  for (const std::string_view text : texts_.texts()) out.append_string(text);
  out.append_number(static_cast<std::uint64_t>(rows()));
  if (width == 0) append_narrowed<std::uint8_t>(out, indexes_, rows());
  if (width == 1) append_narrowed<std::uint16_t>(out, indexes_, rows());
  if (width == 2) append_narrowed<std::uint32_t>(out, indexes_, rows());
}

void DictionaryColumn::clear() {
  texts_.clear();
  indexes_.clear();
  last_ = {};
}

}  // namespace zero
