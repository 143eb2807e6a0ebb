#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <string>

#include "zero/bulk.hpp"
#include "zero/bulk_action.hpp"
#include "zero/json_entry.hpp"
#include "zero/json_form.hpp"
#include "zero/json_syntax.hpp"
#include "zero/wire_writer.hpp"

namespace zero {
namespace {

constexpr std::size_t index_bytes_max = 255;
constexpr std::size_t id_bytes_max = 512;
constexpr std::size_t outcome_bytes_max = 64 * 1024 * 1024;

// The fields of an outcome.
constexpr std::uint32_t outcome_item = 1;
constexpr std::uint32_t item_kind = 1;
constexpr std::uint32_t item_index = 2;
constexpr std::uint32_t item_id = 3;
constexpr std::uint32_t item_reason = 4;  // of a rejection

class BulkDecoder {
 public:
  BulkDecoded decode(std::string_view body, const Stamp& stamp, std::string_view index) {
    body_ = body;
    stamp_ = &stamp;
    default_index_ = index;
    position_ = 0;
    action_line_ = {};
    outcomes_.clear(kept_bytes);
    decoded_.clear();
    if (body.size() > limits::body_bytes) {
      decoded_.refuse(Refusal::too_many_bytes, body.size());
    } else {
      while (decoded_.refusal == Refusal::none && position_ < body_.size()) step();
      if (decoded_.refusal == Refusal::none && decoded_.seen() == 0) decoded_.refuse(Refusal::empty);
    }
    if (decoded_.refusal != Refusal::none) decoded_.payload.resize_down(0);
    document_.trim();
    arena_.clear();
    return {decoded_, outcomes_.view()};
  }

 private:
  std::string_view take_line() {
    const std::size_t end = std::min(body_.find('\n', position_), body_.size());
    const std::string_view line = body_.substr(position_, end - position_);
    position_ = std::min(end + 1, body_.size());
    return line;
  }

  // One action with its document.
  void step() {
    const std::size_t start = position_;
    const std::string_view line = take_line();
    if (is_blank(line)) return;
    if (decoded_.full()) return decoded_.refuse(Refusal::too_many_entries);
    if (line != action_line_ && !read_action(line, start)) return;
    if (!action_.has_document()) return reject("delete: logs are only added");
    if (position_ >= body_.size()) return decoded_.refuse(Refusal::wrong_form, body_.size());
    const std::string_view text = take_line();
    if (action_.kind == BulkAction::Kind::update) return reject("update: logs are only added");
    if (action_.index.size() > index_bytes_max) return reject(too_long("index", action_.index.size(), index_bytes_max));
    if (action_.id.size() > id_bytes_max) return reject(too_long("id", action_.id.size(), id_bytes_max));
    document(text);
  }

  static std::string too_long(std::string_view what, std::size_t size, std::size_t limit) {
    return std::string("_").append(what) + ": " + std::to_string(size) + " bytes, limit " + std::to_string(limit);
  }

  // Reads an action that differs from the one before. Returns false when the body is refused.
  bool read_action(std::string_view line, std::size_t start) {
    action_line_ = {};
    action_.index = default_index_;
    action_.id.clear();
    arena_.clear();
    if (!document_.open(line) || !actions_.read(action_) || !walker_.at_end()) {
      const std::size_t error = json_error(document_.text());
      decoded_.refuse(error == no_error ? Refusal::wrong_form : Refusal::not_json,
                      start + document_.original(error == no_error ? form_.wrong_at() : error));
      return false;
    }
    meaning_ = read_index(action_.index);
    accepted_item_.resize_down(0);
    write_outcome(accepted_item_, nullptr);
    action_line_ = line;
    return true;
  }

  void document(std::string_view text) {
    arena_.clear();
    entry_.clear();
    if (is_blank(text)) return reject("document is empty");
    if (!document_.open(text)) return reject_syntax();
    const bool object = walker_.peek() == '{';
    if (!(object ? reader_.read(*stamp_) : walker_.skip(0)) || !walker_.at_end()) return reject_syntax();
    if (!object) return reject("document is not an object");
    if (!action_.id.empty()) entry_.put("_id", Value::of_text(action_.id));
    if (entry_[Field::app_id].empty()) entry_[Field::app_id] = meaning_.app_id;
    if (entry_[Field::environment].empty()) entry_[Field::environment] = meaning_.environment;
    if (document_.was_repaired(0, document_.text().size())) entry_.mark_repaired();
    if (!entry_.finish(*stamp_)) return reject(entry_.reason());
    decoded_.accept(entry_);
    outcomes_.append(accepted_item_.view());
  }

