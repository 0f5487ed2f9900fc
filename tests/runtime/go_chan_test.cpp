// What Go's own tests check of channels, and where we check it. Names without a file are cases of this one.
//
// Go's test                                   Ours
// runtime/chan_test.go
//   TestChan                                  AReceiveFromAnEmptyOneWaits, ASendToAFullOneWaits, AClosedOneDrainsThenEnds,
//                                             CloseWakesReceivers, ValuesArriveInOrder, SendersAndReceiversKeepTheMultiset, SizeAndCapacity
//   TestNonblockRecvRace                      ClosingNeverLosesABufferedValue
//   TestNonblockSelectRace, ...Race2          go_select_test: DoesNotTakeTheDefaultWhileACaseIsReady
//   TestSelfSelect                            go_select_test: NeverMatchesItself
//   TestSelectStress                          go_select_test: StressOverFourChannelsCountsExactly
//   TestSelectFairness                        go_select_test: IsFairAmongTheReady
//   TestPseudoRandomSend                      go_select_test: SendsEitherValueOfOneChannel
//   TestMultiConsumer                         ManyConsumersGetEverything
//   TestSelectDuplicateChannel                go_select_test: MayNameAChannelTwice
//   TestShrinkStackDuringBlockedSend          AWaitingSendersValueSurvivesItsNeighbours
//   TestChanSendSelectBarrier, ...SendBarrier AValueLivesUntilItIsReceived
//   TestSelectEmpty (runtime/crash_test.go)   go_select_test: WithoutACaseItWaits
// test/chan
//   doubleselect, fifo, goroutines            go_select_test: FiresOneCaseOnly; AChainKeepsTheOrder, ADaisyChainPassesOneValue
//   nonblock, perm                            NonBlockingFormsOfAllTypes; chan_test: the directions are checked by the compiler
//   select, select2, select3                  go_select_test: NilingFinishedChannelsShutsDown, WaitingOnesLeaveNothing, ANilChannelIsNeverReady
//   select4, select5, select6, select7        go_select_test: RunsTheFunctionOfTheTakenCaseOnly, EvaluatesOperandsOnceAndInOrder,
//                                             LosingLeavesTheQueueIntact, EachFormOfSendMeetsEachFormOfReceive
//   sieve1, sieve2                            APrimeSieveFindsThePrimes
//   zerosize                                  ValuesWithoutContentAreCounted
// test/closedchan, chancap, chanlinear        AClosedOneInAllForms, CapacitiesAreChecked; select_test: LeavingALongQueueIsQuick
// test/ken/chan, chan1                        chan_random_test
// runtime/proc_test.go                        go_sched_test
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "runtime/go.h"
#include "tests/runtime/go_case.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;

// Those who can go on have gone on, or most of them: a wrong one among them is seen then.
static void let_others_run() { sleep(300us); }

GO_CASE(GoChan, AReceiveFromAnEmptyOneWaits) {
  for (const int capacity : {0, 1, 2, 9}) {
    const chan<int> c(capacity);
    std::atomic<int> received{0};
    std::optional<int> v = 7;
    EXPECT_EQ(c.try_receive(v), ChanResult::WouldBlock);
    EXPECT_EQ(v, std::nullopt);
    scope s;
    s.go([&] { received += c.receive() == 5; });
    s.go([&] { select(on_receive(c, [&](std::optional<int> value) { received += value == 5; })); });
    let_others_run();
    EXPECT_EQ(received, 0);
    c.send(5);
    c.send(5);
    s.join();
    EXPECT_EQ(received, 2);
  }
}

GO_CASE(GoChan, ASendToAFullOneWaits) {
  for (const int capacity : {0, 1, 2, 9}) {
    const chan<int> c(capacity);
    for (int i = 0; i < capacity; i++) EXPECT_TRUE(c.try_send(i));
    EXPECT_FALSE(c.try_send(7));
    std::atomic<bool> sent{false};
    scope s;
    s.go([&] {
      c.send(capacity);
      sent = true;
    });
    let_others_run();
    EXPECT_FALSE(sent);
    for (int i = 0; i <= capacity; i++) EXPECT_EQ(c.receive(), i);
    s.join();
    EXPECT_TRUE(sent);
  }
}

