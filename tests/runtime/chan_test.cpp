#include "runtime/chan.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "runtime/scope.h"
#include "runtime/select.h"
#include "runtime/sync.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;

class Chan : public OnWorkers {};
RUN_ON_WORKERS(Chan);

TEST_P(Chan, AnEmptyOneBlocksReceivers) {
  for (int capacity = 0; capacity < 10; capacity++) {
    chan<int> c(capacity);
    std::atomic<bool> received{false};
    std::optional<int> v;
    EXPECT_EQ(c.try_receive(v), ChanResult::WouldBlock);
    scope s;
    s.go([&] { received = c.receive().has_value(); });
    std::this_thread::sleep_for(1ms);
    EXPECT_FALSE(received);
    c.send(0);
    s.join();
    EXPECT_TRUE(received);
  }
}

TEST_P(Chan, AFullOneBlocksSenders) {
  for (int capacity = 0; capacity < 10; capacity++) {
    chan<int> c(capacity);
    for (int i = 0; i < capacity; i++) c.send(i);
    std::atomic<bool> sent{false};
    scope s;
    s.go([&] {
      c.send(capacity);
      sent = true;
    });
    std::this_thread::sleep_for(1ms);
    EXPECT_FALSE(sent);
    EXPECT_FALSE(c.try_send(7));
    for (int i = 0; i <= capacity; i++) EXPECT_EQ(c.receive(), i);
    s.join();
    EXPECT_TRUE(sent);
  }
}

TEST_P(Chan, AClosedOneDrainsThenEnds) {
  for (int capacity : {1, 2, 10}) {
    chan<int> c(capacity);
    for (int i = 0; i < capacity; i++) c.send(i);
    c.close();
    for (int i = 0; i < capacity; i++) EXPECT_EQ(c.receive(), i);
    for (int i = 0; i < 3; i++) {
      EXPECT_EQ(c.receive(), std::nullopt);
      std::optional<int> v;
      EXPECT_EQ(c.try_receive(v), ChanResult::Closed);
    }
  }
}

TEST_P(Chan, CloseWakesBlockedReceivers) {
  chan<int> c(0);
  std::atomic<int> ended{0};
  scope s;
  for (int i = 0; i < 10; i++) s.go([&] { ended += !c.receive(); });
  std::this_thread::sleep_for(1ms);
  c.close();
  s.join();
  EXPECT_EQ(ended, 10);
}

TEST_P(Chan, CloseFailsBlockedSenders) {
  chan<int> c(0);
  std::atomic<int> failed{0};
  scope s;
  for (int i = 0; i < 10; i++) {
    s.go([&] {
      try {
        c.send(1);
      } catch (const ChanError&) {
        failed++;
      }
    });
  }
  std::this_thread::sleep_for(1ms);
  c.close();
  s.join();
  EXPECT_EQ(failed, 10);
}

TEST_P(Chan, MisuseIsAnError) {
  chan<int> c(1), nil;
  c.close();
  EXPECT_THROW(c.send(1), ChanError);
  EXPECT_THROW(c.try_send(1), ChanError);
  EXPECT_THROW(c.close(), ChanError);
  EXPECT_THROW(nil.close(), ChanError);
  EXPECT_THROW(chan<int>(-1), std::invalid_argument);
  EXPECT_THROW(chan<int>(INT64_MAX), std::invalid_argument);
}

TEST_P(Chan, ANilOneIsNeverReady) {
  chan<int> nil;
  EXPECT_FALSE(nil.try_send(1));
  EXPECT_FALSE(nil.try_receive());
  EXPECT_EQ(nil.size(), 0);
  EXPECT_EQ(nil.capacity(), 0);
  for (int kind = 0; kind < 2; kind++) {
    scope s;
    s.go([&, kind] { kind ? nil.send(1) : (void)nil.receive(); });
    std::this_thread::sleep_for(500us);
    s.cancel();
    s.join();
  }
}

