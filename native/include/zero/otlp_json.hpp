// OTLP/JSON messages written in protobuf, so that both encodings are mapped in one place.
#pragma once

#include <cstdint>
#include <string_view>

#include "zero/bytes.hpp"
#include "zero/json_form.hpp"
#include "zero/wire_writer.hpp"

namespace zero {

// How a member is written.
enum class OtlpForm : std::uint8_t {
  text,
  boolean,
  int64,
  float64,
  fixed64,
  fixed32,
  uint32,
  severity,
  hex,
  base64,
  value,
  values,
  pairs,
  array,
  list
};

// Each method reads the object that comes next and appends its fields. Returns false when it is not one of that form. Names are
// lowerCamelCase or those of the protobuf; unknown ones are skipped, and so is null.
class OtlpJson {
 public:
  OtlpJson(JsonWalker& walker, JsonForm& form) : walker_(walker), form_(form) {}

  bool resource(Bytes& out);
  bool scope(Bytes& out);
  bool record(Bytes& out);

 private:
  using Form = OtlpForm;

  template <typename Table>
  bool message(const Table& table, WireWriter& out, int depth);
  bool member(int code, WireWriter& out, int depth);
  bool scalar(Form form, std::uint32_t number, WireWriter& out);
  bool number(Form form, std::uint32_t number, const JsonToken& token, WireWriter& out);
  bool container(Form form, std::uint32_t number, WireWriter& out, int depth);
  template <typename Read>
  bool nested(std::uint32_t number, WireWriter& out, Read&& read);

  JsonWalker& walker_;
  JsonForm& form_;
  Bytes decoded_;  // of hex and base64
};

}  // namespace zero
