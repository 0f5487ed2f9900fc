// What Go's own tests check of select; go_chan_test.cpp lists them.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "runtime/go.h"
#include "tests/runtime/go_case.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;

static constexpr auto nothing = [](auto&&...) {};

// Those who can go on have gone on, or most of them: a wrong one among them is seen then.
static void let_others_run() { sleep(300us); }

GO_CASE(GoSelect, TakesTheCaseThatIsReady) {
  const chan<int> a(1), b(1);
  b.send(5);
  int got = 0;
  EXPECT_EQ(select(on_receive(a, nothing), on_receive(b, [&](auto v) { got = *v; })), 1);
  EXPECT_EQ(got, 5);
  bool sent = false;
  EXPECT_EQ(select(on_receive(b, nothing), on_send(a, 3, [&] { sent = true; })), 1);
  EXPECT_TRUE(sent);
  EXPECT_EQ(a.receive(), 3);
}

GO_CASE(GoSelect, TakesTheDefaultIfNothingIsReady) {
  const chan<int> a(0), b(1);
  EXPECT_EQ(select(on_receive(a, nothing), on_default(nothing)), 1);
  EXPECT_EQ(select(on_send(a, 1, nothing), on_default(nothing)), 1);
  EXPECT_EQ(select(on_send(b, 1, nothing), on_default(nothing)), 0);
  EXPECT_EQ(select(on_default(nothing), on_receive(a, nothing)), 0);
  EXPECT_EQ(select(on_default(nothing)), 0);
}

// At every moment one of two channels is ready.
GO_CASE(GoSelect, DoesNotTakeTheDefaultWhileACaseIsReady) {
  for (int round = 0; round < 200; round++) {
    const chan<int> a(1), b(1);
    a.send(1);
    scope s;
    s.go([&] {
      select(on_receive(a, nothing), on_receive(b, nothing), on_default([] { ADD_FAILURE(); }));
    });
    round % 2 ? b.close() : b.send(1);
    select(on_receive(a, nothing), on_default(nothing));
    s.join();
  }
}

GO_CASE(GoSelect, NeverMatchesItself) {
  for (const int capacity : {0, 1, 5}) {
    const chan<int> c(capacity);
    std::atomic<int> received{0};
    scope s;
    for (int who = 0; who < 2; who++) {
      s.go([&, who] {
        const auto receive = [&](std::optional<int> v) {
          EXPECT_TRUE(capacity > 0 || *v != who);
          received++;
        };
        for (int i = 0; i < 200; i++) {
          if (who == 0 || i % 2 == 0) select(on_receive(c, receive), on_send(c, who, nothing));
          else select(on_send(c, who, nothing), on_receive(c, receive));
        }
      });
    }
    s.join();
    EXPECT_TRUE(capacity > 0 ||
                received == 200);  // each operation meets one of the other goroutine
  }
}

GO_CASE(GoSelect, StressOverFourChannelsCountsExactly) {
  constexpr int kEach = 150;
  const std::array<chan<int>, 4> c{chan<int>(0), chan<int>(0), chan<int>(2), chan<int>(3)};
  std::atomic<int> received{0};
  scope s;
  for (const auto& ch : c) {
    s.go([=] {
      for (int i = 0; i < kEach; i++) ch.send(i);
    });
    s.go([=, &received] {
      for (int i = 0; i < kEach; i++) received += ch.receive().has_value();
    });
  }
  s.go([=] {  // sends on all, setting a finished channel to nil
    std::array<chan<int>, 4> to = c;
    std::array<int, 4> left{kEach, kEach, kEach, kEach};
    for (int n = 0; n < 4 * kEach; n++) {
      const int i = select(on_send(to[3], n, nothing), on_send(to[2], n, nothing),
                           on_send(to[0], n, nothing), on_send(to[1], n, nothing));
      const size_t k = std::array<size_t, 4>{3, 2, 0, 1}[static_cast<size_t>(i)];
      if (--left[k] == 0) to[k] = {};
    }
  });
  s.go([=, &received] {
    std::array<chan<int>, 4> from = c;
    std::array<int, 4> left{kEach, kEach, kEach, kEach};
    for (int n = 0; n < 4 * kEach; n++) {
      const auto k =
          static_cast<size_t>(select(on_receive(from[0], nothing), on_receive(from[1], nothing),
                                     on_receive(from[2], nothing), on_receive(from[3], nothing)));
      received++;
      if (--left[k] == 0) from[k] = {};
    }
  });
  s.join();
  EXPECT_EQ(received, 8 * kEach);
}

