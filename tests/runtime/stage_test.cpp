#include "runtime/stage.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "runtime/timer.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

using namespace std::chrono_literals;

class Stage : public OnWorkers {};
RUN_ON_WORKERS(Stage);

auto count_to(int n) {
  return [i = 0, n]() mutable { return i < n ? std::optional(i++) : std::nullopt; };
}

TEST_P(Stage, ResultsKeepTheirOrder) {
  for (int workers : {1, 2, 5}) {
    for (int capacity : {0, 3}) {
      scope s;
      auto squares = stage(s, source(s, count_to(100)),
                           [](int v) {
                             for (int i = 0; i < (v * 7) % 5; i++) yield();
                             return v * v;
                           },
                           {.workers = workers, .capacity = capacity});
      int i = 0;
      for (int v : squares) {
        EXPECT_EQ(v, i * i);
        i++;
      }
      EXPECT_EQ(i, 100);
      s.join();
    }
  }
}

TEST_P(Stage, TheyChainAndChangeTypes) {
  scope s;
  auto texts = stage(s, source(s, count_to(50)), [](int v) { return std::to_string(v); });
  auto boxes = stage(s, texts, [](std::string t) { return std::make_unique<std::string>(t + "!"); },
                     {.workers = 3});
  int i = 0;
  for (auto& box : boxes) EXPECT_EQ(*box, std::to_string(i++) + "!");
  EXPECT_EQ(i, 50);
  s.join();
}

TEST_P(Stage, WorkersRunAtOnce) {
  scope s;
  std::atomic<int> inside{0}, most{0};
  auto out = stage(s, source(s, count_to(12)),
                   [&](int v) {
                     const int now = ++inside;
                     for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
                     }
                     sleep(2ms);
                     inside--;
                     return v;
                   },
                   {.workers = 3});
  int n = 0;
  for (int v : out) EXPECT_EQ(v, n++);
  s.join();
  EXPECT_GT(most, 1);
  EXPECT_LE(most, 3);
}

TEST_P(Stage, AnErrorComesAfterTheResultsBeforeIt) {
  for (int workers : {1, 3}) {
    scope s;
    auto out = stage(s, source(s, [i = 0]() mutable { return std::optional(i++); }),  // endless
                     [](int v) {
                       if (v == 10) throw std::out_of_range("ten");
                       return v;
                     },
                     {.workers = workers});
    int n = 0;
    EXPECT_THROW(for (int v : out) EXPECT_EQ(v, n++), std::out_of_range);
    EXPECT_EQ(n, 10);
    EXPECT_THROW(s.join(), std::out_of_range);
  }
}

TEST_P(Stage, AnErrorOfTheSourcePassesThrough) {
  scope s;
  auto out = stage(s, source(s, []() -> std::optional<int> { throw std::out_of_range("source"); }),
                   [](int v) { return v; });
  EXPECT_THROW(out.receive(), std::out_of_range);
  EXPECT_THROW(s.join(), std::out_of_range);
}

TEST_P(Stage, LeavingAPipelineHalfWayStopsIt) {
  scope s;
  auto out = stage(s, source(s, [i = 0]() mutable { return std::optional(i++); }),
                   [](int v) { return v; }, {.workers = 2, .capacity = 2});
  EXPECT_EQ(out.receive(), 0);
  EXPECT_EQ(out.receive(), 1);
}

TEST_P(Stage, GroupsKeepTheOrderAndTheRest) {
  for (int n : {0, 1, 3, 4, 10}) {
    scope s;
    std::vector<int> sizes;
    int i = 0;
    for (const auto& group : grouped(s, source(s, count_to(n)), 3)) {
      sizes.push_back(static_cast<int>(group.size()));
      for (int v : group) EXPECT_EQ(v, i++);
    }
    EXPECT_EQ(i, n);
    std::vector<int> expected(static_cast<size_t>(n / 3), 3);
    if (n % 3) expected.push_back(n % 3);
    EXPECT_EQ(sizes, expected);
    s.join();
  }
}

TEST_P(Stage, AnErrorPassesThroughGroups) {
  scope s;
  auto groups = grouped(s,
                        source(s,
                               [i = 0]() mutable {
                                 if (i == 3) throw std::out_of_range("three");
                                 return std::optional(i++);
                               }),
                        2);
  EXPECT_THROW(while (groups.receive()){}, std::out_of_range);
  EXPECT_THROW(s.join(), std::out_of_range);
}

TEST_P(Stage, ItsOptionsAreChecked) {
  scope s;
  chan<int> in(0);
  EXPECT_THROW(stage(s, in, [](int v) { return v; }, {.workers = 0}), std::invalid_argument);
  EXPECT_THROW(stage(s, in, [](int v) { return v; }, {.capacity = -1}), std::invalid_argument);
  EXPECT_THROW(grouped(s, in, 0), std::invalid_argument);
}

}  // namespace gotorch::runtime
