#include "runtime/observe.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

#include "runtime/counters.h"
#include "runtime/scope.h"
#include "runtime/select.h"
#include "runtime/sync.h"
#include "runtime/timer.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;

class Observe : public OnWorkers {};
RUN_ON_WORKERS(Observe);

// Those that wait for this, once there are as many as expected.
std::vector<GoroutineInfo> wait_until_waiting(const char* what, const void* on, int64_t count) {
  std::vector<GoroutineInfo> found;
  for (int i = 0; i < 2000; i++) {
    found = goroutines();
    std::erase_if(found, [&](const GoroutineInfo& g) {
      return g.state != GoroutineInfo::Waiting || std::string(g.waits_for) != what ||
             (on && g.waits_on != on);
    });
    if (std::ssize(found) == count) break;
    std::this_thread::sleep_for(5ms);
  }
  return found;
}

TEST_P(Observe, ListsWhoWaitsWhereOnWhatAndWhoStartedIt) {
  const chan<int> c(0);
  scope s;
  const uint32_t line = __LINE__ + 1;
  for (int i = 0; i < 3; i++) s.go([&] { c.receive(); });
  auto found = wait_until_waiting("channel receive", c.core(), 3);
  // They have callers once they have left their stacks.
  const auto on_its_way = [](const GoroutineInfo& g) { return g.callers.empty(); };
  for (int i = 0; i < 2000 && std::any_of(found.begin(), found.end(), on_its_way); i++) {
    std::this_thread::sleep_for(1ms);
    found = wait_until_waiting("channel receive", c.core(), 3);
  }
  ASSERT_EQ(found.size(), 3u);
  for (const GoroutineInfo& g : found) {
    EXPECT_EQ(g.site.line(), line);
    EXPECT_NE(std::string(g.site.file_name()).find("observe_test.cpp"), std::string::npos);
    EXPECT_EQ(g.thread, 0u);
    EXPECT_GE(g.waited_ms, 0);
    EXPECT_LT(g.waited_ms, 60'000);
    EXPECT_FALSE(g.callers.empty());
    EXPECT_FALSE(g.native);
  }
  EXPECT_NE(found[0].number, found[1].number);
  c.close();
  s.join();
  EXPECT_TRUE(wait_until_waiting("channel receive", c.core(), 0).empty());
}

TEST_P(Observe, TellsHowLongAWaitLasts) {
  const chan<int> c(0);
  scope s;
  s.go([&] { c.send(1); });
  ASSERT_EQ(wait_until_waiting("channel send", c.core(), 1).size(), 1u);
  std::this_thread::sleep_for(120ms);
  const auto found = wait_until_waiting("channel send", c.core(), 1);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_GE(found[0].waited_ms, 100);
  EXPECT_EQ(c.receive(), 1);
  s.join();
}

TEST_P(Observe, ListsNativeThreadsThatWait) {
  const chan<int> c(0);
  std::atomic<uint32_t> thread{0};
  std::thread t([&] {
    thread = static_cast<uint32_t>(gettid());
    c.receive();
  });
  const auto found = wait_until_waiting("channel receive", c.core(), 1);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].native);
  EXPECT_EQ(found[0].thread, thread);
  EXPECT_NE(dump_goroutines().find("native thread " + std::to_string(thread)), std::string::npos);
  c.send(1);
  t.join();
}

TEST_P(Observe, TellsWhatRuns) {
  std::atomic<bool> running{false}, stop{false};
  scope s;
  s.go([&] {
    running = true;
    while (!stop) std::this_thread::yield();
  });
  while (!running) std::this_thread::yield();
  const auto list = goroutines();
  const auto found = std::find_if(list.begin(), list.end(),
                                  [](const auto& g) { return g.state == GoroutineInfo::Running; });
  ASSERT_NE(found, list.end());
  EXPECT_GE(found->worker, 0);
  EXPECT_NE(dump_goroutines().find("[running on worker "), std::string::npos);
  stop = true;
  s.join();
}

