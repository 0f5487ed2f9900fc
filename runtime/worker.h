#pragma once
#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/carrier.h"
#include "runtime/counters.h"
#include "runtime/fiber.h"
#include "runtime/goroutine.h"
#include "runtime/idle.h"
#include "runtime/run_queue.h"
#include "runtime/thread_state.h"
#include "runtime/xorshift.h"

namespace gotorch::runtime {

class Scheduler;

// One thread of the scheduler.
//
// Invariants
//  - The thread's own stack ("main") runs chunks of loops, fires timers, steals and sleeps. It
//    switches to a carrier to run goroutines; carriers switch to each other directly and back to
//    main when there is nothing to run here, or main has something to do.
//  - What a fiber wants done when it has been saved is in intent_; the same thread does it right
//    after the switch, in switched_out(). Until then nobody else can resume the fiber: who finds its goroutine in a
//    queue puts it in another and turns to main, so two workers never wait for each other.
//  - next_ is taken by the exchange that finds it. A thief takes it only if it has been there for
//    a few microseconds without a switch: two goroutines that talk stay on one core.
class Worker {
 public:
  struct Intent {
    Carrier* idle = nullptr;  // the carrier has nothing to run
    bool yield = false;       // the current goroutine lets others run; else it waits
  };

  Worker(Scheduler& scheduler, int index) : scheduler_(scheduler), index_(index) {}
  void start();
  void join();        // gives up on a worker that does not end within two seconds
  void reconsider();  // the number of workers changed, or all shall stop

  // By the code that runs on this worker:
  Goroutine* current() const { return current_; }
  void set_current(Goroutine* g) { current_ = g; }
  GoroutineCache& goroutines() { return goroutines_; }
  WorkerCounts& counts() { return counts_; }
  Scheduler& scheduler() { return scheduler_; }
  void ready(Goroutine* g);
  void spawn(Goroutine* g);
  Goroutine* next_task_here(const Carrier& carrier);
  // What the running goroutine runs on; null on the thread's own stack.
  Carrier* carrier() { return running_ == &fibers_.main() ? nullptr : &carrier_of(*running_); }
  uint64_t random() { return xorshift64(random_); }
  // A goroutine of this scope has ended here. While others of the same scope follow, which its joiner waits for in any case, they
  // are only counted: the scope's own counter would go from one processor's cache to another's each time.
  void count_end(ScopeState& scope) {
    if (ended_in_ != &scope) tell_ends();
    ended_in_ = &scope;
    ends_++;
  }
  void tell_ends();
  // The newest goroutine here if it belongs to this scope, has not started and may run on the stack of who joins; or null.
  Goroutine* newest_of(const ScopeState& scope);
  // Runs it on the stack of the current goroutine, which waits for it.
  static void run_nested(Goroutine& g);
  // Leaves the calling fiber; returns when it is resumed, maybe on another worker.
  static void switch_out(const Intent& intent);
  // A goroutine here has waited so long for a spin lock.
  void count_fight(int64_t ticks) { fought_ += ticks; }
  // Whether anything else could run here at once.
  bool has_company();
  void enter_carrier(Carrier& carrier);

  // By who looks for goroutines that compute on.
  struct Run {
    uint32_t switches = 0;
    int64_t since_ns = 0;
    bool told = false;
  };
  Run& last_run() { return last_run_; }

  // By any thread:
  bool has_unstarted() const { return !deque_.empty(); }
  bool has_stealable() const { return !ring_.empty() || !deque_.empty(); }
  int index() const { return index_; }
  // For reports only: may be old.
  [[gnu::no_sanitize("thread")]] Goroutine* peek_current() const {
    return *const_cast<Goroutine* const volatile*>(&current_);
  }
  bool has_next() const { return next_.load(std::memory_order_relaxed); }
  uint32_t switches() const { return tick_.load(std::memory_order_relaxed); }
  bool runs_goroutine() const { return in_fiber_.load(std::memory_order_relaxed); }
  IdleWorkers::Seat& seat() { return seat_; }

 private:
  friend class Simulation;
  Fiber* next_fiber();
  void switched_out(Fiber& from);

  void main();
  void main_loop();
  bool run_loops();
  void run(Goroutine* g);
  void leave_fiber(ThreadState& thread);
  void hand_over();
  void retire();

  Goroutine* pick();
  Goroutine* pick_local();
  Goroutine* pick_fairly();
  Goroutine* steal();
  Goroutine* steal_aged_next();
  bool main_is_wanted();
  void push_ring(Goroutine* g);
  Fiber* fiber_for(Goroutine* g);
  [[gnu::noinline]] Fiber* carrier_for(Goroutine* g);
  Fiber* fiber_or_main(Goroutine* g);
  Carrier* new_carrier(StackClass size);
  void keep_carrier(Carrier* carrier);

  void look_for_work(bool away);
  bool poll_io();
  void ready_all(Goroutine* first);
  bool may_block_in_poll(bool watcher);
  bool may_spin() const;
  bool spin();
  int64_t sleep_limit(bool keeper, bool watcher);
  // Whether the worker comes back to the sources of work within a chunk of a loop.
  enum class LooksAgain : bool { Later, Soon };
  void stop_searching(LooksAgain again = LooksAgain::Later);
  void learn_gap(int64_t gap_ns);
  void steal_paid_off(Worker& victim);
  void keep_away();
  bool is_away() const;
  bool go_away();
  void note_steal_of_woken();
  void judge_last_steal();
  bool fights();

  Scheduler& scheduler_;
  const int index_;
  bool searching_ = false;  // counted in IdleWorkers::searching
  int64_t usual_gap_ns_ = 0;
  int64_t nap_ns_ = 0;
  uint32_t seen_switches_ = 0;
  IdleWorkers::Seat seat_;
  std::atomic<uint32_t> reconsider_{0};
  std::atomic<uint32_t> thread_ended_{0};
  std::thread thread_;

  FiberThread fibers_{
      this, [](void* worker, Fiber& from) { static_cast<Worker*>(worker)->switched_out(from); }};
  Fiber* running_ = nullptr;
  Fiber* chosen_ = nullptr;  // what the next switch goes to, if decided
  Intent intent_;
  Goroutine* current_ = nullptr;
  Goroutine* stolen_ = nullptr;
  ScopeState* ended_in_ = nullptr;
  int64_t ends_ = 0;
  ExceptionState* exception_record_ = nullptr;  // this thread's
  int next_in_a_row_ = 0;
  uint32_t yields_alone_ = 0;
  uint64_t random_;
  std::vector<Carrier*> carriers_;
  GoroutineCache goroutines_;
  WorkerCounts counts_;

  // What a thief that watches our next_ has seen; see steal_aged_next.
  Worker* watched_ = nullptr;
  Goroutine* watched_next_ = nullptr;
  uint32_t watched_tick_ = 0;
  Run last_run_;
  // When this worker keeps away from goroutines that were woken, and what tells, in ticks; see judge_last_steal() and fights().
  int64_t away_until_ns_ = 0, away_for_ns_ = 0;
  int64_t stole_woken_at_ = 0, fights_since_ = 0, fought_ = 0;
  uint32_t stole_woken_tick_ = 0;
  int64_t watched_since_ns_ = 0;

  alignas(64) std::atomic<Goroutine*> next_{nullptr};
  std::atomic<uint32_t> tick_{0};
  std::atomic<bool> in_fiber_{false};
  // A worker that wakes others in vain for its next_ does so ever more rarely.
  std::atomic<int64_t> wake_interval_{0};
  int64_t last_wake_ = 0;
  RunRing ring_;
  SpawnDeque deque_;
};

}  // namespace gotorch::runtime
