// Go's semantics of package context: case 53 of the runtime study.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/scope.h"
#include "runtime/select.h"
#include "runtime/sync.h"
#include "runtime/timer.h"
#include "tests/runtime/go_case.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

struct user : context_key<std::string> {};
struct trace_id : context_key<int> {};
struct other_id : context_key<int> {};

std::exception_ptr failure(const char* what) {
  return std::make_exception_ptr(std::out_of_range(what));
}

}  // namespace

GO_CASE(GoContext, ValuesAreFoundFromBelow) {
  const context root = context().with_value<user>("ann").with_value<trace_id>(1);
  const context leaf = root.child().with_value<trace_id>(2).with_timeout(1h);
  EXPECT_EQ(*leaf.value<user>(), "ann");
  EXPECT_EQ(*leaf.value<trace_id>(), 2);
  EXPECT_EQ(*root.value<trace_id>(), 1);
  EXPECT_EQ(leaf.value<other_id>(), nullptr);
  EXPECT_EQ(context().value<user>(), nullptr);
  scope s(leaf);
  s.go([] { EXPECT_EQ(*this_context().value<user>(), "ann"); });
  s.join();
}

GO_CASE(GoContext, ACancelReachesThroughValues) {
  const context root = context().child();
  const context leaf = root.with_value<user>("ann").child();
  leaf.cancel();
  EXPECT_FALSE(root.cancelled());
  const context other = root.with_value<user>("bob");
  root.cancel(failure("root"));
  EXPECT_TRUE(other.cancelled());
  EXPECT_THROW(other.check(), std::out_of_range);
  EXPECT_THROW(leaf.check(), Cancelled);  // its own came first
}

GO_CASE(GoContext, WithoutCancelKeepsTheValuesOnly) {
  const context root = context().with_value<user>("ann").with_timeout(1h);
  const context kept = root.without_cancel();
  EXPECT_FALSE(kept.deadline());
  const context below = kept.child();
  root.cancel();
  EXPECT_FALSE(kept.cancelled());
  EXPECT_FALSE(below.cancelled());
  EXPECT_EQ(*below.value<user>(), "ann");
  kept.cancel();
  EXPECT_TRUE(below.cancelled());
  EXPECT_FALSE(root.without_cancel().cancelled());
}

GO_CASE(GoContext, DeadlinesAndTheirCauses) {
  EXPECT_THROW(context().with_timeout(-1h).check(), DeadlineExceeded);
  EXPECT_THROW(context().with_timeout(0ns).check(), DeadlineExceeded);
  const auto now = runtime_clock::now();
  EXPECT_THROW(context().with_deadline(now, failure("late")).check(), std::out_of_range);
  const context never = context().with_timeout(std::chrono::nanoseconds::max());
  EXPECT_FALSE(never.deadline());

  const context c = context().with_deadline(now + 2ms, failure("late"));
  EXPECT_EQ(c.deadline(), now + 2ms);
  EXPECT_EQ(c.with_timeout(1h).deadline(), c.deadline());
  EXPECT_FALSE(c.done().receive());
  EXPECT_GE(runtime_clock::now(), now + 2ms);
  EXPECT_THROW(c.check(), std::out_of_range);
}

// One of the two is the cause, for all.
GO_CASE(GoContext, ACancelRacesWithTheDeadline) {
  for (int round = 0; round < 20; round++) {
    const context c = context().with_timeout(std::chrono::microseconds(round));
    const context below = c.child();
    scope s;
    s.go([&] { c.cancel(failure("cancelled")); });
    c.done().receive();
    s.join();
    bool late = false;
    try {
      c.check();
      ADD_FAILURE();
    } catch (const DeadlineExceeded&) {
      late = true;
    } catch (const std::out_of_range&) {
    }
    if (late) EXPECT_THROW(below.check(), DeadlineExceeded);
    else EXPECT_THROW(below.check(), std::out_of_range);
  }
}

