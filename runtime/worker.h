#pragma once
#include <atomic>
#include <cstdint>
#include <thread>

#include "runtime/idle.h"

namespace gotorch::runtime {

class Scheduler;

// One thread of the scheduler.
class Worker {
 public:
  Worker(Scheduler& scheduler, int index) : scheduler_(scheduler), index_(index) {}
  void start();
  void join() { thread_.join(); }
  void reconsider();  // the number of workers changed, or all shall stop

 private:
  void main();
  bool run_something();
  void look_for_work();
  bool spin();
  void stop_searching();
  void retire();
  void learn_gap(int64_t gap_ns);

  Scheduler& scheduler_;
  const int index_;
  bool searching_ = false;  // counted in IdleWorkers::searching
  int64_t usual_gap_ns_ = 0;
  IdleWorkers::Seat seat_;
  std::atomic<uint32_t> reconsider_{0};
  std::thread thread_;
};

}  // namespace gotorch::runtime