TEST_P(Observe, ADumpMayBeCutShort) {
  const chan<int> c(0);
  scope s;
  for (int i = 0; i < 5; i++) s.go([&] { c.receive(); });
  wait_until_waiting("channel receive", c.core(), 5);
  const std::string text = dump_goroutines(2);
  EXPECT_NE(text.find(" more\n"), std::string::npos) << text;
  c.close();
  s.join();
}

// Looking does not disturb those that are looked at.
TEST_P(Observe, WhileEverythingChanges) {
  std::atomic<bool> stop{false};
  std::thread looker([&] {
    while (!stop) dump_goroutines();
  });
  for (int round = 0; round < 20; round++) {
    const chan<int> c(1);
    scope s;
    int64_t sum = 0;
    for (int i = 0; i < 10; i++) s.go([&, i] { c.send(i); });
    s.go([&] {
      for (int i = 0; i < 10; i++) sum += *c.receive();
    });
    s.join();
    EXPECT_EQ(sum, 45);
  }
  stop = true;
  looker.join();
}

TEST_P(Observe, ASignalPrintsTheDump) {
  std::array<int, 2> pipe_ends{};
  ASSERT_EQ(pipe(pipe_ends.data()), 0);
  const int saved = dup(2);
  dup2(pipe_ends[1], 2);
  dump_on(SIGUSR1);
  const chan<int> c(0);
  scope s;
  s.go([&] { c.receive(); });
  wait_until_waiting("channel receive", c.core(), 1);
  raise(SIGUSR1);
  std::string text;
  char block[4096];
  while (text.find("observe_test.cpp") == std::string::npos) {
    const ssize_t n = read(pipe_ends[0], block, sizeof block);
    if (n <= 0) break;
    text.append(block, static_cast<size_t>(n));
  }
  dup2(saved, 2);
  for (const int end : {saved, pipe_ends[0], pipe_ends[1]}) close(end);
  signal(SIGUSR1, SIG_DFL);
  c.close();
  s.join();
  EXPECT_NE(text.find("[channel receive, "), std::string::npos) << text;
}

TEST_P(Observe, SignalsThatCannotBeCaughtAreAnError) {
  EXPECT_THROW(dump_on(SIGKILL), std::invalid_argument);
  EXPECT_THROW(dump_on(-1), std::invalid_argument);
  EXPECT_THROW(dump_on(1000), std::invalid_argument);
}

TEST_P(Observe, CountersCount) {
  background().join();
  const Counters before = counters();
  const chan<int> c(0);
  scope s;
  for (int i = 0; i < 10; i++) {
    s.go([&] {
      go([] {});
      c.send(1);
    });
  }
  wait_until_waiting("channel send", c.core(), 10);
  const Counters during = counters();
  EXPECT_GE(during.live, 10);
  EXPECT_GE(during.stacks, 10);
  EXPECT_FALSE(during.workers.empty());
  for (int i = 0; i < 10; i++) c.receive();
  s.join();
  const Counters after = counters();
  EXPECT_EQ(after.total.spawned - before.total.spawned, 20u);
  EXPECT_EQ(after.total.ended - before.total.ended, 20u);
  EXPECT_GE(after.total.parks - before.total.parks, 10u);
  EXPECT_GE(after.total.wakes - before.total.wakes, 10u);
  EXPECT_GE(after.total.switches - before.total.switches, 20u);
}

TEST_P(Observe, CountersCountTimers) {
  const int64_t before = counters().timers;
  scope s;
  s.go([] { sleep(50ms); });
  ASSERT_EQ(wait_until_waiting("sleep", nullptr, 1).size(), 1u);
  EXPECT_EQ(counters().timers, before + 1);
  s.join();
  EXPECT_EQ(counters().timers, before);
}

}  // namespace gotorch::runtime
