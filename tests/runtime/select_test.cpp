// What our select has beyond Go's; go_select_test.cpp has Go's cases.
#include "runtime/select.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/go.h"
#include "tests/runtime/go_case.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;

class Select : public OnWorkers {};
RUN_ON_WORKERS(Select);

static constexpr auto nothing = [](auto&&...) {};

GO_CASE(SelectCases, FunctionsMayTakeNothing) {
  const chan<std::unique_ptr<int>> c(1);
  int ran = 0;
  c.send(std::make_unique<int>(1));
  select(on_receive(c, [&] { ran++; }));
  select(on_send(c, std::make_unique<int>(2), [&] { ran++; }));
  select(on_receive(c, [&](std::optional<std::unique_ptr<int>> v) { ran += v ? **v : 0; }));
  EXPECT_EQ(ran, 4);
}

GO_CASE(SelectCases, ValuesThatAreNotSentStayWhereTheyAre) {
  const chan<std::unique_ptr<int>> a(0), b(1), nil;
  auto first = std::make_unique<int>(1), second = std::make_unique<int>(2);
  // To the function of the taken case they are there already.
  EXPECT_EQ(select(on_send(a, std::move(first), nothing), on_send(nil, std::move(second), nothing),
                   on_default([&] { EXPECT_TRUE(first && second); })),
            2);
  EXPECT_EQ(select(on_send(a, std::move(first), nothing), on_timeout(100us, nothing)), 1);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(select(on_send(a, std::move(first), nothing), on_send(b, std::move(second), nothing)),
            1);
  EXPECT_TRUE(first);
  EXPECT_FALSE(second);
  EXPECT_EQ(**b.receive(), 2);
  a.close();
  EXPECT_THROW(select(on_send(a, std::move(first), nothing)), ChanError);
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, 1);
}

GO_CASE(SelectCases, LargeValuesComeBack) {
  struct Large {
    std::unique_ptr<int> value;
    char more[300];
  };
  const chan<Large> a(0), b(1);
  Large first{std::make_unique<int>(1), {}}, second{std::make_unique<int>(2), {}};
  EXPECT_EQ(select(on_send(a, std::move(first), nothing), on_send(b, std::move(second), nothing)),
            1);
  ASSERT_TRUE(first.value);
  EXPECT_FALSE(second.value);
  scope s;
  s.go([&] { EXPECT_THROW(select(on_send(a, std::move(first), nothing)), Cancelled); });
  sleep(100us);
  s.cancel();
  s.join();
  ASSERT_TRUE(first.value);
  EXPECT_EQ(*first.value, 1);
}

template <class T>
static void offer_to_two_channels(T value) {
  const chan<T> a(1), b(1);
  for (int round = 0; round < 10; round++) {
    const int taken =
        select(on_send(a, std::move(value), nothing), on_send(b, std::move(value), nothing));
    EXPECT_FALSE(value.text);
    std::optional<T> back = taken == 0 ? a.try_receive() : b.try_receive();
    ASSERT_TRUE(back && back->text);
    value = std::move(*back);
    EXPECT_EQ(a.size() + b.size(), 0);
  }
  a.send(std::move(value));
  value = T{std::make_unique<std::string>("second")};
  EXPECT_EQ(select(on_send(a, std::move(value), nothing), on_send(a, std::move(value), nothing),
                   on_default(nothing)),
            2);
  ASSERT_TRUE(value.text);
  EXPECT_EQ(*value.text, "second");
}

GO_CASE(SelectCases, OneValueMayBeOfferedToSeveralChannels) {
  struct Small {
    std::unique_ptr<std::string> text;
  };
  struct Large {
    std::unique_ptr<std::string> text;
    char more[300] = {};
  };
  offer_to_two_channels(Small{std::make_unique<std::string>("first")});
  offer_to_two_channels(Large{std::make_unique<std::string>("first")});
}

GO_CASE(SelectCases, CopiesThatAreNotSentAreDestroyed) {
  const auto value = std::make_shared<int>(1);
  const chan<std::shared_ptr<int>> a(0);
  const chan<int> b(1);
  for (int i = 0; i < 10; i++) {
    b.send(1);
    select(on_send(a, value, nothing), on_receive(b, nothing));
  }
  EXPECT_EQ(value.use_count(), 1);
}

