// The doors' decoders: a body in, a payload of complete entries and a report out.
#pragma once

#include <string_view>

#include "zero/decoded.hpp"
#include "zero/entry.hpp"

namespace zero {

// All return a result that belongs to the thread and holds until its next call; memory beyond 1 MiB is given back then.

// Reads an object, an array, an object whose only key is "logs" with an array, or NDJSON.
const Decoded& decode_json(std::string_view body, const Stamp& stamp);

// Reads a zero.v1.LogBatch.
const Decoded& decode_log_batch(std::string_view body, const Stamp& stamp);

// Reads an opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest.
const Decoded& decode_otlp(std::string_view body, const Stamp& stamp);
// Reads the same in OTLP/JSON.
const Decoded& decode_otlp_json(std::string_view body, const Stamp& stamp);

// Reads Loki's logproto.PushRequest, without its compression.
const Decoded& decode_loki(std::string_view body, const Stamp& stamp);
// Reads Loki's push in JSON.
const Decoded& decode_loki_json(std::string_view body, const Stamp& stamp);

// Reads syslog messages as a stream brings them (RFC 6587). `utc_offset_seconds`: how far senders that name no zone are ahead.
const Decoded& decode_syslog(std::string_view body, const Stamp& stamp, long utc_offset_seconds);

}  // namespace zero
