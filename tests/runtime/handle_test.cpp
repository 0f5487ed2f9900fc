#include "runtime/handle.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>

#include "runtime/scope.h"
#include "runtime/select.h"
#include "tests/runtime/go_case.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {
namespace {

GO_CASE(Handles, BringTheResult) {
  auto h = go([] { return 42; });
  EXPECT_EQ(h.join(), 42);
}

GO_CASE(Handles, WaitForAGoroutineThatWaits) {
  chan<std::string> c(0);
  auto h = go([c] { return *c.receive() + "!"; });
  c.send("late");
  EXPECT_EQ(h.join(), "late!");
}

GO_CASE(Handles, BringMoveOnlyAndLargeResults) {
  auto p = go([] { return std::make_unique<int>(7); });
  auto a = go([] { return std::array<int, 1000>{1, 2, 3}; });
  EXPECT_EQ(*p.join(), 7);
  EXPECT_EQ(a.join()[2], 3);
}

GO_CASE(Handles, AreJoinedOnce) {
  auto h = go([] { return 1; });
  EXPECT_EQ(h.join(), 1);
  EXPECT_THROW(h.join(), std::logic_error);
}

GO_CASE(Handles, ThatAreDroppedLeaveTheGoroutineToItsScope) {
  auto alive = std::make_shared<int>(0);
  scope s;
  for (int i = 0; i < 10; i++) s.go([alive] { return alive; });
  s.join();
  EXPECT_EQ(alive.use_count(), 1);
}

GO_CASE(Handles, RethrowTheErrorToWhoJoinsAndToTheScope) {
  scope s;
  auto h = s.go([]() -> int { throw std::out_of_range("no result"); });
  EXPECT_THROW(h.join(), std::out_of_range);
  EXPECT_THROW(h.join(), std::out_of_range);
  EXPECT_THROW(s.join(), std::out_of_range);
}

// The parent is cancelled with the scope that the failure ends, but has asked for the result.
GO_CASE(Handles, GiveAParentItsChildsErrorAndNotItsOwnCancellation) {
  bool asked = false;
  scope s;
  s.go([&] {
    chan<int> gate(0), never(0);
    auto h = go([gate]() -> int {
      gate.receive();
      throw std::out_of_range("child");
    });
    gate.close();
    EXPECT_THROW(h.join(), std::out_of_range);
    asked = true;
    EXPECT_THROW(never.receive(), Cancelled);
  });
  EXPECT_THROW(s.join(), std::out_of_range);
  EXPECT_TRUE(asked);
}

GO_CASE(Handles, CancelTheRestWhenOneFails) {
  chan<int> never(0);
  scope s;
  auto waits = s.go([never] { return *never.receive(); });
  auto fails = s.go([]() -> int { throw std::out_of_range("first"); });
  EXPECT_THROW(waits.join(), Cancelled);
  EXPECT_THROW(fails.join(), std::out_of_range);
  EXPECT_THROW(s.join(), std::out_of_range);
}

GO_CASE(Handles, CarryWhatIsNoStdException) {
  scope s;
  auto h = s.go([]() -> int { throw 7; });
  EXPECT_THROW(h.join(), int);
  EXPECT_THROW(s.join(), int);
}

GO_CASE(Handles, CanBeSelected) {
  chan<int> never(0);
  scope s;
  auto h = s.go([] { return 5; });
  int got = 0;
  select(on_receive(never, [](auto) { FAIL(); }),
         on_receive(h.result(), [&](std::optional<int> v) { got = *v; }));
  EXPECT_EQ(got, 5);
  s.join();
}

class HandlesOnThreads : public OnWorkers {};
RUN_ON_WORKERS(HandlesOnThreads);

TEST_P(HandlesOnThreads, AreJoinedByNativeThreads) {
  for (int i = 0; i < 100; i++) {
    auto h = go([i] { return i * i; });
    EXPECT_EQ(h.join(), i * i);
  }
}

TEST_P(HandlesOnThreads, RunGivesTheResultOfAProgram) {
  EXPECT_EQ(run([] { return go([] { return 3; }).join() + 1; }), 4);
  EXPECT_EQ(run([](scope& s) { return s.go([] { return 3; }).join(); }), 3);
  EXPECT_THROW(run([] { go([] { throw std::out_of_range("inside"); }); }), std::out_of_range);
  EXPECT_THROW(run([]() -> int { throw 'c'; }), char);
}

}  // namespace
}  // namespace gotorch::runtime
