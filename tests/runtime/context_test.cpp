#include "runtime/context.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>
#include <vector>

#include "runtime/scope.h"
#include "runtime/select.h"
#include "runtime/timer.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;

class Context : public OnWorkers {};
RUN_ON_WORKERS(Context);

TEST_P(Context, CancellingReachesChildrenOnly) {
  const context root = context().child();
  const context left = root.child(), right = root.child(), leaf = left.child();
  left.cancel();
  EXPECT_TRUE(left.cancelled());
  EXPECT_TRUE(leaf.cancelled());
  EXPECT_FALSE(root.cancelled());
  EXPECT_FALSE(right.cancelled());
  root.cancel();
  EXPECT_TRUE(right.cancelled());
  EXPECT_FALSE(context().cancelled());
}

TEST_P(Context, OnlyTheFirstCauseCounts) {
  const context c = context().child();
  c.check();
  c.cancel(std::make_exception_ptr(std::out_of_range("first")));
  c.cancel(std::make_exception_ptr(std::runtime_error("second")));
  EXPECT_THROW(c.check(), std::out_of_range);
  EXPECT_THROW(c.child().check(), std::out_of_range);
}

TEST_P(Context, ReachesGrandchildrenOfDroppedHandles) {
  const context root = context().child();
  const context leaf = root.child().child().child();
  root.cancel();
  EXPECT_TRUE(leaf.cancelled());
}

TEST_P(Context, DoneIsClosedWhenCancelled) {
  const context c = context().child();
  EXPECT_EQ(select(on_receive(c.done(), [](auto) {}), on_default([] {})), 1);
  scope s;
  s.go([&] { EXPECT_FALSE(c.done().receive()); });
  c.cancel();
  s.join();
  EXPECT_EQ(select(on_receive(c.done(), [](auto) {}), on_default([] {})), 0);
}

TEST_P(Context, ADeadlinePasses) {
  const context c = context().with_timeout(3ms);
  const context later = c.with_timeout(1h);
  EXPECT_EQ(later.deadline_ns(), c.deadline_ns());
  EXPECT_FALSE(c.done().receive());
  EXPECT_THROW(c.check(), DeadlineExceeded);
  EXPECT_THROW(later.check(), DeadlineExceeded);
}

TEST_P(Context, ADeadlineThatIsNotReachedLeavesNothing) {
  for (int i = 0; i < 100; i++) context().with_timeout(1h).cancel();
  EXPECT_FALSE(context().with_timeout(1h).cancelled());
}

// Trees of 1e5 contexts: made, cancelled and destroyed without recursion, and in little time.
TEST_P(Context, WideAndDeepTreesAreCancelled) {
  const context root = context().child();
  std::vector<context> all;
  for (int i = 0; i < 100'000; i++) all.push_back(root.child());
  context deep = root;
  for (int i = 0; i < 100'000; i++) deep = deep.child();
  root.cancel(std::make_exception_ptr(std::out_of_range("root")));
  EXPECT_THROW(deep.check(), std::out_of_range);
  for (const auto& c : all) EXPECT_TRUE(c.cancelled());
}

TEST_P(Context, DeepTreesThatAreNotCancelledAreDestroyed) {
  const context root = context().child();
  context deep = root;
  for (int i = 0; i < 100'000; i++) deep = deep.child();
  deep = context();
  EXPECT_EQ(root.state()->children, nullptr);
}

TEST_P(Context, CancelRacingWithAWaitIsNeverLost) {
  for (int round = 0; round < 200; round++) {
    scope s;
    chan<int> never(0);
    for (int i = 0; i < 3; i++) s.go([&] { never.receive(); });
    s.go([&] { sleep(1h); });
    for (int k = 0; k < round % 20; k++) sched_yield();
    s.cancel();
    s.join();
  }
}

TEST_P(Context, AGoroutineSeesItsScopes) {
  scope s;
  s.go([&] {
    EXPECT_FALSE(this_context().cancelled());
    s.cancel();
    EXPECT_TRUE(this_context().cancelled());
    EXPECT_THROW(sleep(1h), Cancelled);
  });
  s.join();
  EXPECT_FALSE(this_context().cancelled());
}

}  // namespace gotorch::runtime
