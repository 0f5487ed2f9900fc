#pragma once
#include <atomic>
#include <chrono>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

#include "runtime/context.h"
#include "runtime/handle.h"
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
  using OnError = void (*)(std::exception_ptr error);

  // With `on_error`, what fails is reported there and nothing else happens.
  explicit ScopeState(context c, OnError on_error = nullptr)
      : context_(std::move(c)), on_error_(on_error) {}

  template <class F>
  Goroutine* make_goroutine(F&& f, std::source_location site = std::source_location::current()) {
    Goroutine* g = new_goroutine();
    g->site.store(site, std::memory_order_relaxed);
    g->stack_size = 0;
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
  const OnError on_error_;
};

// Goroutines of the runtime itself; nobody joins them.
ScopeState& system_scope();
// What go() starts outside any scope; join() waits for all of it.
ScopeState& background();
// What detach() starts; nobody joins them.
ScopeState& detached();
// The scope of the goroutine that runs here, or the background.
ScopeState& current_scope();

void forget_scopes_after_fork();

void start(Goroutine* g);
// Destroys one that was made but not started.
void drop_goroutine(Goroutine* g);

struct GoOptions {
  int64_t stack_kb =
      0;  // at least so much stack, up to 8192; 0: the usual 256, or what GOTORCH_STACK_KB says
  bool pinned =
      false;  // on one thread, which nothing else runs on: for libraries that are bound to theirs
};

// Starts f() with these options. std::invalid_argument for a stack that does not exist; std::system_error if there is no
// thread for a pinned one.
void start(Goroutine* g, const GoOptions& options);

// Starts f() as a goroutine of `scope`. If it returns a value, that comes with the handle.
template <class F, class... Options>
auto go_in(ScopeState& scope, F&& f, std::source_location site, const Options&... options) {
  using R = std::decay_t<std::invoke_result_t<std::decay_t<F>&>>;
  if constexpr (std::is_void_v<R>) {
    start(scope.make_goroutine(std::forward<F>(f), site), options...);
  } else {
    handle<R> h;
    start(scope.make_goroutine(h.fill(std::forward<F>(f)), site), options...);
    return h;
  }
}

// Starts f() as a goroutine of the scope that runs here. An exception that leaves f fails that
// scope: its goroutines are cancelled and join() rethrows it. What f returns, if anything, is had from the handle.
//   go([c] { c.send(42); });
//   auto answer = go([] { return 42; });
//   int v = answer.join();
//   go(draw, {.pinned = true});
template <class F>
auto go(F&& f, std::source_location site = std::source_location::current()) {
  return go_in(current_scope(), std::forward<F>(f), site);
}
template <class F>
auto go(F&& f, const GoOptions& options,
        std::source_location site = std::source_location::current()) {
  return go_in(current_scope(), std::forward<F>(f), site, options);
}

// Starts f() as a goroutine that nobody waits for and nobody cancels; what it starts is detached, too. When one of them
// fails the handler is called, on it: by default the error is printed, with the place that started it.
//   detach([] { log_rotation(); });
template <class F>
void detach(F&& f, const GoOptions& options = {},
            std::source_location site = std::source_location::current()) {
  static_assert(std::is_void_v<std::invoke_result_t<std::decay_t<F>&>>,
                "nobody could have the result of a detached goroutine");
  go_in(detached(), std::forward<F>(f), site, options);
}
using DetachedErrorHandler = void (*)(std::exception_ptr error, const std::source_location& site);
void set_detached_error_handler(DetachedErrorHandler handler);  // null: the default

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
  auto go(F&& f, std::source_location site = std::source_location::current()) {
    joined_.store(false, std::memory_order_relaxed);
    return go_in(state_, std::forward<F>(f), site);
  }
  template <class F>
  auto go(F&& f, const GoOptions& options,
          std::source_location site = std::source_location::current()) {
    joined_.store(false, std::memory_order_relaxed);
    return go_in(state_, std::forward<F>(f), site, options);
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

// Runs f(), or f(scope&), as the first goroutine of a scope, joins that and returns f's result: when another one fails, f is
// cancelled like the rest. The way to be a goroutine from main() on:
//   int main() {
//     return run([] { ...; return 0; });
//   }
template <class F>
auto run(F&& f) {
  scope s;
  const auto body = [&] {
    if constexpr (std::is_invocable_v<F&, scope&>) return f(s);
    else return f();
  };
  if constexpr (std::is_void_v<decltype(body())>) {
    s.go(body);
    s.join();
  } else {
    auto result = s.go(body);
    s.join();
    return result.join();
  }
}

}  // namespace gotorch::runtime
