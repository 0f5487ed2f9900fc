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
// take the GIL, PyErr_CheckSignals). True ends the wait with Interrupted. Null removes it.
void set_interrupt_check(bool (*check)());

// Makes a signal such as SIGINT, Ctrl-C, interrupt the first native thread that waits, in place of an
// interrupt check. The second one has its usual effect, so a program that does not wait can be ended.
void interrupt_on(int signal);

// Polls now, on this thread.
bool interrupt_requested();

}  // namespace gotorch::runtime
