// The only file that knows Python. Every function takes whole batches and releases the interpreter lock.
#include <nanobind/nanobind.h>

#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "zero/bulk.hpp"
#include "zero/crc32c.hpp"
#include "zero/decode.hpp"
#include "zero/encode_block.hpp"
#include "zero/pattern.hpp"
#include "zero/pattern_lines.hpp"
#include "zero/syslog_frames.hpp"

namespace nb = nanobind;

namespace {

// A read-only view of any object with the buffer protocol, held for the length of a call.
class BytesView {
 public:
  explicit BytesView(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw nb::python_error();
  }
  ~BytesView() { PyBuffer_Release(&view_); }
  BytesView(const BytesView&) = delete;
  BytesView& operator=(const BytesView&) = delete;
  const char* data() const { return static_cast<const char*>(view_.buf); }
  std::size_t size() const { return static_cast<std::size_t>(view_.len); }

 private:
  Py_buffer view_{};
};

using Decode = const zero::Decoded& (*)(std::string_view, const zero::Stamp&);

constexpr std::size_t locked_bytes_max = 4096;  // releasing the lock costs more than decoding so little

// Returns the payload: the object `body` itself when its bytes are the payload.
nb::object payload_of(const zero::Decoded& decoded, nb::handle body) {
  if (PyBytes_CheckExact(body.ptr()) && decoded.as_sent.data() == PyBytes_AS_STRING(body.ptr())) return nb::borrow(body);
  return nb::bytes(decoded.batch().data(), decoded.batch().size());
}

// Returns (refusal, position, (payload, accepted, rejected, errors, repaired)); see zero/decoded.hpp.
nb::tuple report_of(const zero::Decoded& decoded, nb::handle body) {
  nb::list errors;
  for (const auto& [index, reason] : decoded.errors)
    errors.append(nb::make_tuple(index, nb::str(reason.data(), reason.size())));
  const nb::tuple report =
      nb::make_tuple(payload_of(decoded, body), decoded.accepted, decoded.rejected, errors, decoded.repaired);
  return nb::make_tuple(static_cast<int>(decoded.refusal), decoded.position, report);
}

nb::tuple decode(Decode decoder, nb::handle body, std::uint64_t now_ns, std::string_view source) {
  const BytesView bytes(body);
  const zero::Stamp stamp(now_ns, source);
  const zero::Decoded* decoded = nullptr;
  if (bytes.size() <= locked_bytes_max) {
    decoded = &decoder({bytes.data(), bytes.size()}, stamp);
  } else {
    nb::gil_scoped_release unlocked;
    decoded = &decoder({bytes.data(), bytes.size()}, stamp);
  }
  return report_of(*decoded, body);
}

std::string_view text_of(const nb::str& text) {
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
  if (!data) throw nb::python_error();
  return {data, static_cast<std::size_t>(size)};
}

template <Decode decoder>
nb::tuple decode_with(nb::handle body, std::uint64_t now_ns, nb::str source) {
  return decode(decoder, body, now_ns, text_of(source));
}

// Returns the report and the outcomes.
nb::tuple decode_bulk(nb::handle body, std::uint64_t now_ns, nb::str source, nb::str index) {
  const BytesView bytes(body);
  const zero::Stamp stamp(now_ns, text_of(source));
  const std::string_view index_text = text_of(index);
  const zero::BulkDecoded bulk = [&] {
    nb::gil_scoped_release unlocked;
    return zero::decode_bulk({bytes.data(), bytes.size()}, stamp, index_text);
  }();
  return nb::make_tuple(report_of(bulk.decoded, body), nb::bytes(bulk.outcomes.data(), bulk.outcomes.size()));
}

nb::bytes bulk_items(nb::bytes outcomes, std::uint64_t batch_id, std::uint32_t first_index) {
  zero::JsonText items;
  if (!zero::bulk_items({outcomes.c_str(), outcomes.size()}, batch_id, first_index, items))
    throw nb::value_error("no outcomes");
  return nb::bytes(items.view().data(), items.view().size());
}

nb::tuple decode_syslog(nb::handle body, std::uint64_t now_ns, nb::str source, long utc_offset_seconds) {
  const BytesView bytes(body);
  const zero::Stamp stamp(now_ns, text_of(source));
  const zero::Decoded* decoded = nullptr;
  if (bytes.size() <= locked_bytes_max) {
    decoded = &zero::decode_syslog({bytes.data(), bytes.size()}, stamp, utc_offset_seconds);
  } else {
    nb::gil_scoped_release unlocked;
    decoded = &zero::decode_syslog({bytes.data(), bytes.size()}, stamp, utc_offset_seconds);
  }
  return report_of(*decoded, body);
}

// Returns (bytes of whole frames, bytes to skip behind them or -1 for a line).
nb::tuple cut_syslog(nb::handle stream, std::size_t frame_bytes_max, std::size_t frames_max) {
  const BytesView bytes(stream);
  const zero::SyslogCut cut = zero::cut_syslog({bytes.data(), bytes.size()}, frame_bytes_max, frames_max);
  return nb::make_tuple(cut.complete, cut.skip);
}

std::vector<zero::RowRange> read_ranges(nb::sequence rows) {
  std::vector<zero::RowRange> ranges;
  for (nb::handle row : rows) {
    const auto range = nb::cast<nb::tuple>(row);
    ranges.push_back({nb::cast<std::uint32_t>(range[0]), nb::cast<std::uint32_t>(range[1]), nb::cast<std::uint32_t>(range[2])});
  }
  return ranges;
}

zero::PatternMaker& patterns() {
  static thread_local const auto patterns = std::make_unique<zero::PatternMaker>();
  return *patterns;
}

nb::list pattern_ids(nb::sequence messages) {
  std::deque<BytesView> held;
  for (nb::handle message : messages) held.emplace_back(message);
  std::vector<std::uint64_t> ids;
  {
    nb::gil_scoped_release unlocked;
    for (const BytesView& bytes : held) ids.push_back(patterns().id({bytes.data(), bytes.size()}));
  }
  nb::list out;
  for (const std::uint64_t id : ids) out.append(id);
  return out;
}

// Returns (the number of each line's pattern as uint32, [(id, masked text) of each pattern]).
nb::tuple pattern_lines(nb::handle lines) {
  const BytesView bytes(lines);
  const zero::PatternLines found = [&] {
    nb::gil_scoped_release unlocked;
    return zero::PatternLines({bytes.data(), bytes.size()}, patterns());
  }();
  nb::list out;
  for (std::size_t number = 0; number < found.patterns(); ++number) {
    const std::string_view text = found.text(number);
    out.append(nb::make_tuple(found.id(number), nb::bytes(text.data(), text.size())));
  }
  const std::vector<std::uint32_t>& numbers = found.numbers();
  return nb::make_tuple(nb::bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(std::uint32_t)), out);
}

