#include "runtime/worker.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <memory>
#include <new>

#include "runtime/parallel.h"
#include "runtime/park.h"
#include "runtime/scheduler.h"
#include "runtime/simulation.h"

namespace gotorch::runtime {

namespace {

constexpr uint32_t kFairnessTicks = 64;  // often enough to be fair, rare enough to be free
constexpr int kNextInARow = 3;
constexpr int64_t kJoinLimitNs = 2'000'000'000;

}  // namespace

void Worker::start() {
  random_ = 0x9e3779b97f4a7c15u * static_cast<uint64_t>(index_ + 1);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals belong to the application's threads
  try {
    thread_ = std::thread([this] { main(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Worker::main() {
  thread_state().worker = this;
  exception_record_ = thread_exception_record();
  searching_ = true;  // counted by who started us
  fibers_.adopt();
  running_ = &fibers_.main();
  if (scheduler_.simulation) scheduler_.simulation->run_on(*this);
  else main_loop();
  hand_over();
  stop_searching();
  thread_state().worker = nullptr;
  ended_.store(1, std::memory_order_release);
  futex_wake(ended_, 1);
}

void Worker::join() {
  const int64_t limit = now_ns() + kJoinLimitNs;
  while (!ended_.load(std::memory_order_acquire) && now_ns() < limit) {
    futex_wait(ended_, 0, std::max<int64_t>(1, limit - now_ns()));
  }
  if (ended_.load(std::memory_order_acquire)) thread_.join();
  else thread_.detach();  // a goroutine that never waits keeps it; nothing it uses is freed
}

void Worker::main_loop() {
  while (!scheduler_.stopping()) {
    if (index_ >= num_workers()) {
      retire();
      continue;
    }
    scheduler_.fire_timers();
    const bool helped = run_loops();
    Goroutine* g = pick_fairly();
    if (!g && !helped) g = steal();
    if (g) run(g);
    else if (!helped) look_for_work();
  }
}

bool Worker::run_loops() {
  if (!scheduler_.loops.find(static_cast<unsigned>(index_))) return false;
  // First the place, then the end of the search: nobody is to be woken for a place that is ours.
  const HelperPlace place(scheduler_);
  if (!place) return false;
  stop_searching();
  return scheduler_.help(place, static_cast<unsigned>(index_), [this] {
    return !has_next() && !has_stealable() && scheduler_.backlog.inject.empty();
  });
}

void Worker::run(Goroutine* g) {
  stop_searching();
  scheduler_.ensure_guards();
  chosen_ = fiber_for(g);
  if (!chosen_) {  // perhaps when another worker, or goroutine, has gone on
    scheduler_.backlog.inject.push(g);
    sched_yield();
    return;
  }
  in_fiber_.store(true, std::memory_order_relaxed);
  leave_fiber(thread_state());
  in_fiber_.store(false, std::memory_order_relaxed);
}

void Worker::switch_out(const Intent& intent) {
  ThreadState& thread = thread_state();
  thread.worker->intent_ = intent;
  thread.worker->leave_fiber(thread);
}

// Leaves the fiber that runs here for the next one.
void Worker::leave_fiber(ThreadState& thread) {
  const ExceptionState exceptions = *exception_record_;
  const LocalWord local = thread.local;
  Goroutine* const g = current_;
  Fiber* const here = running_;
  Fiber* const to = next_fiber();
  if (to == here) {  // woken before it has left
    intent_ = {};
    return;
  }
  to->resumable.store(false, std::memory_order_relaxed);
  fibers_.switch_to(*here, *to);
  ThreadState& now = thread_state();  // maybe another thread's
  Worker& worker = *now.worker;
  *worker.exception_record_ = exceptions;
  now.local = local;
  worker.running_ = here;
  worker.current_ = g;
}

void Worker::switched_out(Fiber& from) {
  // release: what it has done is seen by who resumes it.
  from.resumable.store(true, std::memory_order_release);
  if (&from == &fibers_.main()) return;
  const Intent intent = std::exchange(intent_, {});
  if (intent.idle) carriers_.push_back(intent.idle);
  else if (intent.yield) push_ring(current_);
}

Fiber* Worker::next_fiber() {
  if (Fiber* chosen = std::exchange(chosen_, nullptr)) return chosen;
  if (main_is_wanted()) return &fibers_.main();
  Goroutine* g = pick();
  if (!g) return &fibers_.main();
  if (Fiber* fiber = fiber_for(g)) return fiber;
  defer(g);
  return std::exchange(chosen_, nullptr);
}

// For when it cannot run now: main will try again.
void Worker::defer(Goroutine* g) {
  chosen_ = &fibers_.main();
  scheduler_.backlog.inject.push(g);
}

bool Worker::main_is_wanted() {
  const uint32_t tick = tick_.load(std::memory_order_relaxed) + 1;
  tick_.store(tick, std::memory_order_relaxed);
  return tick % kFairnessTicks == 0 || scheduler_.stopping() ||
         index_ >= wanted_workers.load(std::memory_order_relaxed) ||
         scheduler_.loops.find(static_cast<unsigned>(index_));
}

void Worker::enter_carrier(Carrier& carrier) {
  *exception_record_ = {};
  running_ = &carrier.fiber;
}

bool Worker::has_company() {
  if (has_next() || has_stealable() || !scheduler_.backlog.inject.empty() ||
      scheduler_.stopping() || scheduler_.loops.find(static_cast<unsigned>(index_))) {
    return true;
  }
  return ++yields_alone_ % kFairnessTicks == 0;  // main may have timers to fire
}

// A carrier whose task has ended runs the next one itself, if that is a task.
Goroutine* Worker::next_task_here() {
  if (main_is_wanted()) {
    chosen_ = &fibers_.main();
    return nullptr;
  }
  Goroutine* g = pick();
  if (!g || !g->fiber) return g;
  chosen_ = fiber_for(g);
  if (!chosen_) defer(g);
  return nullptr;
}

Goroutine* Worker::pick() {
  Goroutine* g = pick_local();
  return g ? g : scheduler_.backlog.inject.pop();
}

Goroutine* Worker::pick_local() {
  if (next_in_a_row_ < kNextInARow || ring_.empty()) {
    // acquire: pairs with ready() by whoever put it there.
    if (has_next()) {
      if (Goroutine* g = next_.exchange(nullptr, std::memory_order_acquire)) {
        next_in_a_row_++;
        return g;
      }
    }
  }
  next_in_a_row_ = 0;
  if (Goroutine* g = ring_.pop()) return g;
  return deque_.pop();
}

// Once in a while, what comes last otherwise comes first.
Goroutine* Worker::pick_fairly() {
  if (Goroutine* g = std::exchange(stolen_, nullptr)) return g;
  if (tick_.load(std::memory_order_relaxed) % kFairnessTicks == 0) {
    if (Goroutine* g = scheduler_.backlog.inject.pop()) return g;
    if (Goroutine* g = deque_.steal()) return g;
    if (Goroutine* g = ring_.pop()) return g;
  }
  return pick();
}

// Everything here becomes everybody's: this worker stops.
void Worker::hand_over() {
  while (Goroutine* g = pick_local()) scheduler_.backlog.inject.push(g);
  if (stolen_) scheduler_.backlog.inject.push(std::exchange(stolen_, nullptr));
  for (Carrier* c : carriers_) scheduler_.backlog.carriers.put(c);
  carriers_.clear();
  goroutines_.give_back_all();
  if (!scheduler_.backlog.inject.empty()) scheduler_.wake(1);
}

void Worker::push_ring(Goroutine* g) {
  if (!ring_.push(g)) scheduler_.backlog.inject.push(g);
}

// Null: not yet, as it has not left its fiber, or there is no memory for another stack.
Fiber* Worker::fiber_for(Goroutine* g) {
  if (Fiber* fiber = g->fiber) {
    // acquire: what was done on it until it was left.
    return fiber == running_ || fiber->resumable.load(std::memory_order_acquire) ? fiber : nullptr;
  }
  Carrier* carrier = nullptr;
  if (!carriers_.empty()) {
    carrier = carriers_.back();  // the last one's stack is the warmest
    carriers_.pop_back();
  } else if (!(carrier = scheduler_.backlog.carriers.take())) {
    carrier = new_carrier();
    if (!carrier) return nullptr;
  }
  carrier->next_task = g;
  return &carrier->fiber;
}

Carrier* Worker::new_carrier() {
  std::unique_ptr<Carrier> carrier;
  try {
    carrier = std::make_unique<Carrier>();
    fibers_.make(carrier->fiber, carrier_main, carrier.get());
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  return carrier.release();  // it never ends
}

uint64_t Worker::random() {  // xorshift64 (Marsaglia 2003)
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  return random_ ^= random_ << 17;
}

void Worker::retire() {
  hand_over();
  stop_searching();
  scheduler_.ensure_guards();  // we may have been one
  const uint32_t seen = reconsider_.load(std::memory_order_acquire);
  if (index_ >= num_workers() && !scheduler_.stopping()) futex_wait(reconsider_, seen, kForever);
}

void Worker::reconsider() {
  reconsider_.fetch_add(1, std::memory_order_release);
  futex_wake(reconsider_, 1);
}

}  // namespace gotorch::runtime
