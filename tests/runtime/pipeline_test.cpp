#include "runtime/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <system_error>

#include "runtime/timer.h"
#include "tests/runtime/go_case.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

auto count_to(int n) {
  return [i = 0, n]() mutable { return i < n ? std::optional(i++) : std::nullopt; };
}
auto count_and_fail(int n) {
  return [i = 0, n]() mutable {
    if (i == n) throw std::out_of_range("source");
    return std::optional(i++);
  };
}
auto endless() {
  return [i = 0]() mutable { return std::optional(i++); };
}
std::vector<int> numbers(int n) {
  std::vector<int> all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// What comes before the end, or before the error, which is counted.
template <class C>
std::vector<int> drain(const C& c, int* errors = nullptr) {
  std::vector<int> seen;
  try {
    for (int v : c) seen.push_back(v);
  } catch (const std::out_of_range&) {
    if (errors) ++*errors;
  }
  return seen;
}

int twice(int v) { return 2 * v; }

GO_CASE(Pipeline, PartsAreComposed) {
  std::vector<int> sizes;
  int sum = 0;
  const auto doubled_in_groups = through(twice, {.workers = 3}) | in_groups(4);
  run(from(count_to(10)) | doubled_in_groups | into([&](const std::vector<int>& group) {
        sizes.push_back(static_cast<int>(group.size()));
        sum += std::accumulate(group.begin(), group.end(), 0);
      }));
  EXPECT_EQ(sizes, (std::vector<int>{4, 4, 2}));
  EXPECT_EQ(sum, 90);
}

GO_CASE(Pipeline, ResultsBeforeAnErrorOfTheSourceAllArrive) {
  for (const int workers : {1, 3}) {
    for (const int capacity : {0, 2, 20}) {
      scope s;
      const StageOptions options{.workers = workers, .capacity = capacity};
      auto out = start(s, from(count_and_fail(12), capacity) | through(twice, options) |
                              through([](int v) { return v / 2; }, options));
      int errors = 0;
      EXPECT_EQ(drain(out, &errors), numbers(12));
      EXPECT_EQ(errors, 1);
      EXPECT_THROW(s.join(), std::out_of_range);
    }
  }
}

GO_CASE(Pipeline, ResultsBeforeAnErrorArriveInAnyOrder) {
  scope s;
  auto out = start(s, from(count_and_fail(12)) | through([](int v) { return yield(), v; },
                                                         {.workers = 3, .ordered = false}));
  int errors = 0;
  auto seen = drain(out, &errors);
  std::ranges::sort(seen);
  EXPECT_EQ(seen, numbers(12));
  EXPECT_EQ(errors, 1);
  EXPECT_THROW(s.join(), std::out_of_range);
}

GO_CASE(Pipeline, AStageConnectedAfterTheFailureLosesNothing) {
  scope s;
  auto failed = source(s, count_and_fail(5), 8);
  while (failed.size() < 5) yield();
  for (int i = 0; i < 5; i++) yield();
  int errors = 0;
  EXPECT_EQ(drain(stage(s, failed, [](int v) { return v; }), &errors), numbers(5));
  EXPECT_EQ(errors, 1);
  EXPECT_THROW(s.join(), std::out_of_range);
}

GO_CASE(Pipeline, AnErrorStopsAnEndlessSourceButNotWhatIsOnItsWay) {
  for (const bool ordered : {true, false}) {
    scope s;
    auto out = start(s, from(endless()) | through([](int v) {
                          if (v == 7) throw std::out_of_range("seven");
                          return v;
                        }) | through([](int v) { return v; }, {.workers = 2, .ordered = ordered}));
    int errors = 0;
    auto seen = drain(out, &errors);
    std::ranges::sort(seen);
    EXPECT_EQ(seen, numbers(7));
    EXPECT_EQ(errors, 1);
    EXPECT_THROW(s.join(), std::out_of_range);
  }
}

GO_CASE(Pipeline, ADiskThatIsFullStopsItWithItsError) {
  int written = 0;
  try {
    run(from(endless()) | through(twice, {.workers = 2, .capacity = 2}) | into([&](int) {
          if (written == 20) throw std::system_error(ENOSPC, std::generic_category(), "write");
          written++;
        }));
    ADD_FAILURE() << "it ended";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ENOSPC);
  }
  EXPECT_EQ(written, 20);
}

GO_CASE(Pipeline, AnErrorOfTheSourceLeavesRunBehindAllValues) {
  std::vector<int> seen;
  EXPECT_THROW(run(from(count_and_fail(9)) | through([](int v) { return v; }, {.workers = 3}) |
                   into([&](int v) {
                     yield();
                     seen.push_back(v);
                   })),
               std::out_of_range);
  EXPECT_EQ(seen, numbers(9));
}

GO_CASE(Pipeline, ASlowEndBoundsWhatIsInFlight) {
  std::atomic<int> made{0};
  int most = 0, done = 0;
  scope s;
  sink(s,
       start(s, from([&]() { return made < 60 ? std::optional(made++) : std::nullopt; }) |
                    through(twice, {.capacity = 3}) | through(twice)),
       [&](int) {
         for (int i = 0; i < 20; i++) yield();
         most = std::max(most, made - done);
         done++;
       });
  s.join();
  EXPECT_EQ(done, 60);
  // One in the source, one in each stage, three between, one at the end, one that is handed over.
  EXPECT_LE(most, 8);
}

