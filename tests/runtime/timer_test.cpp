// Timers and tickers: cases 41, 44 and 55 of the runtime study.
#include "runtime/timer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/counters.h"
#include "runtime/scope.h"
#include "runtime/select.h"
#include "runtime/sync.h"
#include "tests/runtime/go_case.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;
using Time = runtime_clock::time_point;

class TimerTest : public OnWorkers {};
RUN_ON_WORKERS(TimerTest);
class TickerTest : public OnWorkers {};
RUN_ON_WORKERS(TickerTest);

GO_CASE(GoTimer, FiresOnceWithTheTime) {
  const Time start = runtime_clock::now();
  const timer t(2ms);
  const Time fired = *t.c().receive();
  EXPECT_GE(fired - start, 2ms);
  EXPECT_LE(fired, runtime_clock::now());
  EXPECT_FALSE(t.stop());
  EXPECT_FALSE(t.c().try_receive());
}

GO_CASE(GoTimer, OneThatIsNotPositiveFiresAtOnce) {
  EXPECT_TRUE(timer(0ns).c().receive());
  EXPECT_TRUE(timer(-1h).c().receive());
  EXPECT_TRUE(timer(std::chrono::nanoseconds::min()).c().receive());
  const timer never(std::chrono::nanoseconds::max());
  EXPECT_TRUE(never.stop());
  sleep(0ns);
  sleep(-1h);
}

// Whether it has fired or not: nothing of before is received, and stop() is true since nobody had it.
GO_CASE(GoTimer, NothingIsReceivedAfterStop) {
  for (int i = 0; i < 20; i++) {
    const timer t(i % 2 ? 1h : 0ns);
    for (int k = 0; k < i; k++) yield();
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.c().try_receive());
    EXPECT_FALSE(t.stop());
  }
}

GO_CASE(GoTimer, NothingOfBeforeIsReceivedAfterReset) {
  const timer t(0ns);
  for (int i = 0; i < 10; i++) {
    for (int k = 0; k < i; k++) yield();
    const Time reset = runtime_clock::now();
    EXPECT_TRUE(t.reset(1us));
    EXPECT_GE(*t.c().receive() - reset, 1us);
    EXPECT_FALSE(t.reset(0ns));
  }
}

// Nobody has asked for the channel when it fires.
GO_CASE(GoTimer, TheTimeIsThereForWhoAsksLater) {
  const Time start = runtime_clock::now();
  const timer read(1ms), stopped(1ms), reset(1ms);
  sleep(2ms);
  EXPECT_EQ(read.c().size(), 1);
  const Time time = *read.c().receive();
  EXPECT_GE(time - start, 1ms);
  EXPECT_LE(time, runtime_clock::now());
  EXPECT_FALSE(read.stop());
  EXPECT_TRUE(stopped.stop());  // nobody has noticed that it fired
  EXPECT_FALSE(stopped.stop());
  EXPECT_EQ(stopped.c().size(), 0);
  const Time again = runtime_clock::now();
  EXPECT_TRUE(reset.reset(1ms));
  EXPECT_EQ(reset.c().size(), 0);
  EXPECT_GE(*reset.c().receive() - again, 1ms);
}

GO_CASE(GoTimer, AllWhoAskForTheChannelGetTheSame) {
  for (int i = 0; i < 5; i++) {
    const timer t(1us);  // fires before the channel is there, or after
    if (i % 2) sleep(2us);
    std::array<chan<Time>, 3> got;
    scope s;
    for (auto& c : got) s.go([&] { c = t.c(); });
    s.go([] { EXPECT_TRUE(timer(1h).stop()); });  // meets no lock that is held for long
    s.join();
    EXPECT_TRUE(got[0] && got[0] == got[1] && got[0] == got[2]);
    EXPECT_TRUE(got[0].receive());
    EXPECT_FALSE(t.stop());
  }
}

GO_CASE(GoTimer, ReceiversWaitThroughStopAndReset) {
  const timer t(1h);
  scope s;
  chan<unit> received(1);
  s.go([&] {
    t.c().receive();
    received.send(unit{});
  });
  yield();
  EXPECT_TRUE(t.stop());
  yield();
  EXPECT_EQ(received.size(), 0);
  t.reset(0ns);
  s.join();
  EXPECT_EQ(received.size(), 1);
}

GO_CASE(GoTimer, ManyMayStopAndResetIt) {
  const timer t(1h);
  std::atomic<int> fired{0};
  scope s;
  for (int g = 0; g < 4; g++) {
    s.go([&, g] {
      for (int i = 0; i < 30; i++) {
        if ((i + g) % 3 == 0) t.stop();
        else t.reset((i + g) % 3 == 1 ? 0ns : 1h);
        if (t.c().try_receive()) fired++;
        yield();
      }
    });
  }
  s.join();
  t.stop();
  EXPECT_FALSE(t.c().try_receive());
  EXPECT_LE(fired, 120);
}

