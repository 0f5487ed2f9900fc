#include "runtime/simulate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "runtime/go.h"
#include "tests/runtime/go_case.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

// Three goroutines that meet in all the ways there are; returns the order in which they wrote.
std::vector<int> meeting() {
  std::vector<int> order;
  chan<int> a(0), b(2);
  mutex m;
  scope s;
  for (int i = 0; i < 3; i++) {
    s.go([&, i] {
      for (int k = 0; k < 4; k++) {
        select(on_send(a, i, [] {}), on_send(b, i, [] {}), on_timeout(1ms, [] {}));
        std::lock_guard guard(m);
        order.push_back(i);
      }
    });
  }
  s.go([&] {
    for (int k = 0; k < 6; k++) {
      select(on_receive(a, [](auto) {}), on_receive(b, [](auto) {}), on_timeout(300us, [] {}));
      yield();
    }
  });
  s.join();
  return order;
}

std::vector<int> meeting(uint64_t seed, Simulated* result = nullptr) {
  std::vector<int> order;
  const Simulated simulated = simulate(seed, [&] { order = meeting(); });
  if (result) *result = simulated;
  return order;
}

TEST(Simulate, SameSeedSameSchedule) {
  for (uint64_t seed = 0; seed < 200; seed++) {
    Simulated first, second;
    const auto order = meeting(seed, &first);
    EXPECT_EQ(order, meeting(seed, &second));
    EXPECT_EQ(first.trace, second.trace);
    EXPECT_EQ(first.turns, second.turns);
    EXPECT_EQ(first.elapsed_ns, second.elapsed_ns);
  }
}

TEST(Simulate, SeedsDiffer) {
  std::set<std::vector<int>> orders;
  for (uint64_t seed = 0; seed < 200; seed++) orders.insert(meeting(seed));
  EXPECT_GT(orders.size(), 50u);
}

// Two goroutines add to a number by reading, doing something, writing. Every interleaving must come up.
TEST(Simulate, FindsLostUpdate) {
  std::set<int> results;
  for (uint64_t seed = 0; seed < 1000; seed++) {
    simulate(seed, [&] {
      int number = 0;
      chan<unit> trace(100);
      scope s;
      for (int i = 0; i < 2; i++) {
        s.go([&] {
          const int seen = number;
          trace.send(unit{});
          number = seen + 1;
        });
      }
      s.join();
      results.insert(number);
    });
  }
  EXPECT_EQ(results, (std::set<int>{1, 2}));
}

TEST(Simulate, TimeIsVirtual) {
  const Simulated result = simulate(1, [] {
    const int64_t start = now_ns();
    sleep(std::chrono::hours(10));
    EXPECT_GE(now_ns() - start, 36'000'000'000'000);
  });
  EXPECT_GE(result.elapsed_ns, 36'000'000'000'000);
}

TEST(Simulate, SleepersWakeInOrderOfTime) {
  for (uint64_t seed = 0; seed < 20; seed++) {
    std::vector<int> order;
    simulate(seed, [&] {
      scope s;
      for (const int i : {3, 1, 4, 2}) {
        s.go([&, i] {
          sleep(std::chrono::milliseconds(i));
          order.push_back(i);
        });
      }
      s.join();
    });
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
  }
}

TEST(Simulate, TimePassesForThoseWhoYield) {
  for (uint64_t seed = 0; seed < 20; seed++) {
    simulate(seed, [] {
      const int64_t end = now_ns() + 50'000'000;
      scope s;
      for (int i = 0; i < 3; i++) {
        s.go([=] {
          while (now_ns() < end) yield();
        });
      }
      s.join();
    });
  }
}

TEST(Simulate, DeadlockNamesEachGoroutine) {
  std::string text;
  try {
    simulate(7, [] {
      chan<int> never(0);
      mutex m;
      scope s;
      s.go([&] { never.send(1); });
      s.go([&] {
        std::lock_guard guard(m);
        chan<int>().receive();
      });
      s.join();
    });
  } catch (const Deadlock& deadlock) {
    text = deadlock.what();
  }
  EXPECT_NE(text.find("deadlock"), std::string::npos) << text;
  EXPECT_NE(text.find("seed 7"), std::string::npos) << text;
  EXPECT_NE(text.find("waits for channel send, started at"), std::string::npos) << text;
  EXPECT_NE(text.find("waits for receive on a nil channel"), std::string::npos) << text;
  EXPECT_NE(text.find("waits for join"), std::string::npos) << text;
  EXPECT_NE(text.find("simulate_test.cpp"), std::string::npos) << text;
}

