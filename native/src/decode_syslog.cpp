#include <memory>
#include <string>

#include "zero/decode.hpp"
#include "zero/syslog_frames.hpp"
#include "zero/syslog_message.hpp"

namespace zero {
namespace {

class SyslogDecoder {
 public:
  const Decoded& decode(std::string_view body, const Stamp& stamp, long utc_offset_seconds) {
    decoded_.clear();
    if (body.size() > limits::body_bytes) {
      decoded_.refuse(Refusal::too_many_bytes, body.size());
    } else {
      message_.start(stamp, utc_offset_seconds);
      frames(body, stamp);
      message_.trim();
    }
    if (decoded_.refusal != Refusal::none) decoded_.payload.resize_down(0);
    return decoded_;
  }

 private:
  void frames(std::string_view body, const Stamp& stamp) {
    std::size_t at = skip_syslog_padding(body, 0);
    while (at < body.size() && decoded_.refusal == Refusal::none) {
      if (decoded_.full()) return decoded_.refuse(Refusal::too_many_entries);
      const SyslogFrame frame = read_syslog_frame(body, at, limits::body_bytes, true);
      if (frame.state != SyslogFrame::State::whole) return decoded_.reject("message: cut off");
      message(frame.message, stamp);
      at = skip_syslog_padding(body, frame.end);
    }
  }

  void message(std::string_view raw, const Stamp& stamp) {
    while (!raw.empty() && (raw.back() == '\n' || raw.back() == '\r' || raw.back() == '\0')) raw.remove_suffix(1);
    if (raw.empty()) return;
    message_.read(raw, entry_);
    if (!entry_.finish(stamp)) return decoded_.reject(entry_.reason());
    decoded_.accept(entry_);
  }

  SyslogMessage message_;
  Entry entry_;
  Decoded decoded_;
};

}  // namespace

const Decoded& decode_syslog(std::string_view body, const Stamp& stamp, long utc_offset_seconds) {
  // By pointer: a member of a thread-local object costs a call of __tls_get_addr each time in a shared object.
  static thread_local const auto decoder = std::make_unique<SyslogDecoder>();
  return decoder->decode(body, stamp, utc_offset_seconds);
}

}  // namespace zero
