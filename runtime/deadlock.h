#pragma once
// Finding goroutines that can never go on. It costs nothing while anything runs.
//
// All wait: when every goroutine waits, no timer is armed, and every thread of the process sleeps until another one wakes it,
// native threads that wait in the runtime among them, then nothing can ever happen. That is reported, and one of those native
// threads gets the report as a Deadlock, thrown out of its wait: join() first cancels its scope. A signal handler
// might still wake somebody, so in a program that catches signals (others than by interrupt_on() and dump_on()) this is not decided.
//
// Some wait: while others run, a goroutine that waits on a nil channel, or selects among none, outside any scope, can never be
// woken. It is reported with those that wait for it to end. A channel that somebody refers to may yet be used,
// so waiting on one is never reported while anything runs.
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "runtime/goroutine.h"

namespace gotorch::runtime {

struct Deadlock : std::logic_error {
  using std::logic_error::logic_error;
};

// Gets each report, on some thread of the runtime or the one that waits; must not wait. Without one, reports go to stderr.
//   set_deadlock_handler([](const std::string& report) { log(report); });
using DeadlockHandler = void (*)(const std::string& report);
DeadlockHandler set_deadlock_handler(
    DeadlockHandler handler);  // returns the one before; null: the default

// For park(): what a native thread that waits asks about every 50 ms.
class DeadlockWatch {
 public:
  explicit DeadlockWatch(Goroutine& me) : me_(me) {}
  bool sees_deadlock();
  // Reports it. True: the caller shall give up its wait. Where it may not, join() waiting for what it has cancelled, goroutines
  // are woken with the error in its place.
  bool resolve(bool caller_may_give_up);

 private:
  Goroutine& me_;
  std::optional<uint64_t> before_;
  int patience_ = 1, skipped_ = 0;
};

// What is left in Goroutine::fired by who ends a wait because of a deadlock.
void* deadlock_mark();
[[noreturn]] void throw_deadlock();

// This goroutine is about to wait for what never comes; see above.
void watch_endless_wait(Goroutine& me);
// What such a wait is on, for reports.
const void* endless();

}  // namespace gotorch::runtime
