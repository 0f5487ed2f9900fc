#pragma once
// What the threads of this process do, as the system tells: for finding deadlocks.
#include <cstdint>
#include <optional>

#include "runtime/fn_ref.h"

namespace gotorch::runtime {

// While it lives, the calling thread, one of the runtime's, sleeps with nothing to do: should its time be over it does nothing
// that wakes a goroutine.
class Resting {
 public:
  Resting();
  ~Resting();
  Resting(const Resting&) = delete;
};

// In a forked child, where none of them is.
void forget_resting_after_fork();

// Asks about the process's threads, one after the other. If each of them, except the calling one and those that may_poll
// accepts, waits for another thread of this process without a time limit, or rests, returns a number that is equal at a later call
// only if none of them has run between the two. Empty if one may go on by itself, or the system does not tell.
std::optional<uint64_t> blocked_threads(FnRef<bool(uint32_t thread)> may_poll);

// Signals that the runtime's own handlers catch and that wake nobody but interrupted waits.
void harmless_signal(int signal);

}  // namespace gotorch::runtime
