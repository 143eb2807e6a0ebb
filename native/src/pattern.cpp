#include "zero/pattern.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "zero/hash64.hpp"
#include "zero/word_set.hpp"

namespace zero {
namespace {

constexpr std::string_view mask_text = "<*>";
constexpr std::size_t hex_letters_min = 8, hex_group_max = 4, hex_groups_max = 8, leader_dots_min = 3;

constexpr auto units =
    word_set({"B",       "kB",   "KB",     "MB",      "GB", "TB", "PB",  "KiB",  "MiB",   "GiB",  "TiB", "byte",      "bytes",
              "AM",      "PM",   "UTC",    "GMT",     "ns", "us", "ms",  "s",    "sec",   "secs", "min", "\xc2\xb5s", "second",
              "seconds", "mins", "minute", "minutes", "h",  "hr", "hrs", "hour", "hours", "day",  "days"});
constexpr auto date_words = word_set({"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"});
constexpr std::size_t date_word_bytes = 3;

// Classes of bytes. Those of words have `word` set, and those whose presence asks for a closer look one of `look_closer`.
enum Class : unsigned char { word = 1, digit = 2, hex = 4, slash = 8, dot = 16, at_sign = 32, upper = 64, joiner = 128 };
constexpr unsigned char look_closer = slash | dot | at_sign;

constexpr auto classes = [] {
  std::array<unsigned char, 256> table{};
  const auto set = [&table](std::string_view bytes, int kind) {
    for (const char byte : bytes) table[static_cast<unsigned char>(byte)] |= static_cast<unsigned char>(kind);
  };
  set("0123456789", word | digit | hex);
  set("abcdefghijklmnopqrstuvwxyz", word);
  set("ABCDEFGHIJKLMNOPQRSTUVWXYZ", word | upper);
  set("abcdefABCDEF", hex);
  set("_-%+$#~", word);
  set("/\\", word | slash);
  set(".", word | dot);
  set("@", word | at_sign);
  set(" :,;|", joiner);
  for (int byte = 0x80; byte < 0x100; ++byte) table[byte] = word;
  return table;
}();

unsigned char class_of(char byte) { return classes[static_cast<unsigned char>(byte)]; }

bool is_one_of(char byte, std::string_view bytes) { return bytes.find(byte) != std::string_view::npos; }

// Says whether a word (without dots at its end) is a path, an address, a host name or letters of hex. What stands before an
// equals sign is the name of a value, not that of a host.
bool is_variable_name(std::string_view text, bool names_value) {
  std::size_t slashes = 0, dots = 0;
  unsigned char some = 0, all = 0xff;
  for (const char byte : text) {
    const unsigned char kind = class_of(byte);
    slashes += (kind & slash) != 0;
    dots += (kind & dot) != 0;
    some |= kind;
    all &= kind;
  }
  if (text.size() >= hex_letters_min && (all & hex)) return true;
  if (slashes != 0 && (slashes + dots >= 2 || (text.size() > 1 && (class_of(text[0]) & slash)))) return true;
  if (text.size() > 2 && (some & at_sign) && text.substr(1, text.size() - 2).find('@') != std::string_view::npos) return true;
  return dots >= 2 && !names_value && !(some & upper) && text[0] >= 'a' && text[0] <= 'z';
}

// Returns where dots that lead from one word to another begin ("depth.....5"), or nullptr. `stop` gets where they end.
const char* find_leader(const char* start, const char* end, const char*& stop) {
  for (const char* at = start; at != end; ++at) {
    if (*at != '.') continue;
    stop = at;
    while (stop != end && *stop == '.') ++stop;
    if (stop == end) return nullptr;
    if (stop - at >= static_cast<std::ptrdiff_t>(leader_dots_min)) return at;
    at = stop;
  }
  return nullptr;
}

// One pass over a message. While nothing but joiners and names of days and months follows, `mask_end_` is the end of the last
// mask and `date_start_` the start of the first such name: where the next mask goes. `host_start_` and `host_end_` span the
// last word with a dot in it.
class Masker {
 public:
  // A byte becomes at most three ("1"), two at most four ("1="): the room `out` must have.
  static std::size_t room(std::size_t message_bytes) { return 2 * message_bytes + mask_text.size(); }

  Masker(std::string_view message, char* out)
      : begin_(message.data()), at_(begin_), end_(begin_ + message.size()), out_begin_(out), out_(out) {}

