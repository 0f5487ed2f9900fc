#include "runtime/select.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "runtime/scope.h"
#include "runtime/timer.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;

class Select : public OnWorkers {};
RUN_ON_WORKERS(Select);

constexpr auto nothing = [](auto&&...) {};

TEST_P(Select, TakesTheCaseThatIsReady) {
  chan<int> a(1), b(1);
  b.send(5);
  int got = 0;
  EXPECT_EQ(select(on_receive(a, nothing), on_receive(b, [&](auto v) { got = *v; })), 1);
  EXPECT_EQ(got, 5);
  bool sent = false;
  EXPECT_EQ(select(on_receive(b, nothing), on_send(a, 3, [&] { sent = true; })), 1);
  EXPECT_TRUE(sent);
  EXPECT_EQ(a.receive(), 3);
}

TEST_P(Select, TakesTheDefaultOnlyIfNothingIsReady) {
  chan<int> a(0), b(1);
  EXPECT_EQ(select(on_receive(a, nothing), on_default(nothing)), 1);
  EXPECT_EQ(select(on_send(a, 1, nothing), on_default(nothing)), 1);
  EXPECT_EQ(select(on_send(b, 1, nothing), on_default(nothing)), 0);
  EXPECT_EQ(select(on_default(nothing)), 0);
}

TEST_P(Select, TimesOut) {
  chan<int> a(0);
  EXPECT_EQ(select(on_receive(a, nothing), on_timeout(2ms, nothing)), 1);
  scope s;
  s.go([&] { EXPECT_EQ(select(on_send(a, 1, nothing), on_timeout(2ms, nothing)), 1); });
  s.join();
  EXPECT_FALSE(a.try_receive());
}

TEST_P(Select, SeesClosedChannels) {
  chan<int> a(0), b(1);
  a.close();
  bool ended = false;
  EXPECT_EQ(select(on_receive(a, [&](auto v) { ended = !v; }), on_receive(b, nothing)), 0);
  EXPECT_TRUE(ended);
  EXPECT_THROW(select(on_send(a, 1, nothing), on_receive(b, nothing)), ChanError);
  b.close(std::make_exception_ptr(std::out_of_range("source")));
  EXPECT_THROW(select(on_receive(b, nothing)), std::out_of_range);
}

TEST_P(Select, ABlockedOneSeesTheClose) {
  chan<int> a(0), b(0), c(0);
  std::atomic<int> ended{0}, failed{0};
  scope s;
  for (int i = 0; i < 5; i++) {
    s.go([&] { select(on_receive(a, [&](auto v) { ended += !v; }), on_receive(b, nothing)); });
    s.go([&] {
      EXPECT_THROW(select(on_send(c, 1, nothing), on_receive(b, nothing)), ChanError);
      failed++;
    });
  }
  std::this_thread::sleep_for(1ms);
  a.close();
  c.close();
  s.join();
  EXPECT_EQ(ended, 5);
  EXPECT_EQ(failed, 5);
}

TEST_P(Select, NeverTakesANilChannel) {
  chan<int> nil, c(1);
  for (int i = 0; i < 20; i++) {
    EXPECT_EQ(select(on_receive(nil, nothing), on_send(nil, 1, nothing), on_send(c, i, nothing)),
              2);
    EXPECT_EQ(select(on_receive(nil, nothing), on_receive(c, nothing)), 1);
  }
  EXPECT_EQ(select(on_receive(nil, nothing), on_default(nothing)), 1);
}

TEST_P(Select, WithoutACaseItWaitsForEver) {
  chan<int> nil;
  for (int kind = 0; kind < 2; kind++) {
    scope s;
    s.go([&, kind] { kind ? select() : select(on_receive(nil, nothing)); });
    std::this_thread::sleep_for(500us);
    s.cancel();
    s.join();
  }
}

TEST_P(Select, NeverMatchesItself) {
  for (int capacity : {0, 1, 5}) {
    chan<int> c(capacity);
    std::atomic<int> sum{0};
    scope s;
    for (int who = 0; who < 2; who++) {
      s.go([&, who] {
        for (int i = 0; i < 500; i++) {
          if (who == 0 || i % 2 == 0) {
            select(on_receive(c,
                              [&](auto v) {
                                EXPECT_TRUE(capacity > 0 || *v != who);
                                sum++;
                              }),
                   on_send(c, who, nothing));
          } else {
            select(on_send(c, who, nothing), on_receive(c, [&](auto v) {
                     EXPECT_TRUE(capacity > 0 || *v != who);
                     sum++;
                   }));
          }
        }
      });
    }
    s.join();
    EXPECT_TRUE(capacity > 0 || sum == 500);  // each operation meets one of the other goroutine
  }
}

// At every moment one of two channels is ready, so the default may never be taken.
TEST_P(Select, DoesNotTakeTheDefaultWhileSomethingIsReady) {
  for (int round = 0; round < 300; round++) {
    chan<int> a(1), b(1);
    a.send(1);
    const bool close = round % 2;
    scope s;
    s.go([&, close] {
      select(on_receive(a, nothing), on_receive(b, nothing), on_default([] { ADD_FAILURE(); }));
    });
    close ? b.close() : b.send(1);
    select(on_receive(a, nothing), on_default(nothing));
    s.join();
  }
}

