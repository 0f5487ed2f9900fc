#pragma once
// The few things asked of the operating system: sleeping on a word, waking its sleepers, the time.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>

#include "runtime/edges.h"

namespace gotorch::runtime {

inline int64_t real_now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * int64_t{1000000000} + t.tv_nsec;
}

// How many simulations there are (simulate.h). Their threads have a time of their own.
inline std::atomic<int> virtual_clocks{0};
int64_t virtual_now_ns();  // this thread's, whatever it is

// Nanoseconds since some fixed point; never goes back.
inline int64_t now_ns() {
  // relaxed: the thread of a simulation was started after the count went up.
  return virtual_clocks.load(std::memory_order_relaxed) ? virtual_now_ns() : real_now_ns();
}

inline constexpr int64_t kForever = INT64_MAX;

// When `timeout` from now has passed. The largest timeouts are for ever.
inline int64_t deadline_after(std::chrono::nanoseconds timeout) {
  const int64_t now = now_ns();
  return timeout.count() >= kForever - now ? kForever : now + timeout.count();
}

// Sleeps while word == expected, for at most timeout_ns. Returns early for no reason at times, so
// callers loop. The word must stay mapped for as long as anybody might wake it.
inline void futex_wait(std::atomic<uint32_t>& word, uint32_t expected, int64_t timeout_ns) {
  if (at_edge(Edge::Sleeping)) return;
  timespec t{timeout_ns / 1000000000, timeout_ns % 1000000000};
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, timeout_ns == kForever ? nullptr : &t,
          nullptr, 0);
}

inline void futex_wake(std::atomic<uint32_t>& word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

}  // namespace gotorch::runtime