GO_CASE(GoChan, AClosedOneDrainsThenEnds) {
  for (const int capacity : {0, 1, 2, 10}) {
    const chan<int> c(capacity);
    for (int i = 0; i < capacity; i++) c.send(i);
    c.close();
    for (int i = 0; i < capacity; i++) EXPECT_EQ(c.receive(), i);
    for (int i = 0; i < 3; i++) {
      std::optional<int> v = 7;
      EXPECT_EQ(c.receive(), std::nullopt);
      EXPECT_EQ(c.try_receive(v), ChanResult::Closed);
      EXPECT_EQ(v, std::nullopt);
      EXPECT_EQ(c.try_receive_for(v, 1h), ChanResult::Closed);
      bool ended = false;
      select(on_receive(c, [&](auto value) { ended = !value; }), on_default([] {}));
      EXPECT_TRUE(ended);
    }
  }
}

GO_CASE(GoChan, CloseWakesReceivers) {
  const chan<int> c(0);
  std::atomic<int> ended{0};
  scope s;
  for (int i = 0; i < 10; i++) s.go([&] { ended += !c.receive(); });
  let_others_run();
  c.close();
  s.join();
  EXPECT_EQ(ended, 10);
}

GO_CASE(GoChan, CloseFailsSenders) {
  const chan<int> c(0);
  std::atomic<int> failed{0};
  scope s;
  for (int i = 0; i < 10; i++) {
    s.go([&] {
      EXPECT_THROW(c.send(1), ChanError);
      failed++;
    });
  }
  let_others_run();
  c.close();
  s.join();
  EXPECT_EQ(failed, 10);
}

GO_CASE(GoChan, ValuesArriveInOrder) {
  for (const int capacity : {0, 1, 7, 100}) {
    for (const bool with_range : {true, false}) {
      const chan<int> c(capacity);
      scope s;
      s.go([=] {
        for (int i = 0; i < 100; i++) c.send(i);
        c.close();
      });
      int expected = 0;
      if (with_range) {
        for (const int v : c) EXPECT_EQ(v, expected++);
      } else {
        while (std::optional<int> v = c.receive()) EXPECT_EQ(v, expected++);
      }
      EXPECT_EQ(expected, 100);
      s.join();
    }
  }
}

GO_CASE(GoChan, SendersAndReceiversKeepTheMultiset) {
  constexpr int kSenders = 4, kReceivers = 4, kEach = 250;
  for (const int capacity : {0, 1, 10}) {
    const chan<int> c(capacity);
    std::array<std::map<int, int>, kReceivers> seen;
    scope s;
    for (auto& mine : seen) {
      s.go([&] {
        for (int i = 0; i < kEach; i++) mine[*c.receive()]++;
      });
    }
    for (int k = 0; k < kSenders; k++) {
      s.go([&] {
        for (int i = 0; i < kEach; i++) c.send(i);
      });
    }
    s.join();
    std::map<int, int> all;
    for (auto& mine : seen) {
      for (const auto& [v, n] : mine) all[v] += n;
    }
    EXPECT_EQ(all.size(), static_cast<size_t>(kEach));
    for (const auto& [v, n] : all) EXPECT_EQ(n, kSenders) << v;
  }
}

GO_CASE(GoChan, SizeAndCapacity) {
  const chan<int> c(5), empty(0), nil;
  EXPECT_EQ(c.capacity(), 5);
  for (int i = 0; i < 3; i++) c.send(i);
  EXPECT_EQ(c.size(), 3);
  c.receive();
  EXPECT_EQ(c.size(), 2);
  c.close();
  EXPECT_EQ(c.size(), 2);
  EXPECT_EQ(empty.capacity(), 0);
  EXPECT_EQ(empty.size(), 0);
  EXPECT_EQ(nil.capacity(), 0);
  EXPECT_EQ(nil.size(), 0);
}

GO_CASE(GoChan, ClosingNeverLosesABufferedValue) {
  for (int round = 0; round < 100; round++) {
    const chan<int> c(1);
    c.send(1);
    scope s;
    s.go([&] { c.close(); });
    if (round % 2) {
      EXPECT_EQ(c.receive(), 1);
    } else {
      std::optional<int> v;
      EXPECT_EQ(c.try_receive(v), ChanResult::Done);
      EXPECT_EQ(v, 1);
    }
    s.join();
  }
}

