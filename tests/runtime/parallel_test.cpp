#include "runtime/parallel.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#include "runtime/futex.h"
#include "runtime/interrupt.h"
#include "runtime/scheduler.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

class Parallel : public OnWorkers {};
RUN_ON_WORKERS(Parallel);

TEST_P(Parallel, EveryIndexIsVisitedOnce) {
  for (int64_t n : {0, 1, 2, 7, 8, 15, 16, 17, 63, 64, 65, 1000, 4096}) {
    for (int64_t grain : {1, 2, 3, 16, 64, 5000}) {
      std::vector<std::atomic<int>> hits(static_cast<size_t>(n));
      parallel_for(n, grain, [&](int64_t b, int64_t e) {
        EXPECT_EQ(b % grain, 0);
        EXPECT_EQ(e, std::min(n, b + grain));
        for (int64_t i = b; i < e; i++) hits[static_cast<size_t>(i)]++;
      });
      for (auto& h : hits) EXPECT_EQ(h, 1);
    }
  }
}

TEST_P(Parallel, AGrainBelowOneCountsAsOne) {
  std::atomic<int> calls{0};
  parallel_for(5, 0, [&](int64_t b, int64_t e) { calls += static_cast<int>(e - b == 1); });
  EXPECT_EQ(calls, 5);
}

TEST_P(Parallel, TheLargestSizesDoNotOverflow) {
  std::atomic<int64_t> covered{0};
  parallel_for(INT64_MAX, INT64_MAX - 1, [&](int64_t b, int64_t e) { covered += e - b; });
  EXPECT_EQ(covered, INT64_MAX);
}

TEST_P(Parallel, SmallWorkRunsOnTheCaller) {
  const auto caller = std::this_thread::get_id();
  parallel_for(10, 10, [&](int64_t, int64_t) { EXPECT_EQ(std::this_thread::get_id(), caller); });
}

TEST_P(Parallel, TheLowestThrowingChunkWins) {
  for (int round = 0; round < 200; round++) {
    try {
      parallel_for(64, 1, [](int64_t b, int64_t) {
        if (b % 10 == 7) throw b;
      });
      FAIL();
    } catch (int64_t chunk) {
      EXPECT_EQ(chunk, 7);
    }
  }
}

TEST_P(Parallel, LoopsNest) {
  std::atomic<int64_t> sum{0};
  parallel_for(20, 1, [&](int64_t i, int64_t) {
    parallel_for(30, 1, [&](int64_t j, int64_t) {
      parallel_for(4, 1, [&](int64_t k, int64_t) { sum += i * 1000 + j * 10 + k; });
    });
  });
  int64_t expected = 0;
  for (int i = 0; i < 20; i++) {
    for (int j = 0; j < 30; j++) {
      for (int k = 0; k < 4; k++) expected += i * 1000 + j * 10 + k;
    }
  }
  EXPECT_EQ(sum, expected);
}

TEST_P(Parallel, AnExceptionCrossesNestedLoops) {
  for (int round = 0; round < 50; round++) {
    EXPECT_THROW(parallel_for(8, 1,
                              [](int64_t, int64_t) {
                                parallel_for(8, 1, [](int64_t j, int64_t) {
                                  if (j == 3) throw std::runtime_error("inner");
                                });
                              }),
                 std::runtime_error);
  }
}

