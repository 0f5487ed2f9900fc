#pragma once
// What the runtime has done so far, in numbers.
#include <atomic>
#include <cstdint>
#include <source_location>
#include <vector>

namespace gotorch::runtime {

// Counted by one thread, read by any: no more than an addition in memory.
class Count {
 public:
  void add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// What a worker counts.
struct WorkerCounts {
  Count switches;  // to another goroutine, or between goroutines and the worker's own business
  Count parks;     // goroutines that began to wait
  Count spawned;   // goroutines that were started
  Count ended;     // goroutines that ended
  Count wakes;     // goroutines that were woken
  Count steals;    // takings of goroutines from another worker
  Count spins;     // searches for work that burned time
  Count sleeps;    // of the worker
  Count chunks;    // of other threads' loops
  Count
      hogs;  // goroutines that were seen to run for 100 ms without a wait or a yield, see watchdog.h
  std::atomic<std::source_location> hog{};  // where the last of them was started
};

struct Counters {
  struct Worker {
    uint64_t switches = 0, parks = 0, spawned = 0, ended = 0, wakes = 0, steals = 0, spins = 0,
             sleeps = 0, chunks = 0, hogs = 0;
    std::source_location hog;  // where a worker's last hog was started; line 0: there was none
  };
  Worker total;                 // with what native threads did
  std::vector<Worker> workers;  // since the workers were started
  int64_t live = 0;             // goroutines that have not ended, those not yet started included
  int64_t stacks = 0;           // that were ever needed at once
  int64_t timers = 0;           // that are armed
};

// Each number is right at some moment, not all at the same one.
//   std::cout << counters().total.switches;
Counters counters();

// For the runtime: what native threads do.
struct NativeCounts {
  std::atomic<uint64_t> spawned{0}, ended{0}, wakes{0};
};
NativeCounts& native_counts();

}  // namespace gotorch::runtime
