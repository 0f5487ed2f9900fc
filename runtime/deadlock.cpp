#include "runtime/deadlock.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "runtime/observe.h"
#include "runtime/park.h"
#include "runtime/process_threads.h"
#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/simulate.h"
#include "runtime/worker.h"

// Invariants
//  - What DeadlockWatch calls still is true of one moment: between two looks that agree no goroutine was switched to (each
//    switch counts), no waiting goroutine was woken (its wait word would have changed), and no thread ran, except those that
//    wait in the runtime and poll. At the second look every thread sleeps until another one wakes it, so there is none to
//    begin. Two looks are needed as one is not a moment: what is read first may have changed when the last is read.
namespace gotorch::runtime {
namespace {

constexpr int kMostPatience = 6;  // slices of a native thread's wait
constexpr int64_t kMostReported = 100;
constexpr int64_t kEndlessNs =
    300'000'000;  // to tell a wait that somebody is about to interrupt from one that lasts

std::atomic<DeadlockHandler> handler{nullptr};

struct LastReport {
  std::mutex lock;
  std::string text;
};
LastReport& last_report() {
  static auto* report = new LastReport;
  return *report;
}

void hand_out(const std::string& report) {
  if (const DeadlockHandler h = handler.load(std::memory_order_acquire)) return h(report);
  std::fputs(report.c_str(), stderr);
  std::fflush(stderr);
}

uint64_t mix(uint64_t sum, uint64_t value) { return (sum ^ value) * 0x9e3779b97f4a7c15u + 1; }

bool waits(const Goroutine& g) {
  return (g.wait.load(std::memory_order_acquire) & Goroutine::kStateMask) == Goroutine::kWaiting;
}

bool waits_untimed_on_thread(const Goroutine& g, uint32_t thread) {
  return g.native.load(std::memory_order_relaxed) &&
         g.thread.load(std::memory_order_relaxed) == thread && waits(g) &&
         !g.timed.load(std::memory_order_relaxed);
}

bool work_is_left(Scheduler& s) {
  if (s.has_work()) return true;
  for (int i = 0; i < s.started(); i++) {
    if (s.worker(i).has_next()) return true;
  }
  return false;
}

// Empty if anything goes on or may; else a number that is equal for the same stillness.
std::optional<uint64_t> stillness() {
  if (backlog().timers.earliest() != kForever || !backlog().inject.empty()) return std::nullopt;
  uint64_t sum = 0;
  if (Scheduler* s = scheduler_if_any()) {
    if (s->idle.searching.load(std::memory_order_relaxed) != 0 || work_is_left(*s))
      return std::nullopt;
    for (int i = 0; i < s->started(); i++) sum = mix(sum, s->worker(i).switches());
  }
  const std::optional<uint64_t> threads = blocked_threads([](uint32_t thread) {
    bool polls = false;
    for_each_live_goroutine(
        [&](Goroutine& g, int64_t) { polls = polls || waits_untimed_on_thread(g, thread); });
    return polls;
  });
  if (!threads) return std::nullopt;
  for_each_live_goroutine([&](Goroutine& g, int64_t number) {
    if (waits(g))
      sum = mix(mix(sum, static_cast<uint64_t>(number)), g.wait.load(std::memory_order_relaxed));
  });
  return mix(sum, *threads);
}

// Ends the waits of goroutines, except those for others to end.
void break_up() {
  for_each_live_goroutine([](Goroutine& g, int64_t) {
    const char* what = g.waits_for.load(std::memory_order_relaxed);
    if (g.native.load(std::memory_order_relaxed) || !what || std::strcmp(what, "join") == 0) return;
    if (!claim(g, WakeReason::Interrupted)) return;
    g.fired = deadlock_mark();
    ready(&g);
  });
}

std::string counted(int64_t n, const char* what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

std::string report_all() {
  std::vector<GoroutineInfo> list = goroutines();
  std::erase_if(list, [](const GoroutineInfo& g) { return g.state != GoroutineInfo::Waiting; });
  int64_t natives = 0;
  for (const GoroutineInfo& g : list) natives += g.native;
  return "deadlock: " + counted(std::ssize(list) - natives, "goroutine") + " and " +
         counted(natives, "native thread") + " wait, and nothing is left that could wake them\n" +
         describe(list, kMostReported);
}

// The one that waits, and those that wait for it to end, and so on.
void report_endless(int64_t number, uint64_t wait) {
  std::vector<GoroutineInfo> list = goroutines(), stuck;
  for (const GoroutineInfo& g : list) {
    if (g.number == number && g.wait == wait && g.state == GoroutineInfo::Waiting)
      stuck.push_back(g);
  }
  for (size_t i = 0; i < stuck.size(); i++) {
    for (const GoroutineInfo& g : list) {
      if (g.state != GoroutineInfo::Waiting || std::strcmp(g.waits_for, "join") != 0 ||
          g.waits_on != stuck[i].scope)
        continue;
      const bool known = std::any_of(stuck.begin(), stuck.end(),
                                     [&](const auto& s) { return s.number == g.number; });
      if (!known) stuck.push_back(g);
    }
  }
  if (stuck.empty()) return;
  hand_out("deadlock: a goroutine can never be woken" +
           (stuck.size() > 1 ? "; " + std::to_string(stuck.size() - 1) + " more wait for it to end"
                             : std::string()) +
           "\n" + describe(stuck, kMostReported));
}

struct EndlessWait : Timer {
  Goroutine* reporter;
  static Goroutine* fire_and_delete(Timer& timer) {
    auto* self = static_cast<EndlessWait*>(&timer);
    Goroutine* reporter = self->reporter;
    delete self;
    return reporter;
  }
};

}  // namespace

DeadlockHandler set_deadlock_handler(DeadlockHandler h) {
  return handler.exchange(h, std::memory_order_acq_rel);
}

bool DeadlockWatch::sees_deadlock() {
  if (me_.timed.load(std::memory_order_relaxed) || ++skipped_ < patience_) return false;
  skipped_ = 0;
  const std::optional<uint64_t> now = stillness();
  const bool still = now && now == before_;
  patience_ = now ? 1 : std::min(2 * patience_, kMostPatience);
  before_ = still ? std::nullopt : now;
  return still;
}

bool DeadlockWatch::resolve(bool caller_may_give_up) {
  if (!caller_may_give_up) {
    break_up();
    return false;
  }
  std::string report = report_all();
  hand_out(report);
  std::lock_guard guard(last_report().lock);
  last_report().text = std::move(report);
  return true;
}

void* deadlock_mark() {
  static char mark;
  return &mark;
}

void throw_deadlock() {
  std::lock_guard guard(last_report().lock);
  throw Deadlock(last_report().text);
}

const void* endless() {
  static const char mark = 0;
  return &mark;
}

void watch_endless_wait(Goroutine& me) {
  // Its context may be cancelled some time, and a native thread may be interrupted.
  if (me.native.load(std::memory_order_relaxed) ||
      !is_root(me.scope.load(std::memory_order_relaxed)))
    return;
  if (this_simulation()) return;  // which sees all deadlocks itself
  int64_t number = 0;
  for_each_live_goroutine([&](Goroutine& g, int64_t n) { number = &g == &me ? n : number; });
  auto* timer = new EndlessWait;
  timer->reporter = system_scope().make_goroutine(
      [number, wait = me.wait.load(std::memory_order_relaxed) | Goroutine::kWaiting] {
        report_endless(number, wait);
      });
  timer->when_ns = now_ns() + kEndlessNs;
  timer->fire = EndlessWait::fire_and_delete;
  this_worker()->scheduler().add_timer(*timer);
}

}  // namespace gotorch::runtime
