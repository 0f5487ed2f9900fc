#include "runtime/park.h"

#include <algorithm>

#include "runtime/context.h"
#include "runtime/fence.h"
#include "runtime/interrupt.h"
#include "runtime/io/poller.h"
#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/timer_heap.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

constexpr int64_t kSpinNs = 10'000;  // a native thread that is answered at once need not sleep

// Stands for a native thread while that exists.
struct NativeSelf {
  NativeSelf() : g(new_goroutine_shared()) { g->native = true; }
  ~NativeSelf() {
    g->native = false;
    free_goroutine_shared(g);
  }
  Goroutine* g;
};

struct ParkTimer : Timer {
  Goroutine* g;
  uint64_t running;  // g->wait when it set out to wait
};

// Claims g for this one wait, even if it is still on its way to it.
Goroutine* fire_park_timer(Timer& timer) {
  auto& t = static_cast<ParkTimer&>(timer);
  uint64_t word = t.running;
  const uint64_t timed_out = Goroutine::claimed(word, WakeReason::Timeout);
  // acq_rel as in claim().
  if (t.g->wait.compare_exchange_strong(word, timed_out, std::memory_order_acq_rel)) return nullptr;
  if (word != (t.running | Goroutine::kWaiting)) return nullptr;
  return t.g->wait.compare_exchange_strong(word, timed_out, std::memory_order_acq_rel) ? t.g
                                                                                       : nullptr;
}

// Claims g if it is in the wait that `waiting` stands for.
bool claim_wait(Goroutine& g, uint64_t waiting, WakeReason reason) {
  // acquire: we read what the waiter prepared; release: it reads what we did before.
  return g.wait.compare_exchange_strong(waiting, Goroutine::claimed(waiting, reason),
                                        std::memory_order_acq_rel);
}

bool cancelled(const Goroutine& g) {
  const ScopeState* scope = g.scope.load(std::memory_order_relaxed);
  return scope && context_cancelled(scope->governing());
}

// Marks g as waiting and releases what kept wakers away. False: it does not wait, and goes on. From here on g may be claimed
// and queued, but does not run elsewhere before its fiber has been left.
bool commit_park(Goroutine& g, const ParkSpec& spec) {
  const auto unlock = [&] { return !spec.unlock || spec.unlock(spec.argument); };
  uint64_t word = g.wait.load(std::memory_order_relaxed);
  const uint64_t waiting = (word & ~Goroutine::kStateMask) | Goroutine::kWaiting;
  if (spec.deadline_ns == kForever || g.native) {
    // release: who claims g sees what it prepared.
    g.wait.store(waiting, std::memory_order_release);
  } else if ((word & Goroutine::kStateMask) != Goroutine::kRunning ||
             !g.wait.compare_exchange_strong(word, waiting, std::memory_order_release)) {
    unlock();  // the timer was faster
    return false;
  }
  // Who cancels sets the flag, then looks at `wait`; we set `wait`, then look at the flag.
  light_fence();
  at_edge(Edge::Parking);
  // We claim this wait or none: as soon as it is claimed by another it is over.
  if (spec.cancellable && cancelled(g) && claim_wait(g, waiting, WakeReason::Cancelled)) {
    unlock();
    return false;
  }
  const bool released = unlock();
  at_edge(Edge::Parking);
  return released ||
         !claim_wait(g, waiting, WakeReason::Signal);  // lost: the claimer makes it ready
}

bool wait_for_signal(Goroutine& me, int64_t ns) {
  if (me.signal.load(std::memory_order_acquire) == 0) futex_wait(me.signal, 0, ns);
  return me.signal.load(std::memory_order_acquire) != 0;
}

// Asks the interrupt check, unless this thread did within the last 50 ms: many short waits are interrupted like a long one.
bool interrupted(const ParkSpec& spec) {
  thread_local int64_t next_ns = 0;
  if (!spec.interruptible || now_ns() < next_ns) return false;
  next_ns = now_ns() + kInterruptSliceNs;
  return interrupt_requested();
}

// Ends the wait for this reason, if nobody else has ended it.
void give_up(Goroutine& me, WakeReason reason) {
  if (claim(me, reason)) return;
  while (!wait_for_signal(me, kForever)) {  // the claimer is about to signal
  }
}

bool has_time_or_io_to_watch() { return backlog().timers.earliest() != kForever || io_in_use(); }