GO_CASE(GoChan, ManyConsumersGetEverything) {
  constexpr int kWorkers = 23, kItems = 2718;
  const chan<int> q(kWorkers * 3), r(kWorkers * 3);
  int64_t expected = 0, sum = 0;
  scope s;
  wait_group workers;
  workers.add(kWorkers);
  for (int i = 0; i < kWorkers; i++) {
    s.go([&, i] {
      for (const int v : q) {
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
  for (const int v : r) sum += v;
  s.join();
  EXPECT_EQ(sum, expected);
}

// While senders wait, stacks around theirs are taken and given back, and they are woken on any worker.
GO_CASE(GoChan, AWaitingSendersValueSurvivesItsNeighbours) {
  const chan<std::array<int, 40>> c(0);
  scope s;
  for (int i = 0; i < 10; i++) {
    s.go([&, i] {
      std::array<int, 40> value;
      std::iota(value.begin(), value.end(), i);
      c.send(std::move(value));
      EXPECT_EQ(std::accumulate(value.begin(), value.end(), 0), 40 * i + 39 * 20);
    });
  }
  for (int round = 0; round < 10; round++) {
    scope neighbours;
    for (int i = 0; i < 10; i++) {
      neighbours.go([] {
        volatile char used[4000];
        for (auto& byte : used) byte = 1;
        yield();
      });
    }
    neighbours.join();
    const auto value = *c.receive();
    for (int k = 0; k < 40; k++) EXPECT_EQ(value[static_cast<size_t>(k)], value[0] + k);
  }
  s.join();
}

GO_CASE(GoChan, AValueLivesUntilItIsReceived) {
  for (const bool with_select : {false, true}) {
    const chan<std::unique_ptr<std::string>> c(0);
    scope s;
    for (int i = 0; i < 20; i++) {
      s.go([&, i] {
        auto value = std::make_unique<std::string>(1000, static_cast<char>('a' + i));
        if (with_select) select(on_send(c, std::move(value), [] {}));
        else c.send(std::move(value));
        EXPECT_EQ(value, nullptr);
      });
    }
    std::map<std::string, int> seen;
    for (int i = 0; i < 20; i++) seen[**c.receive()]++;
    s.join();
    EXPECT_EQ(seen.size(), 20u);
    for (const auto& [value, n] : seen) EXPECT_EQ(value, std::string(1000, value[0]));
  }
}

GO_CASE(GoChan, AChainKeepsTheOrder) {
  constexpr int kLength = 10;
  for (const int capacity : {0, kLength}) {
    const chan<int> c(capacity);
    scope s;
    chan<unit> turn(1);
    turn.send({});
    for (int i = 0; i < kLength; i++) {
      const chan<unit> next(1);
      s.go([=] {
        turn.receive();
        c.send(i);
        next.send({});
      });
      turn = next;
    }
    for (int i = 0; i < kLength; i++) EXPECT_EQ(c.receive(), i);
    s.join();
  }
}

GO_CASE(GoChan, ADaisyChainPassesOneValue) {
  constexpr int kLength = 1000;
  std::vector<chan<int>> links;
  for (int i = 0; i <= kLength; i++) links.emplace_back(0);
  scope s;
  for (size_t i = 0; i < kLength; i++) {
    s.go([&links, i] { links[i].send(1 + *links[i + 1].receive()); });
  }
  links[kLength].send(0);
  EXPECT_EQ(links[0].receive(), kLength);
  s.join();
}

template <class T>
static void check_non_blocking_forms(const T& value) {
  for (const int capacity : {0, 1}) {
    const chan<T> c(capacity);
    EXPECT_EQ(c.try_receive(), std::nullopt);
    EXPECT_EQ(select(on_receive(c, [] {}), on_default([] {})), 1);
    EXPECT_EQ(c.try_send(value), capacity == 1);
    EXPECT_EQ(c.try_receive(), capacity == 1 ? std::optional<T>(value) : std::nullopt);
    EXPECT_EQ(select(on_send(c, value, [] {}), on_default([] {})), capacity == 1 ? 0 : 1);
    EXPECT_EQ(c.try_receive().has_value(), capacity == 1);
    // Whoever waits is met by the form that does not.
    scope s;
    std::atomic<bool> received{false};
    s.go([&] { received = c.receive() == value; });
    while (!c.try_send(value)) yield();
    s.join();
    EXPECT_TRUE(received);
    s.go([&] { c.send(value); });
    std::optional<T> got;
    while (!(got = c.try_receive())) yield();
    EXPECT_EQ(got, value);
    s.join();
  }
}

GO_CASE(GoChan, NonBlockingFormsOfAllTypes) {
  struct Pair {
    int a;
    std::string b;
    bool operator==(const Pair&) const = default;
  };
  check_non_blocking_forms<int>(123);
  check_non_blocking_forms<bool>(true);
  check_non_blocking_forms<std::string>(std::string(100, 'x'));
  check_non_blocking_forms<Pair>({1, "one"});
  check_non_blocking_forms<const char*>("pointer");
}

GO_CASE(GoChan, ANilOneWaitsForEver) {
  const chan<int> nil;
  std::optional<int> v = 7;
  EXPECT_FALSE(nil.try_send(1));
  EXPECT_EQ(nil.try_receive(v), ChanResult::WouldBlock);
  EXPECT_EQ(v, std::nullopt);
  EXPECT_FALSE(nil.try_send_for(1, 100us));
  EXPECT_EQ(nil.try_receive_for(v, 100us), ChanResult::WouldBlock);
  std::atomic<int> ended{0};
  for (int kind = 0; kind < 3; kind++) {
    scope s;
    s.go([&, kind] {
      try {
        if (kind == 0) nil.send(1);
        if (kind == 1) nil.receive();
        if (kind == 2) nil.begin();
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

template <class F>
static std::string error_of(F f) {
  try {
    f();
  } catch (const ChanError& error) {
    return error.what();
  }
  return "none";
}

GO_CASE(GoChan, AClosedOneInAllForms) {
  for (const int capacity : {0, 1}) {
    const chan<int> c(capacity);
    c.close();
    const std::string send = "send: on a closed channel";
    EXPECT_EQ(error_of([&] { c.send(1); }), send);
    EXPECT_EQ(error_of([&] { c.try_send(1); }), send);
    EXPECT_EQ(error_of([&] { c.try_send_for(1, 1h); }), send);
    EXPECT_EQ(error_of([&] { select(on_send(c, 1, [] { ADD_FAILURE(); })); }),
              "select: send on a closed channel");
    EXPECT_EQ(error_of([&] { select(on_send(c, 1, [] {}), on_default([] { ADD_FAILURE(); })); }),
              "select: send on a closed channel");
    EXPECT_EQ(error_of([&] { c.close(); }), "close: the channel is closed already");
    for (const int v : c) ADD_FAILURE() << v;
    EXPECT_EQ(c.receive(), std::nullopt);
  }
  EXPECT_EQ(error_of([] { chan<int>().close(); }), "close: of a nil channel");
}

// Two of many closers: one closes it, the others get the error.
GO_CASE(GoChan, OneOfManyClosersWins) {
  for (int round = 0; round < 30; round++) {
    const chan<int> c(0);
    std::atomic<int> closed{0}, refused{0};
    scope s;
    for (int i = 0; i < 4; i++) {
      s.go([&] { error_of([&] { c.close(); }) == "none" ? closed++ : refused++; });
    }
    EXPECT_EQ(c.receive(), std::nullopt);
    s.join();
    EXPECT_EQ(closed, 1);
    EXPECT_EQ(refused, 3);
  }
}

GO_CASE(GoChan, CapacitiesAreChecked) {
  struct Large {
    int values[1000];
  };
  const auto check = [](auto made, int64_t capacity) {
    try {
      decltype(made) c(capacity);
      ADD_FAILURE() << capacity;
    } catch (const std::invalid_argument& error) {
      const std::string what = error.what();
      EXPECT_NE(what.find("got " + std::to_string(capacity)), std::string::npos) << what;
    }
  };
  for (const int64_t bad : {int64_t{-1}, INT64_MIN, INT64_MAX, INT64_MAX / 2, int64_t{1} << 41}) {
    check(chan<unit>(), bad);
    check(chan<int>(), bad);
    check(chan<std::string>(), bad);
    check(chan<Large>(), bad);
  }
  EXPECT_EQ(chan<Large>(100000).capacity(), 100000);
}

GO_CASE(GoChan, ValuesWithoutContentAreCounted) {
  struct Empty {};
  for (const int capacity : {0, 1, 100}) {
    const chan<Empty> c(capacity);
    scope s;
    s.go([&] {
      for (int i = 0; i < 100; i++) c.send({});
      c.close();
    });
    int n = 0;
    for ([[maybe_unused]] const Empty e : c) n++;
    EXPECT_EQ(n, 100);
    s.join();
  }
}

GO_CASE(GoChan, APrimeSieveFindsThePrimes) {
  std::vector<int> primes;
  scope s;
  chan<int> numbers(0);
  s.go([numbers] {
    for (int i = 2;; i++) numbers.send(i);
  });
  for (int k = 0; k < 20; k++) {
    const int prime = *numbers.receive();
    primes.push_back(prime);
    const chan<int> next(0);
    s.go([numbers, next, prime] {
      for (const int v : numbers) {
        if (v % prime) next.send(v);
      }
    });
    numbers = next;
  }
  s.cancel();
  s.join();
  std::vector<int> expected;
  for (int n = 2; expected.size() < 20; n++) {
    bool prime = true;
    for (const int p : expected) prime = prime && n % p;
    if (prime) expected.push_back(n);
  }
  EXPECT_EQ(primes, expected);
}

}  // namespace gotorch::runtime
