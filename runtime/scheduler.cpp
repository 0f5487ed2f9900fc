#include "runtime/scheduler.h"

#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "runtime/blocking.h"
#include "runtime/chaos.h"
#include "runtime/fence.h"
#include "runtime/io/fork.h"
#include "runtime/io/poller.h"
#include "runtime/parallel.h"
#include "runtime/park.h"
#include "runtime/process_threads.h"
#include "runtime/scope.h"
#include "runtime/stack.h"
#include "runtime/worker.h"

namespace gotorch::runtime {

namespace {

std::atomic<Scheduler*> instance{nullptr};
std::atomic<Backlog*> backlog_instance{nullptr};
std::mutex instance_lock;

// A child has one thread and none of ours: it starts anew when it first needs workers. The old
// scheduler and backlog are left where they are: their locks may be held by threads that no longer
// exist, and the parent's goroutines shall not run twice.
void before_fork() {
  instance_lock.lock();
  lock_contexts_for_fork();
  lock_goroutine_pool_for_fork();
  lock_stacks_for_fork();
}
void after_fork_in_parent() {
  unlock_stacks_after_fork();
  unlock_goroutine_pool_after_fork();
  unlock_contexts_after_fork();
  instance_lock.unlock();
}
void after_fork_in_child() {
  instance.store(nullptr, std::memory_order_relaxed);
  backlog_instance.store(new Backlog, std::memory_order_relaxed);
  forks++;
  forget_goroutines_after_fork();
  forget_resting_after_fork();
  forget_io_after_fork();
  thread_state() = {};
  after_fork_in_parent();
  forget_scopes_after_fork();
  forget_blocking_threads_after_fork();
}

// When the library is loaded: threads may use channels without a scheduler.
[[maybe_unused]] const int fork_handlers =
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

Scheduler& start_scheduler() {
  std::lock_guard guard(instance_lock);
  if (Scheduler* s = instance.load(std::memory_order_relaxed)) return *s;
  static const bool once = [] {
    chaos_from_environment();
    std::atexit(shutdown);  // before the destructors of statics that running work may use
    return true;
  }();
  (void)once;
  static Scheduler* newest = nullptr;
  newest = new Scheduler(newest);  // never deleted: a late thread may still look at it
  instance.store(newest, std::memory_order_release);
  return *newest;
}

}  // namespace

Backlog& backlog() {
  if (Worker* worker = this_worker()) return worker->scheduler().backlog;
  if (Backlog* b = backlog_instance.load(std::memory_order_acquire)) return *b;
  auto* fresh = new Backlog;  // never deleted, like the scheduler
  Backlog* none = nullptr;
  if (backlog_instance.compare_exchange_strong(none, fresh, std::memory_order_acq_rel))
    return *fresh;
  delete fresh;
  return *none;
}

Scheduler* scheduler_if_any() { return instance.load(std::memory_order_acquire); }

Scheduler& scheduler() {
  Scheduler* s = instance.load(std::memory_order_acquire);
  return s ? *s : start_scheduler();
}

Scheduler& this_scheduler() {
  Worker* worker = this_worker();
  return worker ? worker->scheduler() : scheduler();
}

int num_workers() {
  int n = wanted_workers.load(std::memory_order_relaxed);
  if (n) return n;
  const int wanted = default_workers();
  return wanted_workers.compare_exchange_strong(n, wanted, std::memory_order_relaxed) ? wanted : n;
}

void set_num_workers(int n) {
  if (n < 1) {
    throw std::invalid_argument("set_num_workers: n must be at least 1, got " + std::to_string(n));
  }
  wanted_workers.store(std::min(n, kMaxWorkers), std::memory_order_relaxed);
  if (Scheduler* s = instance.load(std::memory_order_acquire)) s->retarget();
}

void shutdown() {
  if (this_worker()) throw std::logic_error("shutdown: called from the runtime's own thread");
  Scheduler* s;
  {
    std::lock_guard guard(instance_lock);
    s = instance.exchange(nullptr, std::memory_order_acq_rel);
  }
  if (s) s->stop();
}

void Scheduler::inject(Goroutine* g) {
  backlog.inject.push(g);
  wake(1);
}

void Scheduler::add_timer(Timer& timer) {
  const int64_t timer_time = timer.when_ns;  // it may fire, and be gone, at any moment
  const Worker* here = this_worker();
  if (!backlog.timers.add(timer, here ? here->index() : -1)) return;
  // Fence: the timer is in the heap before we look for who sleeps until a later one. A full one, see stop_keeping().
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (timer_time >= keeper_looks_at_.load(std::memory_order_relaxed)) return;
  wake_keeper();
}

void Scheduler::wake_keeper() {
  Worker* keeper = keeper_.load(std::memory_order_relaxed);
  if (!keeper || !idle.wake(keeper->seat())) wake(1);
}

void Scheduler::fire_timers() {
  if (backlog.timers.earliest() != kForever) backlog.timers.fire_due(now_ns(), ready);
}

bool Scheduler::has_work(bool woken_too) {
  if (!backlog.inject.empty()) return true;
  const int n = started();
  for (int i = 0; i < n; i++) {
    if (woken_too ? worker(i).has_stealable() : worker(i).has_unstarted()) return true;
  }
  return loops.find(0) && has_helper_place();
}

bool Scheduler::begin_away() {
  return away_.fetch_add(1, std::memory_order_relaxed) + 1 < std::min(started(), num_workers());
}

bool Scheduler::become_keeper(Worker& worker) {
  Worker* none = nullptr;
  if (!keeper_.compare_exchange_strong(none, &worker, std::memory_order_relaxed)) return false;
  keeper_looks_at_.store(backlog.timers.earliest(), std::memory_order_relaxed);
  return true;
}

void Scheduler::stop_keeping() {
  keeper_looks_at_.store(kForever, std::memory_order_relaxed);
  keeper_.store(nullptr, std::memory_order_relaxed);
  // Fence: who has armed a timer and saw us keep the time has done so before we look, in ensure_guards(), for timers that
  // nobody keeps. A light one would not do, as neither side has a heavy one.
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

bool Scheduler::become_watcher() {
  const bool needed = anybody_runs_goroutines() || (io_in_use() && anybody_awake());
  return needed && !watched_.exchange(true, std::memory_order_relaxed);
}

bool Scheduler::anybody_awake() const {
  return std::min(started(), num_workers()) > idle.sleeping();
}

void Scheduler::ensure_guards() {
  light_fence();  // if we have just given up such a role, either who lies down sees that, or we see it lie
  const bool needs_poller = io_in_use() && !polling() && !watched();
  if (idle.sleeping() == 0 && !(needs_poller && started() < num_workers())) return;
  const bool needs_keeper =
      backlog.timers.earliest() != kForever && !keeper_.load(std::memory_order_relaxed);
  if (needs_keeper || needs_poller || (!watched() && anybody_runs_goroutines())) wake(1);
}

bool Scheduler::anybody_runs_goroutines() {
  const int n = started();
  for (int i = 0; i < n; i++) {
    if (worker(i).runs_goroutine()) return true;
  }
  return false;
}

uint32_t Scheduler::switches() {
  uint32_t sum = 0;
  for (int i = 0; i < started(); i++) sum += worker(i).switches();
  return sum;
}

// Counts itself before it looks, so that two never take the last place.
HelperPlace::HelperPlace(Scheduler& s)
    : scheduler_(s),
      taken_(s.helpers_.fetch_add(1, std::memory_order_relaxed) +
                 s.callers_.load(std::memory_order_relaxed) <
             num_workers()) {
  if (!taken_) s.helpers_.fetch_sub(1, std::memory_order_relaxed);
}

bool Scheduler::help(const HelperPlace&, unsigned start, FnRef<bool()> keep_on) {
  bool ran = false;
  while (Loop* loop = loops.find(start)) {
    if (!ran && loop->left() > 1 && has_helper_place()) wake(1);  // wakes spread as a tree
    while (loop->run_last()) {
      ran = true;
      if (!keep_on()) return true;
    }
  }
  return ran;
}

bool Scheduler::has_helper_place() const {
  return callers_.load(std::memory_order_relaxed) + helpers_.load(std::memory_order_relaxed) <
         num_workers();
}

int Scheduler::spare_workers() const {
  return std::max(0, num_workers() - callers_.load(std::memory_order_relaxed));
}

void Scheduler::wake(int64_t count, bool also_away) {
  light_fence();  // the work is visible before we look for searchers and sleepers, see IdleWorkers
  count -= idle.searching.load(std::memory_order_relaxed);
  for (; count > 0; count--) {
    if (!idle.wake_one(also_away) && !start_worker()) return;
  }
}

bool Scheduler::start_worker() {
  if (started() >= num_workers() || stopping()) return false;
  std::lock_guard guard(grow_);
  const int index = started();
  if (index >= num_workers() || stopping()) return false;
  auto* worker = new Worker(*this, index);  // never deleted: others may look at it any time
  workers_[index].store(worker, std::memory_order_relaxed);
  idle.searching.fetch_add(1, std::memory_order_relaxed);  // it starts by searching
  started_.store(index + 1, std::memory_order_release);
  try {
    worker->start();
  } catch (const std::system_error&) {
    idle.searching.fetch_sub(1, std::memory_order_relaxed);
    started_.store(index, std::memory_order_release);
    if (index == 0) throw;  // nobody would ever run what was submitted
    return false;
  }
  return true;
}

void Scheduler::retarget() {
  std::lock_guard guard(grow_);
  while (idle.wake_one()) {
  }
  for (int i = 0; i < started(); i++) worker(i).reconsider();
}

void Scheduler::stop() {
  {
    std::lock_guard guard(grow_);  // no worker starts after this
    stopping_.store(true, std::memory_order_seq_cst);
  }
  retarget();
  for (int i = 0; i < started(); i++) worker(i).join();
}

}  // namespace gotorch::runtime