GO_CASE(SelectCases, AFunctionThatThrowsComesAfterTheOperation) {
  const chan<int> a(1), b(1);
  a.send(1);
  EXPECT_THROW(select(on_receive(a, [] { throw std::domain_error("f"); })), std::domain_error);
  EXPECT_EQ(a.size(), 0);
  EXPECT_THROW(select(on_send(b, 2, [] { throw std::domain_error("f"); })), std::domain_error);
  EXPECT_EQ(b.receive(), 2);
  EXPECT_THROW(select(on_receive(a, nothing), on_default([] { throw std::domain_error("f"); })),
               std::domain_error);
  EXPECT_THROW(
      select(on_receive(a, nothing), on_timeout(10us, [] { throw std::domain_error("f"); })),
      std::domain_error);
  // Nothing is left in a queue or locked.
  EXPECT_FALSE(a.try_receive());
  EXPECT_TRUE(a.try_send(3));
}

GO_CASE(SelectCases, AFunctionMaySelect) {
  const chan<int> a(1), b(1);
  a.send(1);
  b.send(2);
  int sum = 0;
  const auto outer = [&](std::optional<int> v) {
    sum += *v;
    select(on_receive(a, [&](auto w) { sum += *w; }), on_receive(b, [&](auto w) { sum += *w; }));
  };
  select(on_receive(a, outer), on_receive(b, outer));
  EXPECT_EQ(sum, 3);
}

GO_CASE(SelectCases, OfSeveralTimeoutsTheEarliestCounts) {
  const chan<int> c(0);
  EXPECT_EQ(select(on_timeout(1h, nothing), on_receive(c, nothing), on_timeout(10us, nothing)), 2);
  EXPECT_EQ(select(on_timeout(-1h, nothing)), 0);
  c.close();
  EXPECT_EQ(select(on_timeout(std::chrono::nanoseconds::max(), nothing), on_receive(c, nothing)),
            1);
}

GO_CASE(SelectCases, OneDefaultAtMost) {
  const chan<int> c(1);
  EXPECT_THROW(select(on_default(nothing), on_send(c, 1, nothing), on_default(nothing)),
               std::invalid_argument);
  EXPECT_EQ(c.size(), 0);
}

GO_CASE(SelectLists, MayBeOfAnyLengthAndMixed) {
  constexpr size_t kChannels = 20;
  std::vector<chan<int>> ints;
  std::vector<chan<std::string>> strings;
  std::vector<any_case> cases;
  int sum = 0;
  std::string text;
  for (size_t i = 0; i < kChannels; i++) {
    ints.emplace_back(1);
    strings.emplace_back(1);
    cases.push_back(on_receive(ints[i], [&](std::optional<int> v) { sum += *v; }));
    cases.push_back(
        on_receive(strings[i], [&](std::optional<std::string> v) { text += v.value(); }));
  }
  for (size_t i = 0; i < kChannels; i++) {
    ints[i].send(static_cast<int>(i));
    EXPECT_EQ(select(cases), static_cast<int>(2 * i));
    strings[i].send("x");
    EXPECT_EQ(select(cases), static_cast<int>(2 * i + 1));
  }
  EXPECT_EQ(sum, 190);
  EXPECT_EQ(text, std::string(kChannels, 'x'));
  cases.push_back(on_default(nothing));
  EXPECT_EQ(select(cases), static_cast<int>(2 * kChannels));
}

// Each input is taken off the list by its own function when it ends; the list may even grow.
GO_CASE(SelectLists, FunctionsMayChangeTheList) {
  constexpr int kInputs = 10, kEach = 20;
  scope s;
  std::vector<any_case> cases;
  int open = 0, sum = 0;
  std::function<void()> add = [&] {
    const chan<int> c(0);
    s.go([=] {
      for (int i = 0; i < kEach; i++) c.send(i);
      c.close();
    });
    open++;
    cases.push_back(on_receive(c, [&, i = cases.size()](std::optional<int> v) {
      if (v) {
        sum += *v;
      } else {
        cases[i] = {};
        open--;
        if (cases.size() < kInputs) add();
      }
    }));
  };
  add();
  add();
  while (open > 0) select(cases);
  s.join();
  EXPECT_EQ(sum, kInputs * kEach * (kEach - 1) / 2);
}

GO_CASE(SelectLists, ASendKeepsItsValueUntilItIsSent) {
  const chan<std::unique_ptr<int>> c(0);
  std::vector<any_case> cases;
  auto value = std::make_unique<int>(7);
  cases.push_back(on_send(c, std::move(value), nothing));
  EXPECT_FALSE(value);  // the list owns it now
  cases.push_back(on_default(nothing));
  for (int i = 0; i < 3; i++) EXPECT_EQ(select(cases), 1);
  scope s;
  s.go([&] { EXPECT_EQ(**c.receive(), 7); });
  while (select(cases) != 0) yield();
  s.join();
  // Then it is never ready again.
  s.go([&] { c.try_receive_for(200us); });
  for (int i = 0; i < 20; i++) {
    EXPECT_EQ(select(cases), 1);
    yield();
  }
  s.join();
}