TEST_P(Select, IsFair) {
  chan<int> a(100), b(100);
  for (int i = 0; i < 100; i++) {
    a.send(i);
    b.send(i);
  }
  int from_a = 0;
  for (int i = 0; i < 100; i++) {
    select(on_receive(a, [&](auto) { from_a++; }), on_receive(b, nothing));
  }
  EXPECT_GT(from_a, 15);
  EXPECT_LT(from_a, 85);
}

TEST_P(Select, SendsEitherValueOfOneChannel) {
  chan<int> c(0);
  int ones = 0;
  scope s;
  s.go([&] {
    for (int i = 0; i < 300; i++) select(on_send(c, 0, nothing), on_send(c, 1, nothing));
    c.close();
  });
  for (int v : c) ones += v;
  s.join();
  EXPECT_GT(ones, 50);
  EXPECT_LT(ones, 250);
}

TEST_P(Select, MayNameAChannelTwice) {
  chan<int> a(0), b(0);
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

TEST_P(Select, FiresOneCaseOnly) {
  constexpr int kRounds = 2000;
  chan<int> a(0), b(0), c(0), out(0);
  scope s;
  s.go([&] {
    for (int i = 0; i < kRounds; i++) {
      select(on_send(a, i, nothing), on_send(b, i, nothing), on_send(c, i, nothing));
    }
    for (auto& ch : {a, b, c}) ch.close();
  });
  std::atomic<int> open{3};
  for (auto& ch : {a, b, c}) {
    s.go([&, ch] {
      for (int v : ch) out.send(v);
      if (--open == 0) out.close();
    });
  }
  std::set<int> seen;
  for (int v : out) EXPECT_TRUE(seen.insert(v).second) << v;
  EXPECT_EQ(seen.size(), static_cast<size_t>(kRounds));
  s.join();
}

TEST_P(Select, StressOverFourChannelsCountsExactly) {
  constexpr int kEach = 2000;
  std::array<chan<int>, 4> c{chan<int>(0), chan<int>(0), chan<int>(2), chan<int>(3)};
  std::atomic<int> received{0};
  scope s;
  for (auto& ch : c) {
    s.go([&, ch] {
      for (int i = 0; i < kEach; i++) ch.send(i);
    });
    s.go([&, ch] {
      for (int i = 0; i < kEach; i++) {
        ch.receive();
        received++;
      }
    });
  }
  s.go([&] {  // sends on all, setting a finished channel to nil
    std::array<chan<int>, 4> to = c;
    std::array<int, 4> left{kEach, kEach, kEach, kEach};
    for (int n = 0; n < 4 * kEach; n++) {
      const int i = select(on_send(to[3], n, nothing), on_send(to[2], n, nothing),
                           on_send(to[0], n, nothing), on_send(to[1], n, nothing));
      const size_t k = std::array<size_t, 4>{3, 2, 0, 1}[static_cast<size_t>(i)];
      if (--left[k] == 0) to[k] = chan<int>();
    }
  });
  s.go([&] {
    std::array<chan<int>, 4> from = c;
    std::array<int, 4> left{kEach, kEach, kEach, kEach};
    for (int n = 0; n < 4 * kEach; n++) {
      const auto k =
          static_cast<size_t>(select(on_receive(from[0], nothing), on_receive(from[1], nothing),
                                     on_receive(from[2], nothing), on_receive(from[3], nothing)));
      received++;
      if (--left[k] == 0) from[k] = chan<int>();
    }
  });
  s.join();
  EXPECT_EQ(received, 8 * kEach);
}

TEST_P(Select, ALosingSendKeepsNothing) {
  auto value = std::make_shared<int>(1);
  chan<std::shared_ptr<int>> a(0);
  chan<int> b(1);
  b.send(1);
  for (int i = 0; i < 10; i++) {
    select(on_send(a, value, nothing), on_receive(b, nothing));
    b.send(1);
  }
  EXPECT_EQ(value.use_count(), 1);
}

TEST_P(Select, AfterFiresDespiteBusyGoroutines) {
  chan<int> c(0);
  chan<unit> stop = after(5ms);
  std::atomic<bool> stopped{false};
  scope s;
  s.go([&] {
    while (!stopped) select(on_send(c, 1, nothing), on_default([] { yield(); }));
  });
  s.go([&] {
    while (!stopped)
      select(on_receive(c, nothing), on_receive(stop, [&](auto) { stopped = true; }),
             on_default([] { yield(); }));
  });
  s.join();
}

TEST_P(Select, ManyCasesWork) {
  std::vector<chan<int>> channels;
  std::vector<SelectCase> cases;
  std::vector<ChanSlot<int>> slots(40);
  for (size_t i = 0; i < 40; i++) {
    channels.emplace_back(1);
    cases.push_back({SelectCase::Receive, channels[i].core(), slots[i].room()});
  }
  for (int i = 0; i < 40; i++) {
    channels[static_cast<size_t>(i)].send(i);
    EXPECT_EQ(select_case(cases.data(), 40), i);
    EXPECT_EQ(slots[static_cast<size_t>(i)].take(), i);
  }
}

TEST_P(Select, ACancelledOneLeavesTheQueues) {
  chan<int> a(0);
  for (int round = 0; round < 20; round++) {
    scope s;
    for (int i = 0; i < 5; i++)
      s.go([&] { select(on_receive(a, nothing), on_send(a, 1, nothing)); });
    s.cancel();
    s.join();
  }
  EXPECT_FALSE(a.try_receive());
}

}  // namespace gotorch::runtime