GO_CASE(GoSelect, IsFairAmongTheReady) {
  const chan<int> a(300), b(300);
  for (int i = 0; i < 300; i++) {
    a.send(i);
    b.send(i);
  }
  int from_a = 0;
  for (int i = 0; i < 300; i++)
    from_a += select(on_receive(a, nothing), on_receive(b, nothing)) == 0;
  EXPECT_GT(from_a, 100 - 60);  // 12 standard deviations
  EXPECT_LT(from_a, 200 + 60);
}

GO_CASE(GoSelect, SendsEitherValueOfOneChannel) {
  for (const int capacity : {0, 10}) {
    const chan<int> c(capacity);
    int ones = 0;
    scope s;
    s.go([&] {
      for (int i = 0; i < 200; i++) select(on_send(c, 0, nothing), on_send(c, 1, nothing));
      c.close();
    });
    for (const int v : c) {
      ones += v;
      yield();  // so it waits sometimes, and sometimes does not
    }
    s.join();
    EXPECT_GT(ones, 20);
    EXPECT_LT(ones, 180);
  }
}

GO_CASE(GoSelect, MayNameAChannelTwice) {
  const chan<int> a(0), b(0);
  scope s;
  s.go([&] {
    select(on_receive(a, nothing), on_receive(a, nothing), on_receive(b, nothing));
    select(on_receive(b, nothing));
  });
  s.go([&] { EXPECT_TRUE(b.receive()); });
  s.go([&] {
    a.send(1);
    b.send(2);
    b.send(3);
  });
  s.join();
}

GO_CASE(GoSelect, WithoutACaseItWaits) {
  const chan<int> nil;
  std::vector<any_case> none, never(2);
  std::atomic<int> ended{0};
  for (int kind = 0; kind < 4; kind++) {
    scope s;
    s.go([&, kind] {
      try {
        if (kind == 0) select();
        if (kind == 1) select(on_receive(nil, nothing), on_send(nil, 1, nothing));
        if (kind == 2) select(none);
        if (kind == 3) select(never);
        ADD_FAILURE();
      } catch (const Cancelled&) {
        ended++;
      }
    });
    let_others_run();
    EXPECT_EQ(ended, kind);
    s.cancel();
    s.join();
    EXPECT_EQ(ended, kind + 1);
  }
}

GO_CASE(GoSelect, ANilChannelIsNeverReady) {
  const chan<int> nil, c(1);
  for (int i = 0; i < 20; i++) {
    EXPECT_EQ(select(on_receive(nil, nothing), on_send(nil, 1, nothing), on_send(c, i, nothing)),
              2);
    EXPECT_EQ(select(on_receive(nil, nothing), on_receive(c, nothing)), 1);
  }
  EXPECT_EQ(select(on_receive(nil, nothing), on_send(nil, 1, nothing), on_default(nothing)), 2);
  EXPECT_EQ(select(on_receive(nil, nothing), on_timeout(100us, nothing)), 1);
}

