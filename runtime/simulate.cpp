#include "runtime/simulate.h"

#include <algorithm>

#include "runtime/clock.h"
#include "runtime/park.h"
#include "runtime/simulation.h"
#include "runtime/timer_heap.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace gotorch::runtime {
namespace {

// What the thread of a simulation allocates is no leak: goroutines in a deadlock, and what they refer to, stay where they are.
struct WithoutLeakDetection {
#if defined(__SANITIZE_ADDRESS__)
  WithoutLeakDetection() { __lsan_disable(); }
  ~WithoutLeakDetection() { __lsan_enable(); }
#else
  WithoutLeakDetection() {}
#endif
};

constexpr int64_t kBeginningNs = 1'000'000'000;
// Priorities: below this are those who gave way, the last one lowest.
constexpr uint64_t kOrdinary = uint64_t{1} << 62;
// How much is done for goroutines that nobody waits for, before they are abandoned: timers fired, waits of each
// cancelled, turns in all.
constexpr int64_t kLateTimers = 1000;
constexpr int kRoundsToEnd = 100;
constexpr int64_t kTurnsToEnd = 100'000;

}  // namespace

Simulation* this_simulation() {
  Worker* worker = this_worker();
  return worker ? worker->scheduler().simulation : nullptr;
}

int64_t virtual_now_ns() {
  Simulation* simulation = this_simulation();
  return simulation ? simulation->now_ns() : fake_or_real_now_ns();
}

Simulation::Simulation(uint64_t seed, FnRef<void()> f, const SimulateOptions& options,
                       std::source_location site)
    : seed_(seed),
      f_(f),
      options_(options),
      site_(site),
      scheduler_(backlog_, *this),
      random_(((seed + 1) * 0x9e3779b97f4a7c15u) | 1),
      now_ns_(kBeginningNs),
      turns_left_(options.max_turns),
      late_timers_left_(kLateTimers),
      lowest_priority_(kOrdinary) {
  for (int i = 0; i < 8; i++)
    random();  // seeds that follow each other shall not resemble each other
  constexpr uint32_t kInterrupts[2][4] = {{0, 2, 4, 16},
                                          {0, 16, 64, 256}};  // at random; by priority
  constexpr uint32_t kHandsOver[] = {0, 2, 8};
  by_priority_ = random() % 2;
  interrupts_one_in_ = kInterrupts[by_priority_][random() % 4];
  hands_over_one_in_ = kHandsOver[random() % 3];
}

// A thread of its own, since what Boost.Fiber keeps for the caller's is not ours to replace. The caller waits for it.
Simulated Simulation::run() {
  struct Watched {
    Watched() { edge_watchers++, virtual_clocks++; }
    ~Watched() { edge_watchers--, virtual_clocks--; }
  } watched;
  struct Carriers {
    CarrierStore &shared, &ours;
    Carriers(CarrierStore& a, CarrierStore& b) : shared(a), ours(b) { ours.take_all(shared); }
    ~Carriers() { shared.take_all(ours); }
  } carriers{runtime::backlog().carriers, backlog_.carriers};
  {
    Worker worker(scheduler_, 0);
    worker_ = &worker;
    scheduler_.idle.searching++;  // as every worker that starts
    worker.start();
    worker.thread_.join();
  }
  if (error_) std::rethrow_exception(error_);
  result_.elapsed_ns = now_ns_ - kBeginningNs;
  return result_;
}

void Simulation::run_on(Worker& worker) {
  const WithoutLeakDetection
      abandoned;  // goroutines in a deadlock, and what they refer to, stay where they are
  worker.random_ = random();
  scheduler_.backlog.inject.push(top_.make_goroutine([this] {
    scope s;
    try {
      s.go(f_, site_);
      s.join();
    } catch (...) {
      fail(std::current_exception());
    }
    ended_ = true;
  }));
  run_until_idle();
  if (!ended_) {
    fail(std::make_exception_ptr(Deadlock(report("deadlock: all goroutines wait for ever"))));
  }
  turns_left_ = kTurnsToEnd;
  for (int i = 0; i < kRoundsToEnd && !known_.empty(); i++) {
    cancel_waits();
    run_until_idle();
  }
  for (auto& [g, known] : known_) {  // nobody may take them for goroutines that can be woken
    g->scope.store(nullptr, std::memory_order_relaxed);
    g->cancellable.store(false, std::memory_order_relaxed);
    g->waits_for.store(nullptr, std::memory_order_relaxed);
    g->site.store({}, std::memory_order_relaxed);
  }
}

// The first error counts.
void Simulation::fail(std::exception_ptr error) {
  if (!error_) error_ = std::move(error);
}

void Simulation::run_until_idle() {
  for (;;) {
    scheduler_.fire_timers();
    collect();
    if (Goroutine* g = choose()) {
      if (turns_left_-- > 0) {
        take_turn(g);
        continue;
      }
      fail(std::make_exception_ptr(std::runtime_error(
          report("no end after " + std::to_string(options_.max_turns) + " turns"))));
      return;
    }
    if (!pass_time()) return;
  }
}

