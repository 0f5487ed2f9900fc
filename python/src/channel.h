#pragma once
// Channels of any element as Python sees them. All of this needs the GIL, but for what cells do when they move or end.
#include <pybind11/pybind11.h>

#include "python/src/gil.h"
#include "runtime/chan.h"
#include "runtime/clock.h"

namespace gotorch::python {

// A Python object on its way through a channel. Moves, and may end, on any thread.
class Value {
 public:
  explicit Value(PyObject* borrowed) : o_(borrowed) { Py_INCREF(o_); }
  Value(Value&& other) noexcept : o_(std::exchange(other.o_, nullptr)) {}
  Value& operator=(Value&&) = delete;
  ~Value() { release(o_); }
  PyObject* get() const { return o_; }
  PyObject* leak() { return std::exchange(o_, nullptr); }

 private:
  PyObject* o_;
};

// Room for the value of any channel.
struct Cell {
  alignas(8) std::byte bytes[8];
};

// How elements of one type become Python objects and back.
struct Element {
  PyObject* (*take)(void* cell);             // a new reference; ends the cell
  void (*put)(void* cell, PyObject* value);  // begins the cell; null: values come from C++ only
  void (*end)(void* cell);
};
template <class T>
const Element& element_of();
template <>
const Element& element_of<Value>();
template <>
const Element& element_of<runtime::unit>();
template <>
const Element& element_of<runtime::runtime_clock::time_point>();

// What the Python types chan, Sender and Receiver share.
class Channel {
 public:
  Channel() = default;  // nil
  template <class T>
  explicit Channel(const runtime::chan<T>& c) : core_(c.shared_core()), element_(&element_of<T>()) {
    static_assert(sizeof(typename runtime::ChanCell<T>::Type) <= sizeof(Cell));
  }

  bool send(const pybind11::object& value, bool wait, int64_t deadline_ns) const;
  // Done: in `value`. Raises what the channel was closed with.
  runtime::ChanResult receive(pybind11::object& value, bool wait, int64_t deadline_ns) const;
  void close(const pybind11::object& error) const;

  const runtime::ChanRef& core() const { return core_; }
  const Element& element() const { return *element_; }
  // TypeError for channels that only C++ sends to.
  void check_sends() const;

  // Of a garbage collector's pass.
  int traverse(visitproc visit, void* arg) const;
  void drain() const;

 private:
  runtime::ChanRef core_;
  const Element* element_ = &element_of<Value>();
};

// The two ends of a channel, each with the object that owns it.
struct ChanEnd {
  pybind11::object of;
  const Channel& channel() const;
};
struct SendEnd : ChanEnd {};
struct ReceiveEnd : ChanEnd {};

// The channel of a chan, a Sender (if `sends`), a Receiver (if not) or None, which is nil. TypeError for others.
const Channel& channel_of(const pybind11::object& o, bool sends, const char* op);

pybind11::object receiver_of(const Channel& c);
template <class T>
pybind11::object receiver_of(const runtime::chan<T>& c) {
  return receiver_of(Channel(c));
}

}  // namespace gotorch::python
