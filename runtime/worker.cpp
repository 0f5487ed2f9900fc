#include "runtime/worker.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>

#include "runtime/parallel.h"
#include "runtime/scheduler.h"

namespace gotorch::runtime {
namespace {

// A worker that has run out of work stays awake for about twice the usual time between two pieces
// of work, so that a training step finds it hot; never longer than this, and hardly at all where
// work comes more rarely.
constexpr int64_t kLongestSpinNs = 200'000;
constexpr int64_t kShortestSpinNs = 5'000;
// After this long somebody else may need the processor we spin on.
constexpr int64_t kPoliteSpinNs = 5'000;

Worker*& worker_slot() {
  thread_local Worker* worker = nullptr;
  return worker;
}

}  // namespace

[[gnu::noinline]] Worker* this_worker() {
  Worker** p = &worker_slot();
  asm volatile("" : "+rm"(p));  // a goroutine may have moved since the last call: do not cache
  return *p;
}

void forget_worker_after_fork() { worker_slot() = nullptr; }

void Worker::start() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals belong to the application's threads
  try {
    thread_ = std::thread([this] { main(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Worker::main() {
  worker_slot() = this;
  searching_ = true;  // counted by who started us
  while (!scheduler_.stopping()) {
    if (index_ >= num_workers()) {
      retire();
    } else if (!run_something()) {
      look_for_work();
    }
  }
  stop_searching();
}

bool Worker::run_something() {
  if (!scheduler_.loops.find(static_cast<unsigned>(index_))) return false;
  stop_searching();
  return scheduler_.help(static_cast<unsigned>(index_), [] { return true; });
}

// The last one to find work wakes another if there is more, for submitters who saw somebody
// searching and woke nobody.
void Worker::stop_searching() {
  if (!searching_) return;
  searching_ = false;
  // seq_cst: the decrement comes before the look at the sources, see IdleWorkers.
  if (scheduler_.idle.searching.fetch_sub(1, std::memory_order_seq_cst) == 1 &&
      scheduler_.has_work()) {
    scheduler_.wake(1);
  }
}

void Worker::look_for_work() {
  IdleWorkers& idle = scheduler_.idle;
  if (!searching_) {
    searching_ = true;
    idle.searching.fetch_add(1, std::memory_order_relaxed);
  }
  const int64_t since = now_ns();
  if (spin()) return learn_gap(now_ns() - since);
  idle.enter(seat_);
  searching_ = false;
  idle.searching.fetch_sub(1, std::memory_order_relaxed);
  // Fence: we are on the list before we look at every source for the last time.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const bool stay = !scheduler_.has_work() && !scheduler_.stopping() && index_ < num_workers();
  if (!stay && idle.leave(seat_)) return;
  searching_ = idle.sleep(seat_, kForever);
  learn_gap(now_ns() - since);
}

bool Worker::spin() {
  const int64_t window = usual_gap_ns_ > kLongestSpinNs
                             ? kShortestSpinNs
                             : std::min(kLongestSpinNs, 2 * usual_gap_ns_ + kShortestSpinNs);
  const int64_t start = now_ns();
  for (;;) {
    for (int i = 0; i < 32; i++) {
      if (scheduler_.has_work() || scheduler_.stopping()) return true;
      cpu_relax();
    }
    const int64_t spent = now_ns() - start;
    if (spent > window) return false;
    if (spent > kPoliteSpinNs) sched_yield();
  }
}

void Worker::learn_gap(int64_t gap_ns) {
  usual_gap_ns_ += (std::min<int64_t>(gap_ns, 1'000'000) - usual_gap_ns_) / 4;
}

void Worker::retire() {
  stop_searching();
  const uint32_t seen = reconsider_.load(std::memory_order_acquire);
  if (index_ >= num_workers() && !scheduler_.stopping()) futex_wait(reconsider_, seen, kForever);
}

void Worker::reconsider() {
  reconsider_.fetch_add(1, std::memory_order_release);
  futex_wake(reconsider_, 1);
}

}  // namespace gotorch::runtime
