#pragma once
// Invariants
//  - A simulation has a scheduler of its own that never starts a worker: it is born stopping. So its one worker always goes back
//    to its main stack, where run() decides who is next; what becomes runnable is collected from the worker's queues.
//  - All that is decided depends on the seed and on the order of events, never on addresses or the time: goroutines are numbered in the
//    order in which they come up, and what becomes runnable in one turn is sorted by number.
#include <exception>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/simulate.h"
#include "runtime/worker.h"
#include "runtime/xorshift.h"

namespace gotorch::runtime {

class Simulation {
 public:
  Simulation(uint64_t seed, FnRef<void()> f, const SimulateOptions& options,
             std::source_location site);
  Simulated run();  // by the thread that asked for it

  void run_on(Worker& worker);  // by the worker's thread
  bool at_edge(Edge edge);
  int64_t now_ns() const { return now_ns_; }

 private:
  struct Known {
    int64_t number;
    uint64_t priority;
  };
  struct Runnable {
    Goroutine* g;
    int64_t number;
    uint64_t priority;
    bool operator<(const Runnable& other) const { return priority < other.priority; }
  };

  void run_until_idle();
  void collect();
  Goroutine* choose();
  void take_turn(Goroutine* g);
  bool pass_time();
  void notice_yield(bool yielded);
  void cancel_waits();
  std::string report(const std::string& headline) const;
  void fail(std::exception_ptr error);

  uint64_t random() { return xorshift64(random_); }
  bool chance(uint32_t one_in) { return one_in && random() % one_in == 0; }
  void trace(uint64_t value) {
    result_.trace = (result_.trace ^ value) * 0x100000001b3u;
  }  // FNV-1a

  const uint64_t seed_;
  const FnRef<void()> f_;
  const SimulateOptions options_;
  const std::source_location site_;
  Backlog backlog_;
  Scheduler scheduler_;
  Worker* worker_ = nullptr;
  ScopeState top_{context()};

  // What this seed does.
  uint64_t random_;
  bool by_priority_;
  uint32_t
      interrupts_one_in_;  // of the operations at which a goroutine may be interrupted; 0: none
  uint32_t hands_over_one_in_;  // of the wakes

  int64_t now_ns_;
  int64_t turns_left_, late_timers_left_;
  Simulated result_;
  bool ended_ = false;  // f and what it has started
  std::exception_ptr error_;

  std::unordered_map<Goroutine*, Known> known_;  // those that have not ended
  std::vector<Runnable> runnable_;               // a heap if by_priority_
  std::vector<Goroutine*> fresh_;                // for collect()
  int64_t next_number_ = 0;
  uint64_t lowest_priority_;
  Goroutine* in_turn_ = nullptr;
  bool interrupted_ = false;     // it has not asked to yield
  bool hand_over_ = false;       // one that it has woken is to be next
  Runnable handed_over_{};       // that one
  int64_t yields_in_a_row_ = 0;  // turns in which nobody else became runnable
};

}  // namespace gotorch::runtime
