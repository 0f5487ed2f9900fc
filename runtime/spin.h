#pragma once
#include <sched.h>

#include <atomic>

#include "runtime/edges.h"

namespace gotorch::runtime {

inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// One byte, for sections of a few dozen instructions that never park. Contenders spin for a few
// microseconds, then give their processor away: the holder may have been descheduled.
class SpinLock {
 public:
  void lock() {
    // acquire: pairs with the release in unlock, so the previous holder's writes are seen.
    while (locked_.exchange(true, std::memory_order_acquire)) wait();
    at_fine_edge(Edge::Locked);
  }
  bool try_lock() { return !locked_.exchange(true, std::memory_order_acquire); }
  void unlock() { locked_.store(false, std::memory_order_release); }

 private:
  [[gnu::noinline]] void wait() {
    for (int i = 0; locked_.load(std::memory_order_relaxed); i++) {
      if (i < 100) cpu_relax();
      else sched_yield();
    }
  }
  std::atomic<bool> locked_{false};
};

}  // namespace gotorch::runtime