void park_native(Goroutine& me, const ParkSpec& spec) {
  me.signal.store(0, std::memory_order_relaxed);
  if (!commit_park(me, spec)) return;
  // We may wait for goroutines that a shutdown() left behind, or that nobody has run yet.
  if (!backlog().inject.empty() || (scheduler().started() == 0 && has_time_or_io_to_watch())) {
    scheduler().wake(1);
  }
  if (interrupted(spec)) return give_up(me, WakeReason::Interrupted);
  for (const int64_t start = now_ns(); now_ns() - start < kSpinNs;) {
    for (int i = 0; i < 32; i++, cpu_relax()) {
      if (me.signal.load(std::memory_order_acquire)) return;
    }
  }
  for (;;) {
    const int64_t left =
        spec.deadline_ns == kForever ? kForever : std::max<int64_t>(0, spec.deadline_ns - now_ns());
    if (wait_for_signal(me, std::min<int64_t>(left, kInterruptSliceNs))) return;
    if (spec.deadline_ns <= now_ns()) return give_up(me, WakeReason::Timeout);
    if (interrupted(spec)) return give_up(me, WakeReason::Interrupted);
  }
}

void park_fiber(Goroutine& me, const ParkSpec& spec) {
  if (spec.deadline_ns == kForever) {
    if (commit_park(me, spec)) Worker::switch_out({});
    return;
  }
  ParkTimer timer;
  timer.when_ns = spec.deadline_ns;
  timer.fire = fire_park_timer;
  timer.g = &me;
  timer.running = me.wait.load(std::memory_order_relaxed);
  this_worker()->scheduler().add_timer(timer);
  if (commit_park(me, spec)) Worker::switch_out({});
  backlog().timers.remove(timer);
}

}  // namespace

Goroutine* current_goroutine() {
  const ThreadState& here = thread_state();
  return here.worker ? here.worker->current() : here.pinned;
}

Goroutine& self() {
  const ThreadState& here = thread_state();
  if (here.loop_depth > 0) throw std::logic_error("the body of a parallel loop must not wait");
  if (Worker* worker = here.worker) {
    if (worker->current()) return *worker->current();
    throw std::logic_error("a timer's function must not wait");
  }
  if (here.pinned) return *here.pinned;
  thread_local NativeSelf native;
  return *native.g;
}

WakeReason park(Goroutine& me, const ParkSpec& spec) {
  me.waits_for.store(spec.what, std::memory_order_relaxed);
  me.waits_on.store(spec.object, std::memory_order_relaxed);
  me.cancellable.store(spec.cancellable, std::memory_order_relaxed);
  me.native ? park_native(me, spec) : park_fiber(me, spec);
  me.waits_for.store(nullptr, std::memory_order_relaxed);
  const uint64_t word = me.wait.load(std::memory_order_acquire);  // the claimer's writes are seen
  me.wait.store((word | 15) + 1, std::memory_order_relaxed);      // next sequence, running
  return static_cast<WakeReason>(word >> 2 & 3);
}

void throw_if_stopped(WakeReason reason) {
  if (reason == WakeReason::Cancelled) throw Cancelled();
  if (reason == WakeReason::Interrupted) throw Interrupted();
}

bool claim(Goroutine& g, WakeReason reason) {
  const uint64_t word = g.wait.load(std::memory_order_relaxed);
  return (word & Goroutine::kStateMask) == Goroutine::kWaiting && claim_wait(g, word, reason);
}

void ready(Goroutine* g) {
  if (g->native) {
    g->signal.store(1, std::memory_order_release);
    futex_wake(g->signal, 1);  // the thread may be gone by now: the word is not
  } else if (Worker* worker = this_worker()) {
    at_edge(Edge::Waking) ? worker->scheduler().inject(g) : worker->ready(g);
  } else {
    scheduler().inject(g);
  }
}

void yield() {
  Worker* worker = this_worker();
  if (!worker) {
    sched_yield();
  } else if (worker->current() && loop_depth() == 0 && worker->has_company()) {
    Worker::switch_out({.yield = true});
  }
}

Goroutine* new_goroutine() {
  Worker* worker = this_worker();
  return worker ? worker->goroutines().get() : new_goroutine_shared();
}

void free_goroutine(Goroutine* g) {
  Worker* worker = this_worker();
  worker ? worker->goroutines().put(g) : free_goroutine_shared(g);
}

}  // namespace gotorch::runtime
