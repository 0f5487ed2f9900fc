#include "runtime/worker.h"

#include <algorithm>
#include <new>

#include "runtime/coarse_clock.h"
#include "runtime/native_thread.h"
#include "runtime/parallel.h"
#include "runtime/park.h"
#include "runtime/scheduler.h"
#include "runtime/simulation.h"
#include "runtime/stack_overflow.h"
#include "runtime/trace.h"

namespace gotorch::runtime {

namespace {

constexpr uint32_t kFairnessTicks = 64;  // often enough to be fair, rare enough to be free
constexpr int kNextInARow = 3;
constexpr int kNestedShare =
    2;  // of a stack may be used up by what runs goroutines on it that are not its own
constexpr int64_t kJoinLimitNs = 2'000'000'000;
constexpr size_t kIdleCarriers = 512;  // that a worker keeps to itself

}  // namespace

void Worker::start() {
  random_ = 0x9e3779b97f4a7c15u * static_cast<uint64_t>(index_ + 1);
  report_stack_overflows();
  thread_ = start_thread([this] { main(); });
}

void Worker::main() {
  thread_state().worker = this;
  exception_record_ = thread_exception_record();
  const SignalStack signal_stack;
  searching_ = true;  // counted by who started us
  fibers_.adopt();
  running_ = &fibers_.main();
  if (scheduler_.simulation) scheduler_.simulation->run_on(*this);
  else main_loop();
  hand_over();
  stop_searching();
  thread_state().worker = nullptr;
  thread_ended_.store(1, std::memory_order_release);
  futex_wake(thread_ended_, 1);
}

void Worker::join() {
  const int64_t limit = real_now_ns() + kJoinLimitNs;
  while (!thread_ended_.load(std::memory_order_acquire) && real_now_ns() < limit) {
    futex_wait(thread_ended_, 0, std::max<int64_t>(1, limit - real_now_ns()));
  }
  if (thread_ended_.load(std::memory_order_acquire)) thread_.join();
  else thread_.detach();  // a goroutine that never waits keeps it; nothing it uses is freed
}

void Worker::main_loop() {
  while (!scheduler_.stopping()) {
    if (index_ >= num_workers()) {
      retire();
      continue;
    }
    scheduler_.fire_timers();
    if (tick_.load(std::memory_order_relaxed) % (16 * kFairnessTicks) == 0)
      note_time(real_now_ns());
    const bool helped = run_loops();
    if (tick_.load(std::memory_order_relaxed) % kFairnessTicks == 0) poll_io();
    if (fights() && go_away()) continue;
    Goroutine* g = pick_fairly();
    if (!g && poll_io()) g = pick_local();
    if (!g && !helped) g = steal();
    if (g) run(g);
    else if (!helped && !(is_away() && go_away())) look_for_work(false);
  }
}

bool Worker::run_loops() {
  if (!scheduler_.loops.find(static_cast<unsigned>(index_))) return false;
  // First the place, then the end of the search: nobody is to be woken for a place that is ours.
  const HelperPlace place(scheduler_);
  if (!place) return false;
  stop_searching(LooksAgain::Soon);
  return scheduler_.help(place, static_cast<unsigned>(index_), [this] {
    counts_.chunks.add();
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
[[gnu::flatten]] void Worker::leave_fiber(ThreadState& thread) {
  const ExceptionState exceptions = *exception_record_;
  const LocalWord local = thread.local;
  if (ends_ > 0) tell_ends();
  Goroutine* const g = current_;
  Fiber* const here = running_;
  Fiber* const to = next_fiber();
  if (to == here) {  // woken before it has left
    intent_ = {};
    return;
  }
  here->frame = __builtin_frame_address(0);
  counts_.switches.add();
  if (g) trace::event(trace::Kind::Out, g, intent_.yield ? "yield" : nullptr);
  to->resumable.store(false, std::memory_order_relaxed);
  fibers_.switch_to(*here, *to);
  ThreadState& now = thread_state();  // maybe another thread's
  Worker& worker = *now.worker;
  *worker.exception_record_ = exceptions;
  now.local = local;
  worker.running_ = here;
  worker.current_ = g;
  if (g) trace::event(trace::Kind::In, g);
}

void Worker::switched_out(Fiber& from) {
  if (&from == &fibers_.main()) return;
  if (const Stack& stack = carrier_of(from).stack; !stack.guarded && stack.overflowed()) {
    die_of_stack_overflow(current_, stack);
  }
  // release: what it has done is seen by who resumes it.
  from.resumable.store(true, std::memory_order_release);
  const Intent intent = std::exchange(intent_, {});
  if (intent.idle) keep_carrier(intent.idle);
  else if (intent.yield) push_ring(current_);
  else counts_.parks.add();
}

Fiber* Worker::next_fiber() {
  if (Fiber* chosen = std::exchange(chosen_, nullptr)) return chosen;
  if (main_is_wanted()) return &fibers_.main();
  Goroutine* g = pick();
  return g ? fiber_or_main(g) : &fibers_.main();
}

// The thread's own stack, which will try again, if the goroutine cannot run now.
Fiber* Worker::fiber_or_main(Goroutine* g) {
  if (Fiber* fiber = fiber_for(g)) return fiber;
  scheduler_.backlog.inject.push(g);
  return &fibers_.main();
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
Goroutine* Worker::next_task_here(const Carrier& carrier) {
  if (main_is_wanted()) {
    chosen_ = &fibers_.main();
    return nullptr;
  }
  Goroutine* g = pick();
  if (!g) return nullptr;
  if (!g->fiber && g->stack_size == carrier.stack.size) {
    if (ends_ > 0 && g->scope.load(std::memory_order_relaxed) != ended_in_) tell_ends();
    return g;
  }
  chosen_ = fiber_or_main(g);
  return nullptr;
}

void Worker::tell_ends() {
  if (ends_ > 0) ended_in_->finish(std::exchange(ends_, 0));
}

Goroutine* Worker::newest_of(const ScopeState& scope) {
  if (!current_ || loop_depth() > 0 || main_is_wanted()) return nullptr;
  const Stack& stack = carrier_of(*running_).stack;
  const auto* here = static_cast<const char*>(__builtin_frame_address(0));
  if (here - stack.low < (stack.top - stack.low) / kNestedShare) return nullptr;
  // The newest may be taken by a thief at any time; pop() tells.
  const Goroutine* newest = deque_.newest();
  if (!newest || newest->scope.load(std::memory_order_relaxed) != &scope) return nullptr;
  Goroutine* g = deque_.pop();
  if (g && g->stack_size != 0) {
    deque_.push(g);
    return nullptr;
  }
  return g;
}

void Worker::run_nested(Goroutine& g) {
  ThreadState* thread = &thread_state();
  Worker* worker = thread->worker;
  Goroutine* const outer = worker->current_;
  const LocalWord local = std::exchange(thread->local, {});
  const ExceptionState exceptions = std::exchange(*worker->exception_record_, {});
  const WaitWithoutWaker joining(*outer, "join", g.scope.load(std::memory_order_relaxed));
  trace::event(trace::Kind::Out, outer, "join, while another runs on its stack");
  g.fiber = outer->fiber;
  worker->current_ = &g;
  run_to_end(&g);
  thread = &thread_state();  // maybe another's
  worker = thread->worker;
  thread->local = local;
  *worker->exception_record_ = exceptions;
  worker->current_ = outer;
  trace::event(trace::Kind::In, outer);
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
  scheduler_.backlog.carriers.put_oldest(carriers_, carriers_.size());
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
  return carrier_for(g);
}

Fiber* Worker::carrier_for(Goroutine* g) {
  Carrier* carrier = nullptr;
  if (g->stack_size == 0 && !carriers_.empty()) {
    carrier = carriers_.back();  // the last one's stack is the warmest
    carriers_.pop_back();
  } else if (!(carrier = scheduler_.backlog.carriers.take(g->stack_size, carriers_))) {
    carrier = new_carrier(g->stack_size);
    if (!carrier) return nullptr;
  }
  carrier->next_task = g;
  return &carrier->fiber;
}

Carrier* Worker::new_carrier(StackClass size) {
  try {
    return make_carrier(fibers_, size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

// Goroutines may start here and end elsewhere: where many end, their carriers must not pile up.
void Worker::keep_carrier(Carrier* carrier) {
  if (carrier->stack.size != 0) return scheduler_.backlog.carriers.put(carrier);
  carriers_.push_back(carrier);
  if (carriers_.size() > kIdleCarriers) {
    scheduler_.backlog.carriers.put_oldest(carriers_, kIdleCarriers / 2);
  }
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
