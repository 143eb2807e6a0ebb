// The only file that knows Python. Every function takes whole batches and releases the interpreter lock.
#include <nanobind/nanobind.h>

#include "zero/crc32c.hpp"

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

}  // namespace

NB_MODULE(_core, module) {
  module.def(
      "crc32c",
      [](nb::handle data) {
        const BytesView bytes(data);
        nb::gil_scoped_release unlocked;
        return zero::crc32c(bytes.data(), bytes.size());
      },
      nb::arg("data"));
}