GO_CASE(GoContext, AfterFuncRunsOnceWhenCancelled) {
  const context c = context().child();
  chan<int> ran(10);
  const auto first = c.after_func([=] { ran.send(1); });
  const auto second =
      c.child().after_func([=] { ran.send(2); });  // of one that nobody has any more
  const auto third = c.after_func([=] { ran.send(3); });
  EXPECT_TRUE(third.stop());
  EXPECT_FALSE(third.stop());
  EXPECT_EQ(ran.size(), 0);
  c.cancel();
  EXPECT_EQ(*ran.receive() + *ran.receive(), 3);
  EXPECT_FALSE(first.stop());
  EXPECT_FALSE(second.stop());
  c.after_func([=] { ran.send(4); });
  EXPECT_EQ(ran.receive(), 4);
  EXPECT_EQ(ran.size(), 0);
}

GO_CASE(GoContext, AfterFuncOfTheBackgroundNeverRuns) {
  const auto r = context().after_func([] { ADD_FAILURE(); });
  EXPECT_TRUE(r.stop());
  EXPECT_FALSE(r.stop());
  EXPECT_THROW(context().child().after_func(std::function<void()>()), std::invalid_argument);
}

// Either stop() says that it will not run, or it runs.
GO_CASE(GoContext, StopRacesWithCancel) {
  for (int round = 0; round < 20; round++) {
    const context c = context().child();
    chan<unit> ran(3);
    std::vector<context::registration> all;
    for (int i = 0; i < 3; i++) all.push_back(c.after_func([=] { ran.send(unit{}); }));
    scope s;
    s.go([&] { c.cancel(); });
    int stopped = 0;
    for (const auto& r : all) {
      yield();
      stopped += r.stop();
    }
    s.join();
    for (int i = stopped; i < 3; i++) ran.receive();
    EXPECT_EQ(ran.size(), 0);
  }
}

GO_CASE(GoContext, DoneMayBeAskedForAtAnyTime) {
  const context c = context().child();
  const context below = c.child();
  EXPECT_EQ(c.done(), c.done());
  c.cancel();
  EXPECT_FALSE(c.done().receive());
  EXPECT_FALSE(below.done().receive());
  EXPECT_FALSE(below.child().done().receive());
  EXPECT_FALSE(context().done());
}

// Who waits is found, however many goroutines have come and gone under the same context.
GO_CASE(GoContext, ManyComeAndGoBeforeTheCancel) {
  scope s;
  const chan<int> never(0);
  std::atomic<int> ended{0};
  for (int i = 0; i < 5; i++) {
    s.go([&] {
      EXPECT_THROW(never.receive(), Cancelled);
      ended++;
    });
  }
  for (int round = 0; round < 10; round++) {
    wait_group w;
    for (int i = 0; i < 20; i++) {
      w.add(1);
      s.go([&] {
        chan<int> c(0);
        select(on_receive(c, [](auto) {}), on_timeout(1us, [] {}));
        w.done();
      });
    }
    w.wait();
  }
  EXPECT_EQ(ended, 0);
  s.cancel();
  s.join();
  EXPECT_EQ(ended, 5);
}

// Contexts come and go while their parent is cancelled.
GO_CASE(GoContext, ChildrenAreMadeWhileTheParentIsCancelled) {
  for (int round = 0; round < 10; round++) {
    const context root = context().child();
    scope s;
    for (int g = 0; g < 3; g++) {
      s.go([&] {
        std::vector<context> mine;
        while (!root.cancelled()) {
          mine.push_back(root.child().child());
          if (mine.size() % 5 == 0) mine.erase(mine.begin());
          yield();
        }
        for (const context& c : mine) {
          c.done().receive();
          EXPECT_TRUE(c.cancelled());
        }
        EXPECT_TRUE(root.child().cancelled());
      });
    }
    for (int i = 0; i < round; i++) yield();
    root.cancel();
    s.join();
  }
}

}  // namespace gotorch::runtime