TEST_P(Chan, ValuesArriveInOrder) {
  for (int capacity : {0, 1, 7, 100}) {
    chan<int> c(capacity);
    scope s;
    s.go([&] {
      for (int i = 0; i < 100; i++) c.send(i);
      c.close();
    });
    int expected = 0;
    for (int v : c) EXPECT_EQ(v, expected++);
    EXPECT_EQ(expected, 100);
    s.join();
  }
}

TEST_P(Chan, SendersAndReceiversKeepTheMultiset) {
  constexpr int kSenders = 4, kReceivers = 4, kEach = 1000;
  for (int capacity : {0, 1, 10}) {
    chan<int> c(capacity);
    std::array<std::map<int, int>, kReceivers> seen;
    scope s;
    for (int r = 0; r < kReceivers; r++) {
      s.go([&, r] {
        for (int i = 0; i < kEach; i++) seen[static_cast<size_t>(r)][*c.receive()]++;
      });
    }
    for (int k = 0; k < kSenders; k++) {
      s.go([&] {
        for (int i = 0; i < kEach; i++) c.send(i);
      });
    }
    s.join();
    std::map<int, int> all;
    for (auto& m : seen) {
      for (auto [v, n] : m) all[v] += n;
    }
    EXPECT_EQ(all.size(), static_cast<size_t>(kEach));
    for (auto [v, n] : all) EXPECT_EQ(n, kSenders);
  }
}

TEST_P(Chan, SizeAndCapacityAreReported) {
  chan<int> c(5);
  EXPECT_EQ(c.capacity(), 5);
  for (int i = 0; i < 3; i++) c.send(i);
  EXPECT_EQ(c.size(), 3);
  c.receive();
  EXPECT_EQ(c.size(), 2);
}

TEST_P(Chan, ClosingNeverLosesABufferedValue) {
  for (int round = 0; round < 300; round++) {
    chan<int> c(1);
    c.send(1);
    scope s;
    s.go([&] { c.close(); });
    EXPECT_EQ(c.receive(), 1);
    s.join();
  }
}

TEST_P(Chan, ManyConsumersGetEverything) {
  constexpr int kWorkers = 23, kItems = 27182;
  chan<int> q(kWorkers * 3), r(kWorkers * 3);
  int64_t expected = 0, sum = 0;
  scope s;
  wait_group workers;
  workers.add(kWorkers);
  for (int i = 0; i < kWorkers; i++) {
    s.go([&, i] {
      for (int v : q) {
        if (v % (i + 2) == 0) yield();
        r.send(v);
      }
      workers.done();
    });
  }
  for (int i = 0; i < kItems; i++) expected += i % 17;
  s.go([&] {
    for (int i = 0; i < kItems; i++) q.send(i % 17);
    q.close();
    workers.wait();
    r.close();
  });
  for (int v : r) sum += v;
  s.join();
  EXPECT_EQ(sum, expected);
}

TEST_P(Chan, MoveOnlyLargeAndThrowingValuesTravel) {
  struct Throwing {
    explicit Throwing(int v) : value(v) {}
    Throwing(Throwing&& o) noexcept(false) : value(o.value) {}
    Throwing& operator=(Throwing&& o) noexcept(false) {
      value = o.value;
      return *this;
    }
    int value;
  };
  for (int capacity : {0, 2}) {
    chan<std::unique_ptr<int>> pointers(capacity);
    chan<std::array<int, 1000>> large(capacity);
    chan<Throwing> throwing(capacity);
    chan<unit> units(capacity);
    scope s;
    s.go([&] {
      pointers.send(std::make_unique<int>(3));
      std::array<int, 1000> a{};
      a[999] = 4;
      large.send(a);
      throwing.send(Throwing(5));
      units.send({});
    });
    EXPECT_EQ(**pointers.receive(), 3);
    EXPECT_EQ((*large.receive())[999], 4);
    EXPECT_EQ(throwing.receive()->value, 5);
    EXPECT_TRUE(units.receive());
    s.join();
  }
}

