#pragma once
#include <stdexcept>

namespace gotorch::runtime {

// How often a native thread that waits polls the interrupt check.
inline constexpr long kInterruptSliceNs = 50'000'000;

// Thrown out of a wait by the native thread whose interrupt check returned true.
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

// While a native thread waits in the runtime, `check` is called on it about every 50 ms (Python:
// take the GIL, PyErr_CheckSignals). True ends the wait with Interrupted. Null removes it. A thread on which `applies`
// returns false (null: none) is never asked, and sleeps through.
void set_interrupt_check(bool (*check)(), bool (*applies)() = nullptr);

// Makes a signal such as SIGINT, Ctrl-C, interrupt the first native thread that waits, in place of an
// interrupt check. The second one has its usual effect, so a program that does not wait can be ended.
void interrupt_on(int signal);

// Polls now, on this thread.
bool interrupt_requested();
// Whether polling this thread is of any use.
bool interrupt_applies();

// What a native thread does around each of its waits: gives back what others need meanwhile (Python: the GIL). `begin` runs
// when the waiter can be seen by wakers, so what it gives back still ordered the steps up to there; `end` gets its result.
struct WaitHooks {
  void* (*begin)();
  void (*end)(void* begun);
};
// They must live as long as the process. Null removes them.
void set_wait_hooks(const WaitHooks* hooks);

class AroundWait {
 public:
  AroundWait();
  ~AroundWait();
  AroundWait(const AroundWait&) = delete;

 private:
  const WaitHooks* const hooks_;
  void* begun_ = nullptr;
};

}  // namespace gotorch::runtime