TEST(Simulate, DeadlockUnwindsWhoWaits) {
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = held;
  EXPECT_THROW(simulate(1, [&] { go([kept = std::move(held)] { chan<int>().receive(); }); }),
               Deadlock);
  EXPECT_TRUE(watch.expired());
}

#if !defined(__SANITIZE_ADDRESS__)  // what is abandoned is a leak
// A lock that is never released cannot be unwound; it must not disturb what comes after.
TEST(Simulate, DeadlockOfLocks) {
  static mutex a, b;  // abandoned with their waiters
  const auto cross = [] {
    chan<unit> ready(2);
    scope s;
    for (auto [first, second] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
      s.go([=] {
        first->lock();
        ready.send(unit{});
        while (ready.size() < 2) yield();
        second->lock();
      });
    }
    s.join();
  };
  std::string text;
  try {
    simulate(3, cross);
  } catch (const Deadlock& deadlock) {
    text = deadlock.what();
  }
  EXPECT_NE(text.find("waits for mutex"), std::string::npos) << text;
  scope s;
  int result = 0;
  s.go([&] { result = 42; });
  s.cancel();
  s.join();
  EXPECT_EQ(result, 42);
}
#endif

TEST(Simulate, ErrorsArrive) {
  struct Odd {};
  EXPECT_THROW(simulate(1, [] { throw std::out_of_range("out"); }), std::out_of_range);
  EXPECT_THROW(simulate(1, [] { go([] { throw Odd(); }); }), Odd);
}

TEST(Simulate, EndlessLoopIsReported) {
  std::string text;
  try {
    simulate(1,
             [] {
               for (;;) yield();
             },
             {.max_turns = 1000});
  } catch (const std::runtime_error& error) {
    text = error.what();
  }
  EXPECT_NE(text.find("no end after 1000 turns"), std::string::npos) << text;
}

TEST(Simulate, LoopsRunOnTheSameThread) {
  simulate(1, [] {
    const auto here = std::this_thread::get_id();
    int64_t sum = 0;
    parallel_for(1000, 1, [&](int64_t b, int64_t e) {
      EXPECT_EQ(std::this_thread::get_id(), here);
      sum += e - b;
    });
    EXPECT_EQ(sum, 1000);
  });
}

TEST(Simulate, BadCalls) {
  EXPECT_THROW(simulate(1, [] {}, {.max_turns = 0}), std::invalid_argument);
  scope s;
  s.go([] { EXPECT_THROW(simulate(1, [] {}), std::logic_error); });
  s.join();
}

TEST(Simulate, SeveralThreadsSimulate) {
  std::vector<std::thread> threads;
  const auto expected = meeting(5);
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([&] {
      for (int k = 0; k < 20; k++) EXPECT_EQ(meeting(5), expected);
    });
  }
  for (auto& t : threads) t.join();
}

// What is left behind when f ends must neither keep the simulation busy nor be lost sight of.
TEST(Simulate, LeftoversEnd) {
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = held;
  simulate(1, [&] {
    const auto late = after(std::chrono::hours(1));
    Goroutine* g =
        system_scope().make_goroutine([kept = std::move(held)] { chan<int>().receive(); });
    start(g);
  });
  EXPECT_TRUE(watch.expired());
}

TEST(Chaos, BadProbability) {
  EXPECT_THROW(chaos(1, -0.1), std::invalid_argument);
  EXPECT_THROW(chaos(1, 1.5), std::invalid_argument);
  EXPECT_THROW(chaos(1, std::nan("")), std::invalid_argument);
}

TEST(Chaos, AlwaysTrouble) {
  const chaos trouble(1, 1.0);
  set_num_workers(3);
  std::vector<int> order = meeting();
  EXPECT_EQ(order.size(), 12u);
}

GO_CASE(Simulate, CaseOfItsOwn) { EXPECT_EQ(meeting().size(), 12u); }

}  // namespace
}  // namespace gotorch::runtime
