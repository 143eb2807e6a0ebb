#include "zero/syslog_message.hpp"

#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>

#include "zero/timestamp.hpp"
#include "zero/utf8.hpp"

namespace zero {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr std::string_view nil = "-";
constexpr std::size_t app_id_bytes = 128;
constexpr std::size_t word_bytes = 255;  // of a header; what is longer is none, and belongs to the message
constexpr int default_priority = 13;     // user.notice, as RFC 3164 says for messages without one
constexpr int priority_max = 191;

constexpr std::array<std::string_view, 24> facilities = {
    "kern", "user",     "mail",    "daemon", "auth",   "syslog", "lpr",    "news",   "uucp",   "cron",   "authpriv", "ftp",
    "ntp",  "security", "console", "clock",  "local0", "local1", "local2", "local3", "local4", "local5", "local6",   "local7"};
constexpr std::array<std::string_view, 8> severities = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
constexpr std::array<Level, 8> levels = {level_fatal, level_fatal, level_fatal, level_error,
                                         level_warn,  level_info,  level_info,  level_debug};
constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

// Takes the text up to the next blank, and the blank. Empty: there is no blank, or nothing before it.
std::string_view take_word(std::string_view& rest) {
  const std::size_t blank = rest.find(' ');
  if (blank == std::string_view::npos || blank == 0) return {};
  const std::string_view word = rest.substr(0, blank);
  rest.remove_prefix(blank + 1);
  return word;
}

// Takes a number of `least` to `most` digits; nothing when there are fewer.
std::optional<unsigned> take_number(std::string_view& rest, std::size_t least, std::size_t most) {
  unsigned number = 0;
  std::size_t digits = 0;
  for (; digits < most && digits < rest.size() && is_digit(rest[digits]); ++digits) {
    number = number * 10 + static_cast<unsigned>(rest[digits] - '0');
  }
  if (digits < least) return {};
  rest.remove_prefix(digits);
  return number;
}

bool take(std::string_view& rest, char byte) {
  if (rest.empty() || rest.front() != byte) return false;
  rest.remove_prefix(1);
  return true;
}

bool is_name(char byte) { return static_cast<unsigned char>(byte) > ' ' && byte != '=' && byte != ']' && byte != '"'; }

std::string_view take_name(std::string_view& rest) {
  std::size_t size = 0;
  while (size < rest.size() && is_name(rest[size])) ++size;
  const std::string_view name = rest.substr(0, size);
  rest.remove_prefix(size);
  return name;
}

// Takes what lies before the closing quote, escapes and all, and the quote.
std::optional<std::string_view> take_quoted(std::string_view& rest) {
  for (std::size_t at = 0; at < rest.size(); ++at) {
    if (rest[at] == '\\') {
      ++at;
    } else if (rest[at] == '"') {
      const std::string_view value = rest.substr(0, at);
      rest.remove_prefix(at + 1);
      return value;
    }
  }
  return {};
}

// Calls `found` with id, name and value of each parameter, the latter two empty for an element without any. Returns false where
// the text is not structured data; `rest` is then as far as it was read.
template <class Found>
bool read_elements(std::string_view& rest, Found&& found) {
  do {
    if (!take(rest, '[')) return false;
    const std::string_view id = take_name(rest);
    if (id.empty()) return false;
    bool bare = true;
    while (take(rest, ' ')) {
      const std::string_view name = take_name(rest);
      if (name.empty()) continue;  // blanks before the end
      if (!take(rest, '=') || !take(rest, '"')) return false;
      const std::optional<std::string_view> value = take_quoted(rest);
      if (!value) return false;
      found(id, name, *value);
      bare = false;
    }
    if (!take(rest, ']')) return false;
    if (bare) found(id, std::string_view{}, std::string_view{});
  } while (!rest.empty() && rest.front() == '[');
  return rest.empty() || rest.front() == ' ';
}

// A point in time without year and zone.
struct BsdTime {
  unsigned month = 0;
  unsigned day = 0;
  std::optional<unsigned> year;
  unsigned second_of_day = 0;
  std::uint64_t nanoseconds = 0;
};

std::optional<std::uint64_t> take_fraction(std::string_view& rest) {
  std::uint64_t nanoseconds = 0;
  std::size_t digits = 0;
  for (; !rest.empty() && is_digit(rest.front()); rest.remove_prefix(1), ++digits) {
    if (digits < 9) nanoseconds = nanoseconds * 10 + static_cast<std::uint64_t>(rest.front() - '0');
  }
  if (digits == 0) return {};
  for (; digits < 9; ++digits) nanoseconds *= 10;
  return nanoseconds;
}

std::optional<BsdTime> take_bsd_time(std::string_view& rest) {
  BsdTime time;
  for (unsigned at = 0; at < months.size(); ++at) {
    if (rest.starts_with(months[at])) time.month = at + 1;
  }
  if (time.month == 0) return {};
  rest.remove_prefix(3);
  if (!take(rest, ' ')) return {};
  take(rest, ' ');
  const auto day = take_number(rest, 1, 2);
  if (!day || !take(rest, ' ')) return {};
  time.day = *day;
  if (rest.size() > 4 && rest[4] == ' ') {
    time.year = take_number(rest, 4, 4);
    if (!time.year || !take(rest, ' ')) return {};
  }
  std::array<unsigned, 3> clock{};
  for (std::size_t part = 0; part < 3; ++part) {
    const auto number = take_number(rest, 2, 2);
    if (!number || (part != 0 && *number > 60 - (part == 1)) || *number > 60) return {};
    clock[part] = *number;
    if (part < 2 && !take(rest, ':')) return {};
  }
  if (clock[0] > 23) return {};
  time.second_of_day = clock[0] * 3600 + clock[1] * 60 + clock[2];
  if (take(rest, '.')) {
    const auto fraction = take_fraction(rest);
    if (!fraction) return {};
    time.nanoseconds = *fraction;
  }
  take(rest, ':');
  if (!rest.empty() && rest.front() != ' ') return {};
  return time;
}

// Returns seconds of the Unix epoch, in the sender's zone, of a day that exists.
std::optional<long long> seconds_in_year(const BsdTime& time, int year) {
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{time.month}, std::chrono::day{time.day}};
  if (!date.ok()) return {};
  const auto days = std::chrono::sys_days{date}.time_since_epoch().count();
  return static_cast<long long>(days) * 86'400 + time.second_of_day;
}

