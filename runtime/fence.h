#pragma once
// A pair of fences for two threads of which each writes, then reads what the other writes, so that at least one of them
// sees the other's write: light_fence() on the side that runs all the time, heavy_fence() on the rare one.
//
// Invariants
//  - heavy_fence() makes every running thread of the process pass a full fence (membarrier), so the light side only has to
//    keep the compiler from reordering. Where the system has no membarrier both are full fences.
//  - Two light fences do not order each other.
#include <atomic>

namespace gotorch::runtime {

extern const bool kHasMembarrier;  // false until initialised: then light fences are full ones

inline void light_fence() {
  if (kHasMembarrier) std::atomic_signal_fence(std::memory_order_seq_cst);
  else std::atomic_thread_fence(std::memory_order_seq_cst);
}

void heavy_fence();

}  // namespace gotorch::runtime
