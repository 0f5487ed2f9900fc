#pragma once
#include <atomic>
#include <chrono>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

#include "runtime/context.h"
#include "runtime/fence.h"
#include "runtime/handle.h"
#include "runtime/park.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

// The goroutines that are joined together.
//
// Invariants
//  - `pending_` counts goroutines that have not ended. Reaching zero ends the scope unless more are
//    added; who decrements it touches the scope afterwards only if it saw kParked and nothing else left: then it
//    was the last one, and the joiner waits for it. A worker may count several ends together, see Worker::count_end.
//  - Most scopes never need a context of their own: one is made when somebody asks for it or the scope is cancelled. Until then
//    its goroutines are under the context of the scope around it, `enclosing_`, if the scope lies on the stack of a goroutine
//    of that, which so outlives it; else under `parent_`.
class ScopeState {
 public:
  using OnError = void (*)(std::exception_ptr error);

  // Under the context of what runs here.
  ScopeState();
  explicit ScopeState(context parent) : parent_(std::move(parent)) {}
  // With this context of its own; a root has none, ever. With `on_error`, what fails is reported there and nothing else happens.
  struct Own {
    context c;
  };
  explicit ScopeState(Own own) : context_(std::move(own.c)), own_(context_.state().get()) {}
  struct Root {
    OnError on_error = nullptr;
  };
  explicit ScopeState(Root root) : root_(true), on_error_(root.on_error) {}
  ~ScopeState() {
    light_fence();
    if (scope_walks.load(std::memory_order_relaxed)) wait_for_scope_walks();
  }

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
  void finish(int64_t ended);
  void join();  // waits, then rethrows the first error

  // Its own.
  context ctx() {
    if (root_) return context();
    if (!own_.load(std::memory_order_acquire)) make_own();
    return context_;
  }
  // The state of the context that its goroutines are under; null: the background's.
  ContextState* governing() const {
    const ScopeState* s = this;
    for (;; s = s->enclosing_) {
      if (ContextState* own = s->own_.load(std::memory_order_acquire)) return own;
      if (!s->enclosing_) return s->parent_.state().get();
    }
  }

 private:
  static constexpr int64_t kParked = int64_t{1} << 62;
  void enter(Goroutine& g);
  void make_own();
  void run_unstarted();
  bool wait(bool interruptible);

  std::atomic<int64_t> pending_{0};
  Goroutine* joiner_ = nullptr;
  std::atomic<bool> left_{false};  // the last goroutine has read joiner_
  SpinLock error_lock_;
  std::exception_ptr error_;
  ScopeState* enclosing_ = nullptr;
  context parent_, context_;
  std::atomic<ContextState*> own_{nullptr};  // context_'s; once set, neither changes
  const bool root_ = false;
  const OnError on_error_ = nullptr;
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
  scope() = default;
  explicit scope(const context& parent) : state_(parent) {}
  scope(const context& parent, std::chrono::nanoseconds timeout)
      : state_(ScopeState::Own{parent.with_timeout(timeout)}) {}
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
  context ctx() { return state_.ctx(); }

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
