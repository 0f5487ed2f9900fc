#pragma once
#include <atomic>
#include <exception>
#include <memory>
#include <utility>

#include "runtime/callable.h"
#include "runtime/scope.h"
#include "runtime/semaphore.h"

namespace gotorch::runtime {

// Go's errgroup.Group: goroutines that work on parts of one task, at most so many at a time. wait() rethrows the first
// error. Thread-safe, but one goroutine waits.
//
//   err_group g(this_context());
//   g.set_limit(8);
//   for (const auto& file : files) g.go([&] { upload(file); });
//   g.wait();
//
// Made with a context it is Go's WithContext: ctx() is below that one, its goroutines run under ctx(), and it is cancelled by
// the first error, or when wait() returns. Without, one goroutine's error does not disturb the others.
// Functions that are null are a std::invalid_argument.
class err_group {
 public:
  err_group() : cancels_(false) {}
  explicit err_group(const context& parent) : cancels_(true), scope_(parent) {}
  err_group(const err_group&) = delete;

  context ctx() { return scope_.ctx(); }

  // At most n functions run at a time; negative: any number, as in the beginning; 0: none, so that go() is an error.
  // std::logic_error while any run.
  void set_limit(int64_t n);

  // Waits, if as many run as may; Cancelled if the caller's context is cancelled meanwhile.
  template <class F>
  void go(F&& f, std::source_location site = std::source_location::current()) {
    require_callable(f, "err_group: go");
    if (limit_) limit_->acquire();
    start(std::forward<F>(f), site);
  }
  // False, and f not started, if it would have to wait.
  template <class F>
  bool try_go(F&& f, std::source_location site = std::source_location::current()) {
    require_callable(f, "err_group: try_go");
    if (limit_ && !limit_->try_acquire()) return false;
    start(std::forward<F>(f), site);
    return true;
  }

  void wait();

 private:
  // From the first moment a function may run until it has ended.
  class Running {
   public:
    explicit Running(err_group& group) : group_(&group) {
      group.running_.fetch_add(1, std::memory_order_relaxed);
    }
    Running(Running&& other) noexcept : group_(std::exchange(other.group_, nullptr)) {}
    ~Running() {
      if (group_) group_->leave();
    }

   private:
    err_group* group_;
  };

  template <class F>
  void start(F&& f, std::source_location site) {
    scope_.go(
        [this, running = Running(*this), f = std::forward<F>(f)]() mutable {
          try {
            f();
          } catch (...) {
            fail(std::current_exception());
          }
        },
        site);
  }
  void leave();
  void fail(std::exception_ptr error);

  const bool cancels_;
  std::unique_ptr<semaphore> limit_;  // null: none
  std::atomic<int64_t> running_{0};
  SpinLock error_lock_;
  std::exception_ptr error_;
  scope scope_;  // ends first: its goroutines use the rest
};

}  // namespace gotorch::runtime