TEST_P(Chan, ValuesAreDestroyedOnce) {
  auto live = std::make_shared<int>(0);
  {
    chan<std::shared_ptr<int>> c(4);
    for (int i = 0; i < 4; i++) c.send(live);
    EXPECT_EQ(live.use_count(), 5);
    c.receive();
    EXPECT_EQ(live.use_count(), 4);
    auto refused = live;
    c.send(live);
    EXPECT_FALSE(c.try_send(refused));
    EXPECT_EQ(refused, live);
  }
  EXPECT_EQ(live.use_count(), 1);
}

TEST_P(Chan, AnErrorComesAfterTheLastValue) {
  chan<int> c(3);
  c.send(1);
  c.close(std::make_exception_ptr(std::out_of_range("source")));
  EXPECT_EQ(c.receive(), 1);
  EXPECT_THROW(c.receive(), std::out_of_range);
  EXPECT_THROW(for (int v : c)(void) v, std::out_of_range);
}

TEST_P(Chan, ADaisyChainPassesOneValue) {
  constexpr int kLength = kManyStacks;
  std::vector<chan<int>> links;
  for (int i = 0; i <= kLength; i++) links.emplace_back(0);
  scope s;
  for (int i = 0; i < kLength; i++) {
    s.go([&links, i] {
      links[static_cast<size_t>(i)].send(1 + *links[static_cast<size_t>(i) + 1].receive());
    });
  }
  links[kLength].send(0);
  EXPECT_EQ(links[0].receive(), kLength);
  s.join();
}

TEST_P(Chan, APrimeSieveFindsThePrimes) {
  std::vector<int> primes;
  try {
    scope s;
    chan<int> numbers(0);
    s.go([numbers] {
      for (int i = 2;; i++) numbers.send(i);
    });
    for (int k = 0; k < 60; k++) {
      const int prime = *numbers.receive();
      primes.push_back(prime);
      chan<int> next(0);
      s.go([numbers, next, prime] {
        for (int v : numbers) {
          if (v % prime) next.send(v);
        }
      });
      numbers = next;
    }
  } catch (const Cancelled&) {
  }
  std::vector<int> expected;
  for (int n = 2; expected.size() < 60; n++) {
    bool prime = true;
    for (int p : expected) prime = prime && n % p;
    if (prime) expected.push_back(n);
  }
  EXPECT_EQ(primes, expected);
}

TEST_P(Chan, NativeThreadsTakePart) {
  chan<int> c(0), back(2);
  std::thread native([&] {
    for (int v : c) back.send(v + 1);
    back.close();
  });
  scope s;
  s.go([&] {
    for (int i = 0; i < 200; i++) c.send(i);
    c.close();
  });
  int expected = 1;
  for (int v : back) EXPECT_EQ(v, expected++);
  EXPECT_EQ(expected, 201);
  s.join();
  native.join();
}

// Wake-ups at every moment of the receiver's way to sleep.
TEST_P(Chan, NoWakeUpIsLost) {
  for (int capacity : {0, 1}) {
    chan<int> there(capacity), back(capacity);
    scope s;
    s.go([&] {
      for (int v : there) back.send(v);
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

TEST_P(Chan, PairsOfGoroutinesOnManyChannelsAllProgress) {
  constexpr int kPairs = 20, kRounds = 300;
  std::atomic<int> total{0};
  scope s;
  for (int p = 0; p < kPairs; p++) {
    chan<int> a(p % 3), b(p % 2);
    s.go([=] {
      for (int i = 0; i < kRounds; i++) {
        a.send(i);
        b.receive();
      }
    });
    s.go([=, &total] {
      for (int i = 0; i < kRounds; i++) {
        total += *a.receive() == i;
        b.send(i);
      }
    });
  }
  s.join();
  EXPECT_EQ(total, kPairs * kRounds);
}

}  // namespace gotorch::runtime
