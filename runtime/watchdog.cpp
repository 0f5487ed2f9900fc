#include "runtime/watchdog.h"

#include <mutex>

#include "runtime/scheduler.h"
#include "runtime/trace.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

constexpr int64_t kLongNs = 100'000'000;

// What was seen of a worker, under Scheduler::hogs_lock.
void look(Worker& worker, Worker::Run& seen, int64_t now) {
  const uint32_t switches = worker.switches();
  if (!worker.runs_goroutine() || seen.switches != switches) {
    seen = {.switches = switches, .since_ns = now};
  } else if (!seen.told && now - seen.since_ns >= kLongNs) {
    Goroutine* g = worker.peek_current();
    if (!g) return;
    seen.told = true;
    worker.counts().hog.store(g->site.load(std::memory_order_relaxed), std::memory_order_relaxed);
    worker.counts().hogs.add();
    trace::event(trace::Kind::Hog, g);
  }
}

}  // namespace

void watch_for_hogs(Scheduler& scheduler) {
  const std::unique_lock guard(scheduler.hogs_lock, std::try_to_lock);
  if (!guard) return;  // somebody else is at it
  const int64_t now = real_now_ns();
  for (int i = 0; i < scheduler.started(); i++) {
    Worker& worker = scheduler.worker(i);
    look(worker, worker.last_run(), now);
  }
}

}  // namespace gotorch::runtime
