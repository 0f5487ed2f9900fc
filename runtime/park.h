#pragma once
// How goroutines and native threads wait, and how they are woken: everything that blocks is built
// on these few calls.
//
//   lock; if it can go on: unlock, done
//   put a waiter that names self() in a list; park(me, {.unlock = ..}); look at the reason
//   the waker: lock; take a waiter out of the list; if (claim(g)) { leave the result; unlock; ready(g) }
#include <cstdint>
#include <stdexcept>

#include "runtime/futex.h"
#include "runtime/goroutine.h"

namespace gotorch::runtime {

// Thrown out of a wait when the goroutine's context is cancelled.
struct Cancelled : std::runtime_error {
  Cancelled() : std::runtime_error("cancelled") {}
};

struct ParkSpec {
  const char* what;    // for reports: "channel send"
  const void* object;  // likewise
  // Called with `argument` once the goroutine may be claimed: releases what kept wakers away. False: do not wait after all.
  bool (*unlock)(void*) = nullptr;
  void* argument = nullptr;
  int64_t deadline_ns = kForever;
  bool cancellable = true;    // by the context
  bool interruptible = true;  // by the interrupt check; native threads only
};

// The goroutine that runs here; null on a native thread of the program's.
Goroutine* current_goroutine();

// The goroutine that runs here, or what stands for this native thread. std::logic_error inside a
// loop body, where nobody may wait.
Goroutine& self();

// Waits until somebody claims `me`. Anything but Signal means that no waker has served it and it
// still is in the lists it was put in.
WakeReason park(Goroutine& me, const ParkSpec& spec);

// Shows a goroutine as waiting where nobody has to wake it: it goes on when what runs on top of it on its stack has ended.
class WaitWithoutWaker {
 public:
  WaitWithoutWaker(Goroutine& me, const char* what, const void* object);
  ~WaitWithoutWaker();
  WaitWithoutWaker(const WaitWithoutWaker&) = delete;

 private:
  Goroutine& me_;
};

// Throws what Cancelled and Interrupted stand for. Interrupted may stand for a Deadlock.
void throw_if_stopped(WakeReason reason);

// The right to wake g. False: somebody else has it.
bool claim(Goroutine& g, WakeReason reason = WakeReason::Signal);

// Makes a claimed goroutine go on, or a new one start.
void ready(Goroutine* g);
// All of a list.
void ready_all(Goroutine* first);

// ParkSpec::unlock for a spin lock, which is the argument.
bool unlock_spin(void* lock);

// Lets other goroutines run; if none waits to run here it costs a few loads. For those that compute on. On a native thread,
// lets other threads run.
void yield();
// The same, but nothing on a native thread.
void yield_to_company();

Goroutine* new_goroutine();
void free_goroutine(Goroutine* g);

}  // namespace gotorch::runtime
