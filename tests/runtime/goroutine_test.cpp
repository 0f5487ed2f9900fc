#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "runtime/chan.h"
#include "runtime/interrupt.h"
#include "runtime/parallel.h"
#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/sync.h"
#include "runtime/timer.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;

class Goroutines : public OnWorkers {};
RUN_ON_WORKERS(Goroutines);

TEST_P(Goroutines, AllRunAndAreJoined) {
  for (int n : {0, 1, 2, 100, 10000}) {
    std::atomic<int> runs{0};
    scope s;
    for (int i = 0; i < n; i++) s.go([&] { runs++; });
    s.join();
    EXPECT_EQ(runs, n);
  }
}

TEST_P(Goroutines, MayStartMoreOfThem) {
  std::atomic<int> leaves{0};
  std::function<void(int)> tree = [&](int depth) {
    if (depth == 0) {
      leaves++;
      return;
    }
    scope s;
    for (int i = 0; i < 4; i++) s.go([&, depth] { tree(depth - 1); });
    s.join();
  };
  tree(6);
  EXPECT_EQ(leaves, 4096);
}

TEST_P(Goroutines, GoJoinsTheCurrentScope) {
  std::atomic<int> runs{0};
  scope s;
  s.go([&] {
    for (int i = 0; i < 10; i++) go([&] { go([&] { runs++; }); });
  });
  s.join();
  EXPECT_EQ(runs, 10);
}

TEST_P(Goroutines, TheBackgroundCanBeJoined) {
  std::atomic<int> runs{0};
  for (int i = 0; i < 20; i++) go([&] { runs++; });
  background().join();
  EXPECT_EQ(runs, 20);
  go([] { throw std::runtime_error("lost"); });
  EXPECT_THROW(background().join(), std::runtime_error);
}

TEST_P(Goroutines, TheFirstErrorCancelsSiblingsAndIsRethrown) {
  chan<int> never(0);
  std::atomic<int> cancelled{0};
  scope s;
  for (int i = 0; i < 5; i++) {
    s.go([&] {
      try {
        never.receive();
      } catch (const Cancelled&) {
        cancelled++;
        throw;
      }
    });
  }
  s.go([] { throw std::out_of_range("first"); });
  EXPECT_THROW(s.join(), std::out_of_range);
  EXPECT_EQ(cancelled, 5);
}

TEST_P(Goroutines, CancellingAScopeReachesScopesBelow) {
  chan<int> never(0);
  scope outer;
  outer.go([&] {
    scope inner;
    for (int i = 0; i < 3; i++) inner.go([&] { never.receive(); });
    inner.join();
  });
  outer.go([] { throw std::runtime_error("stop"); });
  EXPECT_THROW(outer.join(), std::runtime_error);
}

TEST_P(Goroutines, AScopeThatIsLeftCancelsAndWaits) {
  std::atomic<int> ended{0};
  {
    chan<int> never(0);
    scope s;
    for (int i = 0; i < 3; i++) {
      s.go([&ended, never] {
        struct AtEnd {
          std::atomic<int>& n;
          ~AtEnd() { n++; }
        } at_end{ended};
        never.receive();
      });
    }
  }
  EXPECT_EQ(ended, 3);
}

TEST_P(Goroutines, LargeAndMoveOnlyClosuresRunAndAreDestroyed) {
  auto shared = std::make_shared<int>(7);
  std::atomic<int> sum{0};
  scope s;
  std::array<int, 100> large{};
  large[99] = 3;
  s.go([&sum, shared, large] { sum += *shared + large[99]; });
  s.go([&sum, p = std::make_unique<int>(5)] { sum += *p; });
  s.join();
  EXPECT_EQ(sum, 15);
  EXPECT_EQ(shared.use_count(), 1);
}

TEST_P(Goroutines, YieldLetsOthersRun) {
  std::atomic<bool> flag{false};
  scope s;
  s.go([&] {
    while (!flag) yield();
  });
  s.go([&] { flag = true; });
  s.join();
}

