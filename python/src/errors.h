#pragma once
// The one map between C++ exceptions and Python exceptions.
#include <Python.h>

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace gotorch::python {

// A Python error is set on this thread: unwinds C++ frames up to the one that returns to Python.
struct PythonError : std::exception {
  const char* what() const noexcept override { return "a Python error is set"; }
};

// A strong reference.
class Owned {
 public:
  Owned() = default;
  explicit Owned(PyObject* o) : o_(o) {}
  Owned(Owned&& other) noexcept : o_(std::exchange(other.o_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(o_, other.o_);
    return *this;
  }
  ~Owned() { Py_XDECREF(o_); }
  PyObject* get() const { return o_; }
  PyObject* leak() { return std::exchange(o_, nullptr); }

 private:
  PyObject* o_ = nullptr;
};

// `o`, if it is not null; throws PythonError otherwise.
inline PyObject* expect(PyObject* o) {
  if (!o) throw PythonError();
  return o;
}
inline const char* expect_text(const char* s) {
  if (!s) throw PythonError();
  return s;
}
inline void expect(int status) {
  if (status < 0) throw PythonError();
}

// A Python exception on its way through C++: the cause of a context, or what a channel was closed with. May be dropped on
// any thread; copies share the object.
class CarriedError : public std::exception {
 public:
  explicit CarriedError(PyObject* error);  // borrowed
  PyObject* object() const { return error_.get(); }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::shared_ptr<PyObject> error_;
  std::string text_;
};

// The exception object that set_error() would set; a new reference.
PyObject* error_object(const std::exception_ptr& error);

// gotorch.Cancelled, DeadlineExceeded (one of them), ChanError and ChanClosed (one of them).
struct RuntimeErrors {
  PyObject *cancelled, *deadline_exceeded, *chan_error, *chan_closed;
};
const RuntimeErrors& runtime_errors();

// Sets the Python error for the exception being handled. Call inside a catch block.
void set_error();

// Runs f, which returns PyObject* (null on a Python error); a C++ exception becomes a Python error and null.
template <class F>
PyObject* guarded(F&& f) noexcept {
  try {
    return f();
  } catch (...) {
    set_error();
    return nullptr;
  }
}
// The same for slots that return an integer, -1 on error.
template <class F>
auto guarded_int(F&& f) noexcept -> decltype(f()) {
  try {
    return f();
  } catch (...) {
    set_error();
    return -1;
  }
}

// gotorch.OutOfMemoryError, and the translator for pybind11 functions.
void bind_errors(PyObject* module);

}  // namespace gotorch::python
