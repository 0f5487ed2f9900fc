// Go's semantics of x/sync: semaphores and groups (case 54 of the runtime study), and of atomic.Value.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/scope.h"
#include "runtime/sync.h"
#include "tests/runtime/go_case.h"

namespace gotorch::runtime {

GO_CASE(GoSemaphore, SoManyAtATime) {
  semaphore sem(3);
  std::atomic<int> out{0};
  scope s;
  for (int g = 0; g < 8; g++) {
    s.go([&] {
      for (int i = 0; i < 20; i++) {
        sem.acquire();
        EXPECT_LE(++out, 3);
        yield();
        --out;
        sem.release();
      }
    });
  }
  s.join();
  EXPECT_TRUE(sem.try_acquire(3));
  EXPECT_FALSE(sem.try_acquire());
  sem.release(3);
}

// Who asks for much is not overtaken for ever.
GO_CASE(GoSemaphore, LargeRequestsAreServedInTurn) {
  semaphore sem(2);
  sem.acquire(1);
  std::vector<int> order;
  scope s;
  chan<unit> about_to(0);
  s.go([&] {
    about_to.send(unit{});
    sem.acquire(2);
    order.push_back(2);
    sem.release(2);
  });
  about_to.receive();
  while (sem.try_acquire(1)) {  // until the large request waits
    sem.release(1);
    yield();
  }
  s.go([&] {
    sem.acquire(1);
    order.push_back(1);
    sem.release(1);
  });
  yield();
  sem.release(1);
  s.join();
  EXPECT_EQ(order, (std::vector<int>{2, 1}));
}

// The small one behind a large request is served when the large one is cancelled.
GO_CASE(GoSemaphore, ACancelledRequestLetsOthersPass) {
  semaphore sem(2);
  sem.acquire(1);
  scope large, small;
  large.go([&] { EXPECT_THROW(sem.acquire(2), Cancelled); });
  while (sem.try_acquire(1)) {
    sem.release(1);
    yield();
  }
  small.go([&] { sem.acquire(1); });
  yield();
  large.cancel();
  large.join();
  small.join();
  sem.release(2);
  EXPECT_TRUE(sem.try_acquire(2));
}

GO_CASE(GoSemaphore, BadNumbers) {
  EXPECT_THROW(semaphore(-1), std::invalid_argument);
  semaphore sem(2);
  EXPECT_THROW(sem.acquire(-1), std::invalid_argument);
  EXPECT_THROW(sem.try_acquire(-1), std::invalid_argument);
  EXPECT_THROW(sem.release(-1), std::invalid_argument);
  EXPECT_THROW(sem.acquire(3), std::invalid_argument);
  EXPECT_FALSE(sem.try_acquire(3));
  EXPECT_THROW(sem.release(1), std::logic_error);
  sem.acquire(0);
  sem.acquire(2);
  sem.release(2);
}

GO_CASE(GoErrGroup, TheFirstErrorWins) {
  err_group g(this_context());
  g.go([ctx = g.ctx()] {
    while (!ctx.cancelled()) yield();  // until the other error counts
    throw std::out_of_range("second");
  });
  g.go([] {});
  g.go([] { throw std::runtime_error("first"); });
  try {
    g.wait();
    ADD_FAILURE();
  } catch (const std::exception& error) {
    EXPECT_EQ(error.what(), std::string("first"));
  }
}

GO_CASE(GoErrGroup, CanBeUsedAgain) {
  err_group g;
  g.go([] { throw std::out_of_range("failed"); });
  EXPECT_THROW(g.wait(), std::out_of_range);
  g.wait();
  g.go([] { throw 5; });
  EXPECT_THROW(g.wait(), int);
}

GO_CASE(GoErrGroup, WithAContextTheFirstErrorCancelsTheRest) {
  err_group g(this_context());
  const chan<int> never(0);
  for (int i = 0; i < 3; i++) g.go([&] { never.receive(); });
  g.go([] { throw std::out_of_range("failed"); });
  EXPECT_THROW(g.wait(), std::out_of_range);
  EXPECT_TRUE(g.ctx().cancelled());
  EXPECT_THROW(g.ctx().check(), std::out_of_range);
  EXPECT_FALSE(this_context().cancelled());
}

GO_CASE(GoErrGroup, WithoutAContextTheOthersGoOn) {
  err_group g;
  chan<int> c(0);
  std::atomic<int> got{0};
  g.go([&] { got = *c.receive(); });
  g.go([] { throw std::out_of_range("failed"); });
  c.send(7);
  EXPECT_THROW(g.wait(), std::out_of_range);
  EXPECT_EQ(got, 7);
}

GO_CASE(GoErrGroup, TheContextEndsWithWait) {
  err_group g(this_context());
  g.go([] {});
  EXPECT_FALSE(g.ctx().cancelled());
  g.wait();
  EXPECT_TRUE(g.ctx().cancelled());
}

GO_CASE(GoErrGroup, WhoIsCancelledFromAboveSaysWhy) {
  const context parent = this_context().child();
  err_group g(parent);
  g.go([] { chan<int>(0).receive(); });
  parent.cancel(std::make_exception_ptr(std::out_of_range("above")));
  EXPECT_THROW(g.wait(), std::out_of_range);
}

GO_CASE(GoErrGroup, ALimitHolds) {
  err_group g;
  g.set_limit(2);
  std::atomic<int> running{0}, ran{0};
  for (int i = 0; i < 20; i++) {
    g.go([&] {
      EXPECT_LE(++running, 2);
      yield();
      ran++;
      --running;
    });
  }
  g.wait();
  EXPECT_EQ(ran, 20);
}

GO_CASE(GoErrGroup, TryGoDoesNotWait) {
  err_group g;
  g.set_limit(1);
  chan<unit> gate(0);
  EXPECT_TRUE(g.try_go([=] { gate.receive(); }));
  EXPECT_FALSE(g.try_go([] { ADD_FAILURE(); }));
  EXPECT_THROW(g.set_limit(2), std::logic_error);
  gate.close();
  g.wait();
  EXPECT_TRUE(g.try_go([] {}));
  g.wait();
  g.set_limit(0);
  EXPECT_FALSE(g.try_go([] { ADD_FAILURE(); }));
  EXPECT_THROW(g.go([] { ADD_FAILURE(); }), std::invalid_argument);
  g.set_limit(-1);
  for (int i = 0; i < 5; i++) EXPECT_TRUE(g.try_go([] {}));
  g.wait();
  EXPECT_THROW(g.go(std::function<void()>()), std::invalid_argument);
  EXPECT_THROW(g.try_go(static_cast<void (*)()>(nullptr)), std::invalid_argument);
}

GO_CASE(GoAtomicValue, IsReplacedAsAWhole) {
  atomic_value<std::vector<int>> v;
  EXPECT_EQ(v.load(), nullptr);
  EXPECT_FALSE(v.compare_and_swap({}, {1}));
  EXPECT_EQ(v.swap({0, 0}), nullptr);
  scope s;
  for (int g = 1; g <= 3; g++) {
    s.go([&, g] {
      for (int i = 0; i < 50; i++) {
        v.store({g, g});
        const auto seen = v.load();
        EXPECT_EQ(seen->at(0), seen->at(1));
        if (i % 8 == 0) yield();
      }
    });
  }
  s.join();
  v.store({1});
  EXPECT_FALSE(v.compare_and_swap({2}, {3}));
  EXPECT_TRUE(v.compare_and_swap({1}, {3}));
  EXPECT_EQ(*v.swap({4}), (std::vector<int>{3}));
}

GO_CASE(GoAtomicValue, OneOfManySwapsWins) {
  atomic_value<int> v(0);
  std::atomic<int> won{0};
  for (int round = 0; round < 20; round++) {
    scope s;
    for (int g = 0; g < 4; g++) {
      s.go([&, round] {
        if (v.compare_and_swap(round, round + 1)) won++;
      });
    }
    s.join();
  }
  EXPECT_EQ(won, 20);
  EXPECT_EQ(*v.load(), 20);
}

}  // namespace gotorch::runtime
