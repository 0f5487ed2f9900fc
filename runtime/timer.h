#pragma once
// Sleeping, timers and tickers, with the rules of Go 1.23: after stop() or reset() has returned no time of before is
// received.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "runtime/callable.h"
#include "runtime/chan.h"
#include "runtime/clock.h"
#include "runtime/mutex.h"
#include "runtime/timer_heap.h"

namespace gotorch::runtime {

// Lets others run for at least this long; not at all if it is not positive.
void sleep(std::chrono::nanoseconds duration);
void sleep_until(runtime_clock::time_point time);

// A channel that gets the time once when that much has passed. Nothing is left of it when the last handle to the channel is gone.
chan<runtime_clock::time_point> after(std::chrono::nanoseconds duration);

// Invariants
//  - `c` is set once, with `lock` held and while the timer cannot fire, and `has_channel` after that. What fires finds it, or
//    leaves the time in `unread_ns`: many timers are stopped before anybody has asked for their channel, so they have none.
struct TimerState : Timer {
  struct Function {
    std::unique_ptr<Action> action;
    Goroutine* runner = nullptr;  // what the timer starts when it fires; holds the state meanwhile
  };
  static constexpr int64_t kNone = INT64_MIN;

  std::atomic<bool> has_channel{false};
  mutex lock;  // one stop() or reset() at a time; it uses the channel, so no spin lock
  chan<runtime_clock::time_point> c;
  int64_t unread_ns = kNone;
  std::unique_ptr<Function> function;  // then there is no channel

  ~TimerState();
  const chan<runtime_clock::time_point>& channel() {
    // acquire: the channel is seen.
    if (!function && !has_channel.load(std::memory_order_acquire)) make_channel();
    return c;
  }

 private:
  void make_channel();
};

// Go's Timer: puts the time into its channel once, when so much has passed; at once if that is not positive.
// A handle, copied freely; thread-safe. When the last one is gone the timer is stopped, unless it runs a function.
//
//   timer t(10ms);
//   select(on_receive(t.c(), [](auto) { ... }), on_receive(work, [](auto) { ... }));
//   t.reset(20ms);
class timer {
 public:
  explicit timer(std::chrono::nanoseconds duration);
  timer(const timer&) = default;  // and no move: a handle always has its timer
  timer& operator=(const timer&) = default;

  // Nil if it runs a function.
  const chan<runtime_clock::time_point>& c() const { return state_->channel(); }
  // Both say whether that kept it from firing: false if it had fired and its time was received, or its function started, or if
  // it was stopped before. They do not wait for the function.
  bool stop() const;
  bool reset(std::chrono::nanoseconds duration) const;

 private:
  template <class F>
  friend timer after_func(std::chrono::nanoseconds duration, F f);
  timer(std::chrono::nanoseconds duration, std::unique_ptr<Action> action);
  std::shared_ptr<TimerState> state_;
};

// Go's time.AfterFunc: runs f() in a goroutine of its own when so much time has passed, each time that the timer fires. An
// exception that leaves f fails background(). std::invalid_argument if f is null.
//
//   timer t = after_func(1s, [] { std::puts("late"); });
template <class F>
timer after_func(std::chrono::nanoseconds duration, F f) {
  return timer(duration, make_action(std::move(f), "after_func"));
}

// Go's Ticker: puts the time into its channel again and again; what a slow receiver has not taken by the next time is
// not repeated. A handle like timer. std::invalid_argument for a period that is not positive.
//
//   ticker t(1s);
//   for (auto time : t.c()) report(time);  // never ends: stop() does not close the channel
class ticker {
 public:
  explicit ticker(std::chrono::nanoseconds period);
  ticker(const ticker&) = default;
  ticker& operator=(const ticker&) = default;

  const chan<runtime_clock::time_point>& c() const { return state_->channel(); }
  void stop() const;
  void reset(std::chrono::nanoseconds period) const;  // the next time is a period from now

 private:
  std::shared_ptr<TimerState> state_;
};

}  // namespace gotorch::runtime