// Returns when n goroutines have met, each on a worker of its own, since none of them lets another run.
void meet(int n) {
  std::atomic<int> together{0};
  scope s;
  for (int i = 0; i < n; i++) {
    s.go([&] {
      together++;
      while (together < n) sched_yield();
    });
  }
  s.join();
}

TEST_P(Goroutines, ThatSpinRunAtOnceOnAllWorkers) { meet(std::min(GetParam(), 3)); }

// One worker is on its way to sleep, the others sleep: what is published at that moment needs all of them.
TEST_P(Goroutines, ThatComeWhileAWorkerLiesDownRunAtOnce) {
  for (int round = 0; round < 60; round++) {
    std::this_thread::sleep_for(1ms);
    scope first;
    first.go([] {});
    first.join();
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(round);
    while (std::chrono::steady_clock::now() < until) {
    }
    meet(std::min(GetParam(), 3));
  }
}

TEST_P(Goroutines, OneWokenByAComputingOneIsStolen) {
  if (GetParam() == 1) return;
  for (int round = 0; round < 5; round++) {
    chan<int> c(1);
    std::atomic<bool> seen{false};
    scope s;
    s.go([&] {
      c.receive();
      seen = true;
    });
    s.go([&] {
      sleep(100us);
      c.send(1);
      while (!seen) sched_yield();  // computes; for the system only
    });
    s.join();
  }
}

TEST_P(Goroutines, ExceptionsSurviveAWaitInsideACatch) {
  scope s;
  for (int i = 0; i < 50; i++) {
    s.go([i] {
      try {
        throw i;
      } catch (int caught) {
        for (int k = 0; k < 5; k++) {
          yield();
          try {
            throw std::to_string(k);
          } catch (const std::string& inner) {
            yield();
            EXPECT_EQ(inner, std::to_string(k));
          }
        }
        EXPECT_EQ(caught, i);
        try {
          throw;
        } catch (int again) {
          EXPECT_EQ(again, i);
        }
      }
    });
  }
  s.join();
}

TEST_P(Goroutines, ParallelLoopsInsideThemProgress) {
  std::atomic<int64_t> sum{0};
  scope s;
  for (int g = 0; g < 10; g++) {
    s.go([&] {
      for (int round = 0; round < 20; round++) {
        parallel_for(50, 1, [&](int64_t b, int64_t) { sum += b; });
        yield();
      }
    });
  }
  s.join();
  EXPECT_EQ(sum, 10 * 20 * (49 * 50 / 2));
}

TEST_P(Goroutines, RunWhileANativeThreadIsInALoop) {
  std::atomic<int> hops{0};
  scope s;
  s.go([&] {
    for (int i = 0; i < 200; i++) {
      hops++;
      yield();
    }
  });
  parallel_for(64, 1, [](int64_t, int64_t) { std::this_thread::sleep_for(20us); });
  s.join();
  EXPECT_EQ(hops, 200);
}

TEST_P(Goroutines, WaitingInALoopBodyIsAnError) {
  chan<int> c(0);
  EXPECT_THROW(parallel_for(4, 1, [&](int64_t, int64_t) { c.receive(); }), std::logic_error);
  chan<int> buffered(4);
  parallel_for(4, 1, [&](int64_t b, int64_t) { buffered.send(static_cast<int>(b)); });
  EXPECT_EQ(buffered.size(), 4);
}

TEST_P(Goroutines, ThousandsMayWaitAtOnce) {
  chan<int> gate(0);
  std::atomic<int> passed{0};
  scope s;
  for (int i = 0; i < kManyStacks; i++) {
    s.go([&] {
      gate.receive();
      passed++;
    });
  }
  s.go([&] { gate.close(); });
  s.join();
  EXPECT_EQ(passed, kManyStacks);
}

TEST_P(Goroutines, SurviveAShutdown) {
  chan<int> in(0), out(0);
  scope s;
  s.go([&] { out.send(*in.receive() + 1); });
  std::this_thread::sleep_for(1ms);
  shutdown();
  in.send(41);
  EXPECT_EQ(out.receive(), 42);
  s.join();
}

