// What our channels have beyond Go's; go_chan_test.cpp has Go's cases.
#include "runtime/chan.h"

#include <gtest/gtest.h>

#include <atomic>
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

class Chan : public OnWorkers {};
RUN_ON_WORKERS(Chan);

static_assert(std::is_convertible_v<chan<int>, send_chan<int>>);
static_assert(std::is_convertible_v<chan<int>, receive_chan<int>>);
static_assert(!std::is_constructible_v<chan<int>, send_chan<int>>);
static_assert(!std::is_constructible_v<chan<int>, receive_chan<int>>);
static_assert(!std::is_constructible_v<send_chan<int>, receive_chan<int>>);
static_assert(!std::is_constructible_v<receive_chan<int>, send_chan<int>>);
static_assert(!std::is_constructible_v<receive_chan<long>, chan<int>>);
static_assert(sizeof(send_chan<int>) == sizeof(chan<int>));

template <class C>
concept Sends = requires(C c) { c.send(1), c.try_send(1), c.try_send_for(1, 1ms), c.close(); };
template <class C>
concept MaySend = requires(C c) { c.send(1); } || requires(C c) { c.try_send(1); } ||
                  requires(C c) { c.try_send_for(1, 1ms); } || requires(C c) { c.close(); } ||
                  requires(C c) { on_send(c, 1, [] {}); };
template <class C>
concept Receives =
    requires(C c) { c.receive(), c.try_receive(), c.try_receive_for(1ms), c.begin(), c.end(); };
template <class C>
concept MayReceive = requires(C c) { c.receive(); } || requires(C c) { c.try_receive(); } ||
                     requires(C c) { c.try_receive_for(1ms); } || requires(C c) { c.begin(); } ||
                     requires(C c) { on_receive(c, [] {}); };
static_assert(Sends<chan<int>> && Receives<chan<int>>);
static_assert(Sends<send_chan<int>> && !MayReceive<send_chan<int>>);
static_assert(Receives<receive_chan<int>> && !MaySend<receive_chan<int>>);

GO_CASE(ChanDirections, BothEndsAreTheSameChannel) {
  const chan<int> c(3), other(3);
  const send_chan<int> in = c;
  const receive_chan<int> out = c;
  EXPECT_TRUE(in == c && c == in && out == c && c == out && in == send_chan<int>(c));
  EXPECT_FALSE(in == other || out == other);
  EXPECT_TRUE(in && out);
  EXPECT_FALSE(send_chan<int>() || receive_chan<int>());
  in.send(1);
  EXPECT_TRUE(in.try_send(2));
  EXPECT_TRUE(in.try_send_for(3, 1h));
  EXPECT_EQ(in.size(), 3);
  EXPECT_EQ(out.capacity(), 3);
  EXPECT_EQ(out.receive(), 1);
  EXPECT_EQ(out.try_receive(), 2);
  EXPECT_EQ(out.try_receive_for(1h), 3);
  EXPECT_EQ(select(on_send(in, 4, [] {})), 0);
  EXPECT_EQ(select(on_receive(out, [](std::optional<int> v) { EXPECT_EQ(v, 4); })), 0);
  in.send(5);
  in.close();
  for (const int v : out) EXPECT_EQ(v, 5);
}

GO_CASE(ChanDirections, PipelinesTakeThem) {
  scope s;
  const receive_chan<int> numbers =
      source(s, [i = 0]() mutable { return i < 10 ? std::optional(i++) : std::nullopt; });
  const receive_chan<int> squares = stage(s, numbers, [](int v) { return v * v; });
  const receive_chan<std::vector<int>> pairs = grouped(s, squares, 2);
  int sum = 0;
  for (const auto& pair : pairs) sum += pair[0] * pair[1];
  s.join();
  EXPECT_EQ(sum, 0 * 1 + 4 * 9 + 16 * 25 + 36 * 49 + 64 * 81);
}

// Cannot be moved from while `armed`.
struct Throwing {
  explicit Throwing(int v) : value(v) {}
  Throwing(Throwing&& o) noexcept(false) : value(o.value) { moved(o); }
  Throwing& operator=(Throwing&& o) noexcept(false) {
    value = o.value;
    moved(o);
    return *this;
  }
  void moved(Throwing& from) {
    if (from.armed) throw std::domain_error("moved");
    from.value = -1;
  }
  int value;
  bool armed = false;
};