  // Returns the end of the masked text.
  char* run() {
    while (at_ != end_) {
      const unsigned char kind = class_of(*at_);
      if (kind & word)
        take_word();
      else if (kind & joiner)
        take_joiner();
      else
        take_other();
    }
    return out_;
  }

 private:
  void take_word() {
    const char* const start = at_;
    const char* at = start;
    char* out = out_;  // written on the way: most words stay
    unsigned char some = 0, all = 0xff;
    do {
      const unsigned char kind = class_of(*at);
      if (!(kind & word)) break;
      some |= kind;
      all &= kind;
      *out++ = *at++;
    } while (at != end_);
    at_ = at;
    if (some & dot && take_led(start)) return;
    take_whole(start, some, all);
  }

  // A word from `start` to `at_`, of which a copy lies behind the output.
  [[gnu::always_inline]] void take_whole(const char* start, unsigned char some, unsigned char all) {
    const auto size = static_cast<std::size_t>(at_ - start);
    if (at_ != end_ && *at_ == ':' && (all & hex) && size <= hex_group_max && take_hex_groups(start)) return;
    if (some & digit || (all & hex && size >= hex_letters_min)) {
      const char* stop = at_;
      while (stop[-1] == '.') --stop;
      add_mask();
      return add(stop, at_);
    }
    take_text(start, some);
  }

  // Words with leader dots between them. Returns false, with nothing taken, where there are none.
  [[gnu::noinline]] bool take_led(const char* start) {
    const char* const end = at_;
    const char* stop = nullptr;
    const char* dots = find_leader(start, end, stop);
    if (dots == nullptr) return false;
    for (; dots != nullptr; start = stop, dots = find_leader(start, end, stop)) {
      at_ = dots;
      take_piece(start);
      add(dots, stop);
    }
    at_ = end;
    take_piece(start);
    return true;
  }
  void take_piece(const char* start) {
    if (start == at_) return;
    unsigned char some = 0, all = 0xff;
    for (const char* at = start; at != at_; ++at) {
      some |= class_of(*at);
      all &= class_of(*at);
    }
    std::memcpy(out_, start, static_cast<std::size_t>(at_ - start));
    take_whole(start, some, all);
  }

  // A word without digits.
  void take_text(const char* start, unsigned char some) {
    const char* core_end = at_;
    if (some & look_closer) {
      while (core_end != start && core_end[-1] == '.') --core_end;
      if (core_end != start && is_variable_name({start, core_end}, at_ != end_ && *at_ == '=')) {
        add_mask();
        return add(core_end, at_);
      }
    }
    const std::string_view core(start, core_end);
    if (mask_end_ != nullptr && out_ == mask_end_ + 1 && *mask_end_ == ' ' && units.contains(core)) {
      out_ = mask_end_;
      return add(core_end, at_);
    }
    char* const text_start = out_;
    out_ += at_ - start;
    if (is_date_word({start, at_})) {
      if (date_start_ == nullptr) date_start_ = text_start;
      return;
    }
    mask_end_ = date_start_ = nullptr;
    if ((some & dot) && core.find('.') != std::string_view::npos) host_start_ = text_start, host_end_ = out_;
  }

  static bool is_date_word(std::string_view text) {
    return text.size() == date_word_bytes && (class_of(text[0]) & upper) && date_words.contains(text);
  }

  // An IPv6 or MAC address or a time of day that starts at `start`. Returns false, with nothing taken, where there is none.
  bool take_hex_groups(const char* start) {
    const char* at = start;
    std::size_t colons = 0;
    bool digits = false;
    if (end_ - at >= 2 && at[0] == ':' && at[1] == ':') at += 2, colons = 2;
    for (std::size_t group = 0; group < hex_groups_max; ++group) {
      const char* next = at;
      if (group != 0)
        for (int colon = 0; colon < 2 && next != end_ && *next == ':'; ++colon) ++next;
      const auto skipped = static_cast<std::size_t>(next - at);
      if (group != 0 && skipped == 0) break;
      const char* const first = next;
      while (next != end_ && next - first < static_cast<std::ptrdiff_t>(hex_group_max) && (class_of(*next) & hex))
        digits |= (class_of(*next++) & digit) != 0;
      if (next == first) break;
      colons += skipped;
      at = next;
    }
    if (colons < 2 || !digits || (at != end_ && (class_of(*at) & word))) return false;
    at_ = at;
    add_mask();
    return true;
  }

