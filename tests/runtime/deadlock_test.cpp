#include "runtime/deadlock.h"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "runtime/interrupt.h"
#include "runtime/scope.h"
#include "runtime/select.h"
#include "runtime/sync.h"
#include "runtime/timer.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;

// Collects reports while it lives.
class Reports {
 public:
  Reports() {
    std::lock_guard guard(lock);
    texts.clear();
    before_ = set_deadlock_handler([](const std::string& text) {
      std::lock_guard inner(lock);
      texts.push_back(text);
    });
  }
  ~Reports() { set_deadlock_handler(before_); }
  std::vector<std::string> all() const {
    std::lock_guard guard(lock);
    return texts;
  }

 private:
  static inline std::mutex lock;
  static inline std::vector<std::string> texts;
  DeadlockHandler before_;
};

class Deadlocks : public OnWorkers {
  void SetUp() override {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "ThreadSanitizer has a thread that never rests, so nothing can be proved";
#endif
    OnWorkers::SetUp();
  }
};
RUN_ON_WORKERS(Deadlocks);

std::string deadlock_of(FnRef<void()> f) {
  try {
    f();
  } catch (const Deadlock& e) {
    return e.what();
  }
  return "no deadlock";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_P(Deadlocks, OfAllIsReportedAndThrownIntoTheNativeWaiter) {
  const Reports reports;
  const chan<int> a(0), b(2);
  const auto start = std::chrono::steady_clock::now();
  const std::string text = deadlock_of([&] {
    scope s;
    s.go([&] { a.receive(); });
    s.go([&] {
      for (;;) b.send(1);
    });
    s.join();
  });
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);  // a hang, not a measurement
  EXPECT_TRUE(contains(text, "deadlock: 2 goroutines and 1 native thread wait")) << text;
  EXPECT_TRUE(contains(text, "[channel receive, ")) << text;
  EXPECT_TRUE(contains(text, "[channel send, ")) << text;
  EXPECT_TRUE(contains(text, "[join, ")) << text;
  EXPECT_TRUE(contains(text, "deadlock_test.cpp")) << text;
  EXPECT_TRUE(contains(text, "waits in ")) << text;
  EXPECT_EQ(reports.all(), std::vector{text});
}

TEST_P(Deadlocks, ANativeThreadAloneIsOne) {
  const Reports reports;
  const std::string text = deadlock_of([] { chan<int>(0).receive(); });
  EXPECT_TRUE(contains(text, "deadlock: 0 goroutines and 1 native thread wait")) << text;
  const std::string nil = deadlock_of([] { chan<int>().receive(); });
  EXPECT_TRUE(contains(nil, "[receive on a nil channel, ")) << nil;
}

// lock() is not ended by cancelling, so here the goroutines themselves get the error.
TEST_P(Deadlocks, OfMutexesEnds) {
  const Reports reports;
  mutex first, second;
  wait_group both;
  both.add(2);
  const std::string text = deadlock_of([&] {
    scope s;
    for (const bool swap : {false, true}) {
      s.go([&, swap] {
        std::lock_guard one(swap ? first : second);
        both.done();
        both.wait();
        std::lock_guard other(swap ? second : first);
      });
    }
    s.join();
  });
  EXPECT_TRUE(contains(text, "[mutex, ")) << text;
}

TEST_P(Deadlocks, OfNestedScopesUnwindsThem) {
  const Reports reports;
  bool told = false;
  const std::string text = deadlock_of([&] {
    scope outer;
    outer.go([&] {
      scope inner;
      inner.go([] {
        wait_group().wait();
        chan<int>(0).send(1);
      });
      try {
        inner.join();
      } catch (const Cancelled&) {
        told = true;
      }
      told = true;
    });
    outer.join();
  });
  EXPECT_TRUE(contains(text, "[wait_group, ") || contains(text, "[channel send, ")) << text;
  EXPECT_TRUE(told);
}

// The other native threads wait for the one that waits here.
TEST_P(Deadlocks, CountsThreadsThatWaitForThreads) {
  const Reports reports;
  std::mutex held;
  std::unique_lock lock(held);
  std::thread blocked([&] { std::lock_guard guard(held); });
  std::string text;
  std::thread waiter([&] { text = deadlock_of([] { chan<int>(0).receive(); }); });
  waiter.join();
  lock.unlock();
  blocked.join();
  EXPECT_TRUE(contains(text, "1 native thread wait")) << text;
}

TEST_P(Deadlocks, AreUsedOnceAndThenAllGoesOn) {
  const Reports reports;
  const chan<int> c(0);
  EXPECT_THROW(c.receive(), Deadlock);
  scope s;
  s.go([&] { c.send(7); });
  EXPECT_EQ(c.receive(), 7);
  s.join();
}

// Somebody may still wake these.
TEST_P(Deadlocks, AreNotSeenWhereAThreadOrATimerMayAct) {
  const Reports reports;
  const chan<int> c(0);
  std::thread sleeper([&] {
    std::this_thread::sleep_for(300ms);
    c.send(1);
  });
  EXPECT_EQ(c.receive(), 1);
  sleeper.join();

  EXPECT_TRUE(after(250ms).receive());
  scope s;
  s.go([&] {
    sleep(250ms);
    c.send(2);
  });
  EXPECT_EQ(c.receive(), 2);
  s.join();
  scope timed(context(), 250ms);
  timed.go([&] { c.receive(); });
  EXPECT_THROW(timed.join(), DeadlineExceeded);
  EXPECT_TRUE(reports.all().empty());
}

TEST_P(Deadlocks, AreNotSeenWhileAGoroutineComputes) {
  const Reports reports;
  const chan<int> c(0);
  scope s;
  s.go([&] {
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < 250ms) {
    }
    std::this_thread::sleep_for(300ms);
    c.send(1);
  });
  EXPECT_EQ(c.receive(), 1);
  s.join();
  EXPECT_TRUE(reports.all().empty());
}

// Outside any scope, so that nobody can cancel it; and the test goes on.
TEST_P(Deadlocks, OfSomeAreReportedWhileOthersRun) {
  const Reports reports;
  std::atomic<bool> stop{false};
  scope s;
  s.go([&] {
    while (!stop) yield();
  });
  go([] { chan<int>().receive(); });
  for (int i = 0; i < 1000 && reports.all().empty(); i++) std::this_thread::sleep_for(10ms);
  stop = true;
  s.join();
  ASSERT_EQ(reports.all().size(), 1u);
  const std::string text = reports.all()[0];
  EXPECT_TRUE(contains(text, "a goroutine can never be woken")) << text;
  EXPECT_TRUE(contains(text, "[receive on a nil channel, ")) << text;
  EXPECT_THROW(background().join(), Deadlock);  // which also ends it
}

}  // namespace gotorch::runtime
