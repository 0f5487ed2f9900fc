// Workers that go to sleep and those who publish work, on the source of both (worker_idle.cpp, scheduler.cpp, idle.h): no work is
// left while workers sleep, no timer while nobody keeps the time, and nobody's next goroutine while it computes on.
#include "runtime/fence.h"
#include "runtime/parallel.h"
#include "runtime/process_threads.h"
#include "runtime/scheduler.h"
#include "runtime/watchdog.h"
#include "runtime/worker.h"

namespace gotorch::runtime {

const bool kHasMembarrier = true;
void heavy_fence() { explorer::heavy_fence(); }

ThreadState& thread_state() {
  static ThreadState states[64];
  return states[explorer::this_thread()];
}

// What is stopped, and nobody waits to be told of.
void Worker::reconsider() {}
// There is no fake clock.
bool Scheduler::let_time_pass(IdleWorkers::Seat&) { return false; }
void note_time(int64_t) {}
void watch_for_hogs(Scheduler&) {}
Resting::Resting() = default;
Resting::~Resting() = default;

// Nobody waits but workers: a woken goroutine runs where a worker finds it.
void ready(Goroutine* g) { this_worker()->ready(g); }
void Worker::push_ring(Goroutine* g) { explorer::check(ring_.push(g), "there is room"); }

namespace {

using explorer::check;

// Two workers, and what Worker's main_loop() does where goroutines only count that they ran.
class Machine {
 public:
  explicit Machine(int workers) : count_(workers) {
    scheduler_.stopping_.store(false, std::memory_order_relaxed);
    wanted_workers.store(workers, std::memory_order_relaxed);
    scheduler_.idle.searching.store(workers, std::memory_order_relaxed);
    for (int i = 0; i < workers; i++) {
      workers_[i] = std::make_unique<Worker>(scheduler_, i);
      workers_[i]->searching_ = true;
      workers_[i]->random_ = 1;
      scheduler_.workers_[i].store(workers_[i].get(), std::memory_order_relaxed);
    }
    scheduler_.started_.store(workers, std::memory_order_relaxed);
  }
  // The first worker has something to run, if given.
  void start(FnRef<void(Worker&, Goroutine*)> run, Goroutine* first = nullptr) {
    if (first) workers_[0]->deque_.push(first);
    for (int i = 0; i < count_; i++) explorer::spawn([this, i, run] { work(*workers_[i], run); });
  }
  Scheduler& scheduler() { return scheduler_; }
  Worker& worker(int i) { return *workers_[i]; }
  // Waits until `ran` is so many, then ends the workers.
  void stop_when(const int& ran, int expected) {
    explorer::wait_until([&] { return ran >= expected; });
    check(ran == expected, "each ran once");
    scheduler_.stopping_.store(true, std::memory_order_seq_cst);
    scheduler_.retarget();
    explorer::join_all();
    check(scheduler_.idle.searching.load(std::memory_order_relaxed) == 0,
          "nobody counts as searching for ever");
  }

 private:
  void work(Worker& me, FnRef<void(Worker&, Goroutine*)> run) {
    thread_state() = {.worker = &me};
    if (me.is_away()) me.go_away();
    while (!scheduler_.stopping()) {
      scheduler_.fire_timers();
      Goroutine* g =
          me.has_next() ? me.next_.exchange(nullptr, std::memory_order_acquire) : nullptr;
      if (!g) g = std::exchange(me.stolen_, nullptr);
      if (!g) g = me.ring_.pop();
      if (!g) g = me.deque_.pop();
      if (!g) g = scheduler_.backlog.inject.pop();
      if (!g) g = me.steal();
      if (!g) {
        if (!(me.is_away() && me.go_away())) me.look_for_work(false);
        continue;
      }
      me.stop_searching();
      scheduler_.ensure_guards();
      me.in_fiber_.store(true, std::memory_order_relaxed);
      run(me, g);
      me.tick_.fetch_add(1, std::memory_order_relaxed);
      me.in_fiber_.store(false, std::memory_order_relaxed);
    }
    me.stop_searching();
    thread_state() = {};
  }

