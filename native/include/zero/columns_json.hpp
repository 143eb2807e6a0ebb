// The JSON column: one Dynamic column for every path, in ClickHouse's flattened Native form.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "zero/columns.hpp"

namespace zero {

// Types of a metadata value, in the order of their names, which is the order ClickHouse lists them in.
enum class ColumnType : std::uint8_t { boolean, float64, int64, string, uint64 };
constexpr std::size_t column_types = 5;

struct ColumnValue {
  ColumnType type;
  std::string_view text;   // of a string
  std::uint64_t bits = 0;  // of everything else
};

// The values of one path. Rows without a value cost nothing until a later row has one.
class PathColumn {
 public:
  static constexpr char absent = static_cast<char>(0xff);

  void reset(std::string_view name);
  std::string_view name() const { return name_; }
  // A second value for the same row replaces the first.
  void append(std::size_t row, const ColumnValue& value);
  // Writes the types; `flattened` as in ColumnJson.
  void write_structure(ByteBuffer& out, bool flattened) const;
  void write_data(ByteBuffer& out, std::size_t rows, bool flattened) const;
  std::size_t capacity_bytes() const;

  std::uint32_t next = 0;  // the path that followed this one last time: most entries repeat the order of keys

 private:
  std::size_t present_types() const;

  std::string_view name_;
  ByteBuffer rows_;  // a ColumnType or `absent`
  std::array<ByteBuffer, column_types> values_;
  std::size_t last_value_start_ = 0;
};

// Paths beyond `dynamic_paths_max` would each cost a byte per row of the block, so they go, as in ClickHouse itself, into the
// shared data: (path, value) pairs held by the rows that have them. The flattened form has no shared data; a block that needs
// it is written in the form with version 1. Keeps views: the entries must outlive the column.
class ColumnJson {
 public:
  static constexpr std::size_t dynamic_paths_max = 256;

  void append(std::string_view path, const ColumnValue& value);
  void end_row();
  // Replaces what `out` holds; nothing for a block without rows.
  void write(ByteBuffer& out);
  std::size_t capacity_bytes() const;
  void clear();

 private:
  struct SharedValue {
    std::string_view path;
    ColumnValue value;
  };

  std::uint32_t find_or_add(std::string_view path);
  void write_shared_row();

  std::size_t row_ = 0;
  std::uint32_t last_path_ = TextSet::none;
  TextSet names_;
  std::vector<std::unique_ptr<PathColumn>> paths_;  // the first names_.size() are in use
  std::vector<SharedValue> shared_row_;             // of the row being filled
  ByteBuffer shared_offsets_, shared_paths_, shared_values_;
  std::uint64_t shared_count_ = 0;
};

}  // namespace zero