// False: no timer is armed.
bool Simulation::pass_time() {
  const int64_t next = scheduler_.backlog.timers.next();
  if (next == kForever || (ended_ && late_timers_left_-- <= 0)) return false;
  now_ns_ = std::max(now_ns_, next);
  return true;
}

// Takes over what has become runnable.
void Simulation::collect() {
  fresh_.clear();
  while (Goroutine* g = worker_->pick()) {
    fresh_.push_back(g);
    if (known_.try_emplace(g, Known{next_number_, random() >> 2 | kOrdinary}).second) {
      next_number_++;
    }
  }
  const auto number = [this](Goroutine* g) { return known_.at(g).number; };
  std::sort(fresh_.begin(), fresh_.end(),
            [&](Goroutine* a, Goroutine* b) { return number(a) < number(b); });
  bool yielded = false;
  for (Goroutine* g : fresh_) {
    Known& known = known_.at(g);
    if (g == in_turn_) {
      yielded = !interrupted_;
      known.priority = --lowest_priority_;
    } else if (std::exchange(hand_over_, false)) {
      handed_over_ = {g, known.number, known.priority};
      continue;
    }
    runnable_.push_back({g, known.number, known.priority});
    if (by_priority_) std::push_heap(runnable_.begin(), runnable_.end());
  }
  hand_over_ = false;
  in_turn_ = nullptr;
  notice_yield(yielded && fresh_.size() == 1);
}

// If all that run only yield, they wait for the time.
void Simulation::notice_yield(bool yielded) {
  yields_in_a_row_ = yielded ? yields_in_a_row_ + 1 : 0;
  const auto all = static_cast<int64_t>(2 * runnable_.size() + 2);
  if (yields_in_a_row_ <= all) return;
  if (scheduler_.backlog.timers.next() != kForever) pass_time();
  else now_ns_ += 1000 << std::min<int64_t>(10, (yields_in_a_row_ - all) / 16);
}

Goroutine* Simulation::choose() {
  Runnable chosen = std::exchange(handed_over_, {});
  if (!chosen.g) {
    if (runnable_.empty()) return nullptr;
    if (by_priority_) std::pop_heap(runnable_.begin(), runnable_.end());
    else std::swap(runnable_[random() % runnable_.size()], runnable_.back());
    chosen = runnable_.back();
    runnable_.pop_back();
  }
  trace(static_cast<uint64_t>(chosen.number));
  trace(static_cast<uint64_t>(now_ns_));
  return chosen.g;
}

void Simulation::take_turn(Goroutine* g) {
  result_.turns++;
  in_turn_ = g;
  interrupted_ = false;
  worker_->run(g);
  if (!g->fiber) known_.erase(g);  // it has ended
}

bool Simulation::at_edge(Edge edge) {
  if (edge == Edge::Waking) hand_over_ = hand_over_ || chance(hands_over_one_in_);
  if (edge != Edge::Operation && edge != Edge::Attempt) return false;
  // Timers' functions run on the main stack, where nobody is current.
  if (!worker_->current() || loop_depth() > 0) return false;
  if (!hand_over_ && !chance(interrupts_one_in_)) return false;
  interrupted_ = true;
  Worker::switch_out({.yield = true});
  return false;
}

// What is left when f has ended, or never will.
void Simulation::cancel_waits() {
  std::vector<Goroutine*> waiting;
  for (const auto& [g, known] : known_) {
    if (g->cancellable.load(std::memory_order_relaxed)) waiting.push_back(g);
  }
  for (Goroutine* g : waiting) {
    if (claim(*g, WakeReason::Cancelled)) scheduler_.backlog.inject.push(g);
  }
}

std::string Simulation::report(const std::string& headline) const {
  std::vector<std::pair<int64_t, Goroutine*>> all;
  for (const auto& [g, known] : known_) all.emplace_back(known.number, g);
  std::sort(all.begin(), all.end());
  std::string text = "simulate: " + headline + " (seed " + std::to_string(seed_) + ")";
  for (const auto& [number, g] : all) {
    const char* what = g->waits_for.load(std::memory_order_relaxed);
    const std::source_location site = g->site.load(std::memory_order_relaxed);
    text += "\n  goroutine " + std::to_string(number) + ": ";
    text += what ? "waits for " + std::string(what) : "can run";
    text += ", started at " + std::string(site.file_name()) + ":" + std::to_string(site.line());
  }
  return text;
}

Simulated simulate(uint64_t seed, FnRef<void()> f, const SimulateOptions& options,
                   std::source_location site) {
  if (this_worker() || loop_depth() > 0) {
    throw std::logic_error("simulate: called from a goroutine or a loop body");
  }
  if (options.max_turns < 1) {
    throw std::invalid_argument("simulate: max_turns must be at least 1, got " +
                                std::to_string(options.max_turns));
  }
  return Simulation(seed, f, options, site).run();
}

}  // namespace gotorch::runtime