GO_CASE(GoSelect, FiresOneCaseOnly) {
  constexpr int kRounds = 300;
  const chan<int> a(0), b(0), c(0), out(0);
  scope s;
  s.go([&] {
    for (int i = 0; i < kRounds; i++) {
      EXPECT_LT(select(on_send(a, i, nothing), on_send(b, i, nothing), on_send(c, i, nothing)), 3);
    }
    for (const auto& ch : {a, b, c}) ch.close();
  });
  std::atomic<int> open{3};
  for (const auto& ch : {a, b, c}) {
    s.go([&, ch] {
      for (const int v : ch) out.send(v);
      if (--open == 0) out.close();
    });
  }
  std::set<int> seen;
  for (const int v : out) EXPECT_TRUE(seen.insert(v).second) << v;
  EXPECT_EQ(seen.size(), static_cast<size_t>(kRounds));
  s.join();
}

GO_CASE(GoSelect, NilingFinishedChannelsShutsDown) {
  const auto produce = [](scope& s, int n) {
    chan<int> c(0);
    s.go([=] {
      for (int i = 0; i < n; i++) c.send(i);
      c.close();
    });
    return receive_chan<int>(c);
  };
  scope s;
  receive_chan<int> a = produce(s, 40), b = produce(s, 70);
  int received = 0;
  while (a || b) {
    select(on_receive(a, [&](std::optional<int> v) { v ? void(received++) : void(a = {}); }),
           on_receive(b, [&](std::optional<int> v) { v ? void(received++) : void(b = {}); }));
  }
  EXPECT_EQ(received, 110);
  s.join();
}

// If they left something, the channel would be slower from round to round, or match one that is gone.
GO_CASE(GoSelect, WaitingOnesLeaveNothing) {
  const chan<int> busy(0), quiet(0);
  scope s;
  s.go([&] {
    for (int i = 0; i < 1000; i++) busy.send(i);
    busy.close();
  });
  for (bool open = true; open;) {
    select(on_receive(busy, [&](auto v) { open = v.has_value(); }), on_receive(quiet, nothing),
           on_send(quiet, 1, nothing), on_receive(quiet, nothing));
  }
  s.join();
  EXPECT_FALSE(quiet.try_send(1));
  EXPECT_FALSE(quiet.try_receive());
}

GO_CASE(GoSelect, RunsTheFunctionOfTheTakenCaseOnly) {
  const chan<int> ready(1), full(1), empty(1);
  full.send(1);
  int ran = 0;
  for (int i = 0; i < 20; i++) {
    ready.send(i);
    select(on_receive(empty, [] { ADD_FAILURE(); }), on_send(full, 1, [] { ADD_FAILURE(); }),
           on_receive(ready, [&] { ran++; }), on_timeout(1h, [] { ADD_FAILURE(); }));
  }
  EXPECT_EQ(ran, 20);
}

GO_CASE(GoSelect, EvaluatesOperandsOnceAndInOrder) {
  const chan<int> a(1), b(1), c(0);
  b.send(1);
  std::string trace;
  const auto say = [&trace](char mark, auto value) {
    trace += mark;
    return value;
  };
  {
    any_case cases[] = {on_send(c, say('1', 1), nothing), on_receive(say('2', b), nothing),
                        on_send(say('3', c), 2, nothing), on_receive(say('4', a), nothing),
                        on_default([&] { say('5', 5); })};
    EXPECT_EQ(select(cases), 1);
    EXPECT_EQ(trace, "1234");
  }
  trace.clear();
  select(on_send(say('a', c), say('b', 1), nothing), on_receive(say('c', a), nothing),
         on_default([&] { trace += '!'; }));
  EXPECT_EQ(trace.size(), 4u);
  EXPECT_EQ(trace.back(), '!');
  for (const char mark : {'a', 'b', 'c'}) EXPECT_NE(trace.find(mark), std::string::npos);
}

