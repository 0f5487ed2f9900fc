#pragma once
#include <cstdint>

namespace gotorch::runtime {

// Makes what is rare common while it exists: at each place where goroutines and workers meet, with this probability, a
// thread is delayed, a goroutine lets others run or moves to another worker when woken, a sleeper wakes for no reason, a thief
// takes what it should leave. For tests: whatever is correct stays correct. If there are several, the newest counts.
// std::invalid_argument unless 0 <= probability <= 1. GOTORCH_CHAOS=seed:probability in the environment has the same
// effect on a whole program.
//
//   chaos trouble(7, 0.05);
//   run([] { serve(); });
class chaos {
 public:
  chaos(uint64_t seed, double probability);
  ~chaos();
  chaos(const chaos&) = delete;

 private:
  uint64_t seed_before_;
  uint32_t threshold_before_;
};

// For the start of the runtime: what the environment asks for.
void chaos_from_environment();

}  // namespace gotorch::runtime
