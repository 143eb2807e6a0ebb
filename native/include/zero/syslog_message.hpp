// One syslog message as a log entry: RFC 5424, else RFC 3164 as far as senders keep to it.
#pragma once

#include <string_view>

#include "zero/bytes.hpp"
#include "zero/entry.hpp"

namespace zero {

class SyslogMessage {
 public:
  // `utc_offset_seconds`: how far the clocks of RFC 3164 senders, which name neither zone nor year, are ahead of UTC.
  void start(const Stamp& stamp, long utc_offset_seconds);
  // Reads the message into the entry, whose texts hold until the next call. It may have no message of its own to give.
  void read(std::string_view raw, Entry& entry);
  // Gives back the memory that a large message took.
  void trim() { arena_.clear(); }

 private:
  bool read_5424(std::string_view rest);
  void read_3164(std::string_view rest);
  void read_priority(std::string_view& rest);
  void put_elements(std::string_view elements);
  void put_parameter(std::string_view id, std::string_view name, std::string_view value);
  bool read_bsd_time(std::string_view& rest);
  bool read_tag(std::string_view& rest);
  void set_time(std::string_view text);
  void set_text(Field field, std::string_view text);
  void put_text(std::string_view key, std::string_view text);
  void set_message(std::string_view text, std::string_view otherwise);
  std::string_view keep(std::string_view text);

  Arena arena_;
  Entry* entry_ = nullptr;
  const Stamp* stamp_ = nullptr;
  long utc_offset_seconds_ = 0;
};

}  // namespace zero