// The year that brings the time closest to `now_seconds` is meant, when none is named.
std::optional<long long> resolve(const BsdTime& time, long long now_seconds) {
  if (time.year) return seconds_in_year(time, static_cast<int>(*time.year));
  const std::chrono::sys_days today{
      std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds{std::chrono::seconds{now_seconds}})};
  const int this_year = static_cast<int>(std::chrono::year_month_day{today}.year());
  std::optional<long long> nearest;
  for (int year = this_year - 1; year <= this_year + 1; ++year) {
    const auto found = seconds_in_year(time, year);
    const auto distance = [now_seconds](long long seconds) {
      return seconds < now_seconds ? now_seconds - seconds : seconds - now_seconds;
    };
    if (found && (!nearest || distance(*found) < distance(*nearest))) nearest = found;
  }
  return nearest;
}

}  // namespace

void SyslogMessage::start(const Stamp& stamp, long utc_offset_seconds) {
  stamp_ = &stamp;
  utc_offset_seconds_ = utc_offset_seconds;
}

void SyslogMessage::read(std::string_view raw, Entry& entry) {
  arena_.clear();
  entry.clear();
  entry_ = &entry;
  if (!is_valid_utf8(raw)) {
    entry.mark_repaired();
    raw = keep(repair_utf8(raw));
  }
  read_priority(raw);
  if (!raw.starts_with("1 ") || !read_5424(raw.substr(2))) read_3164(raw);
}

void SyslogMessage::read_priority(std::string_view& rest) {
  unsigned priority = default_priority;
  std::string_view after = rest;
  if (take(after, '<')) {
    const auto number = take_number(after, 1, 3);
    if (number && *number <= priority_max && take(after, '>')) {
      priority = *number;
      rest = after;
    }
  }
  entry_->set_level(levels[priority & 7]);
  entry_->put("facility", Value::of_text(facilities[priority >> 3]));
  entry_->put("severity", Value::of_text(severities[priority & 7]));
}

bool SyslogMessage::read_5424(std::string_view rest) {
  std::array<std::string_view, 4> words;  // timestamp, host, application, process
  for (std::string_view& word : words) {
    word = take_word(rest);
    if (word.empty() || word.size() > word_bytes) return false;
  }
  if (words[2].size() > app_id_bytes) return false;
  const std::size_t blank = rest.find(' ');
  const std::string_view message_id = rest.substr(0, blank);
  if (message_id.empty() || message_id.size() > word_bytes) return false;
  rest.remove_prefix(blank == std::string_view::npos ? rest.size() : blank + 1);

  set_text(Field::source, words[1]);
  set_text(Field::app_id, words[2]);
  put_text("procid", words[3]);
  put_text("msgid", message_id);
  if (words[0] != nil) set_time(words[0]);

  std::string_view message = rest;
  std::string_view elements;
  if (rest == nil || rest.starts_with("- ")) {
    message.remove_prefix(1);
  } else if (read_elements(message, [](auto, auto, auto) {})) {
    elements = rest.substr(0, rest.size() - message.size());
    put_elements(elements);
  } else {
    message = rest;  // no structured data: then it is part of what is said
    set_message(message, {});
    return true;
  }
  take(message, ' ');
  take(message, ' ');  // rsyslog puts one of its own before every message
  set_message(message, elements);
  return true;
}

