#pragma once
#include <atomic>
#include <cstdint>
#include <utility>

#include "runtime/callable.h"
#include "runtime/scope.h"
#include "runtime/sync_queue.h"

namespace gotorch::runtime {

// Go's WaitGroup: wait() returns once done() has been called as often as add() said. Thread-safe.
//
//   wait_group all;
//   all.go([&] { work(); });
//   all.go([&] { other_work(); });
//   all.wait();
//
// Misuse is a std::logic_error: more calls of done() than add() said, add() while waiters are being woken, and, for the
// waiter, when the group was used again before its wait() returned. A cancelled context ends a wait with Cancelled.
//
// Invariants
//  - word_ is count << 32 | waiters. Waiters come while the count is positive, under lock_. The add() that makes it zero
//    wakes them all and sets their number to zero; it touches the group last when it releases lock_, before any of them runs.
class wait_group {
 public:
  wait_group() = default;
  wait_group(const wait_group&) = delete;

  void add(int64_t n) {
    if (n < -kMost || n > kMost) refuse(n, "is out of range");
    // release: what was done before done() is seen by who waits. acquire: the last one passes on what the others released.
    const int64_t before = word_.fetch_add(n * kOne, std::memory_order_acq_rel);
    const int64_t count = (before >> 32) + n;
    if (count > 0 && count <= kMost && (before == 0 || before >= kOne)) return;
    settle(before, n);
  }
  void done() { add(-1); }
  void wait();

  // Go 1.25's WaitGroup.Go: add(1), then done() when the goroutine ends, also by an exception, which fails the scope that
  // runs here. std::invalid_argument if f is null.
  template <class F>
  void go(F&& f, std::source_location site = std::source_location::current()) {
    require_callable(f, "wait_group: go");
    add(1);
    try {
      runtime::go([this, f = std::forward<F>(f)]() mutable { run(f); }, site);
    } catch (...) {
      done();
      throw;
    }
  }

 private:
  static constexpr int64_t kOne = int64_t{1} << 32, kWaiters = kOne - 1, kMost = INT32_MAX;

  template <class F>
  void run(F& f) {
    try {
      f();
    } catch (...) {
      done();
      throw;
    }
    done();
  }
  void settle(int64_t before, int64_t n);
  [[noreturn]] static void refuse(int64_t n, const char* why);
  void give_up(SyncWaiter& waiter);

  std::atomic<int64_t> word_{0};
  SpinLock lock_;
  SyncQueue waiters_;
};

}  // namespace gotorch::runtime
