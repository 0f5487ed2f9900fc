#include "runtime/park.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/clock.h"
#include "runtime/coarse_clock.h"
#include "runtime/context.h"
#include "runtime/deadlock.h"
#include "runtime/fence.h"
#include "runtime/held_locks.h"
#include "runtime/interrupt.h"
#include "runtime/io/poller.h"
#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/spin.h"
#include "runtime/timer_heap.h"
#include "runtime/trace.h"
#include "runtime/watchdog.h"
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

// Ends one wait at its deadline.
class ParkTimer : Timer {
 public:
  ParkTimer(Goroutine& me, int64_t deadline_ns)
      : g_(me), running_(me.wait.load(std::memory_order_relaxed)) {
    when_ns = deadline_ns;
    fire = [](Timer& t) { return static_cast<ParkTimer&>(t).claim(); };
    this_scheduler().add_timer(*this);
  }
  ~ParkTimer() { backlog().timers.remove(*this); }
  ParkTimer(const ParkTimer&) = delete;

 private:
  // Claims the goroutine for this wait, even if it is still on its way to it.
  Goroutine* claim() {
    uint64_t word = running_;
    const uint64_t timed_out = Goroutine::claimed(word, WakeReason::Timeout);
    // acq_rel as in runtime::claim().
    if (g_.wait.compare_exchange_strong(word, timed_out, std::memory_order_acq_rel)) return nullptr;
    if (word != (running_ | Goroutine::kWaiting)) return nullptr;
    return g_.wait.compare_exchange_strong(word, timed_out, std::memory_order_acq_rel) ? &g_
                                                                                       : nullptr;
  }

  Goroutine& g_;
  const uint64_t running_;  // g_.wait when it set out to wait
};

// Claims g if it is in the wait that `waiting` stands for.
bool claim_wait(Goroutine& g, uint64_t waiting, WakeReason reason) {
  // acquire: we read what the waiter prepared; release: it reads what we did before.
  return g.wait.compare_exchange_strong(waiting, Goroutine::claimed(waiting, reason),
                                        std::memory_order_acq_rel);
}

// For reports.
void tell_wait(Goroutine& me, const char* what, const void* object, bool cancellable) {
  me.waits_for.store(what, std::memory_order_relaxed);
  me.waits_on.store(object, std::memory_order_relaxed);
  me.cancellable.store(cancellable, std::memory_order_relaxed);
  me.since_ms.store(coarse_ms(), std::memory_order_relaxed);
}

