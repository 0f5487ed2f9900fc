#include "runtime/clock.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>

#include "runtime/parallel.h"
#include "runtime/park.h"
#include "runtime/scheduler.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

constexpr int64_t kBeginningNs = 1'000'000'000;

// There is one at most.
struct FakeTime {
  std::atomic<int64_t> now_ns{kBeginningNs};
  std::atomic<bool> by_itself{false};
  std::atomic<Goroutine*> maker{nullptr};  // the native thread that made the clock
} fake;
std::atomic<bool> taken{false};

bool maker_waits() {
  const Goroutine* maker = fake.maker.load(std::memory_order_relaxed);
  return !maker || (maker->wait.load(std::memory_order_acquire) & Goroutine::kStateMask) ==
                       Goroutine::kWaiting;
}

// Several may do this at once; time does not go back.
void move_time(int64_t to_ns) {
  int64_t now = fake.now_ns.load(std::memory_order_relaxed);
  while (now < to_ns && !fake.now_ns.compare_exchange_weak(now, to_ns, std::memory_order_relaxed)) {
  }
}

}  // namespace

int64_t fake_or_real_now_ns() {
  return fake_clock_exists.load(std::memory_order_relaxed)
             ? fake.now_ns.load(std::memory_order_relaxed)
             : real_now_ns();
}

fake_clock::fake_clock(Advance advance) {
  Goroutine& me = self();
  if (taken.exchange(true, std::memory_order_relaxed)) {
    throw std::logic_error("fake_clock: there is one already");
  }
  fake.now_ns.store(kBeginningNs, std::memory_order_relaxed);
  fake.maker.store(me.native ? &me : nullptr, std::memory_order_relaxed);
  fake.by_itself.store(advance == when_idle, std::memory_order_relaxed);
  fake_clock_exists.store(true, std::memory_order_relaxed);
  virtual_clocks.fetch_add(1, std::memory_order_relaxed);
}

fake_clock::~fake_clock() {
  fake.by_itself.store(false, std::memory_order_relaxed);
  fake_clock_exists.store(false, std::memory_order_relaxed);
  virtual_clocks.fetch_sub(1, std::memory_order_relaxed);
  taken.store(false, std::memory_order_relaxed);
  scheduler().wake_keeper();  // it waits to be told
}

void fake_clock::advance(std::chrono::nanoseconds duration) {
  if (duration.count() < 0) {
    throw std::invalid_argument("fake_clock: advance by " + std::to_string(duration.count()) +
                                " ns");
  }
  Scheduler& s = this_scheduler();
  const int64_t until = deadline_after(duration);
  for (int64_t next; (next = s.backlog.timers.next()) <= until && next != kForever;) {
    move_time(next);
    s.fire_timers();
  }
  move_time(until);
}

bool Scheduler::let_time_pass(IdleWorkers::Seat& seat) {
  if (!fake.by_itself.load(std::memory_order_relaxed) || !maker_waits()) return false;
  const int64_t next = backlog.timers.next();
  if (next == kForever) return false;
  if (!idle.leave_if_all_sleep(seat, std::min(started(), num_workers()))) return false;
  move_time(next);
  return true;
}

}  // namespace gotorch::runtime
