// Where one syslog message of a byte stream ends and the next begins (RFC 6587): counted or a line, told at each message.
#pragma once

#include <cstddef>
#include <string_view>

namespace zero {

struct SyslogFrame {
  enum class State {
    whole,
    partial,   // the stream has not brought it all yet
    oversize,  // longer than it may be
  };

  State state = State::partial;
  std::string_view message;  // of a whole one
  std::size_t end = 0;       // offset behind a whole one; of an oversize line 0: its end is not known yet
  bool counted = false;
};

// Reads the frame that begins at `at`. It is counted when it begins with a number, a blank, and `<` with a digit as a priority
// has it; else it is a line. `ended`: nothing comes after the stream, so that its last line is whole.
SyslogFrame read_syslog_frame(std::string_view stream, std::size_t at, std::size_t frame_bytes_max, bool ended);

// Returns the offset of the first byte that can begin a frame: what some senders leave between frames is passed over.
std::size_t skip_syslog_padding(std::string_view stream, std::size_t at);

struct SyslogCut {
  std::size_t complete = 0;  // so many bytes are whole frames
  // What has to go behind them: nothing (0), so many bytes of a counted frame, or everything up to the end of a line (-1).
  long long skip = 0;
};

// Returns how much of the stream can be decoded: at most `frames_max` frames.
SyslogCut cut_syslog(std::string_view stream, std::size_t frame_bytes_max, std::size_t frames_max);

}  // namespace zero
