#include "tests/models/support.h"

#include <cstring>

#include "runtime/counters.h"
#include "runtime/deadlock.h"
#include "runtime/fence.h"
#include "runtime/interrupt.h"
#include "runtime/park.h"
#include "runtime/scheduler.h"
#include "runtime/thread_state.h"
#include "runtime/worker.h"

namespace gotorch::runtime {

const bool kHasMembarrier = true;
void heavy_fence() { explorer::heavy_fence(); }

namespace {

struct World {
  World() = default;
  World(const World&) = delete;
  ~World() {
    for (Goroutine* g : goroutines) delete g;
  }
  Backlog backlog;
  std::vector<Goroutine*> goroutines;
};
World* world = nullptr;

// Of the model; not an atomic of the program.
bool is_ready(const Goroutine& g) { return *static_cast<const uint32_t*>(g.signal.word().at) != 0; }

}  // namespace

ThreadState& thread_state() {
  static ThreadState states[64];
  return states[explorer::this_thread()];
}

// Each goroutine has a processor to itself.

Model::Model() {
  delete world;
  world = new World;
  thread_state() = {};
}

int Model::go(FnRef<void()> f, ScopeState* scope) {
  auto* g = new Goroutine;
  world->goroutines.push_back(g);
  if (scope) scope->enter(*g);
  return explorer::spawn([g, f] {
    thread_state() = {.pinned = g};
    f();
    thread_state() = {};
  });
}

// Looks at what is no atomic: of the model, too.
bool Model::has_timers() const {
  for (TimerHeap& heap : world->backlog.timers.heaps_) {
    if (*static_cast<const int64_t*>(heap.earliest_.word().at) != kForever) return true;
  }
  return false;
}
void Model::fire_timers() { world->backlog.timers.fire_due(kForever - 1, ready); }

// Whoever made it ready has released what comes after.
void Worker::switch_out(const Intent&) {
  Goroutine& me = self();
  while (me.signal.load(std::memory_order_acquire) == 0) {
    explorer::wait_until([&me] { return is_ready(me); });
  }
  me.signal.store(0, std::memory_order_relaxed);
}

void Scheduler::inject(Goroutine* g) {
  explorer::check(
      (g->wait.load(std::memory_order_relaxed) & Goroutine::kStateMask) == Goroutine::kClaimed,
      "what is made ready is claimed");
  explorer::check(!is_ready(*g), "it is made ready once");
  g->signal.store(1, std::memory_order_release);
}

// The rest of the runtime, as far as it is called.

Backlog& backlog() { return world->backlog; }
void Scheduler::add_timer(Timer& timer) { runtime::backlog().timers.add(timer, -1); }
void for_each_goroutine(FnRef<void(Goroutine&)> visit) {
  for (Goroutine* g : world->goroutines) visit(*g);
}
Scheduler& scheduler() {
  static auto* one = new Scheduler(nullptr);
  return *one;
}
Scheduler& this_scheduler() { return scheduler(); }
NativeCounts& native_counts() {
  static NativeCounts counts;
  return counts;
}

}  // namespace gotorch::runtime