GO_CASE(Pipeline, AConsumerMayStopEarly) {
  scope s;
  auto out = start(s, from(endless()) | through(twice, {.workers = 3, .capacity = 4}) |
                          through(twice, {.workers = 2, .ordered = false}));
  out.receive();
  stop(out);
  s.join();  // everything ends, and that is no error
}

GO_CASE(Pipeline, FirstStopsWhatIsBefore) {
  for (const int n : {0, 1, 5}) {
    std::vector<int> seen;
    run(from(endless()) | through([](int v) { return v; }, {.workers = 2}) | first(n) |
        into([&](int v) { seen.push_back(v); }));
    EXPECT_EQ(seen, numbers(n));
  }
}

GO_CASE(Pipeline, MergeGivesAllOfAllInTheirOrder) {
  scope s;
  std::vector<chan<int>> ins;
  for (int i = 0; i < 3; i++) {
    ins.push_back(source(s, [i, k = 0]() mutable {
      return k < 10 + i ? std::optional(100 * i + k++) : std::nullopt;
    }));
  }
  std::vector<int> next{0, 100, 200};
  for (int v : merge(s, ins)) EXPECT_EQ(v, next[static_cast<size_t>(v / 100)]++);
  EXPECT_EQ(next, (std::vector<int>{10, 111, 212}));
  EXPECT_FALSE(merge(s, std::vector<chan<int>>()).receive());
  s.join();
}

GO_CASE(Pipeline, MergeIsFair) {
  scope s;
  std::vector<chan<int>> ins;
  for (int i = 0; i < 2; i++) {
    ins.emplace_back(400);
    for (int k = 0; k < 400; k++) ins.back().send(i);
    ins.back().close();
  }
  const auto merged = merge(s, ins);
  int ones = 0;
  for (int i = 0; i < 400; i++) ones += *merged.receive();
  EXPECT_GT(ones, 100);
  EXPECT_LT(ones, 300);
  drain(merged);
  s.join();
}

GO_CASE(Pipeline, AnErrorPassesAMergeAndStopsTheOthers) {
  scope s;
  // Not endless: under priorities that might run for ever, and the other one never.
  const auto then_waits = [i = 0]() mutable {
    if (i == 10) chan<int>(0).receive();
    return std::optional(i++);
  };
  std::vector<chan<int>> ins{source(s, then_waits), source(s, count_and_fail(3))};
  int errors = 0;
  drain(merge(s, ins), &errors);
  EXPECT_EQ(errors, 1);
  EXPECT_THROW(s.join(), std::out_of_range);
}

GO_CASE(Pipeline, TeeGivesEachConsumerEachValueAndKeepsStep) {
  scope s;
  std::atomic<int> made{0};
  int slowest = 0;
  auto outs =
      tee(s, source(s, [&] { return made < 30 ? std::optional(made++) : std::nullopt; }), 3);
  for (size_t i = 0; i < outs.size(); i++) {
    s.go([&, i] {
      std::vector<int> seen;
      for (int v : outs[i]) {
        if (i == 1) {
          for (int k = 0; k < 10; k++) yield();
          EXPECT_LE(made - slowest++, 5);
        }
        seen.push_back(v);
      }
      EXPECT_EQ(seen, numbers(30));
    });
  }
  s.join();
}

GO_CASE(Pipeline, AnErrorPassesATeeToAll) {
  scope s;
  auto outs = tee(s, source(s, count_and_fail(4)), 2, 4);
  for (const auto& out : outs) {
    int errors = 0;
    EXPECT_EQ(drain(out, &errors), numbers(4));
    EXPECT_EQ(errors, 1);
  }
  EXPECT_THROW(s.join(), std::out_of_range);
}

GO_CASE(Pipeline, GroupsThatAreLateAreGivenOut) {
  scope s;
  chan<int> in(0);
  auto groups = grouped(s, in, 3, {.capacity = 4, .delay = 100us});
  in.send(1);
  EXPECT_EQ(groups.receive(), (std::vector<int>{1}));
  for (int i = 0; i < 3; i++) in.send(i);
  in.close();
  std::vector<int> rest;
  for (const auto& group : groups) rest.insert(rest.end(), group.begin(), group.end());
  EXPECT_EQ(rest, numbers(3));
  s.join();
}

GO_CASE(Pipeline, AnErrorComesBehindTheGroupThatWasBegun) {
  scope s;
  auto groups = grouped(s, source(s, count_and_fail(5)), 3);
  EXPECT_EQ(groups.receive(), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(groups.receive(), (std::vector<int>{3, 4}));
  EXPECT_THROW(groups.receive(), std::out_of_range);
  EXPECT_THROW(s.join(), std::out_of_range);
}

GO_CASE(Pipeline, CancellingItsScopeEndsIt) {
  scope s;
  auto out = start(s, from(endless()) | through(twice, {.workers = 2}));
  out.receive();
  s.cancel(std::make_exception_ptr(std::out_of_range("enough")));
  int errors = 0;
  drain(out, &errors);
  EXPECT_EQ(errors, 1);
  s.join();
}

TEST(Pipeline, OptionsAreChecked) {
  scope s;
  const chan<int> in(0);
  EXPECT_THROW(tee(s, in, 0), std::invalid_argument);
  EXPECT_THROW(first(s, in, -1), std::invalid_argument);
  EXPECT_THROW(merge(s, std::vector{in}, -1), std::invalid_argument);
  EXPECT_THROW(grouped(s, in, 1, {.delay = -1ns}), std::invalid_argument);
}

}  // namespace
}  // namespace gotorch::runtime