struct Large {
  int values[1000] = {};
};

// Can be moved, but not assigned.
struct Fixed {
  explicit Fixed(int v) : value(std::make_unique<const int>(v)) {}
  Fixed(Fixed&&) = default;
  std::unique_ptr<const int> value;
  const int more[100] = {};
};

GO_CASE(ChanElements, OfAllKindsTravel) {
  for (const int capacity : {0, 2}) {
    const chan<std::unique_ptr<int>> pointers(capacity);
    const chan<Large> large(capacity);
    const chan<Throwing> throwing(capacity);
    const chan<Fixed> fixed(capacity);
    const chan<bool> bools(capacity);
    const chan<int*> raw(capacity);
    const chan<std::reference_wrapper<int>> references(capacity);
    const chan<std::function<int()>> functions(capacity);
    int target = 0;
    scope s;
    s.go([&] {
      pointers.send(std::make_unique<int>(3));
      Large value;
      value.values[999] = 4;
      large.send(value);
      throwing.send(Throwing(5));
      fixed.send(Fixed(6));
      bools.send(true);
      raw.send(&target);
      references.send(target);
      functions.send([] { return 7; });
    });
    EXPECT_EQ(**pointers.receive(), 3);
    EXPECT_EQ(large.receive()->values[999], 4);
    EXPECT_EQ(throwing.receive()->value, 5);
    EXPECT_EQ(*fixed.receive()->value, 6);
    EXPECT_EQ(bools.receive(), true);
    EXPECT_EQ(raw.receive(), &target);
    references.receive()->get() = 1;
    EXPECT_EQ(target, 1);
    EXPECT_EQ((*functions.receive())(), 7);
    s.join();
  }
}

// A channel of messages that carry where to answer.
GO_CASE(ChanElements, MayHoldTheirOwnChannel) {
  struct Request {
    int value;
    chan<Request> answer;
  };
  const chan<Request> requests(0);
  scope s;
  s.go([&] {
    for (const Request& r : requests) r.answer.send({r.value + 1, {}});
  });
  for (int i = 0; i < 10; i++) {
    const chan<Request> answer(1);
    requests.send({i, answer});
    EXPECT_EQ(answer.receive()->value, i + 1);
  }
  requests.close();
  s.join();
}

GO_CASE(ChanElements, ThatAreNotSentStayWhereTheyAre) {
  const chan<std::unique_ptr<int>> c(0), nil;
  auto value = std::make_unique<int>(1);
  EXPECT_FALSE(c.try_send(std::move(value)));
  EXPECT_FALSE(nil.try_send(std::move(value)));
  EXPECT_FALSE(c.try_send_for(std::move(value), 100us));
  EXPECT_FALSE(nil.try_send_for(std::move(value), 100us));
  {
    scope s;
    s.go([&] { EXPECT_THROW(c.send(std::move(value)), Cancelled); });
    sleep(100us);
    s.cancel();
    s.join();
  }
  c.close();
  EXPECT_THROW(c.send(std::move(value)), ChanError);
  EXPECT_THROW(c.try_send(std::move(value)), ChanError);
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, 1);
  // These go in a box, and come back.
  const chan<Throwing> boxed(0);
  Throwing thing(2);
  EXPECT_FALSE(boxed.try_send(std::move(thing)));
  EXPECT_EQ(thing.value, 2);
  boxed.close();
  EXPECT_THROW(boxed.send(std::move(thing)), ChanError);
  EXPECT_EQ(thing.value, 2);
  const chan<Fixed> fixed(0);
  Fixed constant(3);
  EXPECT_FALSE(fixed.try_send(std::move(constant)));
  EXPECT_EQ(*constant.value, 3);
}