TEST_P(Parallel, SeveralNativeThreadsMayCallAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 500; round++) {
        std::vector<int> y(997);
        parallel_for(997, 10, [&](int64_t b, int64_t e) {
          for (int64_t i = b; i < e; i++) y[static_cast<size_t>(i)] = static_cast<int>(i) + t;
        });
        for (int i = 0; i < 997; i++) wrong += y[static_cast<size_t>(i)] != i + t;
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(Parallel, MoreLoopsThanPlacesStillFinish) {
  std::atomic<int> runs{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 100; t++) {
    threads.emplace_back([&] {
      parallel_for(4, 1, [&](int64_t, int64_t) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        runs++;
      });
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(runs, 400);
}

TEST_P(Parallel, AReductionHasTheSameBitsAtAnyWorkerCount) {
  std::vector<float> x(100003);
  for (size_t i = 0; i < x.size(); i++) x[i] = 1.0f / static_cast<float>(i % 977 + 1);
  const auto sum = [&] {
    return parallel_reduce(
        static_cast<int64_t>(x.size()), 777,
        [&](int64_t b, int64_t e) { return std::accumulate(x.begin() + b, x.begin() + e, 0.0f); },
        [](float a, float b) { return a + b; });
  };
  const float here = sum();
  set_num_workers(1);
  EXPECT_EQ(here, sum());
}

TEST_P(Parallel, AReductionCombinesNeighboursInOrder) {
  const auto text = parallel_reduce(
      7, 1, [](int64_t b, int64_t) { return std::to_string(b); },
      [](std::string a, std::string b) { return "(" + a + b + ")"; });
  EXPECT_EQ(text, "(((01)(23))((45)6))");
  EXPECT_EQ(parallel_reduce(0, 4, [](int64_t, int64_t) { return 5; }, std::plus<>()), 0);
  EXPECT_EQ(parallel_reduce(3, 4, [](int64_t b, int64_t e) { return e - b; }, std::plus<>()), 3);
}

TEST_P(Parallel, LoopsAfterIdleTimeAreNotLost) {
  for (int pause_us : {0, 3, 20, 100, 300, 1000}) {
    for (int round = 0; round < 20; round++) {
      std::atomic<int> runs{0};
      parallel_for(8, 1, [&](int64_t, int64_t) { runs++; });
      EXPECT_EQ(runs, 8);
      if (pause_us) std::this_thread::sleep_for(std::chrono::microseconds(pause_us));
    }
  }
}

TEST_P(Parallel, AWaitHelpsOtherLoops) {
  std::atomic<bool> done{false};
  std::thread other([&] {
    parallel_for(200, 1, [](int64_t, int64_t) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    });
    done = true;
    wake_helping();
  });
  wait_helping([&] { return done.load(); });
  EXPECT_TRUE(done);
  other.join();
}

TEST_P(Parallel, WaitHelpingTakesALockOnce) {
  for (int skip = 0; skip < 3; skip++) {  // a waiter that sleeps looks before and after it says so
    const int64_t free_at = now_ns() + 20'000'000;
    int looks = 0, asked_again = 0;
    bool taken = false;
    wait_helping([&] {
      if (taken)
        return ++asked_again > 100;  // ends the wait, so that the test fails and does not hang
      return taken = now_ns() >= free_at && looks++ == skip;
    });
    EXPECT_EQ(asked_again, 0);
  }
}

std::atomic<bool> ask_to_stop{false};

TEST_P(Parallel, AnInterruptSkipsWhatIsNotClaimed) {
  ask_to_stop = true;
  set_interrupt_check([] { return ask_to_stop.load(); });
  std::atomic<int> runs{0};
  EXPECT_THROW(parallel_for(100000, 1,
                            [&](int64_t, int64_t) {
                              std::this_thread::sleep_for(std::chrono::milliseconds(1));
                              runs++;
                            }),
               Interrupted);
  EXPECT_LT(runs, 100000);
  const int settled = runs;
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(runs, settled);
  set_interrupt_check(nullptr);
}

TEST_P(Parallel, TwoPoolsInARowWork) {
  for (int round = 0; round < 5; round++) {
    std::atomic<int> runs{0};
    parallel_for(50, 1, [&](int64_t, int64_t) { runs++; });
    EXPECT_EQ(runs, 50);
    shutdown();
  }
}

TEST_P(Parallel, AForkedChildCanRunLoops) {
  parallel_for(50, 1, [](int64_t, int64_t) {});
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<int> runs{0};
    parallel_for(50, 1, [&](int64_t, int64_t) { runs++; });
    _exit(runs == 50 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(Workers, CountCanChangeWhileLoopsRun) {
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    for (int n = 0; !stop; n++) set_num_workers(1 + n % 5);
  });
  for (int round = 0; round < 2000; round++) {
    std::atomic<int> runs{0};
    parallel_for(16, 1, [&](int64_t, int64_t) { runs++; });
    ASSERT_EQ(runs, 16);
  }
  stop = true;
  changer.join();
}

TEST(Workers, CountMustBePositive) { EXPECT_THROW(set_num_workers(0), std::invalid_argument); }

}  // namespace gotorch::runtime