// Returns (block, rows). Raises ValueError on malformed frames or ranges.
nb::tuple encode_block(nb::sequence frames, nb::object rows) {
  thread_local zero::BlockEncoder encoder;
  std::deque<BytesView> held;
  std::vector<std::string_view> views;
  for (nb::handle frame : frames) {
    const BytesView& bytes = held.emplace_back(frame);
    views.emplace_back(bytes.data(), bytes.size());
  }
  const bool all = rows.is_none();
  const std::vector<zero::RowRange> ranges = all ? std::vector<zero::RowRange>() : read_ranges(nb::cast<nb::sequence>(rows));
  zero::EncodeError error;
  {
    nb::gil_scoped_release unlocked;
    error = all ? encoder.read(views) : encoder.read(views, ranges);
  }
  if (error != zero::EncodeError::none) throw nb::value_error(zero::describe(error));
  const std::size_t count = encoder.rows();
  nb::object block = nb::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(encoder.size())));
  if (!block.is_valid()) throw nb::python_error();
  {
    nb::gil_scoped_release unlocked;
    encoder.write(PyBytes_AS_STRING(block.ptr()));
  }
  return nb::make_tuple(block, count);
}

}  // namespace

NB_MODULE(_core, module) {
  module.def(
      "crc32c",
      [](nb::handle data, std::uint32_t seed) {
        const BytesView bytes(data);
        nb::gil_scoped_release unlocked;
        return zero::crc32c(bytes.data(), bytes.size(), seed);
      },
      nb::arg("data"), nb::arg("seed") = 0);
  module.def("decode_json", &decode_with<zero::decode_json>, nb::arg("body"), nb::arg("now_ns"), nb::arg("source"));
  module.def("decode_log_batch", &decode_with<zero::decode_log_batch>, nb::arg("body"), nb::arg("now_ns"), nb::arg("source"));
  module.def("decode_otlp", &decode_with<zero::decode_otlp>, nb::arg("body"), nb::arg("now_ns"), nb::arg("source"));
  module.def("decode_otlp_json", &decode_with<zero::decode_otlp_json>, nb::arg("body"), nb::arg("now_ns"), nb::arg("source"));
  module.def("decode_loki", &decode_with<zero::decode_loki>, nb::arg("body"), nb::arg("now_ns"), nb::arg("source"));
  module.def("decode_loki_json", &decode_with<zero::decode_loki_json>, nb::arg("body"), nb::arg("now_ns"), nb::arg("source"));
  module.def("decode_bulk", &decode_bulk, nb::arg("body"), nb::arg("now_ns"), nb::arg("source"), nb::arg("index"));
  module.def("bulk_items", &bulk_items, nb::arg("outcomes"), nb::arg("batch_id"), nb::arg("first_index"));
  module.def("decode_syslog", &decode_syslog, nb::arg("body"), nb::arg("now_ns"), nb::arg("source"),
             nb::arg("utc_offset_seconds"));
  module.def("cut_syslog", &cut_syslog, nb::arg("stream"), nb::arg("frame_bytes_max"), nb::arg("frames_max"));
  module.def("encode_block", &encode_block, nb::arg("frames"), nb::arg("rows").none());
  module.def("pattern_ids", &pattern_ids, nb::arg("messages"));
  module.def("pattern_lines", &pattern_lines, nb::arg("lines"));
  module.def(
      "mask",
      [](nb::handle message) {
        const BytesView bytes(message);
        zero::ByteBuffer masked;
        patterns().mask({bytes.data(), bytes.size()}, masked);
        return nb::bytes(masked.data(), masked.size());
      },
      nb::arg("message"));
}