GO_CASE(ChanElements, ThatThrowWhenMovedLeaveTheChannelUsable) {
  for (const int capacity : {0, 1}) {
    const chan<Throwing> c(capacity);
    Throwing armed(1);
    armed.armed = true;
    EXPECT_THROW(c.send(std::move(armed)), std::domain_error);
    EXPECT_THROW(c.try_send(std::move(armed)), std::domain_error);
    EXPECT_THROW(select(on_send(c, std::move(armed), [] { ADD_FAILURE(); })), std::domain_error);
    EXPECT_EQ(c.size(), 0);
    scope s;
    s.go([&] { c.send(Throwing(2)); });
    EXPECT_EQ(c.receive()->value, 2);
    s.join();
  }
}

GO_CASE(ChanElements, AreDestroyedOnce) {
  const auto live = std::make_shared<int>(0);
  {
    const chan<std::shared_ptr<int>> c(4);
    for (int i = 0; i < 4; i++) c.send(live);
    EXPECT_EQ(live.use_count(), 5);
    c.receive();
    EXPECT_EQ(live.use_count(), 4);
    c.send(live);
    EXPECT_FALSE(c.try_send(live));
    c.close();
    EXPECT_EQ(live.use_count(), 5);
  }
  EXPECT_EQ(live.use_count(), 1);
}

GO_CASE(ChanTimeouts, TheyEndAndLeaveTheQueue) {
  const chan<int> c(0);
  std::optional<int> v;
  for (int i = 0; i < 20; i++) {
    EXPECT_FALSE(c.try_send_for(1, i % 2 ? 10us : -1h));
    EXPECT_EQ(c.try_receive_for(v, i % 2 ? 10us : -1h), ChanResult::WouldBlock);
  }
  EXPECT_FALSE(c.try_receive());
  EXPECT_FALSE(c.try_send(1));
}

GO_CASE(ChanTimeouts, WhatComesInTimeIsTaken) {
  for (const auto timeout : {std::chrono::nanoseconds(1h), std::chrono::nanoseconds::max()}) {
    const chan<int> c(0);
    scope s;
    s.go([&] { EXPECT_TRUE(c.try_send_for(1, timeout)); });
    std::optional<int> v;
    EXPECT_EQ(c.try_receive_for(v, timeout), ChanResult::Done);
    EXPECT_EQ(v, 1);
    s.go([&] { c.close(); });
    EXPECT_EQ(c.try_receive_for(v, timeout), ChanResult::Closed);
    EXPECT_FALSE(v);
    EXPECT_THROW(c.try_send_for(1, timeout), ChanError);
    s.join();
  }
}

// Each value is received, or its sender keeps it.
GO_CASE(ChanTimeouts, RacingWithTheOtherSideNothingIsLost) {
  const chan<std::unique_ptr<int>> c(0);
  int sent = 0, kept = 0, received = 0;
  scope s;
  s.go([&] {
    for (int i = 0; i < 200; i++) {
      auto value = std::make_unique<int>(i);
      const bool gone = c.try_send_for(std::move(value), std::chrono::microseconds(i % 3));
      EXPECT_EQ(gone, value == nullptr);
      gone ? sent++ : kept++;
    }
    c.close();
  });
  std::optional<std::unique_ptr<int>> v;
  while (c.try_receive_for(v, 2us) != ChanResult::Closed) received += v.has_value();
  s.join();
  EXPECT_EQ(sent, received);
  EXPECT_EQ(sent + kept, 200);
}

GO_CASE(ChanContexts, EndOperationsWithTheirCause) {
  scope s;
  const context ctx = s.ctx().child();
  const chan<std::unique_ptr<int>> c(0);
  auto value = std::make_unique<int>(1);
  s.go([&] { EXPECT_THROW(receive(ctx, c), std::range_error); });
  sleep(100us);
  ctx.cancel(std::make_exception_ptr(std::range_error("enough")));
  s.join();
  EXPECT_THROW(send(ctx, c, std::move(value)), std::range_error);
  EXPECT_TRUE(value);
  // A context that is cancelled already comes first.
  const chan<std::unique_ptr<int>> ready(1);
  EXPECT_THROW(send(ctx, ready, std::move(value)), std::range_error);
  EXPECT_EQ(ready.size(), 0);
  EXPECT_THROW(receive(s.ctx().with_timeout(100us), c), DeadlineExceeded);
}