// A select that waits in the middle of two queues is taken by one of them; those around it stay.
GO_CASE(GoSelect, LosingLeavesTheQueueIntact) {
  const chan<bool> c(0), other(0);
  scope s;
  std::atomic<int> waiting{0}, received{0};
  const auto receive = [&] {
    waiting++;
    received += c.receive().has_value();
  };
  for (int i = 0; i < 5; i++) s.go(receive);
  s.go([&] { EXPECT_EQ(select(on_receive(c, nothing), on_receive(other, nothing)), 1); });
  let_others_run();
  for (int i = 0; i < 5; i++) s.go(receive);
  while (waiting < 10) yield();
  let_others_run();
  other.send(true);
  for (int i = 0; i < 10; i++) c.send(true);
  // Had one of these gone to the select's waiter, somebody would still wait here.
  s.join();
  EXPECT_EQ(received, 10);
}

GO_CASE(GoSelect, EachFormOfSendMeetsEachFormOfReceive) {
  const chan<int> other(0);
  const std::array<void (*)(const chan<int>&, const chan<int>&), 3> sends{
      [](const chan<int>& c, const chan<int>&) { c.send(1); },
      [](const chan<int>& c, const chan<int>&) {
        while (select(on_send(c, 1, nothing), on_default([] { yield(); })) != 0) {
        }
      },
      [](const chan<int>& c, const chan<int>& unused) {
        EXPECT_EQ(select(on_send(c, 1, nothing), on_receive(unused, nothing)), 0);
      }};
  const std::array<void (*)(const chan<int>&, const chan<int>&), 3> receives{
      [](const chan<int>& c, const chan<int>&) { c.receive(); },
      [](const chan<int>& c, const chan<int>&) {
        while (select(on_receive(c, nothing), on_default([] { yield(); })) != 0) {
        }
      },
      [](const chan<int>& c, const chan<int>& unused) {
        EXPECT_EQ(select(on_receive(c, nothing), on_receive(unused, nothing)), 0);
      }};
  for (size_t i = 0; i < sends.size(); i++) {
    for (size_t k = 0; k < receives.size(); k++) {
      const int capacity = i == 1 && k == 1 ? 1 : 0;  // two that never wait never meet
      const chan<int> c(capacity);
      scope s;
      s.go([&] { sends[i](c, other); });
      s.go([&] { receives[k](c, other); });
      s.join();
      EXPECT_EQ(c.size(), 0);
    }
  }
}

GO_CASE(GoSelect, SeesClosedChannels) {
  const chan<int> a(0), b(1);
  a.close();
  bool ended = false;
  EXPECT_EQ(select(on_receive(a, [&](auto v) { ended = !v; }), on_receive(b, nothing)), 0);
  EXPECT_TRUE(ended);
  EXPECT_THROW(select(on_send(a, 1, nothing), on_receive(b, nothing)), ChanError);
}

GO_CASE(GoSelect, AWaitingOneSeesTheClose) {
  const chan<int> a(0), b(0), c(0);
  std::atomic<int> ended{0}, failed{0};
  scope s;
  for (int i = 0; i < 5; i++) {
    s.go([&] { select(on_receive(a, [&](auto v) { ended += !v; }), on_receive(b, nothing)); });
    s.go([&] {
      EXPECT_THROW(select(on_send(c, 1, nothing), on_receive(b, nothing)), ChanError);
      failed++;
    });
  }
  let_others_run();
  a.close();
  c.close();
  s.join();
  EXPECT_EQ(ended, 5);
  EXPECT_EQ(failed, 5);
}

GO_CASE(GoSelect, AfterFiresDespiteBusyGoroutines) {
  const chan<int> c(0);
  const chan<unit> stop = after(2ms);
  std::atomic<bool> stopped{false};
  scope s;
  s.go([&] {
    while (!stopped) select(on_send(c, 1, nothing), on_default([] { yield(); }));
  });
  s.go([&] {
    while (!stopped) {
      select(on_receive(c, nothing), on_receive(stop, [&] { stopped = true; }),
             on_default([] { yield(); }));
    }
  });
  s.join();
}

}  // namespace gotorch::runtime
