// Frames in, one block of the table `logs` in ClickHouse's Native format out.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace zero {

enum class EncodeError : std::uint8_t {
  none,
  bad_frame,      // shorter than its header says
  bad_payload,    // not a zero.v1.LogBatch of complete entries
  bad_row_range,  // names a frame or entries that are not there
};

const char* describe(EncodeError error);

// Entries `start` to `stop` (exclusive) of a frame.
struct RowRange {
  std::uint32_t frame;
  std::uint32_t start;
  std::uint32_t stop;
};

// Keeps its memory, up to a bound, from block to block. The frames must stay where they are until write() is done.
class BlockEncoder {
 public:
  static constexpr std::size_t scratch_bytes_max = 64u << 20;

  BlockEncoder();
  ~BlockEncoder();

  // Reads the rows of whole frames whose checksums were right. Nothing can be written after an error.
  EncodeError read(std::span<const std::string_view> frames);
  EncodeError read(std::span<const std::string_view> frames, std::span<const RowRange> ranges);
  std::size_t rows() const;
  std::size_t size() const;
  // Writes size() bytes and forgets the block.
  void write(char* to);

 private:
  struct Columns;
  std::unique_ptr<Columns> columns_;
};

}  // namespace zero
