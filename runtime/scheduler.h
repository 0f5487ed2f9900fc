#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "runtime/cpus.h"
#include "runtime/idle.h"
#include "runtime/loops.h"

namespace gotorch::runtime {

class Worker;

// The threads that run everything: goroutines and chunks of loops. One instance per process,
// started when first needed; a forked child gets its own. Thread-safe.
class Scheduler {
 public:
  LoopBoard loops;
  IdleWorkers idle;

  // Runs open loops' chunks until none is left or keep_on() is false. False: there was none, or
  // as many threads as there are workers run chunks already.
  bool help(unsigned start, FnRef<bool()> keep_on);

  // Work was published: sees to it that up to `count` workers look for it.
  void wake(int64_t count);

  // Native threads inside a loop of their own; each takes a worker's place.
  void enter_caller() { callers_.fetch_add(1, std::memory_order_relaxed); }
  void leave_caller() { callers_.fetch_sub(1, std::memory_order_relaxed); }
  // How many workers may help a native thread that is about to publish a loop.
  int spare_workers() const;

  bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  bool has_work();

 private:
  friend void shutdown();
  friend void set_num_workers(int n);
  bool start_worker();
  void retarget();
  void stop();

  alignas(64) std::atomic<int> callers_{0};
  std::atomic<int> helpers_{0};
  alignas(64) std::atomic<int> started_{0};
  std::atomic<bool> stopping_{false};
  std::mutex grow_;  // guards workers_ and started_
  std::vector<Worker*> workers_;
};

Scheduler& scheduler();
// The worker this thread is, or null. Never keep the answer across a wait.
Worker* this_worker();

// Stops the workers and waits for what they run at this moment. Work left behind is dropped.
// The next use of the runtime starts afresh. Not from a goroutine or a loop body.
void shutdown();

}  // namespace gotorch::runtime