GO_CASE(GoTimer, AFunctionRunsInAGoroutineOfItsOwn) {
  chan<int> ran(10);
  const timer t = after_func(1ms, [=] { ran.send(1); });
  EXPECT_FALSE(t.c());
  EXPECT_EQ(ran.receive(), 1);
  EXPECT_FALSE(t.stop());
  EXPECT_FALSE(t.reset(0ns));
  EXPECT_EQ(ran.receive(), 1);
  EXPECT_FALSE(t.reset(1h));
  EXPECT_TRUE(t.reset(1h));
  EXPECT_TRUE(t.stop());
  EXPECT_FALSE(t.stop());
  after_func(0ns, [=] { ran.send(2); });  // also if nobody keeps the timer
  EXPECT_EQ(ran.receive(), 2);
  EXPECT_EQ(ran.size(), 0);
}

GO_CASE(GoTimer, AFunctionThatIsStoppedIsDestroyed) {
  const auto owned = std::make_shared<int>(5);
  {
    const timer t = after_func(1h, [owned] {});
    EXPECT_EQ(owned.use_count(), 2);
    EXPECT_TRUE(t.stop());
  }
  EXPECT_EQ(owned.use_count(), 1);
}

GO_CASE(GoTimer, NullFunctionsAreRefused) {
  EXPECT_THROW(after_func(1h, std::function<void()>()), std::invalid_argument);
  EXPECT_THROW(after_func(1h, static_cast<void (*)()>(nullptr)), std::invalid_argument);
}

// Two goroutines that are always ready do not keep a timer from firing.
GO_CASE(GoTimer, FiresBesideBusyGoroutines) {
  const chan<int> c(0);
  const auto stop = after(2ms);
  scope s;
  std::atomic<bool> over{false};
  for (int g = 0; g < 2; g++) {
    s.go([&] {
      while (!over) {
        select(on_send(c, 1, [] {}), on_receive(c, [](auto) {}), on_default([] { yield(); }));
      }
    });
  }
  stop.receive();
  over = true;
  s.join();
}

GO_CASE(GoTicker, TicksUntilItIsStopped) {
  Time last = runtime_clock::now();
  const ticker t(100us);
  for (int i = 0; i < 5; i++) {
    const Time now = *t.c().receive();
    EXPECT_GT(now, last);
    last = now;
  }
  t.reset(200us);
  EXPECT_TRUE(t.c().receive());
  t.stop();
  EXPECT_FALSE(t.c().try_receive());
  sleep(1ms);
  EXPECT_FALSE(t.c().try_receive());
  t.reset(1us);
  EXPECT_TRUE(t.c().receive());
  t.stop();
  t.stop();
}

GO_CASE(GoTicker, BadPeriodsAreRefused) {
  EXPECT_THROW(ticker(0ns), std::invalid_argument);
  EXPECT_THROW(ticker(-1s), std::invalid_argument);
  const ticker t(1h);
  EXPECT_THROW(t.reset(0ns), std::invalid_argument);
  EXPECT_THROW(t.reset(-1ns), std::invalid_argument);
}

TEST_P(TickerTest, ASlowReceiverMissesTicks) {
  fake_clock clock(fake_clock::when_told);
  const Time start = runtime_clock::now();
  const ticker t(1s);
  clock.advance(10s + 500ms);
  EXPECT_EQ(t.c().size(), 1);
  EXPECT_EQ(*t.c().receive() - start, 1s);  // the first one, as in Go
  clock.advance(500ms);
  EXPECT_EQ(*t.c().receive() - start, 11s);  // in step with the beginning
  t.reset(3s);
  clock.advance(2s);
  EXPECT_EQ(t.c().size(), 0);
  clock.advance(1s);
  EXPECT_EQ(*t.c().receive() - start, 14s);
  clock.advance(3s);
  t.stop();
  EXPECT_EQ(t.c().size(), 0);
  clock.advance(1h);
  EXPECT_EQ(t.c().size(), 0);
}

