// That nobody is starved by goroutines that never have to wait. Each of these would hang.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string_view>
#include <vector>

#include "runtime/chan.h"
#include "runtime/counters.h"
#include "runtime/parallel.h"
#include "runtime/scope.h"
#include "runtime/select.h"
#include "runtime/timer.h"
#include "tests/runtime/go_case.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

// As many as may be busy at once, so that nobody is left for who waits.
template <class F>
void keep_all_workers_busy(scope& s, F f) {
  for (int i = 0; i < num_workers() + 1; i++) s.go(f);
}

GO_CASE(Fairness, OneWhoSendsAndReceivesOnItsOwnLetsOthersRun) {
  std::atomic<bool> stop{false};
  scope s;
  keep_all_workers_busy(s, [&] {
    chan<int> mine(4);
    while (!stop) {
      mine.send(1);
      mine.receive();
    }
  });
  s.go([&] { stop = true; });
  s.join();
}

GO_CASE(Fairness, OneWhoSelectsWhatIsReadyLetsOthersRun) {
  std::atomic<bool> stop{false};
  scope s;
  keep_all_workers_busy(s, [&] {
    chan<int> mine(4), never(0);
    while (!stop) {
      select(on_send(mine, 1, [] {}), on_receive(never, [](auto) {}));
      select(on_receive(mine, [](auto) {}), on_receive(never, [](auto) {}));
    }
  });
  s.go([&] { stop = true; });
  s.join();
}

GO_CASE(Fairness, OneWhoYieldsInALoopLetsOthersRun) {
  std::atomic<bool> stop{false};
  chan<int> never(0);
  scope s;
  keep_all_workers_busy(s, [&] {
    while (!stop) {
      select(on_receive(never, [](auto) {}), on_default([] {}));
      yield();
    }
  });
  s.go([&] { stop = true; });
  s.join();
}

class FairnessOnWorkers : public OnWorkers {};
RUN_ON_WORKERS(FairnessOnWorkers);

// Go's TimerFairness: the timer fires although two goroutines find work all the time. In a simulation no time would pass.
TEST_P(FairnessOnWorkers, TimersFireWhileAllAreBusy) {
  std::atomic<bool> stop{false};
  scope s;
  keep_all_workers_busy(s, [&] {
    chan<int> mine(1);
    while (!stop) {
      mine.send(1);
      mine.receive();
    }
  });
  after(2ms).receive();
  stop = true;
  s.join();
}

void ping_pong(scope& s, std::atomic<bool>& stop, std::atomic<int>& rounds) {
  chan<int> there(0), back(0);
  s.go([=, &stop, &rounds] {
    while (!stop) {
      there.send(1);
      back.receive();
      rounds++;
    }
    there.close();
  });
  s.go([=] {
    while (there.receive()) back.send(1);
  });
}

// Go's PingPongHog: a pair that hands over to each other all the time leaves another pair its share.
GO_CASE(Fairness, TwoWhoTalkLeaveOthersTheirShare) {
  std::atomic<bool> stop{false};
  std::atomic<int> hog{0}, light{0};
  scope s;
  ping_pong(s, stop, hog);
  ping_pong(s, stop, light);
  while (light < 200 || hog < 200) yield();
  stop = true;
  s.join();
}

class Hogs : public OnWorkers {};
RUN_ON_WORKERS(Hogs);

// Computes, without a wait or a yield, until it is so.
template <class F>
void compute_until(F condition) {
  while (!condition()) {
  }
}

// What waits behind a goroutine that computes on is taken by other workers, wherever it is; and it is told of.
TEST_P(Hogs, AreSeenAndOthersGoOn) {
  const uint64_t before = counters().total.hogs;
  std::atomic<int> ran{0};
  const chan<int> c(0);
  scope s;
  for (int i = 0; i < 3; i++) {
    s.go([&] {
      c.receive();  // is woken by the one that computes on
      ran++;
    });
  }
  s.go([&] {
    for (int i = 0; i < 3; i++) s.go([&] { ran++; });  // not started yet
    for (int i = 0; i < 3; i++) c.send(i);
    if (num_workers() > 1) compute_until([&] { return ran == 6; });
    compute_until([&] { return counters().total.hogs > before; });
  });
  s.join();
  EXPECT_EQ(ran, 6);
  const std::vector<Counters::Worker> workers = counters().workers;
  EXPECT_TRUE(std::any_of(workers.begin(), workers.end(), [](const Counters::Worker& w) {
    return std::string_view(w.hog.file_name()).ends_with("fairness_test.cpp");
  }));
}

}  // namespace
}  // namespace gotorch::runtime
