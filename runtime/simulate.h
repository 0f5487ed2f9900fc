#pragma once
#include <cstdint>
#include <source_location>
#include <stdexcept>

#include "runtime/fn_ref.h"

namespace gotorch::runtime {

// Nothing can run, no timer is armed, and goroutines wait. Names each of them.
struct Deadlock : std::logic_error {
  using std::logic_error::logic_error;
};

struct SimulateOptions {
  // std::runtime_error, naming what still runs, if f takes more turns than this.
  int64_t max_turns = 10'000'000;
};

struct Simulated {
  uint64_t trace = 0;      // a hash of who ran when: equal for equal seeds
  int64_t turns = 0;       // how often a goroutine was given the thread
  int64_t elapsed_ns = 0;  // virtual time
};

// Runs f and all goroutines that it starts, as one possible schedule that the seed stands for: the same each time. One thread
// runs everything; time is virtual and passes when nobody can run, so sleeping costs nothing; the seed decides who is next, where a
// goroutine is interrupted by others, and select's order. Half of the seeds choose uniformly, half by priorities
// that change now and then, which finds other faults. Loops of parallel_for run on the same thread.
// Rethrows what leaves f or is not caught in a goroutine. Deadlock if all wait for ever: then their waits end with
// Cancelled; a goroutine that waits on is abandoned. What other threads do is not part of it: f must not use any,
// nor hold a native lock over an operation of a channel.
//
//   for (uint64_t seed = 0; seed < 1000; seed++) simulate(seed, [] { transfer_money(); });
Simulated simulate(uint64_t seed, FnRef<void()> f, const SimulateOptions& options = {},
                   std::source_location site = std::source_location::current());

class Simulation;
// The one that runs this thread, or null.
Simulation* this_simulation();

}  // namespace gotorch::runtime