// Whatever the order in which they are armed, and with many of them stopped.
TEST_P(TimerTest, ManyFireInTheOrderOfTheirTimes) {
  constexpr int kCount = 100'000;
  fake_clock clock(fake_clock::when_told);
  struct Noting : Timer {
    std::vector<int64_t>* fired;
  };
  std::vector<int64_t> fired;
  std::vector<Noting> timers(kCount);
  TimerHeaps heaps;
  for (int i = 0; i < kCount; i++) {
    Noting& t = timers[static_cast<size_t>(i)];
    t.fired = &fired;
    t.when_ns = (i * int64_t{7919}) % kCount;
    t.fire = [](Timer& timer) -> Goroutine* {
      static_cast<Noting&>(timer).fired->push_back(timer.when_ns);
      return nullptr;
    };
    heaps.add(t, i % 3 - 1);
  }
  for (int i = 0; i < kCount; i += 3) EXPECT_TRUE(heaps.remove(timers[static_cast<size_t>(i)]));
  for (int i = 0; i < kCount; i += 3) EXPECT_FALSE(heaps.remove(timers[static_cast<size_t>(i)]));
  heaps.fire_due(kCount / 2, [](Goroutine*) {});
  EXPECT_LE(fired.back(), kCount / 2);
  heaps.fire_due(kCount, [](Goroutine*) {});
  EXPECT_EQ(std::ssize(fired), kCount - (kCount + 2) / 3);
  EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end()));
  EXPECT_EQ(heaps.next(), kForever);
}

TEST_P(TimerTest, ManyGoroutinesWakeInOrder) {
  const fake_clock clock;
  const int n = kManyStacks / 10;
  std::vector<Time> woken;
  mutex m;
  scope s;
  for (int i = 0; i < n; i++) {
    s.go([&, i] {
      sleep((i * 617 % n + 1) * 1ms);
      const std::lock_guard guard(m);
      woken.push_back(runtime_clock::now());
    });
  }
  s.join();
  EXPECT_EQ(std::ssize(woken), n);
  EXPECT_TRUE(std::is_sorted(woken.begin(), woken.end()));
}

// While a worker sleeps until a late timer, another thread arms an early one.
TEST_P(TimerTest, AnEarlierOneInterruptsWhoSleepsForALaterOne) {
  const timer late(1h);
  for (int i = 0; i < 20; i++) {
    std::this_thread::sleep_for(200us);  // they sleep by now
    std::thread([] { EXPECT_TRUE(timer(50us).c().receive()); }).join();
    scope s;
    s.go([] { sleep(50us); });
    s.join();
  }
  EXPECT_TRUE(late.stop());
}

TEST_P(TimerTest, ManyAreArmedAndStopped) {
  std::vector<timer> timers;
  for (int i = 0; i < 20'000; i++) timers.emplace_back(std::chrono::hours(1 + i % 7));
  for (const timer& t : timers) EXPECT_TRUE(t.stop());
  for (const timer& t : timers) EXPECT_FALSE(t.reset(1h));
  timers.clear();  // stops them, too
  EXPECT_EQ(timer(0ns).c().receive().has_value(), true);
}

TEST_P(TimerTest, AfterLeavesNothingBehindWhenItsChannelIsGone) {
  constexpr int64_t kCount = 1000;
  const int64_t before = counters().timers;  // what others have left may fire meanwhile
  {
    std::vector<chan<runtime_clock::time_point>> channels;
    for (int64_t i = 0; i < kCount; i++) channels.push_back(after(1h));
    EXPECT_GE(counters().timers, kCount);
  }
  EXPECT_LE(counters().timers, before);
}

// Whoever receives from it may drop it, or close it, at the moment when it fires.
TEST_P(TimerTest, AfterMayBeDroppedOrClosedAtAnyTime) {
  for (int i = 0; i < 300; i++) {
    const auto kept = after(std::chrono::microseconds(i % 50));
    {
      const auto dropped = after(std::chrono::microseconds(i % 50));
      if (i % 2) yield();
    }
    if (i % 3 == 0) kept.close();
    else EXPECT_TRUE(kept.receive());
  }
  const ticker t(20us);
  t.c().close();
  sleep(1ms);
}

TEST_P(TimerTest, ArmedAndStoppedByManyThreadsWhileOthersFire) {
  std::atomic<int> fired{0};
  scope s;
  for (int g = 0; g < 6; g++) {
    s.go([&, g] {
      for (int i = 0; i < 300; i++) {
        const timer t((i % 3 == 0 ? 1h : 1us) * (1 + g));
        yield();
        if (i % 3 != 0 && t.c().receive()) fired++;
      }
    });
  }
  s.join();
  EXPECT_EQ(fired, 1200);
}

// What a function throws is not lost.
TEST_P(TimerTest, AFunctionThatThrowsFailsTheBackground) {
  chan<unit> ran(1);
  after_func(0ns, [=] {
    ran.send(unit{});
    throw std::out_of_range("thrown");
  });
  ran.receive();
  for (bool told = false; !told;) {
    try {
      background().join();
      sched_yield();
    } catch (const std::out_of_range&) {
      told = true;
    }
  }
}

}  // namespace gotorch::runtime
