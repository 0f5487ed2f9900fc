// What gotorch.utils.data is built of: channels that carry Python objects between native threads, and collating.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "data/collate.h"
#include "grad/mode.h"
#include "python/src/bind.h"
#include "python/src/casters.h"
#include "python/src/gil.h"
#include "python/src/python_call.h"
#include "runtime/chan.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

// A batch from here on is copied without the GIL; below, handing it over would cost more than the copy.
constexpr int64_t kUnlockedBytes = 256 * 1024;

// The GIL is never held across a wait.
class ObjectChannel {
 public:
  explicit ObjectChannel(int64_t capacity) : chan_(capacity) {}

  void send(const py::object& value) {
    std::shared_ptr<PyObject> held = hold(value);
    if (chan_.try_send(held)) return;
    const Unlocked unlocked;
    chan_.send(std::move(held));
  }

  // None: closed and drained. TimeoutError after so many seconds, if they are not 0.
  py::object receive(double timeout) {
    Slot slot;
    ChanResult result = chan_.core()->receive(slot.room(), false);
    if (result == ChanResult::WouldBlock) {
      const int64_t deadline =
          timeout > 0 ? runtime::now_ns() + static_cast<int64_t>(std::min(timeout, 1e9) * 1e9)
                      : runtime::kForever;
      const Unlocked unlocked;
      result = chan_.core()->receive(slot.room(), true, deadline);
    }
    if (result == ChanResult::Closed) return py::none();
    if (result == ChanResult::WouldBlock) {
      PyErr_SetString(PyExc_TimeoutError, "nothing came over the channel in time");
      throw py::error_already_set();
    }
    return py::reinterpret_borrow<py::object>(slot.take().get());
  }

  void close() { chan_.close(); }

 private:
  using ChanResult = runtime::ChanResult;
  using Slot = runtime::ChanSlot<std::shared_ptr<PyObject>>;
  runtime::chan<std::shared_ptr<PyObject>> chan_;
};

// The batch of a list of tensors; None if something else than copying is asked for.
py::object collate_tensors(const py::list& items) {
  std::vector<Tensor> tensors;
  tensors.reserve(items.size());
  for (const py::handle item : items) {
    if (!is_tensor(item.ptr())) return py::none();
    const Tensor& t = unwrap(item.ptr());
    if ((t.requires_grad() && grad_mode().enabled) ||
        (!tensors.empty() && t.dtype() != tensors[0].dtype())) {
      return py::none();
    }
    tensors.push_back(t);
  }
  if (tensors.empty()) return py::none();
  Tensor batch;
  {
    const int64_t bytes = tensors[0].bytes() * static_cast<int64_t>(tensors.size());
    const Unlocked unlocked(bytes >= kUnlockedBytes);
    batch = collate(tensors);
  }
  return py::reinterpret_steal<py::object>(expect(wrap(std::move(batch))));
}

}  // namespace

void bind_data(py::module_& m) {
  py::class_<ObjectChannel>(m, "_Channel")
      .def(py::init<int64_t>(), py::arg("capacity"))
      .def("send", &ObjectChannel::send)
      .def("receive", &ObjectChannel::receive, py::arg("timeout") = 0.0)
      .def("close", &ObjectChannel::close);
  m.def("_collate_tensors", &collate_tensors);
}

}  // namespace gotorch::python
