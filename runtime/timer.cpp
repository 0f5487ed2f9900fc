#include "runtime/timer.h"

#include <mutex>
#include <stdexcept>
#include <string>

#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

void arm(Timer& timer, std::chrono::nanoseconds duration) {
  timer.when_ns = deadline_after(duration);
  this_scheduler().add_timer(timer);
}

// A full channel keeps the time it has; who has closed it wants none.
void put_time(ChanCore& c) {
  auto now = runtime_clock::now();
  try {
    c.send(&now, false);
  } catch (const ChanError&) {
  }
}

Goroutine* send_time(Timer& timer) {
  auto& t = static_cast<TimerState&>(timer);
  if (t.c) put_time(*t.c.core());
  else if (t.unread_ns == TimerState::kNone) t.unread_ns = now_ns();
  return nullptr;
}

Goroutine* start_runner(Timer& timer) {
  return std::exchange(static_cast<TimerState&>(timer).function->runner, nullptr);
}

// Under the timer's lock, as all below.
void start_timer(const std::shared_ptr<TimerState>& t, std::chrono::nanoseconds duration) {
  if (t->function && !t->function->runner) {
    t->function->runner = make_runner([t] { t->function->action->run(); });
  }
  arm(*t, duration);
}

// True if it has not fired, or nobody has noticed that it did.
bool disarm(TimerState& t) {
  const bool armed = backlog().timers.remove(t);
  if (t.c) return t.c.try_receive() || armed;
  return std::exchange(t.unread_ns, TimerState::kNone) != TimerState::kNone || armed;
}

// Belongs to the channel that it puts the time into, and does not keep it.
struct AfterTimer : Timer {
  explicit AfterTimer(ChanCore& c) : c(c) {
    fire = [](Timer& timer) -> Goroutine* {
      put_time(static_cast<AfterTimer&>(timer).c);
      return nullptr;
    };
  }
  ~AfterTimer() { backlog().timers.remove(*this); }
  AfterTimer(const AfterTimer&) = delete;
  ChanCore& c;
};

int64_t checked_period(std::chrono::nanoseconds period, const char* op) {
  if (period.count() > 0) return period.count();
  throw std::invalid_argument(std::string(op) + ": the period must be positive, got " +
                              std::to_string(period.count()) + " ns");
}

}  // namespace

void sleep(std::chrono::nanoseconds duration) {
  if (duration.count() > 0)
    sleep_until(runtime_clock::time_point(std::chrono::nanoseconds(deadline_after(duration))));
}

void sleep_until(runtime_clock::time_point time) {
  const int64_t deadline = time.time_since_epoch().count();
  if (deadline <= now_ns()) return;
  throw_if_stopped(park(self(), {.what = "sleep", .object = nullptr, .deadline_ns = deadline}));
}

chan<runtime_clock::time_point> after(std::chrono::nanoseconds duration) {
  const chan<runtime_clock::time_point> c(1);
  const auto timer = std::make_shared<AfterTimer>(*c.core());
  c.core()->source = timer;
  arm(*timer, duration);
  return c;
}

// With a function it is not armed: its runner would hold it.
TimerState::~TimerState() {
  if (!function) backlog().timers.remove(*this);
}

void TimerState::make_channel() {
  chan<runtime_clock::time_point> made(1);
  const std::lock_guard guard(lock);
  if (c) return;
  int64_t unread = kNone;  // which stays as it is, whatever fires
  const auto look = [&] {
    unread = unread_ns;
    if (unread == kNone) c = made;
  };
  backlog().timers.hold_back(*this, look);
  if (unread != kNone) {  // not while firing is held back: using a channel may let others run
    made.try_send(runtime_clock::time_point(std::chrono::nanoseconds(unread)));
    backlog().timers.hold_back(*this, [&] { c = made; });
  }
  has_channel.store(true, std::memory_order_release);
}

timer::timer(std::chrono::nanoseconds duration) : state_(std::make_shared<TimerState>()) {
  state_->fire = send_time;
  arm(*state_, duration);
}

timer::timer(std::chrono::nanoseconds duration, std::unique_ptr<Action> action)
    : state_(std::make_shared<TimerState>()) {
  state_->function = std::make_unique<TimerState::Function>();
  state_->function->action = std::move(action);
  state_->fire = start_runner;
  start_timer(state_, duration);
}

bool timer::stop() const {
  std::unique_lock guard(state_->lock);
  const bool stopped = disarm(*state_);
  Goroutine* runner = state_->function ? std::exchange(state_->function->runner, nullptr) : nullptr;
  guard.unlock();
  if (runner) drop_goroutine(runner);
  return stopped;
}

bool timer::reset(std::chrono::nanoseconds duration) const {
  const std::lock_guard guard(state_->lock);
  const bool stopped = disarm(*state_);
  start_timer(state_, duration);
  return stopped;
}

ticker::ticker(std::chrono::nanoseconds period) : state_(std::make_shared<TimerState>()) {
  state_->period_ns = checked_period(period, "ticker");
  state_->fire = send_time;
  arm(*state_, period);
}

void ticker::stop() const {
  const std::lock_guard guard(state_->lock);
  disarm(*state_);
}

void ticker::reset(std::chrono::nanoseconds period) const {
  const int64_t checked = checked_period(period, "ticker: reset");
  const std::lock_guard guard(state_->lock);
  disarm(*state_);
  state_->period_ns = checked;
  arm(*state_, period);
}

}  // namespace gotorch::runtime
