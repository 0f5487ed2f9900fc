#include "runtime/sync.h"

#include <gtest/gtest.h>

#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "runtime/interrupt.h"
#include "runtime/scope.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;

class WaitGroup : public OnWorkers {};
RUN_ON_WORKERS(WaitGroup);
class Mutex : public OnWorkers {};
RUN_ON_WORKERS(Mutex);

TEST_P(WaitGroup, WaitsForAll) {
  for (int round = 0; round < 100; round++) {
    wait_group all;
    std::atomic<int> done{0};
    constexpr int kCount = 16;
    all.add(kCount);
    for (int i = 0; i < kCount; i++) {
      go([&] {
        done++;
        all.done();
      });
    }
    all.wait();
    EXPECT_EQ(done, kCount);
  }
  background().join();
}

TEST_P(WaitGroup, AnEmptyOneDoesNotWait) { wait_group().wait(); }

TEST_P(WaitGroup, TooManyDonesAreAnError) {
  wait_group w;
  EXPECT_THROW(w.done(), std::logic_error);
  w.add(1);
  w.done();
  EXPECT_THROW(w.done(), std::logic_error);
}

TEST_P(WaitGroup, SeveralMayWaitAndItMayBeUsedAgain) {
  wait_group w;
  for (int round = 0; round < 20; round++) {
    std::atomic<int> passed{0};
    w.add(1);
    scope s;
    for (int i = 0; i < 5; i++) {
      s.go([&] {
        w.wait();
        passed++;
      });
    }
    s.go([&] { w.done(); });
    s.join();
    EXPECT_EQ(passed, 5);
  }
}

TEST_P(Mutex, ExcludesOthers) {
  mutex m;
  int counter = 0;
  scope s;
  for (int g = 0; g < 10; g++) {
    s.go([&] {
      for (int i = 0; i < 500; i++) {
        std::lock_guard guard(m);
        const int before = counter;
        if (i % 50 == 0) yield();
        counter = before + 1;
      }
    });
  }
  std::thread native([&] {
    for (int i = 0; i < 500; i++) {
      std::lock_guard guard(m);
      counter++;
    }
  });
  s.join();
  native.join();
  EXPECT_EQ(counter, 5500);
}

TEST_P(Mutex, TryLockDoesNotWait) {
  mutex m;
  EXPECT_TRUE(m.try_lock());
  EXPECT_FALSE(m.try_lock());
  m.unlock();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

TEST_P(Mutex, UnlockingAnUnlockedOneIsAnError) {
  mutex m;
  EXPECT_THROW(m.unlock(), std::logic_error);
  m.lock();
  m.unlock();
  EXPECT_THROW(m.unlock(), std::logic_error);
}

// One goroutine that holds it nearly all the time does not starve another.
TEST_P(Mutex, NobodyStarves) {
  mutex m;
  std::atomic<bool> stop{false};
  scope s;
  s.go([&] {
    while (!stop) {
      std::lock_guard guard(m);
      std::this_thread::sleep_for(100us);
    }
  });
  s.go([&] {
    for (int i = 0; i < 10; i++) {
      std::this_thread::sleep_for(100us);
      std::lock_guard guard(m);
    }
    stop = true;
  });
  if (GetParam() == 1) stop = true;  // a goroutine that never waits keeps its only worker
  s.join();
}

TEST_P(Mutex, AnInterruptedWaitLeavesItUsable) {
  mutex m;
  m.lock();
  set_interrupt_check([] { return true; });
  EXPECT_THROW(m.lock(), Interrupted);
  set_interrupt_check(nullptr);
  m.unlock();
  m.lock();
  m.unlock();
}

TEST_P(Mutex, NativeThreadsAndGoroutinesSpinAndPark) {
  mutex m;
  int counter = 0;
  scope s;
  for (int g = 0; g < 8; g++) {
    s.go([&] {
      for (int i = 0; i < 5000; i++) {
        m.lock();
        counter++;
        m.unlock();
      }
    });
  }
  for (int i = 0; i < 5000; i++) {
    const std::lock_guard guard(m);
    counter++;
  }
  s.join();
  EXPECT_EQ(counter, 45000);
}

class RwMutex : public OnWorkers {};
RUN_ON_WORKERS(RwMutex);

TEST_P(RwMutex, Hammer) {
  rw_mutex m;
  std::atomic<int> active{0};
  std::atomic<bool> wrong{false};
  scope s;
  for (int g = 0; g < 2; g++) {
    s.go([&] {
      for (int i = 0; i < 500; i++) {
        const std::unique_lock lock(m);
        if (active.fetch_add(10000) != 0) wrong = true;
        for (int k = 0; k < 100; k++) cpu_relax();
        active.fetch_sub(10000);
      }
    });
  }
  for (int g = 0; g < 6; g++) {
    s.go([&] {
      for (int i = 0; i < 1000; i++) {
        const std::shared_lock lock(m);
        if (active.fetch_add(1) >= 10000) wrong = true;
        for (int k = 0; k < 100; k++) cpu_relax();
        active.fetch_sub(1);
      }
    });
  }
  s.join();
  EXPECT_FALSE(wrong);
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

// Whoever was interrupted, reader or writer, the lock can be used when the others have left.
TEST_P(RwMutex, AnInterruptedWaitLeavesItUsable) {
  rw_mutex m;
  m.lock();
  set_interrupt_check([] { return true; });
  EXPECT_THROW(m.lock_shared(), Interrupted);
  EXPECT_THROW(m.lock(), Interrupted);
  set_interrupt_check(nullptr);
  m.unlock();
  m.lock_shared();
  set_interrupt_check([] { return true; });
  EXPECT_THROW(m.lock(), Interrupted);
  set_interrupt_check(nullptr);
  EXPECT_FALSE(m.try_lock_shared());  // until the reader leaves
  m.unlock_shared();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
  m.lock_shared();
  m.unlock_shared();
}

class Cond : public OnWorkers {};
RUN_ON_WORKERS(Cond);

TEST_P(Cond, AnInterruptedWaitHoldsTheLock) {
  mutex m;
  cond c;
  std::unique_lock lock(m);
  set_interrupt_check([] { return true; });
  EXPECT_THROW(c.wait(lock), Interrupted);
  set_interrupt_check(nullptr);
  EXPECT_FALSE(m.try_lock());
  EXPECT_TRUE(lock.owns_lock());
}

}  // namespace gotorch::runtime
