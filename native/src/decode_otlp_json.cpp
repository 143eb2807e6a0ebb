#include <memory>
#include <vector>

#include "zero/decode.hpp"
#include "zero/json_form.hpp"
#include "zero/otlp_json.hpp"
#include "zero/otlp_records.hpp"

namespace zero {
namespace {

// Members come in any order: what records share is read first, and the records once it is known.
class OtlpJsonDecoder {
 public:
  const Decoded& decode(std::string_view body, const Stamp& stamp) {
    decoded_.clear();
    records_.start(decoded_, stamp);
    read_form(body, document_, form_, decoded_, [this] { return request(); });
    records_.trim();
    document_.trim();
    arena_.clear();
    for (Bytes* bytes : {&resource_, &scope_, &record_}) bytes->clear(kept_bytes);
    return decoded_;
  }

 private:
  using Marks = std::vector<std::size_t>;

  static bool is(std::string_view key, std::string_view name, std::string_view other) { return key == name || key == other; }

  bool request() {
    return form_.object([this](std::string_view key) {
      if (form_.take_null()) return true;
      if (!is(key, "resourceLogs", "resource_logs")) return form_.skip();
      return form_.array([this] { return resource_logs(); });
    });
  }

  // Reads an object's shared messages with shared(), and notes where its arrays of what shares them are.
  template <typename Shared>
  bool gather(std::string_view shared_name, std::string_view name, std::string_view other, Marks& marks, Shared&& shared) {
    return form_.object([&](std::string_view key) {
      if (form_.take_null()) return true;
      if (key == shared_name) return shared();
      if (is(key, name, other)) marks.push_back(walker_.mark());
      return form_.skip();
    });
  }

  // Reads the arrays at the marks, and goes back to where the walker stood.
  template <typename Element>
  bool each(const Marks& marks, Element&& element) {
    const std::size_t end = walker_.mark();
    for (const std::size_t mark : marks) {
      walker_.rewind(mark);
      if (!form_.array(element)) return false;
    }
    walker_.rewind(end);
    return true;
  }

  // Whether a message that was read from `start` on had to be repaired.
  bool repaired(std::size_t start) const { return walker_.repaired() || document_.was_repaired(start, walker_.offset()); }

  bool resource_logs() {
    Marks scopes;
    bool was_repaired = false;
    resource_.resize_down(0);
    const bool read = gather("resource", "scopeLogs", "scope_logs", scopes,
                             [&] { return shared(was_repaired, [&] { return json_.resource(resource_); }); });
    if (!read) return false;
    records_.begin_resource();
    records_.read_resource(resource_.view());
    if (was_repaired) records_.mark_repaired();
    return each(scopes, [this] { return scope_logs(); });
  }

  bool scope_logs() {
    Marks records;
    bool was_repaired = false;
    scope_.resize_down(0);
    const bool read = gather("scope", "logRecords", "log_records", records,
                             [&] { return shared(was_repaired, [&] { return json_.scope(scope_); }); });
    if (!read) return false;
    records_.begin_scope();
    records_.read_scope(scope_.view());
    if (was_repaired) records_.mark_repaired();
    return each(records, [this] { return record(); });
  }

  template <typename Read>
  bool shared(bool& was_repaired, Read&& read) {
    const std::size_t start = walker_.offset();
    walker_.forget();
    const bool whole = read();
    was_repaired |= repaired(start);
    arena_.clear();
    return whole;
  }

  bool record() {
    if (decoded_.full()) {
      decoded_.refuse(Refusal::too_many_entries);
      return false;
    }
    const std::size_t start = walker_.offset();
    walker_.forget();
    record_.resize_down(0);
    if (!json_.record(record_)) return false;
    records_.record(record_.view(), repaired(start));
    arena_.clear();
    return decoded_.refusal == Refusal::none;
  }

  Arena arena_;
  JsonDocument document_{arena_};
  JsonWalker& walker_ = document_.walker();
  JsonForm form_{walker_};
  OtlpJson json_{walker_, form_};
  OtlpRecords records_;
  Decoded decoded_;
  Bytes resource_, scope_, record_;
};

}  // namespace

const Decoded& decode_otlp_json(std::string_view body, const Stamp& stamp) {
  // By pointer: a member of a thread-local object costs a call of __tls_get_addr each time in a shared object.
  static thread_local const auto decoder = std::make_unique<OtlpJsonDecoder>();
  return decoder->decode(body, stamp);
}

}  // namespace zero
