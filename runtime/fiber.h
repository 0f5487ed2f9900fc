#pragma once
// Stacks that can be left and resumed, on any thread; the only part that knows Boost.
//
// Invariants
//  - Before Boost 1.88 fibers are contexts of Boost.Fiber under an algorithm that goes where it is
//    told. Since then Boost.Context keeps the address of a thread's exception record in a register
//    across a switch, so that a fiber that has moved writes to its old thread's record, whose
//    owner may be using it or gone. There the same contexts are switched one level below, by
//    Boost.Context's own jump.
//    Sanitizers always get this second way, as they have to be told of each switch.
//  - `switched_out` runs on the stack that comes next, right after the one left is saved. From
//    then on any thread may resume that one.
//  - `resumable` says whether a fiber is saved: a thread that takes it sets it to false.
#include <atomic>

#include "runtime/sanitizer.h"

namespace gotorch::runtime {

struct Fiber {
  std::atomic<bool> resumable{false};
  void* saved = nullptr;  // the backend's: a context of Boost.Fiber, or a stack pointer
  [[no_unique_address]] StackMark mark;
};

// What a thread needs to switch between fibers.
class FiberThread {
 public:
  using SwitchedOut = void (*)(void* owner, Fiber& from);

  FiberThread(void* owner, SwitchedOut switched_out) : owner_(owner), switched_out_(switched_out) {}

  // Once, by the thread itself: its own stack becomes main().
  void adopt();
  Fiber& main() { return main_; }

  // Leaves `from`, which must be running here, for `to`. Returns when somebody resumes `from`.
  void switch_to(Fiber& from, Fiber& to);

  // Prepares a fiber that will run entry(argument) on the stack from top down to low; it must never return.
  void make(Fiber& fiber, char* low, char* top, void (*entry)(void*), void* argument);
  // Forgets one that is not running: nobody will resume it, and what its stack holds is not destroyed.
  static void forget(Fiber& fiber) { fiber.mark.end(); }

 private:
  friend class BoostAlgorithm;
  friend struct Arrival;
  void* const owner_;
  const SwitchedOut switched_out_;
  Fiber main_;
  void* backend_ = nullptr;
};

}  // namespace gotorch::runtime
