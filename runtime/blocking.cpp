#include "runtime/blocking.h"

#include <cstdlib>
#include <system_error>

#include "runtime/native_thread.h"
#include "runtime/park.h"
#include "runtime/simulate.h"
#include "runtime/spin.h"
#include "runtime/thread_state.h"

// Invariants
//  - A job lies on the stack of the goroutine that waits for it. Whoever comes second, the goroutine that has marked itself
//    waiting or the thread that has run the job, finds the other's mark in `state`: so either the goroutine does not wait,
//    or the thread wakes it. A thread that was first does not touch the job again.
//  - While jobs wait, each has an idle thread on its way to it, or all threads that may be are busy. An idle thread leaves
//    only while it holds the lock and no job waits.

namespace gotorch::runtime {
namespace {

constexpr int kMaxThreads = 512;  // as tokio
constexpr int64_t kIdleNs = 10'000'000'000;

struct Job {
  enum State : uint32_t { kQueued, kAwaited, kDone };

  FnRef<void()> f;
  Goroutine& caller;
  LocalWord local;
  std::exception_ptr error{};
  std::atomic<uint32_t> state{kQueued};
  Job* next = nullptr;

  void run(Goroutine& me) {
    me.scope.store(caller.scope.load(std::memory_order_relaxed), std::memory_order_relaxed);
    me.site.store(caller.site.load(std::memory_order_relaxed), std::memory_order_relaxed);
    ThreadState& thread = thread_state();
    thread.local = local;
    try {
      f();
    } catch (...) {
      error = std::current_exception();
    }
    if (!thread.pinned) std::_Exit(0);  // a forked child came back, see run_to_end
    local = thread.local;
    me.scope.store(nullptr, std::memory_order_relaxed);
    Goroutine& waiting = caller;
    // release: the goroutine sees what we wrote. acquire: if it waits, all of that is done.
    if (state.exchange(kDone, std::memory_order_acq_rel) == kAwaited && claim(waiting)) {
      ready(&waiting);
    }
  }

  static bool await(void* job) {
    // acq_rel, see run(). Done: there is nothing to wait for.
    return static_cast<Job*>(job)->state.exchange(kAwaited, std::memory_order_acq_rel) != kDone;
  }
};

class BlockingThreads {
 public:
  // std::system_error if there is no thread at all.
  void submit(Job& job) {
    lock_.lock();
    (last_ ? last_->next : first_) = &job;
    last_ = &job;
    waiting_++;
    const bool start = waiting_ > idle_ && threads_ < kMaxThreads;
    threads_ += start;
    const bool wake = idle_ > 0;
    calls_.fetch_add(1, std::memory_order_relaxed);
    lock_.unlock();
    if (wake) futex_wake(calls_, 1);
    if (start) start_one(job);
  }

 private:
  void start_one(Job& job) {
    try {
      start_thread([this] { main(); }).detach();
    } catch (const std::system_error&) {
      lock_.lock();
      const bool others = --threads_ > 0;
      if (!others) remove(job);
      lock_.unlock();
      if (!others) throw;
    }
  }

  void remove(Job& job) {
    Job* before = nullptr;
    for (Job* j = first_; j != &job; j = j->next) before = j;
    (before ? before->next : first_) = job.next;
    if (last_ == &job) last_ = before;
    waiting_--;
  }

  void main() {
    Goroutine* me = new_goroutine();  // stands for the goroutine whose job runs
    me->native.store(true, std::memory_order_relaxed);
    thread_state().pinned = me;
    while (Job* job = next()) job->run(*me);
    thread_state().pinned = nullptr;
    me->native.store(false, std::memory_order_relaxed);
    free_goroutine(me);
  }

  // Null: there has been nothing to do for a while.
  Job* next() {
    const int64_t until = now_ns() + kIdleNs;
    lock_.lock();
    while (!first_) {
      const int64_t left = until - now_ns();
      if (left <= 0) {
        threads_--;
        lock_.unlock();
        return nullptr;
      }
      idle_++;
      const uint32_t seen = calls_.load(std::memory_order_relaxed);
      lock_.unlock();
      futex_wait(calls_, seen, left);
      lock_.lock();
      idle_--;
    }
    Job* job = first_;
    first_ = job->next;
    if (!first_) last_ = nullptr;
    waiting_--;
    lock_.unlock();
    return job;
  }

  SpinLock lock_;  // guards all of this
  Job* first_ = nullptr;
  Job* last_ = nullptr;
  int waiting_ = 0, idle_ = 0, threads_ = 0;
  std::atomic<uint32_t> calls_{0};  // changes with each submit(); idle threads sleep on it
};

std::atomic<BlockingThreads*>& threads() {
  static std::atomic<BlockingThreads*> all{
      new BlockingThreads};  // never destroyed: they may outlive statics
  return all;
}

}  // namespace

void run_blocking(FnRef<void()> f) {
  Goroutine& me = self();
  if (me.native || this_simulation()) return f();
  Job job{f, me, thread_state().local};
  threads().load(std::memory_order_acquire)->submit(job);
  park(me, {.what = "blocking call",
            .object = nullptr,
            .unlock = Job::await,
            .argument = &job,
            .cancellable = false});
  thread_state().local = job.local;
  if (job.error) std::rethrow_exception(job.error);
}

void forget_blocking_threads_after_fork() {
  threads().store(new BlockingThreads, std::memory_order_release);
}

}  // namespace gotorch::runtime
