#pragma once
#include <stdexcept>

namespace gotorch::runtime {

// Longest time a native thread sleeps before it polls the interrupt check.
inline constexpr long kInterruptSliceNs = 50'000'000;

// Thrown out of a wait by the native thread whose interrupt check returned true.
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

// While a native thread waits in the runtime, `check` is called on it about every 50 ms (Python:
// take the GIL, PyErr_CheckSignals). True ends the wait with Interrupted. Null removes it.
void set_interrupt_check(bool (*check)());

// Polls now, on this thread.
bool interrupt_requested();

}  // namespace gotorch::runtime