GO_CASE(ChanContexts, LetOperationsThrough) {
  const context ctx = context().child();
  for (const context& with : {ctx, context()}) {
    const chan<std::string> c(0);
    const send_chan<std::string> in = c;
    const receive_chan<std::string> out = c;
    scope s;
    s.go([&] {
      const std::string text = "text";
      send(with, in, text);
      send(with, in, "more");
      c.close();
    });
    EXPECT_EQ(receive(with, out), "text");
    EXPECT_EQ(receive(with, out), "more");
    EXPECT_EQ(receive(with, out), std::nullopt);
    s.join();
    EXPECT_THROW(send(with, in, "late"), ChanError);
  }
}

GO_CASE(ChanHandles, AMovedFromOneIsNil) {
  chan<int> c(1);
  const chan<int> d = std::move(c);
  EXPECT_FALSE(c);
  EXPECT_FALSE(c.try_send(1));
  EXPECT_FALSE(c.try_receive());
  EXPECT_EQ(c.size(), 0);
  EXPECT_THROW(c.close(), ChanError);
  EXPECT_EQ(select(on_receive(c, [] {}), on_send(c, 1, [] {}), on_default([] {})), 2);
  EXPECT_TRUE(d.try_send(1));
}

GO_CASE(ChanHandles, WhoWaitsKeepsTheChannel) {
  scope s;
  std::atomic<int> ended{0};
  {
    const chan<int> c(0);
    s.go([&, c] {
      EXPECT_THROW(c.receive(), Cancelled);
      ended++;
    });
    s.go([&, c] {
      EXPECT_THROW(select(on_receive(c, [] {})), Cancelled);
      ended++;
    });
    sleep(100us);
  }
  s.cancel();
  s.join();
  EXPECT_EQ(ended, 2);
}

GO_CASE(ChanHandles, ARangeIsOverTheChannelItBeganWith) {
  chan<int> c(2);
  c.send(1);
  c.send(2);
  c.close();
  int sum = 0;
  for (const int v : c) {
    c = chan<int>(0);
    sum += v;
  }
  EXPECT_EQ(sum, 3);
}

GO_CASE(ChanErrors, ComeAfterTheLastValue) {
  const chan<int> c(3);
  c.send(1);
  c.close(std::make_exception_ptr(std::out_of_range("source")));
  EXPECT_EQ(c.receive(), 1);
  EXPECT_THROW(c.receive(), std::out_of_range);
  EXPECT_THROW(c.try_receive(), std::out_of_range);
  EXPECT_THROW(c.try_receive_for(1h), std::out_of_range);
  EXPECT_THROW(select(on_receive(c, [] { ADD_FAILURE(); })), std::out_of_range);
  EXPECT_THROW(for (int v : c)(void) v, std::out_of_range);
  EXPECT_THROW(c.send(1), ChanError);
}

TEST_P(Chan, NativeThreadsTakePart) {
  const chan<int> c(0), back(2);
  std::thread native([&] {
    for (const int v : c) back.send(v + 1);
    back.close();
  });
  scope s;
  s.go([&] {
    for (int i = 0; i < 200; i++) c.send(i);
    c.close();
  });
  int expected = 1;
  for (const int v : back) EXPECT_EQ(v, expected++);
  EXPECT_EQ(expected, 201);
  s.join();
  native.join();
  EXPECT_FALSE(back.try_receive_for(1h));
  EXPECT_FALSE(chan<int>(0).try_receive_for(10us));
  EXPECT_FALSE(chan<int>().try_send_for(1, 10us));
}

// Wake-ups at every moment of the receiver's way to sleep.
TEST_P(Chan, NoWakeUpIsLost) {
  for (const int capacity : {0, 1}) {
    const chan<int> there(capacity), back(capacity);
    scope s;
    s.go([&] {
      for (const int v : there) back.send(v);
    });
    for (int i = 0; i < 300; i++) {
      there.send(i);
      EXPECT_EQ(back.receive(), i);
      for (int k = 0; k < i * 37 % 3000; k++) asm volatile("");
    }
    there.close();
    s.join();
  }
}

}  // namespace gotorch::runtime