// Returns the word of the wait that is over.
uint64_t end_wait(Goroutine& me) {
  me.waits_for.store(nullptr, std::memory_order_relaxed);
  const uint64_t word = me.wait.load(std::memory_order_acquire);  // the claimer's writes are seen
  me.wait.store((word | 15) + 1, std::memory_order_relaxed);      // next sequence, running
  return word;
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

// Says that it sleeps: who signals a thread that is awake need not ask the system to wake it.
bool wait_for_signal(Goroutine& me, int64_t ns) {
  uint32_t before = 0;
  me.signal.compare_exchange_strong(before, Goroutine::kAsleep, std::memory_order_relaxed);
  if (before != Goroutine::kSignalled) futex_wait(me.signal, Goroutine::kAsleep, ns);
  // acquire: what the waker did before it signalled is seen.
  return me.signal.load(std::memory_order_acquire) == Goroutine::kSignalled;
}

// Asks the interrupt check, unless this thread did within the last 50 ms: many short waits are interrupted like a long one.
bool interrupted() {
  thread_local int64_t next_ns = 0;
  if (real_now_ns() < next_ns) return false;
  next_ns = real_now_ns() + kInterruptSliceNs;
  return interrupt_requested();
}

// Ends the wait for this reason, if nobody else has ended it.
void give_up(Goroutine& me, WakeReason reason, void* fired = nullptr) {
  if (claim(me, reason)) {
    me.fired = fired;
    return;
  }
  while (!wait_for_signal(me, kForever)) {  // the claimer is about to signal
  }
}

bool has_time_or_io_to_watch() { return backlog().timers.earliest() != kForever || io_in_use(); }

void park_native(Goroutine& me, const ParkSpec& spec) {
  const trace::Span span(spec.what);
  me.thread.store(static_cast<uint32_t>(gettid()), std::memory_order_relaxed);
  me.timed.store(spec.deadline_ns != kForever, std::memory_order_relaxed);
  // A fake clock has to know of the deadline, and that one thread less runs.
  const bool fake_time = fake_clock_exists.load(std::memory_order_relaxed);
  std::optional<ParkTimer> timer;
  if (fake_time && spec.deadline_ns != kForever) timer.emplace(me, spec.deadline_ns);
  me.signal.store(0, std::memory_order_relaxed);
  if (!commit_park(me, spec)) return;
  const AroundWait around;
  // Where nobody may interrupt, another thread sees to deadlocks, too.
  const bool watches = interrupt_applies(), polls = watches && spec.interruptible;
  // We may wait for goroutines that a shutdown() left behind, or that nobody has run yet.
  if (fake_time || !backlog().inject.empty() ||
      (scheduler().started() == 0 && has_time_or_io_to_watch())) {
    scheduler().wake(1);
  }
  if (polls && interrupted()) return give_up(me, WakeReason::Interrupted);
  for (const int64_t start = real_now_ns(); real_now_ns() - start < kSpinNs;) {
    for (int i = 0; i < 32; i++, cpu_relax()) {
      if (me.signal.load(std::memory_order_acquire) == Goroutine::kSignalled) return;
    }
  }
  for (DeadlockWatch watch(me);;) {
    const int64_t left = nap_until(spec.deadline_ns);
    if (wait_for_signal(me, watches ? std::min<int64_t>(left, kInterruptSliceNs) : left)) return;
    note_time(real_now_ns());
    if (Scheduler* s = scheduler_if_any()) watch_for_hogs(*s);
    if (spec.deadline_ns <= now_ns()) return give_up(me, WakeReason::Timeout);
    if (polls && interrupted()) return give_up(me, WakeReason::Interrupted);
    if (watches && watch.sees_deadlock() && watch.resolve(spec.interruptible)) {
      return give_up(me, WakeReason::Interrupted, deadlock_mark());
    }
  }
}

void park_fiber(Goroutine& me, const ParkSpec& spec) {
  if (spec.deadline_ns == kForever) {
    if (commit_park(me, spec)) Worker::switch_out({});
    return;
  }
  const ParkTimer timer(me, spec.deadline_ns);
  if (commit_park(me, spec)) Worker::switch_out({});
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
    if (held_native_locks) [[unlikely]]
      if (const int held = held_native_locks()) refuse_to_wait_with_locks(held);
    if (worker->current()) return *worker->current();
    throw std::logic_error("a timer's function must not wait");
  }
  if (here.pinned) return *here.pinned;
  thread_local NativeSelf native;
  return *native.g;
}

WaitWithoutWaker::WaitWithoutWaker(Goroutine& me, const char* what, const void* object) : me_(me) {
  tell_wait(me, what, object, false);
  me.wait.store(me.wait.load(std::memory_order_relaxed) | Goroutine::kWaiting,
                std::memory_order_release);
}

WaitWithoutWaker::~WaitWithoutWaker() { end_wait(me_); }

WakeReason park(Goroutine& me, const ParkSpec& spec) {
  const bool native = me.native;
  if (native) note_time(real_now_ns());
  tell_wait(me, spec.what, spec.object, spec.cancellable);
  native ? park_native(me, spec) : park_fiber(me, spec);
  return static_cast<WakeReason>(end_wait(me) >> 2 & 3);
}

void throw_if_stopped(WakeReason reason) {
  if (reason == WakeReason::Cancelled) throw Cancelled();
  if (reason != WakeReason::Interrupted) return;
  if (self().fired == deadlock_mark()) throw_deadlock();
  throw Interrupted();
}

bool claim(Goroutine& g, WakeReason reason) {
  const uint64_t word = g.wait.load(std::memory_order_relaxed);
  return (word & Goroutine::kStateMask) == Goroutine::kWaiting && claim_wait(g, word, reason);
}

void ready(Goroutine* g) {
  trace::event(trace::Kind::Ready, g);
  if (g->native) {
    // The thread may be gone right after this: the word is not.
    if (g->signal.exchange(Goroutine::kSignalled, std::memory_order_release) == Goroutine::kAsleep)
      futex_wake(g->signal, 1);
  } else if (Worker* worker = this_worker()) {
    at_edge(Edge::Waking) ? worker->scheduler().inject(g) : worker->ready(g);
  } else {
    native_counts().wakes.fetch_add(1, std::memory_order_relaxed);
    scheduler().inject(g);
  }
}

void ready_all(Goroutine* first) {
  while (Goroutine* g = first) {
    first = std::exchange(g->next, nullptr);
    ready(g);
  }
}

bool unlock_spin(void* lock) {
  static_cast<SpinLock*>(lock)->unlock();
  return true;
}

void yield() {
  if (this_worker()) yield_to_company();
  else sched_yield();
}

void yield_to_company() {
  Worker* worker = this_worker();
  if (worker && worker->current() && loop_depth() == 0 && worker->has_company()) {
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
