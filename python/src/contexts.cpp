#include "python/src/contexts.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "python/src/bind.h"
#include "python/src/channel.h"
#include "runtime/scope.h"
#include "runtime/timer.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

PyObject* current = nullptr;  // the ContextVar

// What cancelled it, as Python sees it; null for no more than cancel() itself.
PyObject* cause_object(const runtime::context& c) {
  const std::exception_ptr cause = c.cause();
  if (!cause) return nullptr;
  PyObject* error = error_object(cause);
  if (Py_TYPE(error) != reinterpret_cast<PyTypeObject*>(runtime_errors().cancelled)) return error;
  Py_DECREF(error);
  return nullptr;
}

// What err() returns, new: Cancelled, or DeadlineExceeded; its __cause__ is the cause.
py::object error_of(const runtime::context& c) {
  PyObject* cause = cause_object(c);
  if (cause && PyErr_GivenExceptionMatches(cause, runtime_errors().deadline_exceeded)) {
    return py::reinterpret_steal<py::object>(cause);
  }
  py::object error =
      py::reinterpret_borrow<py::object>(runtime_errors().cancelled)("the context is cancelled");
  if (cause) PyException_SetCause(error.ptr(), cause);
  return error;
}

ContextObject make(const ContextObject* parent, bool child, const py::object& seconds) {
  const runtime::context from = parent ? parent->c : runtime::context();
  if (!child) return {from};
  const int64_t ns = nanoseconds(seconds, "context");
  return {ns == runtime::kForever ? from.child() : from.with_timeout(std::chrono::nanoseconds(ns))};
}

void cancel(const ContextObject& self, const py::object& cause) {
  if (cause.is_none()) return self.c.cancel();
  if (!PyExceptionInstance_Check(cause.ptr())) {
    throw py::type_error(std::string("cancel: the cause must be an exception, got ") +
                         Py_TYPE(cause.ptr())->tp_name);
  }
  self.c.cancel(std::make_exception_ptr(CarriedError(cause.ptr())));
}

}  // namespace

runtime::context current_context() {
  PyObject* value = nullptr;
  expect(PyContextVar_Get(current, nullptr, &value));
  if (!value) return {};
  const auto held = py::reinterpret_steal<py::object>(value);
  return held.is_none() ? runtime::context() : py::cast<const ContextObject&>(held).c;
}

void raise_cancelled(const runtime::context& c) {
  const py::object error =
      c.cancelled() ? error_of(c)
                    : py::reinterpret_borrow<py::object>(runtime_errors().cancelled)("cancelled");
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  throw PythonError();
}

int64_t nanoseconds(const py::object& timeout, const char* op) {
  if (timeout.is_none()) return runtime::kForever;
  const double seconds = PyFloat_AsDouble(timeout.ptr());
  if (seconds == -1 && PyErr_Occurred()) throw PythonError();
  if (!(seconds >= 0)) {
    throw py::value_error(std::string(op) + ": the time must be a number of seconds >= 0, got " +
                          py::cast<std::string>(py::str(timeout)));
  }
  constexpr double kCentury = 3.2e9;
  return seconds > kCentury ? runtime::kForever : static_cast<int64_t>(std::ceil(seconds * 1e9));
}

int64_t deadline_after(const py::object& timeout, const char* op) {
  const int64_t ns = nanoseconds(timeout, op);
  return ns == runtime::kForever ? ns : runtime::now_ns() + ns;
}

void bind_contexts(py::module_& m) {
  current = expect(PyContextVar_New("gotorch.context", nullptr));
  m.attr("_current_context") = py::reinterpret_borrow<py::object>(current);
  py::class_<ContextObject>(m, "_Context")
      .def(py::init(&make), py::arg("parent"), py::arg("child") = true,
           py::arg("timeout") = py::none())
      .def("_cancel", &cancel, py::arg("cause") = py::none())
      .def(
          "cancelled", [](const ContextObject& self) { return self.c.cancelled(); },
          "Whether it is cancelled, or its deadline has passed.")
      .def(
          "err",
          [](const ContextObject& self) -> py::object {
            return self.c.cancelled() ? error_of(self.c) : py::none();
          },
          "None; once cancelled, a Cancelled, or a DeadlineExceeded.")
      .def(
          "cause",
          [](const ContextObject& self) -> py::object {
            if (!self.c.cancelled()) return py::none();
            PyObject* cause = cause_object(self.c);
            return cause ? py::reinterpret_steal<py::object>(cause) : error_of(self.c);
          },
          "What it, or the context above that was cancelled first, was cancelled with; without "
          "such, err().")
      .def(
          "done", [](const ContextObject& self) { return receiver_of(self.c.done()); },
          "A channel that is closed when the context is cancelled; nil for the background.")
      .def(
          "deadline",
          [](const ContextObject& self) -> py::object {
            const int64_t ns = self.c.deadline_ns();
            if (ns == runtime::kForever) return py::none();
            return py::float_(static_cast<double>(ns) * 1e-9);
          },
          "By time.monotonic(), in seconds; None if there is none.");
  bind_times(m);
}

namespace {

// Sends a tick every `period`, unless the last one was not received yet, until the context is cancelled.
void tick(const runtime::ChanRef& c, int64_t period, const runtime::context& until) {
  runtime::start(runtime::system_scope().make_goroutine([c, period, stop = until.done()] {
    std::optional<runtime::unit> none;
    for (int64_t next = runtime::now_ns() + period;; next += period) {
      const std::chrono::nanoseconds left(next - runtime::now_ns());
      if (stop.try_receive_for(none, left) == runtime::ChanResult::Closed) return;
      runtime::unit cell;
      c->send(&cell, false);
      next += (runtime::now_ns() - next) / period * period;  // ticks that were missed are left out
    }
  }));
}

}  // namespace

void bind_times(py::module_& m) {
  m.def(
      "after",
      [](const py::object& seconds) {
        const int64_t ns = nanoseconds(seconds, "after");
        return ns == runtime::kForever ? receiver_of(Channel())
                                       : receiver_of(runtime::after(std::chrono::nanoseconds(ns)));
      },
      py::arg("seconds"),
      "A channel, to receive from, that gets one value, None, when so many seconds have passed.");
  m.def("_signals", [] { return receiver_of(runtime::chan<runtime::unit>(1)); });
  m.def("_ticks", [](const py::object& c, const py::object& seconds, const ContextObject& until) {
    const int64_t period = nanoseconds(seconds, "ticker");
    if (period == 0 || period == runtime::kForever) {
      throw py::value_error("ticker: the period must be more than 0 and finite, got " +
                            py::cast<std::string>(py::str(seconds)));
    }
    tick(channel_of(c, false, "ticker").core(), period, until.c);
  });
  m.def(
      "sleep",
      [](const py::object& seconds) {
        const int64_t deadline = deadline_after(seconds, "sleep");
        cancellably([&] {
          using runtime::park;
          runtime::throw_if_stopped(
              park(runtime::self(), {.what = "sleep", .object = nullptr, .deadline_ns = deadline}));
        });
      },
      py::arg("seconds"),
      "Waits for so many seconds, without the GIL. Cancelled, DeadlineExceeded: the context ended "
      "it.");
}

}  // namespace gotorch::python
