#include "zero/json_walker.hpp"

#include <algorithm>
#include <new>

#include "zero/json_string.hpp"

namespace zero {
namespace {

constexpr std::size_t ordinary_capacity_bytes = 64 * 1024;
constexpr std::size_t kept_capacity_bytes = 1024 * 1024;

}  // namespace

bool JsonIndex::build(std::string_view text) {
  if (!stage_) {
    const auto error =
        simdjson::get_active_implementation()->create_dom_parser_implementation(ordinary_capacity_bytes, 1, stage_);
    if (error) throw std::bad_alloc();
  }
  if (text.size() > stage_->capacity() && stage_->set_capacity(std::max(text.size(), 2 * stage_->capacity())))
    throw std::bad_alloc();
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  if (text.empty() || stage_->stage1(bytes, text.size(), simdjson::stage1_mode::regular)) return false;
  stage_->structural_indexes[size()] = static_cast<std::uint32_t>(text.size());
  return true;
}

void JsonIndex::trim() {
  if (stage_ && stage_->capacity() > kept_capacity_bytes) stage_.reset();
}

void JsonWalker::start(std::string_view text, const JsonIndex& index) {
  text_ = text;
  offsets_ = index.offsets();
  size_ = index.size();
  next_ = 0;
  find_escape(0);
  forget();
}

void JsonWalker::forget() {
  repaired_ = false;
  deepest_ = 0;
}

void JsonWalker::find_escape(std::size_t from) {
  plain_from_ = from;
  plain_to_ = std::min(text_.find('\\', from), text_.size());
}

bool JsonWalker::unescape(std::string_view raw, std::string_view& characters) {
  const auto unescaped = unescape_json(raw, arena_, repaired_);
  if (unescaped) characters = *unescaped;
  return unescaped.has_value();
}

bool JsonWalker::scalar(JsonToken& token) {
  const char first = peek();
  if (first == '"') {
    std::string_view text;
    if (!string(text)) return false;
    token.kind = JsonToken::Kind::string;
    token.text = text;
    token.value = Value::of_text(text);
    return true;
  }
  if (at_end()) return false;
  token.text = take_span();
  if (first == '-' || (first >= '0' && first <= '9')) {
    token.kind = JsonToken::Kind::number;
    return parse_json_number(token.text, token.value);
  }
  if (first == 'n') {
    token.kind = JsonToken::Kind::null;
    return same_text(token.text, "null");
  }
  token.kind = JsonToken::Kind::boolean;
  token.value = Value::of_bool(first == 't');
  return same_text(token.text, "true") || same_text(token.text, "false");
}

bool JsonWalker::skip_string() {
  std::string_view raw;
  return raw_string(raw) && (!has_escape(raw) || check_json_escapes(raw, repaired_));
}

bool JsonWalker::container(JsonToken& token, int depth) {
  token.kind = peek() == '{' ? JsonToken::Kind::object : JsonToken::Kind::array;
  token.mark = next_;
  const std::size_t start = offset();
  const bool repaired_before = repaired_;
  repaired_ = false;
  if (!skip(depth)) return false;
  token.text = text_.substr(start, offsets_[next_ - 1] + 1 - start);
  if (repaired_) token.text = repair_json_surrogates(token.text, arena_);
  repaired_ |= repaired_before;
  return true;
}

bool JsonWalker::skip(int depth) {
  in_object_.clear();
  do {
    if (peek() == '{' || peek() == '[') {
      const bool object = peek() == '{';
      in_object_.push_back(object);
      deepest_ = std::max(deepest_, depth + static_cast<int>(in_object_.size()));
      ++next_;
      if (!take(object ? '}' : ']')) {
        if (object && !(skip_string() && take(':'))) return false;
        continue;
      }
      in_object_.pop_back();
    } else if (peek() == '"') {
      if (!skip_string()) return false;
    } else {
      JsonToken ignored;
      if (!scalar(ignored)) return false;
    }
    while (!in_object_.empty() && !take(',')) {
      if (!take(in_object_.back() ? '}' : ']')) return false;
      in_object_.pop_back();
      if (in_object_.empty()) return true;
    }
    if (!in_object_.empty() && in_object_.back() && !(skip_string() && take(':'))) return false;
  } while (!in_object_.empty());
  return true;
}

}  // namespace zero
