#include "runtime/counters.h"

#include "runtime/scheduler.h"
#include "runtime/stack.h"
#include "runtime/worker.h"

namespace gotorch::runtime {

NativeCounts& native_counts() {
  static NativeCounts counts;
  return counts;
}

static int64_t live_goroutines() {
  int64_t n = 0;
  for_each_live_goroutine(
      [&](Goroutine& g, int64_t) { n += !g.native.load(std::memory_order_relaxed); });
  return n;
}

Counters counters() {
  Counters all;
  all.total.spawned = native_counts().spawned.load(std::memory_order_relaxed);
  all.total.ended = native_counts().ended.load(std::memory_order_relaxed);
  all.total.wakes = native_counts().wakes.load(std::memory_order_relaxed);
  if (Scheduler* s = scheduler_if_any()) {
    for (int i = 0; i < s->started(); i++) {
      const WorkerCounts& c = s->worker(i).counts();
      all.workers.push_back({c.switches.value(), c.parks.value(), c.spawned.value(),
                             c.ended.value(), c.wakes.value(), c.steals.value(), c.spins.value(),
                             c.sleeps.value(), c.chunks.value(), c.hogs.value(),
                             c.hog.load(std::memory_order_relaxed)});
    }
  }
  using W = Counters::Worker;
  for (auto field : {&W::switches, &W::parks, &W::spawned, &W::ended, &W::wakes, &W::steals,
                     &W::spins, &W::sleeps, &W::chunks, &W::hogs}) {
    for (const W& worker : all.workers) all.total.*field += worker.*field;
  }
  all.live = live_goroutines();
  all.stacks = stacks_made();
  all.timers = backlog().timers.size();
  return all;
}

}  // namespace gotorch::runtime
