#include "tensor/profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "runtime/scope.h"
#include "tensor/ops.h"

namespace gotorch {
namespace {

const profile::Event* find(const std::vector<profile::Event>& events, const std::string& name) {
  const auto at =
      std::find_if(events.begin(), events.end(), [&](auto& e) { return e.name == name; });
  return at == events.end() ? nullptr : &*at;
}

TEST(Profile, ListsOpsAndRegionsInTheOrderInWhichTheyEnd) {
  const Tensor x = ones({8, 8});
  profile::start({.shapes = true});
  {
    const profile::Span span(profile::Kind::Region, "outer");
    mm(x, x);
  }
  const auto events = profile::stop();
  const profile::Event* op = find(events, "aten::mm");
  const profile::Event* outer = find(events, "outer");
  ASSERT_TRUE(op && outer);
  EXPECT_LT(op, outer);
  EXPECT_EQ(op->line, outer->line);
  EXPECT_LE(outer->start_ns, op->start_ns);
  EXPECT_LE(op->start_ns, op->end_ns);
  EXPECT_LE(op->end_ns, outer->end_ns);
  EXPECT_EQ(op->shapes, (std::vector<std::vector<int64_t>>{{8, 8}, {8, 8}}));
}

TEST(Profile, LeavesOutWhatBeganBeforeOrEndsLater) {
  {
    const profile::Span before(profile::Kind::Region, "before");
    profile::start();
    { const profile::Span within(profile::Kind::Region, "within"); }
    const profile::Span after(profile::Kind::Region, "after");
    const auto events = profile::stop();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].name, "within");
    profile::start();
  }
  EXPECT_TRUE(profile::stop().empty());
}

TEST(Profile, EventsOfGoroutinesHaveLinesOfTheirOwn) {
  profile::start();
  {
    runtime::scope s;
    s.go([] { ones({4}); });
    s.join();
  }
  zeros({4});
  const auto events = profile::stop();
  const profile::Event* one = find(events, "aten::ones");
  const profile::Event* zero = find(events, "aten::zeros");
  ASSERT_TRUE(one && zero);
  EXPECT_NE(one->line, zero->line);
}

TEST(Profile, IsOnOrOff) {
  EXPECT_THROW(profile::stop(), std::logic_error);
  profile::start();
  EXPECT_THROW(profile::start(), std::logic_error);
  profile::stop();
}

}  // namespace
}  // namespace gotorch
