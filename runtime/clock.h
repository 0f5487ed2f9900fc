#pragma once
// Invariants
//  - Everything that sleeps, times out or has a deadline asks now_ns(), which a fake clock may replace.
//  - Time of a fake clock goes on by itself only by a worker that finds all workers asleep, itself included, and takes
//    its seat off their list: so nothing can run, and no other worker moves the time as well.
#include <atomic>
#include <chrono>
#include <cstdint>

#include "runtime/futex.h"

namespace gotorch::runtime {

// The runtime's time as a clock of C++.
struct runtime_clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<runtime_clock>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept { return time_point(duration(now_ns())); }
};

inline std::atomic<bool> fake_clock_exists{false};
int64_t fake_or_real_now_ns();

// How long a thread may sleep that waits for this time: for ever, if it will be told.
inline int64_t nap_until(int64_t when_ns) {
  if (when_ns == kForever) return kForever;
  const int64_t left = when_ns - now_ns();
  if (left <= 0) return 0;
  return fake_clock_exists.load(std::memory_order_relaxed) ? kForever : left;
}

// Replaces the time of the whole runtime while it exists, for tests: it stands still at one second and
// goes on, when nothing can run, to the next timer; or only when it is told.
//
//   fake_clock clock;
//   sleep(24h);  // returns at once, a day later
//
// Nothing can run when all goroutines wait (for I/O and in blocking(), too), and the native thread that made the clock, if one did. What other native
// threads do does not count. Timers that were armed before go by their own time again afterwards. One at a time: another one
// is a std::logic_error.
class fake_clock {
 public:
  enum Advance { when_idle, when_told };
  explicit fake_clock(Advance advance = when_idle);
  ~fake_clock();
  fake_clock(const fake_clock&) = delete;
  fake_clock& operator=(const fake_clock&) = delete;

  // Lets so much time pass: all timers due until then fire, in order. std::invalid_argument if negative.
  void advance(std::chrono::nanoseconds duration);
};

}  // namespace gotorch::runtime
