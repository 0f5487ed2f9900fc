#pragma once
#include <atomic>
#include <chrono>
#include <exception>
#include <source_location>
#include <utility>

#include "runtime/context.h"
#include "runtime/park.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

// The goroutines that are joined together.
//
// Invariants
//  - `pending_` counts goroutines that have not ended. Reaching zero ends the scope unless more are
//    added; after its decrement a goroutine touches the scope only if it saw kParked + 1: then it
//    is the last one, and the joiner waits for it.
class ScopeState {
 public:
  explicit ScopeState(context c) : context_(std::move(c)) {}

  template <class F>
  Goroutine* make_goroutine(F&& f, std::source_location site = std::source_location::current()) {
    Goroutine* g = new_goroutine();
    g->site.store(site, std::memory_order_relaxed);
    try {
      g->set_closure(std::forward<F>(f));
    } catch (...) {
      free_goroutine(g);
      throw;
    }
    enter(*g);
    return g;
  }

  void fail(std::exception_ptr error);  // the first error counts and cancels the rest
  void finish_one();
  void join();  // waits, then rethrows the first error
  const context& ctx() const { return context_; }

 private:
  static constexpr int64_t kParked = int64_t{1} << 62;
  void enter(Goroutine& g);
  bool wait(bool interruptible);

  std::atomic<int64_t> pending_{0};
  Goroutine* joiner_ = nullptr;
  std::atomic<bool> left_{false};  // the last goroutine has read joiner_
  SpinLock error_lock_;
  std::exception_ptr error_;
  context context_;
};

// Goroutines of the runtime itself; nobody joins them.
ScopeState& system_scope();
// What go() starts outside any scope; join() waits for all of it.
ScopeState& background();
// The scope of the goroutine that runs here, or the background.
ScopeState& current_scope();

void forget_scopes_after_fork();

void start(Goroutine* g);
// Destroys one that was made but not started.
void drop_goroutine(Goroutine* g);

// Starts f() as a goroutine of the scope that runs here. An exception that leaves f fails that
// scope: its goroutines are cancelled and join() rethrows it.
//   go([c] { c.send(42); });
template <class F>
void go(F&& f, std::source_location site = std::source_location::current()) {
  start(current_scope().make_goroutine(std::forward<F>(f), site));
}

// Goroutines that end before the scope does. The first to fail cancels the others; join() waits
// for all and rethrows that error. Leaving the scope without join() cancels and waits, silently.
//
//   scope s;
//   s.go([&] { a = load("a"); });
//   s.go([&] { b = load("b"); });
//   s.join();
//
// Several goroutines may call go(); one joins.
class scope {
 public:
  scope() : scope(this_context()) {}
  explicit scope(const context& parent) : state_(parent.child()) {}
  scope(const context& parent, std::chrono::nanoseconds timeout)
      : state_(parent.with_timeout(timeout)) {}
  scope(const scope&) = delete;
  ~scope();

  template <class F>
  void go(F&& f, std::source_location site = std::source_location::current()) {
    joined_.store(false, std::memory_order_relaxed);
    start(state_.make_goroutine(std::forward<F>(f), site));
  }
  void join() {
    joined_.store(true, std::memory_order_relaxed);
    state_.join();
  }
  void cancel(std::exception_ptr cause = nullptr) { state_.ctx().cancel(std::move(cause)); }
  const context& ctx() const { return state_.ctx(); }

 private:
  ScopeState state_;
  std::atomic<bool> joined_{true};
};

// Runs f(scope&) as the first goroutine of a scope and joins it: when another one fails, f is
// cancelled like the rest.
template <class F>
void run_scoped(F&& f) {
  scope s;
  s.go([&] { f(s); });
  s.join();
}

}  // namespace gotorch::runtime
