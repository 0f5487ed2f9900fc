#include "runtime/clock.h"

#include <gtest/gtest.h>

#include <vector>

#include "runtime/scope.h"
#include "runtime/select.h"
#include "runtime/sync.h"
#include "runtime/timer.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;

class FakeClock : public OnWorkers {};
RUN_ON_WORKERS(FakeClock);

TEST_P(FakeClock, PassesWhenNothingCanRun) {
  const fake_clock clock;
  const auto start = runtime_clock::now();
  sleep(24h);  // on a native thread
  EXPECT_EQ(runtime_clock::now() - start, 24h);
  scope s;
  s.go([&] { sleep(1h); });
  s.go([&] { sleep(2h); });
  s.join();
  EXPECT_EQ(runtime_clock::now() - start, 26h);
}

TEST_P(FakeClock, GoesFromTimerToTimer) {
  const fake_clock clock;
  const auto start = runtime_clock::now();
  std::vector<std::chrono::nanoseconds> woken;
  mutex m;
  scope s;
  for (int i = 20; i > 0; i--) {
    s.go([&, i] {
      sleep(i * 1min);
      m.lock();
      woken.push_back(runtime_clock::now() - start);
      m.unlock();
    });
  }
  s.join();
  ASSERT_EQ(woken.size(), 20u);
  for (int i = 0; i < 20; i++) EXPECT_EQ(woken[static_cast<size_t>(i)], (i + 1) * 1min);
}

// While a goroutine can run, it stands still, however long others have been waiting.
TEST_P(FakeClock, WaitsForWhoRuns) {
  const fake_clock clock;
  const auto start = runtime_clock::now();
  scope s;
  s.go([&] {
    for (int i = 0; i < 1000; i++) {
      EXPECT_EQ(runtime_clock::now(), start);
      yield();
    }
    sleep(1s);
    EXPECT_EQ(runtime_clock::now() - start, 1s);
  });
  s.go([&] {
    sleep(2s);
    EXPECT_EQ(runtime_clock::now() - start, 2s);
  });
  s.join();
}

TEST_P(FakeClock, RunsTimeoutsAndDeadlines) {
  const fake_clock clock;
  const chan<int> never(0);
  const auto start = runtime_clock::now();
  EXPECT_EQ(select(on_receive(never, [](auto) {}), on_timeout(30s, [] {})), 1);
  EXPECT_EQ(runtime_clock::now() - start, 30s);
  scope s(context(), 1h);
  s.go([&] { never.receive(); });
  EXPECT_THROW(s.join(), DeadlineExceeded);
  EXPECT_EQ(runtime_clock::now() - start, 1h + 30s);
}

TEST_P(FakeClock, StandsStillUntilItIsTold) {
  fake_clock clock(fake_clock::when_told);
  const auto start = runtime_clock::now();
  chan<int> woken(10);
  scope s;
  chan<unit> asleep(0);
  for (int i = 1; i <= 3; i++) {
    s.go([&, i] {
      const chan<runtime_clock::time_point> over = after(i * 1h);
      asleep.send(unit{});
      over.receive();
      woken.send(i);
    });
    asleep.receive();
  }
  clock.advance(59min);
  EXPECT_EQ(woken.size(), 0);
  EXPECT_EQ(runtime_clock::now() - start, 59min);
  clock.advance(1min);
  EXPECT_EQ(woken.receive(), 1);
  clock.advance(10h);
  EXPECT_EQ(*woken.receive() + *woken.receive(), 5);
  s.join();
  EXPECT_EQ(runtime_clock::now() - start, 11h);
}

TEST_P(FakeClock, BadUse) {
  fake_clock clock;
  EXPECT_THROW(fake_clock(), std::logic_error);
  EXPECT_THROW(clock.advance(-1ns), std::invalid_argument);
}

TEST_P(FakeClock, RealTimeComesBack) {
  { const fake_clock clock; }
  const auto start = runtime_clock::now();
  sleep(1ms);
  EXPECT_GE(runtime_clock::now() - start, 1ms);
}

}  // namespace gotorch::runtime
