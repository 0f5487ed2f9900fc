// Go's semantics of package sync: cases 48 to 52 of the runtime study.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "runtime/scope.h"
#include "runtime/sync.h"
#include "tests/runtime/go_case.h"

namespace gotorch::runtime {

// Lets others run until it is true.
template <class F>
void yield_until(F true_now) {
  while (!true_now()) yield();
}

GO_CASE(GoWaitGroup, TwoGroupsMeet) {
  wait_group first, second;
  const int n = 16;
  first.add(n);
  second.add(n);
  chan<bool> exited(n);
  for (int i = 0; i < n; i++) {
    go([&, exited] {
      first.done();
      second.wait();
      exited.send(true);
    });
  }
  first.wait();
  for (int i = 0; i < n; i++) {
    EXPECT_FALSE(exited.try_receive());
    second.done();
  }
  for (int i = 0; i < n; i++) EXPECT_TRUE(*exited.receive());
}

GO_CASE(GoWaitGroup, MoreDonesThanAddsAreRefusedAndCountNothing) {
  wait_group w;
  EXPECT_THROW(w.done(), std::logic_error);
  w.add(1);
  w.done();
  EXPECT_THROW(w.done(), std::logic_error);
  EXPECT_THROW(w.add(-3), std::logic_error);
  EXPECT_THROW(w.add(int64_t{1} << 40), std::logic_error);
  EXPECT_THROW(w.add(-(int64_t{1} << 40)), std::logic_error);
  w.add(INT32_MAX);
  EXPECT_THROW(w.add(1), std::logic_error);
  w.add(-INT32_MAX);
  w.wait();
}

// One done() and the add() of the next round in the middle of many waits: nobody is lost.
GO_CASE(GoWaitGroup, RoundsFollowEachOther) {
  wait_group w;
  for (int round = 0; round < 30; round++) {
    int passed = 0;
    mutex m;
    scope s;
    w.add(3);
    for (int i = 0; i < 4; i++) {
      s.go([&] {
        w.wait();
        const std::lock_guard guard(m);
        passed++;
      });
    }
    for (int i = 0; i < 3; i++) s.go([&] { w.done(); });
    s.join();
    EXPECT_EQ(passed, 4);
  }
}

GO_CASE(GoWaitGroup, GoCountsAlsoThoseThatThrow) {
  wait_group w;
  scope s;
  std::atomic<int> ran{0};
  s.go([&] {
    w.go([&] { ran++; });
    w.go([&] {
      ran++;
      throw std::out_of_range("thrown");
    });
  });
  EXPECT_THROW(s.join(), std::out_of_range);
  w.wait();
  EXPECT_EQ(ran, 2);
  EXPECT_THROW(w.go(std::function<void()>()), std::invalid_argument);
  w.wait();
}

GO_CASE(GoWaitGroup, WaitEndsWhenCancelledAndLeavesTheGroupUsable) {
  wait_group w;
  w.add(1);
  scope s;
  for (int i = 0; i < 3; i++) s.go([&] { EXPECT_THROW(w.wait(), Cancelled); });
  yield();
  s.cancel();
  s.join();
  w.done();
  w.wait();
}

GO_CASE(GoWaitGroup, CancelRacesWithTheLastDone) {
  for (int round = 0; round < 50; round++) {
    scope s;
    auto w = std::make_unique<wait_group>();
    w->add(1);
    s.go([&] {
      try {
        w->wait();
      } catch (const Cancelled&) {
      }
    });
    scope other;
    other.go([&] { w->done(); });
    s.cancel();
    s.join();
    other.join();
    w.reset();
  }
}

GO_CASE(GoMutex, ExcludesAndHandsOn) {
  mutex m;
  int holders = 0, total = 0;
  scope s;
  for (int g = 0; g < 6; g++) {
    s.go([&] {
      for (int i = 0; i < 50; i++) {
        const std::lock_guard guard(m);
        EXPECT_EQ(++holders, 1);
        if (i % 10 == 0) yield();
        total++;
        holders--;
      }
    });
  }
  s.join();
  EXPECT_EQ(total, 300);
  EXPECT_TRUE(m.try_lock());
  EXPECT_FALSE(m.try_lock());
  m.unlock();
  EXPECT_THROW(m.unlock(), std::logic_error);
}

// The last holder may destroy it.
GO_CASE(GoMutex, MayBeDestroyedByWhoLockedItLast) {
  struct Shared {
    mutex m;
    int left = 3;
  };
  for (int round = 0; round < 50; round++) {
    auto* shared = new Shared;
    scope s;
    for (int i = 0; i < 3; i++) {
      s.go([shared] {
        shared->m.lock();
        yield();
        const bool last = --shared->left == 0;
        shared->m.unlock();
        if (last) delete shared;
      });
    }
    s.join();
  }
}

GO_CASE(GoRwMutex, ReadersShareWritersDoNot) {
  rw_mutex m;
  std::atomic<int> active{0};  // each writer counts 1000
  scope s;
  for (int w = 0; w < 2; w++) {
    s.go([&] {
      for (int i = 0; i < 30; i++) {
        const std::unique_lock lock(m);
        EXPECT_EQ(active.fetch_add(1000), 0);
        yield();
        active.fetch_sub(1000);
      }
    });
  }
  for (int r = 0; r < 5; r++) {
    s.go([&] {
      for (int i = 0; i < 30; i++) {
        const std::shared_lock lock(m);
        EXPECT_LT(active.fetch_add(1), 5);
        yield();
        active.fetch_sub(1);
      }
    });
  }
  s.join();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

GO_CASE(GoRwMutex, ReadersAreInTogether) {
  rw_mutex m;
  std::atomic<int> in{0};
  scope s;
  for (int r = 0; r < 4; r++) {
    s.go([&] {
      const std::shared_lock lock(m);
      in++;
      yield_until([&] { return in == 4; });
    });
  }
  s.join();
}

GO_CASE(GoRwMutex, AWaitingWriterStopsNewReaders) {
  rw_mutex m;
  std::vector<std::string> order;
  std::atomic<bool> writing{false};
  m.lock_shared();
  scope s;
  s.go([&] {
    writing = true;
    m.lock();
    order.push_back("writer");
    m.unlock();
  });
  yield_until([&] { return writing.load(); });
  // The writer is on its way: once it waits, no reader gets in.
  yield_until([&] {
    const bool in = m.try_lock_shared();
    if (in) m.unlock_shared();
    return !in;
  });
  EXPECT_FALSE(m.try_lock());
  s.go([&] {
    m.lock_shared();
    order.push_back("reader");
    m.unlock_shared();
  });
  yield();
  EXPECT_TRUE(order.empty());
  m.unlock_shared();
  s.join();
  EXPECT_EQ(order, (std::vector<std::string>{"writer", "reader"}));
}

// Readers that came while a writer had it are let in before the next writer.
GO_CASE(GoRwMutex, WritersDoNotShutReadersOut) {
  rw_mutex m;
  std::atomic<bool> stop{false};
  scope s;
  for (int w = 0; w < 2; w++) {
    s.go([&] {
      while (!stop) {
        m.lock();
        yield();
        m.unlock();
        yield();
      }
    });
  }
  s.go([&] {
    for (int i = 0; i < 10; i++) {
      const std::shared_lock lock(m);
      yield();
    }
    stop = true;
  });
  s.join();
}

GO_CASE(GoRwMutex, MisuseIsAnError) {
  rw_mutex m;
  EXPECT_THROW(m.unlock(), std::logic_error);
  EXPECT_THROW(m.unlock_shared(), std::logic_error);
  m.lock();
  EXPECT_FALSE(m.try_lock());
  EXPECT_FALSE(m.try_lock_shared());
  EXPECT_THROW(m.unlock_shared(), std::logic_error);
  m.unlock();
  m.lock_shared();
  EXPECT_THROW(m.unlock(), std::logic_error);
  EXPECT_TRUE(m.try_lock_shared());
  m.unlock_shared();
  m.unlock_shared();
  EXPECT_THROW(m.unlock_shared(), std::logic_error);
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

GO_CASE(GoOnce, RunsOnceAndAllWaitForIt) {
  once o;
  int ran = 0;
  scope s;
  for (int i = 0; i < 8; i++) {
    s.go([&] {
      o.call([&] {
        yield();
        ran++;
      });
      EXPECT_EQ(ran, 1);
    });
  }
  s.join();
}

GO_CASE(GoOnce, AThrowCountsAsDone) {
  once o;
  EXPECT_THROW(o.call([] { throw std::out_of_range("thrown"); }), std::out_of_range);
  bool again = false;
  o.call([&] { again = true; });
  EXPECT_FALSE(again);
}

GO_CASE(GoOnce, CallingItFromItsFunctionIsAnError) {
  once o;
  bool told = false;
  o.call([&] {
    yield();
    EXPECT_THROW(o.call([] {}), std::logic_error);
    told = true;
  });
  EXPECT_TRUE(told);
  o.call([] { ADD_FAILURE(); });
  EXPECT_THROW(once().call(std::function<void()>()), std::invalid_argument);
}

GO_CASE(GoOnce, ValuesAndErrorsAreKept) {
  int ran = 0;
  const auto value = once_value([&] {
    ran++;
    return std::string("value");
  });
  const auto copy = value;
  scope s;
  for (int i = 0; i < 5; i++) s.go([&] { EXPECT_EQ(copy(), "value"); });
  s.join();
  EXPECT_EQ(&value(), &copy());
  EXPECT_EQ(ran, 1);

  const auto broken = once_value([&]() -> int {
    ran++;
    throw std::out_of_range("thrown");
  });
  EXPECT_THROW(broken(), std::out_of_range);
  EXPECT_THROW(broken(), std::out_of_range);
  EXPECT_EQ(ran, 2);

  const auto action = once_value([&] { ran++; });
  action();
  action();
  EXPECT_EQ(ran, 3);
  EXPECT_THROW(once_value(static_cast<int (*)()>(nullptr)), std::invalid_argument);
}

GO_CASE(GoCond, SignalsWakeInOrder) {
  mutex m;
  cond c;
  std::vector<int> order;
  int waiting = 0;
  scope s;
  for (int i = 0; i < 10; i++) {
    s.go([&, i] {
      std::unique_lock lock(m);
      waiting++;
      c.wait(lock);
      order.push_back(i);
    });
    yield_until([&] {
      const std::lock_guard guard(m);
      return waiting == i + 1;
    });
  }
  for (int i = 0; i < 10; i++) {
    m.lock();
    c.signal();
    m.unlock();
    yield_until([&] {
      const std::lock_guard guard(m);
      return static_cast<int>(order.size()) == i + 1;
    });
    EXPECT_EQ(order.back(), i);
  }
  s.join();
}

GO_CASE(GoCond, BroadcastWakesAllThatWait) {
  mutex m;
  cond c;
  bool open = false;
  int waiting = 0;
  scope s;
  for (int i = 0; i < 10; i++) {
    s.go([&] {
      std::unique_lock lock(m);
      waiting++;
      c.wait(lock, [&] { return open; });
      waiting--;
    });
  }
  yield_until([&] {
    const std::lock_guard guard(m);
    return waiting == 10;
  });
  m.lock();
  open = true;
  m.unlock();
  c.broadcast();
  s.join();
  EXPECT_EQ(waiting, 0);
}

// A producer and a consumer of single items: a signal that got lost would stop both.
GO_CASE(GoCond, NoSignalIsLost) {
  mutex m;
  cond not_empty, not_full;
  int items = 0, taken = 0;
  scope s;
  s.go([&] {
    for (int i = 0; i < 100; i++) {
      std::unique_lock lock(m);
      not_full.wait(lock, [&] { return items == 0; });
      items = 1;
      not_empty.signal();
    }
  });
  s.go([&] {
    for (int i = 0; i < 100; i++) {
      std::unique_lock lock(m);
      not_empty.wait(lock, [&] { return items == 1; });
      items = 0;
      taken++;
      not_full.signal();
    }
  });
  s.join();
  EXPECT_EQ(taken, 100);
}

// One of two waiters is cancelled while one signal is sent: the other one gets it, if the first does not.
GO_CASE(GoCond, ACancelledWaiterPassesTheSignalOn) {
  for (int round = 0; round < 20; round++) {
    mutex m;
    cond c;
    int waiting = 0, signalled = 0;
    const auto wait = [&] {
      m.lock();
      waiting++;
      try {
        c.wait(m);
        signalled++;
      } catch (const Cancelled&) {
      }
      m.unlock();  // it is held in both cases
    };
    scope cancelled, other;
    cancelled.go(wait);
    other.go(wait);
    yield_until([&] {
      const std::lock_guard guard(m);
      return waiting == 2;
    });
    scope race;
    race.go([&] { cancelled.cancel(); });
    race.go([&] {
      m.lock();
      c.signal();
      m.unlock();
    });
    race.join();
    cancelled.join();
    const bool first_got_it = [&] {
      const std::lock_guard guard(m);
      return signalled == 1;
    }();
    if (!first_got_it)
      yield_until([&] {
        const std::lock_guard guard(m);
        return signalled == 1;
      });
    c.broadcast();  // for the other, if the first got the signal
    other.join();
    EXPECT_GE(signalled, 1);
  }
}

GO_CASE(GoCond, WaitingWithoutTheLockIsAnError) {
  mutex m;
  cond c;
  EXPECT_THROW(c.wait(m), std::logic_error);
  c.signal();
  c.broadcast();
  m.lock();
  m.unlock();
}

}  // namespace gotorch::runtime