TEST_P(Goroutines, TheNumberOfWorkersMayChangeMeanwhile) {
  std::atomic<int> runs{0};
  scope s;
  for (int i = 0; i < 2000; i++) {
    s.go([&] {
      yield();
      runs++;
      yield();
    });
    if (i % 100 == 0) set_num_workers(1 + i / 100 % 5);
  }
  s.join();
  EXPECT_EQ(runs, 2000);
}

TEST_P(Goroutines, AForkedChildCanUseTheRuntime) {
  chan<int> old(1), never(0);
  scope s;
  s.go([&] { old.send(1); });
  std::atomic<bool> left{false};
  go([&] {
    never.receive();
    left = true;
  });
  s.join();
  const pid_t child = fork();
  if (child == 0) {
    chan<int> c(0);
    scope mine;
    mine.go([&] { c.send(5); });
    const bool received = c.receive() == 5;
    mine.join();
    go([] {});
    background().join();
    bool refused = false;
    try {
      old.receive();
    } catch (const ChanError&) {
      refused = true;
    }
    _exit(received && refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  never.close();
  background().join();
  EXPECT_TRUE(left);
}

TEST_P(Goroutines, AnInterruptEndsANativeWait) {
  set_interrupt_check([] { return true; });
  chan<int> c(0);
  EXPECT_THROW(c.receive(), Interrupted);
  EXPECT_THROW(c.send(1), Interrupted);
  wait_group w;
  w.add(1);
  EXPECT_THROW(w.wait(), Interrupted);
  {
    scope s;
    s.go([&] { c.receive(); });
    EXPECT_THROW(s.join(), Interrupted);
  }
  set_interrupt_check(nullptr);
}

// Its end is not kept back while what comes next on the same stack computes on.
TEST_P(Goroutines, AScopeEndsBeforeAnotherOneHasRunOn) {
  std::atomic<bool> submitted{false}, joined{false}, in_time{false};
  scope gate, first, second;
  gate.go([&] {
    while (!submitted) {
    }
  });
  first.go([] {});
  second.go([&] {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!joined && std::chrono::steady_clock::now() < end) {
    }
    in_time = joined.load();
  });
  submitted = true;
  first.join();
  joined = true;
  second.join();
  gate.join();
  EXPECT_TRUE(in_time);
}

TEST_P(Goroutines, AnInterruptEndsOneOfManyShortWaits) {
  chan<int> c(0);
  scope s;
  s.go([c] {
    for (;;) c.send(1);
  });
  EXPECT_EQ(c.receive(), 1);
  set_interrupt_check([] { return true; });
  EXPECT_THROW(while (c.receive()){}, Interrupted);
  set_interrupt_check(nullptr);
}

TEST_P(Goroutines, ASignalInterruptsOneNativeWait) {
  interrupt_on(SIGUSR1);
  chan<int> c(1);
  raise(SIGUSR1);
  EXPECT_THROW(c.receive(), Interrupted);
  go([c] { c.send(1); });
  EXPECT_EQ(c.receive(), 1);
  background().join();
  struct sigaction now = {};
  sigaction(SIGUSR1, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);  // the second one ends the program
  EXPECT_THROW(interrupt_on(-1), std::invalid_argument);
  set_interrupt_check(nullptr);
}

TEST_P(Goroutines, SleepTakesAtLeastItsTime) {
  scope s;
  for (int i = 1; i <= 5; i++) {
    s.go([i] {
      const auto start = std::chrono::steady_clock::now();
      sleep(i * 1ms);
      EXPECT_GE(std::chrono::steady_clock::now() - start, i * 1ms);
    });
  }
  s.join();
}

TEST_P(Goroutines, AScopeMayHaveADeadline) {
  chan<int> never(0);
  scope s(context(), 5ms);
  s.go([&] { never.receive(); });
  EXPECT_THROW(s.join(), DeadlineExceeded);
}

TEST_P(Goroutines, RunScopedCancelsItsBody) {
  chan<int> never(0);
  EXPECT_THROW(run([&](scope& s) {
                 s.go([] { throw std::out_of_range("sibling"); });
                 never.receive();
               }),
               std::out_of_range);
}

}  // namespace gotorch::runtime