  void reject_syntax() { reject("document is not valid JSON at byte " + std::to_string(document_.error_offset())); }

  void reject(const std::string& reason) {
    decoded_.reject(reason);
    write_outcome(outcomes_, &reason);
  }

  void write_outcome(Bytes& out, const std::string* reason) {
    WireWriter writer(out);
    const std::size_t start = writer.begin(outcome_item);
    writer.varint(item_kind, static_cast<std::uint64_t>(action_.kind));
    writer.bytes(item_index,
                 std::string_view(action_.index).substr(0, action_.index.size() > index_bytes_max ? 0 : std::string::npos));
    if (!action_.id.empty() && action_.id.size() <= id_bytes_max) writer.bytes(item_id, action_.id);
    if (reason) writer.bytes(item_reason, *reason);
    writer.end(start);
  }

  Arena arena_;
  JsonDocument document_{arena_};
  JsonWalker& walker_ = document_.walker();
  JsonForm form_{walker_};
  BulkActionReader actions_{walker_, form_};
  Entry entry_;
  JsonEntryReader reader_{walker_, entry_, arena_, true};
  Decoded decoded_;
  Bytes outcomes_;
  std::string_view body_;
  const Stamp* stamp_ = nullptr;
  std::string_view default_index_;
  std::size_t position_ = 0;
  std::string_view action_line_;  // of the latest action; a client sends the same again and again
  BulkAction action_;
  IndexMeaning meaning_;
  Bytes accepted_item_;  // the outcome of the latest action when its document is accepted
};

struct Item {
  std::uint64_t kind = 0;
  std::string_view index;
  std::string_view id;
  std::string_view reason;
};

Item read_item(std::string_view encoded, const char*& field_start) {
  Item item;
  WireReader reader(encoded, field_start);
  while (reader.next()) {
    if (reader.tag() == varint_tag(item_kind)) item.kind = reader.number();
    if (reader.tag() == bytes_tag(item_index)) item.index = reader.bytes();
    if (reader.tag() == bytes_tag(item_id)) item.id = reader.bytes();
    if (reader.tag() == bytes_tag(item_reason)) item.reason = reader.bytes();
  }
  return item;
}

// An entry's id: 16 hex digits of the batch and 8 of the index.
std::array<char, 24> entry_id(std::uint64_t batch_id, std::uint32_t index) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<char, 24> id;
  for (std::size_t at = 0; at < 16; ++at) id[at] = digits[batch_id >> (60 - 4 * at) & 15];
  for (std::size_t at = 0; at < 8; ++at) id[16 + at] = digits[index >> (28 - 4 * at) & 15];
  return id;
}

void write_item(const Item& item, std::string_view id, JsonText& out) {
  out.raw("{\"");
  out.raw(bulk_names[item.kind]);
  out.raw("\":{\"_index\":");
  out.string(item.index);
  if (!id.empty()) {
    out.raw(",\"_id\":");
    out.string(id);
  }
  if (item.reason.empty()) {
    out.raw(",\"_version\":1,\"result\":\"created\",\"status\":201}}");
    return;
  }
  out.raw(",\"status\":400,\"error\":{\"type\":\"document_parsing_exception\",\"reason\":");
  out.string(item.reason);
  out.raw("}}}");
}

}  // namespace

BulkDecoded decode_bulk(std::string_view body, const Stamp& stamp, std::string_view index) {
  // By pointer: a member of a thread-local object costs a call of __tls_get_addr each time in a shared object.
  static thread_local const auto decoder = std::make_unique<BulkDecoder>();
  return decoder->decode(body, stamp, index);
}

bool bulk_items(std::string_view outcomes, std::uint64_t batch_id, std::uint32_t first_index, JsonText& out) {
  out.start(outcome_bytes_max);
  const char* field_start = nullptr;
  std::uint32_t accepted = first_index;
  bool first = true;
  out.raw("[");
  try {
    WireReader reader(outcomes, field_start);
    while (reader.next()) {
      const Item item = read_item(reader.bytes(), field_start);
      if (reader.tag() != bytes_tag(outcome_item) || item.kind >= std::size(bulk_names)) return false;
      if (!first) out.raw(",");
      first = false;
      const std::array<char, 24> own = entry_id(batch_id, accepted);
      accepted += item.reason.empty();
      write_item(item, item.id.empty() && item.reason.empty() ? std::string_view(own.data(), own.size()) : item.id, out);
    }
  } catch (const protozero::exception&) {
    return false;
  }
  out.raw("]");
  return out.fits();
}

}  // namespace zero