GO_CASE(SelectLists, CasesStandBesidePlainOnes) {
  const chan<int> c(1);
  any_case receive = on_receive(c, nothing);
  const any_case never;
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(select(any_case(never), receive, on_default(nothing)), 2);
    c.send(i);
    EXPECT_EQ(select(receive, on_default(nothing)), 0);
  }
  c.close(std::make_exception_ptr(std::out_of_range("source")));
  EXPECT_THROW(select(receive), std::out_of_range);
}

// Each value is received, or still with its sender.
GO_CASE(SelectRaces, CancelledOnesLoseNothing) {
  const chan<std::unique_ptr<int>> a(0), b(1);
  std::atomic<int> sent{0}, kept{0}, received{0};
  for (int round = 0; round < 30; round++) {
    scope senders, receivers;
    for (int i = 0; i < 3; i++) {
      senders.go([&] {
        auto value = std::make_unique<int>(1);
        try {
          select(on_send(a, std::move(value), nothing), on_send(b, std::move(value), nothing));
          EXPECT_FALSE(value);
          sent++;
        } catch (const Cancelled&) {
          EXPECT_TRUE(value);
          kept++;
        }
      });
      receivers.go([&] {
        const auto count = [&](auto v) { received += **v; };
        try {
          select(on_receive(a, count), on_receive(b, count));
        } catch (const Cancelled&) {
        }
      });
    }
    if (round % 3 == 0) yield();
    (round % 2 ? senders : receivers).cancel();
    yield();
    senders.cancel();
    receivers.cancel();
    senders.join();
    receivers.join();
  }
  received += static_cast<int>(b.size());
  EXPECT_EQ(received, sent);
  EXPECT_EQ(sent + kept, 90);
}

// A timeout, a close and a value at the same moment: one of them.
GO_CASE(SelectRaces, OneEventEndsTheWait) {
  int values = 0, ends = 0, timeouts = 0;
  for (int round = 0; round < 60; round++) {
    const chan<int> c(0), closing(0);
    bool sent = false;
    scope s;
    s.go([&] { sent = c.try_send_for(1, 20us); });
    s.go([&] { closing.close(); });
    const int before = values;
    select(on_receive(c, [&] { values++; }), on_receive(closing, [&] { ends++; }),
           on_timeout(std::chrono::microseconds(round % 20), [&] { timeouts++; }));
    s.join();
    EXPECT_EQ(sent, values > before);
  }
  EXPECT_EQ(values + ends + timeouts, 60);
}

TEST_P(Select, NativeThreadsTakePart) {
  const chan<int> a(0), b(0);
  int received = 0;
  scope s;
  s.go([&] {
    for (int i = 0; i < 100; i++) select(on_send(a, i, nothing), on_send(b, i, nothing));
    a.close();
  });
  for (bool open = true; open;) {
    select(on_receive(a, [&](auto v) { v ? void(received++) : void(open = false); }),
           on_receive(b, [&](auto v) { received += v.has_value(); }), on_timeout(1h, nothing));
  }
  EXPECT_EQ(received, 100);
  s.join();
}

TEST_P(Select, AnInterruptedOneLosesNothing) {
  const chan<std::unique_ptr<int>> c(0);
  auto value = std::make_unique<int>(1);
  set_interrupt_check([] { return true; });
  EXPECT_THROW(select(on_send(c, std::move(value), nothing), on_receive(c, nothing)), Interrupted);
  set_interrupt_check(nullptr);
  EXPECT_TRUE(value);
  EXPECT_FALSE(c.try_receive());
  EXPECT_FALSE(c.try_send(nullptr));
}

// Selects of a hundred thousand waiters leave a queue from behind as many others. If that took as long as the queue is,
// it would take minutes.
TEST_P(Select, LeavingALongQueueIsQuick) {
  constexpr int kWaiters = 100000;
  const chan<int> c(0), other(0);
  std::vector<any_case> first(kWaiters, any_case(on_receive(c, nothing)));
  std::vector<any_case> second(kWaiters, any_case(on_receive(c, nothing)));
  first[kWaiters / 2] = on_receive(other, nothing);
  second.back() = on_timeout(0s, nothing);
  std::atomic<bool> left{false};
  scope s;
  s.go([&] {
    EXPECT_EQ(select(first), kWaiters / 2);
    left = true;
  });
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; i++) EXPECT_EQ(select(second), kWaiters - 1);
  EXPECT_FALSE(left);
  other.send(1);
  s.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  EXPECT_FALSE(c.try_send(1));
}

}  // namespace gotorch::runtime
