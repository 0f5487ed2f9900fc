#pragma once
#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "runtime/callable.h"
#include "runtime/mutex.h"

namespace gotorch::runtime {

// What runs here and could wait for itself: a goroutine or a native thread. Also in a loop's body.
const void* who_runs();

// Go's Once: the first call runs f(), all calls return when that has ended. As in Go a call counts also if it
// throws: the exception goes to that caller, and f is not run again (once_value tells all callers). Thread-safe.
//
//   once connected;
//   connected.call([&] { connect(); });
//
// std::logic_error if f, while it runs here, calls it again; std::invalid_argument if f is null.
class once {
 public:
  template <class F>
  void call(F&& f) {
    require_callable(f, "once");
    // acquire: what f did is seen.
    if (!done_.load(std::memory_order_acquire)) run(std::forward<F>(f));
  }

 private:
  template <class F>
  void run(F&& f) {
    if (!lock_.try_lock()) {
      if (runner_.load(std::memory_order_relaxed) == who_runs()) {
        throw std::logic_error("once: called again by the function that it runs");
      }
      lock_.lock();
    }
    struct Unlock {
      once& o;
      ~Unlock() {
        o.runner_.store(nullptr, std::memory_order_relaxed);
        o.done_.store(true, std::memory_order_release);
        o.lock_.unlock();
      }
    } unlock{*this};
    if (done_.load(std::memory_order_relaxed)) return;
    runner_.store(who_runs(),
                  std::memory_order_relaxed);  // only who stored it can find itself there
    std::forward<F>(f)();
  }

  std::atomic<bool> done_{false};
  std::atomic<const void*> runner_{nullptr};
  mutex lock_;
};

// Go's OnceFunc and OnceValue: a function, copied freely, whose first call runs f() and of which each call returns that result,
// or throws what f threw. Thread-safe. std::invalid_argument if f is null.
//
//   auto config = once_value([] { return load_config(); });
//   use(config().path);
template <class F>
auto once_value(F f) {
  require_callable(f, "once_value");
  using R = std::invoke_result_t<F&>;
  using Value = std::conditional_t<std::is_void_v<R>, bool, std::decay_t<R>>;
  struct State {
    explicit State(F&& f) : f(std::move(f)) {}
    std::optional<F> f;  // gone when it has run
    std::optional<Value> value;
    std::exception_ptr error;
    once first;
    void run() {
      try {
        if constexpr (std::is_void_v<R>) (*f)();
        else value.emplace((*f)());
      } catch (...) {
        error = std::current_exception();
      }
      f.reset();
    }
  };
  using Result = std::conditional_t<std::is_void_v<R>, void, const Value&>;
  return [state = std::make_shared<State>(std::move(f))]() -> Result {
    state->first.call([&] { state->run(); });
    if (state->error) std::rethrow_exception(state->error);
    if constexpr (!std::is_void_v<R>) return *state->value;
  };
}

}  // namespace gotorch::runtime