  void take_joiner() {
    if (*at_ == ':' && end_ - at_ > 2 && at_[1] == ':' && (at_ == begin_ || !(class_of(at_[-1]) & word)) &&
        take_hex_groups(at_))
      return;
    *out_++ = *at_++;
  }

  void take_other() {
    const char byte = *at_;
    if ((byte == '"' || byte == '\'') && take_quoted()) return;
    if (byte == '?' && out_ == mask_end_ && drop_url_query()) return;
    ++at_;
    if (byte == ')' && (drop_brackets(" (<*>") || drop_brackets(" ("))) return;
    *out_++ = byte;
    mask_end_ = date_start_ = nullptr;
  }

  // A quoted value: no white space in it, and not the key of a JSON object. Every byte is looked at once for every kind of
  // quote.
  bool take_quoted() {
    const char quote = *at_;
    if (at_ != begin_ && !is_one_of(at_[-1], " =:,([{\t")) return false;
    const char* stop = at_ + 1;
    while (stop != end_ && *stop != quote && !is_one_of(*stop, " \t\r\n")) ++stop;
    if (stop == end_ || *stop != quote) return false;
    if (stop + 1 != end_ && ((class_of(stop[1]) & word) || stop[1] == ':')) return false;
    at_ = stop + 1;
    add_mask();
    return true;
  }

  // The query of a URL whose path became the mask: up to white space, a quote or a bracket, if it gives something a value.
  bool drop_url_query() {
    if (end_ - at_ < 2 || !(class_of(at_[1]) & word)) return false;
    const char* stop = at_ + 1;
    while (stop != end_ && !is_one_of(*stop, " \t\r\n\"'<>()[]{}|")) ++stop;
    while (is_one_of(stop[-1], ".,:;!")) --stop;
    if (std::find(at_, stop, '=') == stop) return false;
    at_ = stop;
    return true;
  }

  // Brackets behind a mask that hold another mask, or nothing, fall away.
  bool drop_brackets(std::string_view held) {
    const std::string_view written(out_begin_, out_);
    if (!written.ends_with(held) || !written.substr(0, written.size() - held.size()).ends_with(mask_text)) return false;
    out_ -= held.size();
    mask_end_ = out_;
    date_start_ = nullptr;
    return true;
  }

  void copy(const char* from, const char* to) {
    std::memcpy(out_, from, static_cast<std::size_t>(to - from));
    out_ += to - from;
  }

  // Writes text that no mask may swallow.
  void add(const char* from, const char* to) {
    if (from == to) return;
    copy(from, to);
    mask_end_ = date_start_ = nullptr;
  }

  // Writes a mask, or none where it would only follow another one.
  void add_mask() {
    if (mask_end_ != nullptr) {
      out_ = mask_end_;
    } else {
      if (date_start_ != nullptr)
        out_ = date_start_;
      else if (host_end_ != nullptr && out_ == host_end_ + 1 && *host_end_ == ':')
        out_ = host_start_;
      else if (out_ != out_begin_ && (out_[-1] == '<' || out_[-1] == '>') && (out_ - out_begin_ == 1 || out_[-2] == ' '))
        --out_;
      copy(mask_text.data(), mask_text.data() + mask_text.size());
      mask_end_ = out_;
    }
    date_start_ = nullptr;
  }

  const char *begin_, *at_, *end_;
  char *out_begin_, *out_;
  char *mask_end_ = nullptr, *date_start_ = nullptr, *host_start_ = nullptr, *host_end_ = nullptr;
};

}  // namespace

void PatternMaker::mask(std::string_view message, ByteBuffer& out) {
  out.clear();
  char* const start = out.extend(Masker::room(message.size()));
  out.resize_down(static_cast<std::size_t>(Masker(message, start).run() - start));
}

PatternMaker::PatternMaker() : seeds_{random_seed(), random_seed()}, known_(known_messages) {}

std::uint64_t PatternMaker::id(std::string_view message) {
  const std::uint64_t first = hash64(message.data(), message.size(), seeds_[0]);
  const std::uint64_t second = hash64(message.data(), message.size(), seeds_[1]);
  Known& known = known_[first % known_messages];
  if (known.first != first || known.second != second) {
    mask(message, masked_);
    known = {first, second, hash64(masked_.data(), masked_.size())};
  }
  return known.id;
}

}  // namespace zero
