#include "zero/syslog_frames.hpp"

namespace zero {
namespace {

constexpr std::size_t count_digits_max = 8;  // nobody sends a message of 100 MB, but lines begin with large numbers

struct Count {
  bool is_count = false;
  bool undecided = false;  // the stream ends where only more of it could tell
  std::size_t bytes = 0;
  std::size_t start = 0;
};

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

Count read_count(std::string_view stream, std::size_t at) {
  Count count;
  if (stream[at] == '0') return count;
  const std::size_t begin = at;
  for (; at < stream.size() && is_digit(stream[at]) && at - begin < count_digits_max; ++at) {
    count.bytes = count.bytes * 10 + static_cast<std::size_t>(stream[at] - '0');
  }
  if (at == begin) return count;
  if (at == stream.size()) {
    count.undecided = true;
    return count;
  }
  if (stream[at] != ' ') return count;
  if (at + 1 < stream.size() && stream[at + 1] != '<') return count;
  if (at + 2 >= stream.size()) {
    count.undecided = true;
    return count;
  }
  count.is_count = is_digit(stream[at + 2]);
  count.start = at + 1;
  return count;
}

}  // namespace

std::size_t skip_syslog_padding(std::string_view stream, std::size_t at) {
  while (at < stream.size() && (stream[at] == '\n' || stream[at] == '\r' || stream[at] == '\0')) ++at;
  return at;
}

SyslogFrame read_syslog_frame(std::string_view stream, std::size_t at, std::size_t frame_bytes_max, bool ended) {
  SyslogFrame frame;
  const Count count = read_count(stream, at);
  if (count.undecided && !ended) return frame;
  if (count.is_count) {
    frame.counted = true;
    frame.end = count.start + count.bytes;
    if (count.bytes > frame_bytes_max) {
      frame.state = SyslogFrame::State::oversize;
    } else if (frame.end <= stream.size()) {
      frame.state = SyslogFrame::State::whole;
      frame.message = stream.substr(count.start, count.bytes);
    }
    return frame;
  }
  const std::size_t newline = stream.find('\n', at);
  const bool found = newline != std::string_view::npos;
  const std::size_t stop = found ? newline : stream.size();
  if (stop - at > frame_bytes_max) {
    frame.state = SyslogFrame::State::oversize;
    frame.end = found ? newline + 1 : 0;
  } else if (found || ended) {
    frame.state = SyslogFrame::State::whole;
    frame.message = stream.substr(at, stop - at);
    frame.end = found ? newline + 1 : stream.size();
  }
  return frame;
}

SyslogCut cut_syslog(std::string_view stream, std::size_t frame_bytes_max, std::size_t frames_max) {
  SyslogCut cut;
  for (std::size_t frames = 0; frames < frames_max; ++frames) {
    cut.complete = skip_syslog_padding(stream, cut.complete);
    if (cut.complete == stream.size()) break;
    const SyslogFrame frame = read_syslog_frame(stream, cut.complete, frame_bytes_max, false);
    if (frame.state == SyslogFrame::State::oversize) {
      cut.skip = frame.end == 0 ? -1 : static_cast<long long>(frame.end - cut.complete);
      break;
    }
    if (frame.state == SyslogFrame::State::partial) break;
    cut.complete = frame.end;
  }
  return cut;
}

}  // namespace zero
