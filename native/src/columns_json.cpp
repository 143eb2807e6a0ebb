#include "zero/columns_json.hpp"

#include <algorithm>
#include <numeric>

namespace zero {
namespace {

constexpr std::uint64_t object_version_1 = 0, object_version_flattened = 3;
constexpr std::uint64_t dynamic_version_1 = 1, dynamic_version_flattened = 3;
constexpr std::uint64_t discriminators_basic = 0;

constexpr std::array<std::string_view, column_types> type_names{"Bool", "Float64", "Int64", "String", "UInt64"};
constexpr std::array<char, column_types> type_codes{0x2d, 0x0e, 0x0a, 0x15, 0x04};
// Version 1 has a hidden type "SharedVariant", which sorts between Int64 and String.
constexpr std::size_t types_before_shared_variant = 3;

void append_value(ByteBuffer& out, const ColumnValue& value) {
  if (value.type == ColumnType::string)
    out.append_string(value.text);
  else if (value.type == ColumnType::boolean)
    out.append_byte(static_cast<char>(value.bits));
  else
    out.append_number(value.bits);
}

std::size_t value_bytes(const ColumnValue& value) {
  if (value.type == ColumnType::string) return ByteBuffer::varint_bytes(value.text.size()) + value.text.size();
  return value.type == ColumnType::boolean ? 1 : sizeof value.bits;
}

}  // namespace

void PathColumn::reset(std::string_view name) {
  name_ = name;
  next = 0;
  rows_.clear();
  for (ByteBuffer& values : values_) values.clear();
}

void PathColumn::append(std::size_t row, const ColumnValue& value) {
  if (rows_.size() > row) {
    values_[static_cast<std::size_t>(rows_.data()[row])].resize_down(last_value_start_);
    rows_.resize_down(row);
  }
  rows_.append_fill(absent, row - rows_.size());
  rows_.append_byte(static_cast<char>(value.type));
  ByteBuffer& values = values_[static_cast<std::size_t>(value.type)];
  last_value_start_ = values.size();
  append_value(values, value);
}

std::size_t PathColumn::present_types() const {
  std::size_t types = 0;
  for (const ByteBuffer& values : values_) types += values.size() != 0;
  return types;
}

void PathColumn::write_structure(ByteBuffer& out, bool flattened) const {
  const std::size_t types = present_types();
  out.append_number(flattened ? dynamic_version_flattened : dynamic_version_1);
  if (!flattened) out.append_varint(types);  // max_dynamic_types
  out.append_varint(types);
  for (std::size_t type = 0; type < column_types; ++type)
    if (values_[type].size() != 0) out.append_string(type_names[type]);
  if (!flattened) out.append_number(discriminators_basic);
}

void PathColumn::write_data(ByteBuffer& out, std::size_t rows, bool flattened) const {
  std::array<char, 256> numbers{};
  char number = 0;
  for (std::size_t type = 0; type < column_types; ++type) {
    if (!flattened && type == types_before_shared_variant) ++number;
    if (values_[type].size() != 0) numbers[type] = number++;
  }
  const char no_value = flattened ? number : absent;
  numbers[static_cast<unsigned char>(absent)] = no_value;
  char* to = out.extend(rows);
  for (std::size_t row = 0; row < rows_.size(); ++row) to[row] = numbers[static_cast<unsigned char>(rows_.data()[row])];
  std::memset(to + rows_.size(), no_value, rows - rows_.size());
  for (const ByteBuffer& values : values_) out.append(values.view());
}

std::size_t PathColumn::capacity_bytes() const {
  std::size_t bytes = sizeof *this + rows_.capacity();
  for (const ByteBuffer& values : values_) bytes += values.capacity();
  return bytes;
}

std::uint32_t ColumnJson::find_or_add(std::string_view path) {
  if (last_path_ != TextSet::none) {
    const std::uint32_t guess = paths_[last_path_]->next;
    if (same_text(paths_[guess]->name(), path)) return guess;
  }
  if (names_.size() == dynamic_paths_max) return names_.find(path);
  const std::uint32_t number = names_.add(path);
  if (number == paths_.size()) paths_.push_back(std::make_unique<PathColumn>());
  return number;
}

void ColumnJson::append(std::string_view path, const ColumnValue& value) {
  const std::size_t known = names_.size();
  const std::uint32_t number = find_or_add(path);
  if (number == TextSet::none) {
    shared_row_.push_back({path, value});
    return;
  }
  if (names_.size() > known) paths_[number]->reset(path);
  paths_[number]->append(row_, value);
  if (last_path_ != TextSet::none) paths_[last_path_]->next = number;
  last_path_ = number;
}

void ColumnJson::end_row() {
  ++row_;
  if (!shared_row_.empty()) write_shared_row();
  shared_offsets_.append_number(shared_count_);
}

// Sorted by path, and of equal paths the last one given, as ClickHouse keeps them.
void ColumnJson::write_shared_row() {
  std::stable_sort(shared_row_.begin(), shared_row_.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  for (std::size_t at = 0; at < shared_row_.size(); ++at) {
    const auto& [path, value] = shared_row_[at];
    if (at + 1 < shared_row_.size() && shared_row_[at + 1].path == path) continue;
    shared_paths_.append_string(path);
    shared_values_.append_varint(1 + value_bytes(value));
    shared_values_.append_byte(type_codes[static_cast<std::size_t>(value.type)]);
    append_value(shared_values_, value);
    ++shared_count_;
  }
  shared_row_.clear();
}

void ColumnJson::write(ByteBuffer& out) {
  out.clear();
  if (row_ == 0) return;
  const bool flattened = shared_count_ == 0;
  std::vector<std::size_t> order(names_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [this](auto a, auto b) { return paths_[a]->name() < paths_[b]->name(); });
  out.append_number(flattened ? object_version_flattened : object_version_1);
  if (!flattened) out.append_varint(order.size());  // max_dynamic_paths
  out.append_varint(order.size());
  for (const std::size_t path : order) out.append_string(paths_[path]->name());
  for (const std::size_t path : order) paths_[path]->write_structure(out, flattened);
  for (const std::size_t path : order) paths_[path]->write_data(out, row_, flattened);
  if (flattened) return;
  for (const ByteBuffer* part : {&shared_offsets_, &shared_paths_, &shared_values_}) out.append(part->view());
}

std::size_t ColumnJson::capacity_bytes() const {
  std::size_t bytes = names_.capacity_bytes() + shared_offsets_.capacity() + shared_paths_.capacity() +
                      shared_values_.capacity() + shared_row_.capacity() * sizeof(SharedValue);
  for (const auto& path : paths_) bytes += path->capacity_bytes();
  return bytes;
}

void ColumnJson::clear() {
  row_ = 0;
  last_path_ = TextSet::none;
  names_.clear();
  shared_row_.clear();
  shared_offsets_.clear();
  shared_paths_.clear();
  shared_values_.clear();
  shared_count_ = 0;
}

}  // namespace zero
