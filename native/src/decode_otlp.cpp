#include <memory>

#include "zero/decode.hpp"
#include "zero/otlp_records.hpp"
#include "zero/wire_reader.hpp"

namespace zero {
namespace {

constexpr std::uint32_t first_tag = bytes_tag(1);
constexpr std::uint32_t second_tag = bytes_tag(2);

// Protobuf lets fields come in any order, so a message is gone through twice: once for what its records share.
class OtlpDecoder {
 public:
  const Decoded& decode(std::string_view body, const Stamp& stamp) {
    decoded_.clear();
    records_.start(decoded_, stamp);
    if (body.size() > limits::body_bytes) {
      decoded_.refuse(Refusal::too_many_bytes, body.size());
    } else {
      try {
        request(body);
      } catch (const protozero::exception&) {
        decoded_.refuse(Refusal::not_protobuf, static_cast<std::size_t>(records_.field_start() - body.data()));
      }
    }
    if (decoded_.refusal != Refusal::none) decoded_.payload.resize_down(0);
    records_.trim();
    return decoded_;
  }

 private:
  bool going() const { return decoded_.refusal == Refusal::none; }

  void request(std::string_view message) {
    WireReader reader(message, records_.field_start());
    while (going() && reader.next()) {
      if (reader.tag() == first_tag) resource_logs(reader.bytes());
    }
  }

  void resource_logs(std::string_view message) {
    records_.begin_resource();
    WireReader shared(message, records_.field_start());
    while (shared.next()) {
      if (shared.tag() == first_tag) records_.read_resource(shared.bytes());
    }
    WireReader reader(message, records_.field_start());
    while (going() && reader.next()) {
      if (reader.tag() == second_tag) scope_logs(reader.bytes());
    }
  }

  void scope_logs(std::string_view message) {
    records_.begin_scope();
    WireReader shared(message, records_.field_start());
    while (shared.next()) {
      if (shared.tag() == first_tag) records_.read_scope(shared.bytes());
    }
    WireReader reader(message, records_.field_start());
    while (going() && reader.next()) {
      if (reader.tag() != second_tag) continue;
      if (decoded_.full()) return decoded_.refuse(Refusal::too_many_entries);
      records_.record(reader.bytes(), false);
    }
  }

  OtlpRecords records_;
  Decoded decoded_;
};

}  // namespace

const Decoded& decode_otlp(std::string_view body, const Stamp& stamp) {
  // By pointer: a member of a thread-local object costs a call of __tls_get_addr each time in a shared object.
  static thread_local const auto decoder = std::make_unique<OtlpDecoder>();
  return decoder->decode(body, stamp);
}

}  // namespace zero
