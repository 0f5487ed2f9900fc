#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>

#include "runtime/carrier.h"
#include "runtime/cpus.h"
#include "runtime/fork.h"
#include "runtime/idle.h"
#include "runtime/loops.h"
#include "runtime/run_queue.h"
#include "runtime/spin.h"
#include "runtime/thread_state.h"
#include "runtime/timer_heap.h"

namespace gotorch::runtime {

class HelperPlace;
class Simulation;
class Worker;

// What set_num_workers() asked for; 0: not decided yet. num_workers() decides.
inline std::atomic<int> wanted_workers{0};

// What outlives the threads of one scheduler, so that goroutines survive shutdown() and go on when
// the runtime is used again.
struct Backlog {
  InjectQueue inject;
  TimerHeaps timers;
  CarrierStore carriers;
};
// Of the scheduler that this thread belongs to.
Backlog& backlog();

// The threads that run everything: goroutines and chunks of loops. One instance per process,
// started when first needed; a forked child gets its own. Thread-safe.
class Scheduler {
 public:
  explicit Scheduler(Scheduler* before) : backlog(runtime::backlog()), before_(before) {}
  // For a simulation: with goroutines of its own, and stopping from the beginning, so no worker starts by itself.
  Scheduler(Backlog& own, Simulation& s)
      : backlog(own), simulation(&s), before_(nullptr), stopping_(true) {}

  Backlog& backlog;
  Simulation* const simulation = nullptr;
  SpinLock hogs_lock;  // guards what watch_for_hogs() notes
  LoopBoard loops;
  IdleWorkers idle;

  // A goroutine that may run, from a thread that is not a worker.
  void inject(Goroutine* g);
  void add_timer(Timer& timer);
  void fire_timers();

  // Runs open loops' chunks until none is left or keep_on() is false. False: there was none.
  bool help(const HelperPlace& place, unsigned start, FnRef<bool()> keep_on);

  // Work was published: sees to it that up to `count` workers look for it.
  void wake(int64_t count, bool also_away = true);
  // Whether a worker that is not away could be woken. Not ordered against the publication of work.
  bool could_wake() const {
    return (idle.waiting() > 0 || started_.load(std::memory_order_relaxed) <
                                      wanted_workers.load(std::memory_order_relaxed)) &&
           idle.searching.load(std::memory_order_relaxed) == 0;
  }
  // woken_too: also goroutines that were woken, where they may stay.
  bool has_work(bool woken_too = true);
  // Around the time that a worker keeps away from such goroutines. False: all others are away.
  bool begin_away();
  void end_away() { away_.fetch_sub(1, std::memory_order_relaxed); }
  // Whether a worker neither sleeps nor is about to.
  bool anybody_awake() const;

  // Native threads inside a loop of their own; each takes a worker's place.
  void enter_caller() { callers_.fetch_add(1, std::memory_order_relaxed); }
  void leave_caller() { callers_.fetch_sub(1, std::memory_order_relaxed); }
  // How many workers may help a native thread that is about to publish a loop.
  int spare_workers() const;
  // Whether another thread may run chunks: as many may as there are workers.
  bool has_helper_place() const;

  // Of the workers that sleep, one keeps the time: it wakes for the next timer. If goroutines run,
  // one watches them: it wakes now and then to see whether they leave others waiting.
  bool become_keeper(Worker& worker);
  void stop_keeping();
  void wake_keeper();  // the time that it sleeps until is not right any more
  bool become_watcher();
  void stop_watching() { watched_.store(false, std::memory_order_relaxed); }
  // Of the workers that sleep, one waits for I/O.
  bool become_poller() { return !polling_.exchange(true, std::memory_order_acq_rel); }
  void stop_polling() { polling_.store(false, std::memory_order_release); }
  bool polling() const { return polling_.load(std::memory_order_relaxed); }
  // How often goroutines were switched to, in all.
  uint32_t switches();
  bool watched() const { return watched_.load(std::memory_order_relaxed); }
  // The calling worker is about to run a goroutine, nobody knows how long.
  void ensure_guards();

  // By a worker on its way to sleep. True: instead of that, it has moved a fake clock to the next timer, and its seat is off
  // the list.
  bool let_time_pass(IdleWorkers::Seat& seat);

  int started() const { return started_.load(std::memory_order_acquire); }
  Worker& worker(int i) { return *workers_[i].load(std::memory_order_relaxed); }
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }

 private:
  friend class HelperPlace;
  bool anybody_runs_goroutines();
  friend void shutdown();
  friend void set_num_workers(int n);
  bool start_worker();
  void retarget();
  void stop();

  Scheduler* const before_;  // kept, so that what is never deleted is not lost either
  alignas(64) std::atomic<int> callers_{0};
  std::atomic<int> helpers_{0};
  alignas(64) std::atomic<int> started_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<Worker*> keeper_{nullptr};
  std::atomic<int64_t> keeper_looks_at_{kForever};  // the timer that the keeper will wake for
  std::atomic<bool> watched_{false};
  std::atomic<bool> polling_{false};
  std::atomic<int> away_{0};
  std::mutex grow_;  // guards growth of workers_ and started_
  std::atomic<Worker*> workers_[kMaxWorkers]{};
};

// A place among the threads that run chunks of loops, if there is one left.
class HelperPlace {
 public:
  explicit HelperPlace(Scheduler& scheduler);
  ~HelperPlace() { scheduler_.helpers_.fetch_sub(taken_, std::memory_order_relaxed); }
  HelperPlace(const HelperPlace&) = delete;
  HelperPlace& operator=(const HelperPlace&) = delete;
  explicit operator bool() const { return taken_; }

 private:
  Scheduler& scheduler_;
  const bool taken_;
};

Scheduler& scheduler();
// The one that runs this thread, which a simulation has of its own; else the process's.
Scheduler& this_scheduler();
Scheduler* scheduler_if_any();  // does not start one
// Stops the workers and waits for what they run at this moment. Goroutines that wait, or have not
// run yet, stay; the next use of the runtime starts workers that go on with them. Not from a
// goroutine or a loop body.
void shutdown();

}  // namespace gotorch::runtime
