#pragma once
// Who holds the GIL, and when nobody but the main thread may ask for it any more.
#include <Python.h>

namespace gotorch::python {

// Whether this thread holds the GIL.
bool holds_gil();

// CPython ends a thread that asks for the GIL while the interpreter is being finalized, in the midst of C++ frames. So who asks
// in C++ has one of these meanwhile: from the last exit function on it keeps all threads but the main one here for ever, and
// that function waits for those that ask already.
class AsksForGil {
 public:
  AsksForGil();
  ~AsksForGil();
  AsksForGil(const AsksForGil&) = delete;
};
bool interpreter_ends();

// Lets other Python threads run while this lives, if `release`. Nothing here may touch Python objects then.
class Unlocked {
 public:
  explicit Unlocked(bool release = true) : state_(release ? PyEval_SaveThread() : nullptr) {}
  ~Unlocked() {
    if (!state_) return;
    const AsksForGil asks;
    PyEval_RestoreThread(state_);
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_;
};

// Holds the GIL, whether or not this thread had it.
class Locked {
 public:
  Locked() {
    const AsksForGil asks;
    state_ = PyGILState_Ensure();
  }
  ~Locked() { PyGILState_Release(state_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  PyGILState_STATE state_;
};

// Lets go of a reference, on any thread. On a goroutine's, where Python must not run, the main thread is asked to do it.
void release(PyObject* o) noexcept;

// Makes every wait of a native thread in the runtime give the GIL away, and lets the main thread see signals in it.
void bind_gil(PyObject* module);

}  // namespace gotorch::python
