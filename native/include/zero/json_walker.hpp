// JSON as a row of tokens. simdjson's first stage finds where they start, at gigabytes a second, and checks the UTF-8; what the
// tokens mean is read here, because a log has to survive what a strict parser refuses (numbers beyond Float64, depth,
// surrogates).
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "zero/bytes.hpp"
#include "zero/value.hpp"

namespace zero {

// The offsets at which the tokens of a text start. Memory: four bytes for each byte of the longest text since `trim`.
class JsonIndex {
 public:
  // Returns false when the text has no tokens, an open string, a control character in a string, or invalid UTF-8.
  bool build(std::string_view text);
  const std::uint32_t* offsets() const { return stage_->structural_indexes.get(); }
  std::size_t size() const { return stage_->n_structural_indexes; }
  // Gives back the memory that a large text took.
  void trim();

 private:
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage_;
};

// A scalar, or a container that was skipped over.
struct JsonToken {
  enum class Kind : std::uint8_t { null, string, number, boolean, object, array };

  Kind kind = Kind::null;
  std::string_view text;  // a string's characters; else the JSON text
  Value value;            // of string, number and boolean
  std::size_t mark = 0;   // where a container starts, for JsonWalker::rewind

  bool container() const { return kind >= Kind::object; }
};

// Methods that read return false at the first token that is wrong where it stands; the walk is over then.
class JsonWalker {
 public:
  explicit JsonWalker(Arena& arena) : arena_(arena) {}
  void start(std::string_view text, const JsonIndex& index);

  // The first byte of the next token; NUL behind the last.
  char peek() const { return next_ < size_ ? text_[offsets_[next_]] : '\0'; }
  bool at_end() const { return next_ == size_; }
  // Takes the next token if it is this one of {}[]:,
  bool take(char byte) {
    if (peek() != byte) return false;
    ++next_;
    return true;
  }
  bool string(std::string_view& characters) {
    std::string_view raw;
    if (!raw_string(raw)) return false;
    if (has_escape(raw)) return unescape(raw, characters);
    characters = raw;
    return true;
  }
  // Takes a key and a string, both without escapes and blanks behind them, and stands at what follows. Returns false, standing
  // where it stood, when something else comes next.
  bool plain_member(std::string_view& key, std::string_view& text) {
    if (size_ - next_ < 4) return false;
    const std::uint32_t* const at = offsets_ + next_;
    const char* const bytes = text_.data();
    if (at[0] < plain_from_ || at[3] > plain_to_ || bytes[at[0]] != '"' || bytes[at[1]] != ':' || bytes[at[2]] != '"')
      return false;
    if (bytes[at[1] - 1] != '"' || bytes[at[3] - 1] != '"' || at[1] - at[0] < 2 || at[3] - at[2] < 2) return false;
    key = {bytes + at[0] + 1, at[1] - at[0] - 2};
    text = {bytes + at[2] + 1, at[3] - at[2] - 2};
    next_ += 3;
    return true;
  }
  bool scalar(JsonToken& token);
  // Reads any value at nesting depth `depth` (containers lie one deeper), and checks it to its last byte.
  bool skip(int depth);
  // Reads a container as one token.
  bool container(JsonToken& token, int depth);

  std::size_t mark() const { return next_; }
  void rewind(std::size_t mark) { next_ = mark; }
  // Offset of the next token in the text; its size behind the last.
  std::size_t offset() const { return offsets_[next_]; }

  // What was met since the last call of `forget`.
  bool repaired() const { return repaired_; }
  int deepest() const { return deepest_; }
  void forget();

 private:
  // Returns the text of the next token, without the blanks behind it.
  std::string_view take_span() {
    const char* start = text_.data() + offsets_[next_];
    const char* last = text_.data() + offsets_[++next_] - 1;
    while (is_blank(*last)) --last;
    return {start, static_cast<std::size_t>(last + 1 - start)};
  }
  // A string token ends with its closing quote: whatever else follows the quote starts a token of its own.
  bool raw_string(std::string_view& raw) {
    if (peek() != '"') return false;
    raw = take_span();
    if (raw.size() < 2 || raw.back() != '"') return false;
    raw = {raw.data() + 1, raw.size() - 2};
    return true;
  }
  bool has_escape(std::string_view raw) {
    const auto start = static_cast<std::size_t>(raw.data() - text_.data());
    if (start < plain_from_) return raw.find('\\') != std::string_view::npos;  // only after a rewind
    if (start > plain_to_ || plain_from_ == plain_to_) find_escape(start);
    return plain_to_ < start + raw.size();
  }
  void find_escape(std::size_t from);
  bool unescape(std::string_view raw, std::string_view& characters);
  bool skip_string();

  Arena& arena_;
  std::string_view text_;
  const std::uint32_t* offsets_ = nullptr;
  std::size_t size_ = 0;
  std::size_t next_ = 0;
  // There is no backslash between these two, and one at the second unless it is the end: one search over the text serves all
  // its strings.
  std::size_t plain_from_ = 0;
  std::size_t plain_to_ = 0;
  bool repaired_ = false;
  int deepest_ = 0;
  std::vector<bool> in_object_;  // the containers that `skip` is inside of
};

}  // namespace zero
