#include "runtime/timer.h"

#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/worker.h"

namespace gotorch::runtime {

void sleep(std::chrono::nanoseconds duration) {
  const int64_t deadline = now_ns() + duration.count();
  throw_if_stopped(park(self(), {.what = "sleep", .object = nullptr, .deadline_ns = deadline}));
}

namespace {

// Owns itself until it has fired; a full buffer cannot be, it is the only sender.
struct AfterTimer : Timer {
  chan<unit> c{1};
  static Goroutine* fire_and_delete(Timer& timer) {
    auto* self = static_cast<AfterTimer*>(&timer);
    self->c.try_send(unit{});
    delete self;
    return nullptr;
  }
};

}  // namespace

chan<unit> after(std::chrono::nanoseconds duration) {
  auto* timer = new AfterTimer;
  timer->when_ns = now_ns() + duration.count();
  timer->fire = AfterTimer::fire_and_delete;
  chan<unit> c = timer->c;
  (this_worker() ? this_worker()->scheduler() : scheduler()).add_timer(*timer);
  return c;
}

}  // namespace gotorch::runtime