  Backlog backlog_;
  alignas(
      8) char simulation_[1];  // its address only: with one, a scheduler has a backlog of its own
  Scheduler scheduler_{backlog_, reinterpret_cast<Simulation&>(simulation_)};
  const int count_;
  std::unique_ptr<Worker> workers_[2];
};

// A native thread submits two goroutines, at any time.
void submits_are_seen() {
  Machine machine(2);
  Goroutine goroutines[2];
  int ran = 0;
  const auto run = [&](Worker&, Goroutine*) { ran++; };
  machine.start(run);
  for (Goroutine& g : goroutines) machine.scheduler().inject(&g);
  machine.stop_when(ran, 2);
}

// One that runs starts another and waits for that without giving its worker up: the other worker has to come.
void spawns_are_seen() {
  Machine machine(2);
  Goroutine first, second;
  int ran = 0;
  const auto run = [&](Worker& worker, Goroutine* g) {
    if (g == &first) {
      worker.spawn(&second);
      explorer::wait_until([&] { return ran == 1; });
    }
    ran++;
  };
  machine.start(run, &first);
  machine.stop_when(ran, 2);
}

// One that runs wakes another and computes on until that has run.
void the_next_one_is_not_left_alone() {
  Machine machine(2);
  Goroutine first, second;
  int ran = 0;
  const auto run = [&](Worker& worker, Goroutine* g) {
    if (g == &first) {
      worker.ready(&second);
      explorer::wait_until([&] { return ran == 1; });
    }
    ran++;
  };
  machine.start(run, &first);
  machine.stop_when(ran, 2);
}

// The other worker keeps away from the two that it wakes, but not for ever.
void those_left_are_taken_in_the_end() {
  Machine machine(2);
  machine.worker(1).keep_away();
  Goroutine first, second, third;
  int ran = 0;
  const auto run = [&](Worker& worker, Goroutine* g) {
    if (g == &first) {
      worker.ready(&second);
      worker.ready(&third);
      explorer::wait_until([&] { return ran == 2; });
    }
    ran++;
  };
  machine.start(run, &first);
  machine.stop_when(ran, 3);
}

// A worker that is away has goroutines of its own, which run nevertheless, on it or on the other.
void those_it_has_run_too() {
  Machine machine(2);
  Goroutine displaced, next;
  check(machine.worker(1).ring_.push(&displaced), "there is room");
  machine.worker(1).next_.store(&next, std::memory_order_relaxed);
  machine.worker(1).keep_away();
  int ran = 0;
  const auto run = [&](Worker&, Goroutine*) { ran++; };
  machine.start(run);
  machine.stop_when(ran, 2);
}

struct Alarm : Timer {
  Goroutine g;
};

// A timer is armed while the worker goes to sleep until another one that is due much later.
void timers_are_kept() {
  Machine machine(1);
  machine.scheduler().enter_caller();  // takes the only place, so the worker does not spin
  Alarm late, early;
  int ran = 0;
  const auto run = [&](Worker&, Goroutine*) {
    check(real_now_ns() < late.when_ns, "the early one is in time");
    ran++;
  };
  machine.start(run);
  for (Alarm* alarm : {&late, &early}) {
    alarm->when_ns = alarm == &late ? 1'000'000'000 : 1;
    alarm->fire = [](Timer& t) { return &static_cast<Alarm&>(t).g; };
    machine.scheduler().add_timer(*alarm);
  }
  machine.stop_when(ran, 1);
  check(machine.scheduler().backlog.timers.remove(late), "the late one is still armed");
}

TEST(IdleModel, SubmitsAreSeen) {
  holds(submits_are_seen, {.preemptions = 1, .stale = 1});
  fails(submits_are_seen, {.no_heavy_fence = true});
}

TEST(IdleModel, SpawnsAreSeen) {
  holds(spawns_are_seen, {.preemptions = 1, .stale = 0});
  holds(spawns_are_seen, {.preemptions = 0, .stale = 1});
  fails(spawns_are_seen, {.no_heavy_fence = true});
}

TEST(IdleModel, TheNextOneIsNotLeftAlone) {
  holds(the_next_one_is_not_left_alone, {.preemptions = 1, .stale = 0});
  holds(the_next_one_is_not_left_alone, {.preemptions = 0, .stale = 1});
  fails(the_next_one_is_not_left_alone, {.no_heavy_fence = true});
}

TEST(IdleModel, ThoseLeftAreTaken) {
  holds(those_left_are_taken_in_the_end, {.preemptions = 1, .stale = 0});
  holds(those_left_are_taken_in_the_end, {.preemptions = 0, .stale = 1});
  holds(those_it_has_run_too, {.preemptions = 1, .stale = 0});
  holds(those_it_has_run_too, {.preemptions = 0, .stale = 1});
}

TEST(IdleModel, TimersAreKept) {
  holds(timers_are_kept, {.preemptions = 1, .stale = 1});
  fails(timers_are_kept, {.no_fences = true, .no_heavy_fence = true},
        {.preemptions = 2, .stale = 3});
}

}  // namespace
}  // namespace gotorch::runtime