void SyslogMessage::put_elements(std::string_view elements) {
  read_elements(elements,
                [this](std::string_view id, std::string_view name, std::string_view value) { put_parameter(id, name, value); });
}

void SyslogMessage::put_parameter(std::string_view id, std::string_view name, std::string_view value) {
  std::string key = "sd.";
  // Measured first: a long id before each of thousands of parameters would be gigabytes of keys.
  const std::size_t key_bytes = key.size() + id.size() + (name.empty() ? 0 : 1 + name.size());
  if (key_bytes > limits::metadata_key_bytes) return entry_->put_oversize_key(key_bytes);
  key += id;
  if (name.empty()) {
    entry_->put(keep(key), Value::of_bool(true));
    return;
  }
  (key += '.') += name;
  if (value.find('\\') == std::string_view::npos) {
    entry_->put(keep(key), Value::of_text(value));
    return;
  }
  std::string plain;
  for (std::size_t at = 0; at < value.size(); ++at) {
    const bool escape =
        value[at] == '\\' && at + 1 < value.size() && (value[at + 1] == '"' || value[at + 1] == '\\' || value[at + 1] == ']');
    plain += value[escape ? ++at : at];
  }
  entry_->put(keep(key), Value::of_text(keep(plain)));
}

void SyslogMessage::read_3164(std::string_view rest) {
  if (read_bsd_time(rest)) {
    std::string_view after = rest;
    const std::string_view host = take_word(after);
    if (!host.empty() && host.size() <= word_bytes && host.back() != ':' && host.find('[') == std::string_view::npos) {
      set_text(Field::source, host);
      rest = after;
    }
  }
  const std::string_view whole = rest;
  if (read_tag(rest)) take(rest, ' ');
  set_message(rest, whole);
}

bool SyslogMessage::read_bsd_time(std::string_view& rest) {
  std::string_view after = rest;
  if (const auto time = take_bsd_time(after)) {
    std::string_view text = rest.substr(0, rest.size() - after.size());
    if (text.back() == ':') text.remove_suffix(1);
    const long long now_seconds = static_cast<long long>(stamp_->now_ns / 1'000'000'000) + utc_offset_seconds_;
    const auto seconds = resolve(*time, now_seconds);
    std::optional<std::uint64_t> timestamp_ns;
    if (seconds && *seconds >= utc_offset_seconds_) {
      const auto utc_seconds = static_cast<std::uint64_t>(*seconds - utc_offset_seconds_);
      if (utc_seconds < 10'000'000'000) timestamp_ns = utc_seconds * 1'000'000'000 + time->nanoseconds;
    }
    entry_->set_timestamp(*stamp_, timestamp_ns, text);
    rest = after;
    take(rest, ' ');
    return true;
  }
  after = rest;
  const std::string_view word = take_word(after);
  if (word.size() < 5 || word[4] != '-' || !parse_timestamp(word)) return false;
  set_time(word);
  rest = after;
  return true;
}

bool SyslogMessage::read_tag(std::string_view& rest) {
  const std::size_t size = rest.find_first_of(" :[");
  if (size == std::string_view::npos || size == 0 || size > app_id_bytes || rest[size] == ' ') return false;
  std::string_view after = rest.substr(size);
  std::string_view process;
  if (take(after, '[')) {
    const std::size_t end = after.find_first_of(" ]");
    if (end == std::string_view::npos || after[end] == ' ') return false;
    process = after.substr(0, end);
    after.remove_prefix(end + 1);
  }
  take(after, ':');
  if (!after.empty() && after.front() != ' ') return false;
  set_text(Field::app_id, rest.substr(0, size));
  if (!process.empty()) put_text("procid", process);
  rest = after;
  return true;
}

void SyslogMessage::set_time(std::string_view text) { entry_->set_timestamp(*stamp_, parse_timestamp(text), text); }

void SyslogMessage::set_text(Field field, std::string_view text) {
  if (text != nil) (*entry_)[field] = text;
}

void SyslogMessage::put_text(std::string_view key, std::string_view text) {
  if (text != nil) entry_->put(key, Value::of_text(text));
}

void SyslogMessage::set_message(std::string_view text, std::string_view otherwise) {
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  (*entry_)[Field::message] = text.empty() ? otherwise : text;
}

std::string_view SyslogMessage::keep(std::string_view text) {
  char* kept = arena_.take(text.size());
  if (!text.empty()) std::memcpy(kept, text.data(), text.size());
  return {kept, text.size()};
}

}  // namespace zero
