#pragma once
#include <sched.h>

#include <atomic>

#include "runtime/edges.h"
#include "runtime/ticks.h"

namespace gotorch::runtime {

inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

#if defined(GOTORCH_MODEL)
inline void note_wait_for_lock(int64_t) {}
#else
void note_wait_for_lock(int64_t ticks);  // to the worker that this thread is
#endif

// One byte, for sections of a few dozen instructions that never park. Contenders look ever more rarely: who holds the lock
// then runs several sections on lines that stay in its cache. In the end they give their processor away, as the holder may
// have been descheduled.
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
  static constexpr int kLongest = 128;  // about three microseconds
  [[gnu::noinline]] void wait() {
    const int64_t since = ticks();
    for (int pauses = 4; locked_.load(std::memory_order_relaxed); pauses *= 2) {
      if (pauses > kLongest) {
        sched_yield();
        pauses = kLongest;
      }
      for (int i = 0; i < pauses; i++) cpu_relax();
    }
    note_wait_for_lock(ticks() - since);
  }
  std::atomic<bool> locked_{false};
};

}  // namespace gotorch::runtime
