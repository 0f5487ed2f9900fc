// What Go's own tests check of scheduling.
//
// Go's test                                   Ours
// runtime/proc_test.go
//   TestYieldProgress, TestYieldLocked        AYieldInALoopLetsOthersRun
//   TestGoroutineParallelism, ...2            goroutine_test: ThatSpinRunAtOnceOnAllWorkers, ThatComeWhileAWorkerLiesDownRunAtOnce
//   TestSchedLocalQueue, ...Steal             ARingGivesEachOnce, ADequeGivesEachOnce
// runtime/crash_test.go
//   TestSimpleDeadlock, TestGoexitDeadlock    AllMayWaitAtOnce: the report is a matter of its own
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/go.h"
#include "runtime/run_queue.h"
#include "tests/runtime/go_case.h"

namespace gotorch::runtime {

GO_CASE(GoSched, AYieldInALoopLetsOthersRun) {
  for (const bool with_select : {false, true}) {
    const chan<unit> stop(0);
    std::atomic<int> flag{0};
    scope s;
    s.go([&] {
      bool stopped = false;
      while (!stopped) {
        if (with_select) select(on_receive(stop, [&] { stopped = true; }), on_default([] {}));
        else stopped = flag == 3;
        yield();
      }
    });
    for (int i = 0; i < 3; i++) s.go([&] { flag++; });
    while (flag < 3) yield();
    stop.close();
    s.join();
  }
}

GO_CASE(GoSched, AllMayWaitAtOnce) {
  const chan<int> c(0);
  std::atomic<int> ended{0};
  scope s;
  for (int i = 0; i < 5; i++) {
    s.go([&, i] {
      try {
        if (i % 2) c.receive();
        else select(on_receive(c, [] {}));
      } catch (const Cancelled&) {
        ended++;
      }
    });
  }
  sleep(std::chrono::microseconds(300));
  EXPECT_EQ(ended, 0);
  s.cancel();
  s.join();
  EXPECT_EQ(ended, 5);
}

// A queue whose owner pushes and pops while others steal: each goroutine is taken once.
template <class Push, class Pop, class Steal>
static void check_each_is_taken_once(Push push, Pop pop, Steal steal) {
  constexpr int kItems = 20000, kThieves = 2;
  std::vector<Goroutine> items(kItems);
  std::vector<std::atomic<int>> taken(kItems);
  std::atomic<int> left{kItems};
  const auto take = [&](Goroutine* g) {
    if (!g) return false;
    taken[static_cast<size_t>(g - items.data())]++;
    left--;
    return true;
  };
  std::vector<std::thread> thieves;
  for (int i = 0; i < kThieves; i++) {
    thieves.emplace_back([&] {
      RunRing loot;
      while (left > 0) {
        if (!take(steal(loot)) && !take(loot.pop())) sched_yield();
      }
    });
  }
  for (int i = 0; i < kItems; i++) {
    while (!push(&items[static_cast<size_t>(i)])) take(pop());
    if (i % 3 == 0) take(pop());
  }
  while (left > 0) {
    if (!take(pop())) sched_yield();
  }
  for (auto& thief : thieves) thief.join();
  for (const auto& n : taken) EXPECT_EQ(n, 1);
}

TEST(RunQueue, ARingGivesEachOnce) {
  RunRing ring;
  check_each_is_taken_once([&](Goroutine* g) { return ring.push(g); }, [&] { return ring.pop(); },
                           [&](RunRing& loot) {
                             // Only who has nothing steals.
                             return loot.empty() ? loot.steal_from(ring) : nullptr;
                           });
}

TEST(RunQueue, ADequeGivesEachOnce) {
  SpawnDeque deque;
  check_each_is_taken_once([&](Goroutine* g) { return deque.push(g), true; },
                           [&] { return deque.pop(); }, [&](RunRing&) { return deque.steal(); });
}

}  // namespace gotorch::runtime
