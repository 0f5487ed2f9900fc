// The Python types chan, Sender and Receiver.
//
// Invariants
//  - One Python object, the chan, owns the channel; its ends refer to that object. A garbage collector's pass visits the values
//    in the buffer if nobody in C++ shares the channel: then they only move under the GIL, see gil.cpp, and stay put for a pass.
#include "python/src/channel.h"

#include <new>
#include <string>

#include "python/src/bind.h"
#include "python/src/contexts.h"
#include "python/src/errors.h"

namespace gotorch::python {

namespace py = pybind11;
using runtime::ChanResult;

template <>
const Element& element_of<Value>() {
  static const Element element{[](void* cell) {
                                 auto* value = static_cast<Value*>(cell);
                                 PyObject* o = value->leak();
                                 value->~Value();
                                 return o;
                               },
                               [](void* cell, PyObject* o) { new (cell) Value(o); },
                               [](void* cell) { static_cast<Value*>(cell)->~Value(); }};
  return element;
}

// Values that only say that something has happened; C++ alone sends them.
static const Element signal{[](void*) {
                              Py_INCREF(Py_None);
                              return Py_None;
                            },
                            nullptr, [](void*) {}};
template <>
const Element& element_of<runtime::unit>() {
  return signal;
}
template <>
const Element& element_of<runtime::runtime_clock::time_point>() {
  return signal;
}

namespace {

struct CellOwner {
  const Element& element;
  Cell cell;
  CellOwner(const Element& e, PyObject* value) : element(e) { e.put(&cell, value); }
  ~CellOwner() { element.end(&cell); }
};

[[noreturn]] void raise(PyObject* type, const char* text) {
  PyErr_SetString(type, text);
  throw PythonError();
}

}  // namespace

void Channel::check_sends() const {
  if (!element_->put)
    raise(PyExc_TypeError, "send: this channel only signals, nothing can be sent to it");
}

bool Channel::send(const py::object& value, bool wait, int64_t deadline_ns) const {
  check_sends();
  if (!core_) {
    cancellably([&] { runtime::wait_on_nil("send on a nil channel", wait, deadline_ns); });
    return false;
  }
  CellOwner owner(*element_, value.ptr());
  ChanResult result = core_->send(&owner.cell, false);
  if (result == ChanResult::WouldBlock && wait) {
    result = cancellably([&] { return core_->send(&owner.cell, true, deadline_ns); });
  }
  return result == ChanResult::Done;
}

ChanResult Channel::receive(py::object& value, bool wait, int64_t deadline_ns) const {
  if (!core_) {
    cancellably([&] { runtime::wait_on_nil("receive on a nil channel", wait, deadline_ns); });
    return ChanResult::WouldBlock;
  }
  Cell cell;
  ChanResult result = core_->receive(&cell, false);
  if (result == ChanResult::WouldBlock && wait) {
    result = cancellably([&] { return core_->receive(&cell, true, deadline_ns); });
  }
  if (result == ChanResult::Done) value = py::reinterpret_steal<py::object>(element_->take(&cell));
  return result;
}

void Channel::close(const py::object& error) const {
  check_sends();
  if (!core_) raise(runtime_errors().chan_error, "close: of a nil channel");
  if (error.is_none()) return core_->close();
  if (!PyExceptionInstance_Check(error.ptr())) {
    throw py::type_error(std::string("close: the error must be an exception, got ") +
                         Py_TYPE(error.ptr())->tp_name);
  }
  core_->close(std::make_exception_ptr(CarriedError(error.ptr())));
}

int Channel::traverse(visitproc visit, void* arg) const {
  if (!core_ || element_ != &element_of<Value>() || core_->references() > 1) return 0;
  int status = 0;
  core_->visit([&](void* cell) {
    if (!status) status = visit(static_cast<Value*>(cell)->get(), arg);
  });
  return status;
}

void Channel::drain() const {
  Cell cell;
  while (core_ && core_->receive(&cell, false) == ChanResult::Done) element_->end(&cell);
}

const Channel& ChanEnd::channel() const { return py::cast<const Channel&>(of); }

namespace {

const Channel& channel_in(const Channel& c) { return c; }
const Channel& channel_in(const ChanEnd& end) { return end.channel(); }

template <class C>
void bind_sending(C& cls) {
  using T = typename C::type;
  cls.def(
         "send",
         [](const T& self, const py::object& value, const py::object& timeout) {
           if (channel_in(self).send(value, true, deadline_after(timeout, "send"))) return;
           raise(PyExc_TimeoutError, "send: nobody has received in time");
         },
         py::arg("value"), py::arg("timeout") = py::none(),
         "Waits until the value has a place in the buffer, or without one a receiver.\n\n"
         "TimeoutError: not within `timeout` seconds; ChanError: the channel is closed; Cancelled. "
         "Then it was not sent.")
      .def(
          "try_send",
          [](const T& self, const py::object& value) {
            return channel_in(self).send(value, false, 0);
          },
          py::arg("value"), "Sends if that needs no waiting; whether it did. ChanError: closed.")
      .def(
          "close", [](const T& self, const py::object& error) { channel_in(self).close(error); },
          py::arg("error") = py::none(),
          "No more values will be sent. Receivers get those that are in the buffer, then "
          "ChanClosed, or the exception `error`.\n\n"
          "ChanError: closed already.");
}

[[noreturn]] void raise_closed() {
  raise(runtime_errors().chan_closed, "recv: the channel is closed");
}

// False: closed and drained.
bool receive_in_time(const Channel& c, const py::object& timeout, py::object& value) {
  const ChanResult result = c.receive(value, true, deadline_after(timeout, "recv"));
  if (result == ChanResult::WouldBlock) {
    raise(PyExc_TimeoutError, "recv: nothing came over the channel in time");
  }
  return result == ChanResult::Done;
}

template <class C>
void bind_receiving(C& cls) {
  using T = typename C::type;
  cls.def(
         "recv",
         [](const T& self, const py::object& timeout) {
           py::object value;
           if (!receive_in_time(channel_in(self), timeout, value)) raise_closed();
           return value;
         },
         py::arg("timeout") = py::none(),
         "The next value; waits for one.\n\nChanClosed: closed and drained, or the exception it "
         "was closed with; TimeoutError: "
         "nothing came within `timeout` seconds; Cancelled.")
      .def(
          "recv_ok",
          [](const T& self, const py::object& timeout) {
            py::object value = py::none();
            const bool ok = receive_in_time(channel_in(self), timeout, value);
            return py::make_tuple(value, ok);
          },
          py::arg("timeout") = py::none(),
          "(value, True); (None, False) once closed and drained. Else as recv.")
      .def(
          "try_recv",
          [](const T& self) {
            py::object value = py::none();
            const ChanResult result = channel_in(self).receive(value, false, 0);
            if (result == ChanResult::Closed) raise_closed();
            return py::make_tuple(value, result == ChanResult::Done);
          },
          "(value, True), or (None, False) if there is none now. ChanClosed as recv.")
      .def("__iter__", [](const py::object& self) { return self; })
      .def("__next__", [](const T& self) {
        py::object value;
        if (!receive_in_time(channel_in(self), py::none(), value)) throw py::stop_iteration();
        return value;
      });
}

template <class C>
void bind_both(C& cls) {
  using T = typename C::type;
  const auto size = [](const T& self) {
    const auto& core = channel_in(self).core();
    return core ? core->size() : 0;
  };
  const auto capacity = [](const T& self) {
    const auto& core = channel_in(self).core();
    return core ? core->capacity() : 0;
  };
  cls.def("__len__", size)
      .def_property_readonly("capacity", capacity,
                             "How many values it holds that nobody has received.")
      .def("__bool__", [](const T& self) { return static_cast<bool>(channel_in(self).core()); })
      .def("__repr__", [size, capacity](const T& self) {
        const std::string name = std::is_same_v<T, Channel>   ? "chan"
                                 : std::is_same_v<T, SendEnd> ? "Sender"
                                                              : "Receiver";
        if (!channel_in(self).core()) return "<gotorch." + name + " nil>";
        return "<gotorch." + name + " " + std::to_string(size(self)) + " of " +
               std::to_string(capacity(self)) + ">";
      });
  cls.attr("__module__") = "gotorch";
}

const Channel* if_alive(PyObject* self) {
  return py::detail::is_holder_constructed(self) ? &py::cast<const Channel&>(py::handle(self))
                                                 : nullptr;
}

void collectable(PyHeapTypeObject* heap) {
  PyTypeObject* type = &heap->ht_type;
  type->tp_flags |= Py_TPFLAGS_HAVE_GC;
  type->tp_traverse = [](PyObject* self, visitproc visit, void* arg) {
#if PY_VERSION_HEX >= 0x03090000
    Py_VISIT(Py_TYPE(self));
#endif
    const Channel* c = if_alive(self);
    return c ? c->traverse(visit, arg) : 0;
  };
  type->tp_clear = [](PyObject* self) {
    return guarded_int([&] {
      if (const Channel* c = if_alive(self)) c->drain();
      return 0;
    });
  };
}

template <class End>
void collectable_end(PyHeapTypeObject* heap) {
  PyTypeObject* type = &heap->ht_type;
  type->tp_flags |= Py_TPFLAGS_HAVE_GC;
  type->tp_traverse = [](PyObject* self, visitproc visit, void* arg) {
#if PY_VERSION_HEX >= 0x03090000
    Py_VISIT(Py_TYPE(self));
#endif
    if (!py::detail::is_holder_constructed(self)) return 0;
    Py_VISIT(py::cast<const End&>(py::handle(self)).of.ptr());
    return 0;
  };
  type->tp_clear = [](PyObject*) { return 0; };  // the chan gives up its values
}

Channel make(int64_t capacity) {
  if (capacity < 0) {
    throw py::value_error("chan: the capacity must be 0 or more, got " + std::to_string(capacity));
  }
  if (capacity > int64_t{1} << 36) throw std::length_error("chan");
  return Channel(runtime::chan<Value>(capacity));
}

}  // namespace

const Channel& channel_of(const py::object& o, bool sends, const char* op) {
  static const Channel nil;
  if (o.is_none()) return nil;
  if (py::isinstance<Channel>(o)) return py::cast<const Channel&>(o);
  if (sends && py::isinstance<SendEnd>(o)) return py::cast<const SendEnd&>(o).channel();
  if (!sends && py::isinstance<ReceiveEnd>(o)) return py::cast<const ReceiveEnd&>(o).channel();
  throw py::type_error(std::string(op) + ": expected a chan, a " + (sends ? "Sender" : "Receiver") +
                       " or None, got " + Py_TYPE(o.ptr())->tp_name);
}

py::object receiver_of(const Channel& c) { return py::cast(ReceiveEnd{{py::cast(c)}}); }

void bind_channels(py::module_& m) {
  py::class_<ChanEnd>(m, "_ChanEnd");
  py::class_<SendEnd, ChanEnd> sender(m, "Sender", "The end of a channel that only sends.",
                                      py::custom_type_setup(collectable_end<SendEnd>));
  py::class_<ReceiveEnd, ChanEnd> receiver(m, "Receiver",
                                           "The end of a channel that only receives.",
                                           py::custom_type_setup(collectable_end<ReceiveEnd>));
  py::class_<Channel> chan(
      m, "chan",
      "A Go channel for Python objects, between threads, goroutines and asyncio tasks.\n\n"
      "It holds up to `capacity` values nobody has received; with 0, a sender waits for its "
      "receiver. Values arrive in the\n"
      "order in which they were sent, and are not copied. No wait holds the GIL. `for value in c` "
      "receives until the channel\n"
      "is closed and drained. ValueError: a negative capacity; OutOfMemoryError: one that memory "
      "cannot hold.",
      py::custom_type_setup(collectable));
  chan.def(py::init(&make), py::arg("capacity") = 0);
  chan.def_static(
      "nil", [] { return Channel(); }, "The nil channel: sends and receives wait for ever.");
  chan.def(
      "sender", [](const py::object& self) { return SendEnd{{self}}; },
      "The end that only sends: for a function that must not receive.");
  chan.def(
      "receiver", [](const py::object& self) { return ReceiveEnd{{self}}; },
      "The end that only receives: for a function that must not send or close.");
  bind_sending(chan);
  bind_sending(sender);
  bind_receiving(chan);
  bind_receiving(receiver);
  bind_both(chan);
  bind_both(sender);
  bind_both(receiver);
}

}  // namespace gotorch::python
