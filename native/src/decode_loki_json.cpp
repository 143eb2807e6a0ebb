#include <memory>
#include <vector>

#include "zero/decode.hpp"
#include "zero/json_form.hpp"
#include "zero/loki_entries.hpp"
#include "zero/timestamp.hpp"

namespace zero {
namespace {

class LokiJsonDecoder {
 public:
  const Decoded& decode(std::string_view body, const Stamp& stamp) {
    decoded_.clear();
    entries_.start(decoded_, stamp);
    read_form(body, document_, form_, decoded_, [this] { return push(); });
    entries_.trim();
    document_.trim();
    arena_.clear();
    return decoded_;
  }

 private:
  bool push() {
    return form_.object([this](std::string_view key) {
      if (form_.take_null()) return true;
      if (key != "streams") return form_.skip();
      return form_.array([this] { return stream(); });
    });
  }

  // Members come in any order: the labels are read first, and the values once they are known.
  bool stream() {
    values_.clear();
    entries_.begin_stream();
    const bool read = form_.object([this](std::string_view key) {
      if (form_.take_null()) return true;
      if (key == "stream") return labels();
      if (key == "values") values_.push_back(walker_.mark());
      return form_.skip();
    });
    if (!read) return false;
    const std::size_t end = walker_.mark();
    for (const std::size_t mark : values_) {
      walker_.rewind(mark);
      if (!form_.array([this] { return entry(); })) return false;
    }
    walker_.rewind(end);
    return true;
  }

  bool repaired(std::size_t start) const { return walker_.repaired() || document_.was_repaired(start, walker_.offset()); }

  bool labels() {
    const std::size_t start = walker_.offset();
    walker_.forget();
    const bool read = pairs([this](std::string_view name, JsonToken& token) {
      const std::string_view text = entries_.stream_text(token.text);
      if (token.value.kind == Value::Kind::text) token.value.text = text;
      entries_.label(entries_.stream_text(name), text, token.value);
    });
    if (repaired(start)) entries_.mark_stream_repaired();
    arena_.clear();
    return read;
  }

  // Calls on(name, token) for each member; values are scalars.
  template <typename On>
  bool pairs(On&& on) {
    return form_.object([&](std::string_view name) {
      JsonToken token;
      if (form_.take_null()) return true;
      if (!form_.scalar(token)) return false;
      on(name, token);
      return true;
    });
  }

  // [timestamp, line] or [timestamp, line, metadata]
  bool entry() {
    if (decoded_.full()) {
      decoded_.refuse(Refusal::too_many_entries);
      return false;
    }
    const std::size_t start = walker_.offset();
    walker_.forget();
    entries_.begin_entry();
    time_ = {};
    line_ = {};
    int element = 0;
    const bool read = form_.array([&] { return part(element++); });
    if (!read || (element < 2 && !form_.fail(start))) return false;
    if (repaired(start)) entries_.mark_repaired();
    entries_.end_entry(line_, parse_timestamp(time_), time_);
    arena_.clear();
    return decoded_.refusal == Refusal::none;
  }

  bool part(int element) {
    if (element == 1) return form_.string(line_);
    if (element == 2) {
      return pairs([this](std::string_view name, const JsonToken& token) { entries_.metadata(name, token.text, token.value); });
    }
    if (element > 2) return form_.fail(walker_.offset());
    JsonToken token;
    if (!form_.scalar(token)) return false;
    if (token.kind != JsonToken::Kind::string && token.kind != JsonToken::Kind::number) return false;
    time_ = token.text;
    return true;
  }

  Arena arena_;
  JsonDocument document_{arena_};
  JsonWalker& walker_ = document_.walker();
  JsonForm form_{walker_};
  LokiEntries entries_;
  Decoded decoded_;
  std::vector<std::size_t> values_;
  std::string_view time_;
  std::string_view line_;
};

}  // namespace

const Decoded& decode_loki_json(std::string_view body, const Stamp& stamp) {
  // By pointer: a member of a thread-local object costs a call of __tls_get_addr each time in a shared object.
  static thread_local const auto decoder = std::make_unique<LokiJsonDecoder>();
  return decoder->decode(body, stamp);
}

}  // namespace zero
