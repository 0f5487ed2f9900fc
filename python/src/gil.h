#pragma once
#include <Python.h>

namespace gotorch::python {

// Lets other Python threads run while this lives, if `release`. Nothing here may touch Python objects then.
class Unlocked {
 public:
  explicit Unlocked(bool release = true) : state_(release ? PyEval_SaveThread() : nullptr) {}
  ~Unlocked() {
    if (state_) PyEval_RestoreThread(state_);
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_;
};

// Holds the GIL, whether or not this thread had it.
class Locked {
 public:
  Locked() : state_(PyGILState_Ensure()) {}
  ~Locked() { PyGILState_Release(state_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  PyGILState_STATE state_;
};

}  // namespace gotorch::python
