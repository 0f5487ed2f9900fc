#include "runtime/scheduler.h"

#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "runtime/parallel.h"
#include "runtime/worker.h"

namespace gotorch::runtime {

void forget_worker_after_fork();

namespace {

std::atomic<int> target{0};  // workers wanted; 0: not decided yet
std::atomic<Scheduler*> instance{nullptr};
std::mutex instance_lock;

// A child has one thread and none of ours: it starts anew when it first needs workers. The old
// scheduler is left where it is, its locks may be held by threads that no longer exist.
void before_fork() { instance_lock.lock(); }
void after_fork_in_parent() { instance_lock.unlock(); }
void after_fork_in_child() {
  instance.store(nullptr, std::memory_order_relaxed);
  forget_worker_after_fork();
  loop_depth() = 0;
  instance_lock.unlock();
}

Scheduler& start_scheduler() {
  std::lock_guard guard(instance_lock);
  if (Scheduler* s = instance.load(std::memory_order_relaxed)) return *s;
  static const bool once = [] {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    std::atexit(shutdown);  // before the destructors of statics that running work may use
    return true;
  }();
  (void)once;
  auto* s = new Scheduler;  // never deleted: a late thread may still look at it
  instance.store(s, std::memory_order_release);
  return *s;
}

}  // namespace

Scheduler& scheduler() {
  Scheduler* s = instance.load(std::memory_order_acquire);
  return s ? *s : start_scheduler();
}

int num_workers() {
  int n = target.load(std::memory_order_relaxed);
  if (n) return n;
  const int wanted = default_workers();
  return target.compare_exchange_strong(n, wanted, std::memory_order_relaxed) ? wanted : n;
}

void set_num_workers(int n) {
  if (n < 1) {
    throw std::invalid_argument("set_num_workers: n must be at least 1, got " + std::to_string(n));
  }
  target.store(std::min(n, kMaxWorkers), std::memory_order_relaxed);
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

bool Scheduler::has_work() {
  return loops.find(0) && callers_.load(std::memory_order_relaxed) +
                                  helpers_.load(std::memory_order_relaxed) <
                              num_workers();
}

bool Scheduler::help(unsigned start, FnRef<bool()> keep_on) {
  const int others = helpers_.fetch_add(1, std::memory_order_relaxed);
  bool ran = false;
  if (others + callers_.load(std::memory_order_relaxed) < num_workers()) {
    while (Loop* loop = loops.find(start)) {
      if (!ran && loop->left() > 1) wake(1);  // wakes spread as a tree
      bool more = true;
      while (loop->run_one()) {
        ran = true;
        if (!(more = keep_on())) break;
      }
      if (!more) break;
    }
  }
  helpers_.fetch_sub(1, std::memory_order_relaxed);
  return ran;
}

int Scheduler::spare_workers() const {
  return std::max(0, num_workers() - callers_.load(std::memory_order_relaxed));
}

void Scheduler::wake(int64_t count) {
  // Fence: the work is visible before we look for searchers and sleepers, see IdleWorkers.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  count -= idle.searching.load(std::memory_order_relaxed);
  for (; count > 0; count--) {
    if (!idle.wake_one() && !start_worker()) return;
  }
}

bool Scheduler::start_worker() {
  if (started_.load(std::memory_order_relaxed) >= num_workers() || stopping()) return false;
  std::lock_guard guard(grow_);
  const int index = started_.load(std::memory_order_relaxed);
  if (index >= num_workers() || stopping()) return false;
  auto* worker = new Worker(*this, index);
  idle.searching.fetch_add(1, std::memory_order_relaxed);  // it starts by searching
  try {
    worker->start();
  } catch (const std::system_error&) {
    idle.searching.fetch_sub(1, std::memory_order_relaxed);
    delete worker;
    return false;
  }
  workers_.push_back(worker);
  started_.store(index + 1, std::memory_order_relaxed);
  return true;
}

void Scheduler::retarget() {
  std::lock_guard guard(grow_);
  while (idle.wake_one()) {
  }
  for (Worker* worker : workers_) worker->reconsider();
}

void Scheduler::stop() {
  stopping_.store(true, std::memory_order_seq_cst);
  retarget();
  for (Worker* worker : workers_) worker->join();
}

}  // namespace gotorch::runtime
