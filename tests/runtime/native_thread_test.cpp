// Goroutines that have a thread: pinned ones, and those in a call that blocks.
#include "runtime/native_thread.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "runtime/blocking.h"
#include "runtime/chan.h"
#include "runtime/interrupt.h"
#include "runtime/parallel.h"
#include "runtime/scope.h"
#include "runtime/thread_state.h"
#include "runtime/timer.h"
#include "tests/runtime/go_case.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

GO_CASE(Pinned, StayOnOneThread) {
  chan<int> c(0);
  scope s;
  auto stayed = s.go(
      [c] {
        thread_local int mine = 0;
        const std::thread::id id = std::this_thread::get_id();
        bool same = true;
        for (int i = 0; i < 50; i++) {
          mine++;
          c.receive();
          yield();
          same &= std::this_thread::get_id() == id && mine == i + 1;
        }
        return same;
      },
      {.pinned = true});
  for (int i = 0; i < 50; i++) c.send(i);
  EXPECT_TRUE(stayed.join());
  s.join();
}

GO_CASE(Pinned, BelongToTheirScope) {
  chan<int> never(0);
  scope s;
  int started = 0;
  auto waits = s.go(
      [&] {
        scope inner;
        inner.go([&] { started++; });
        inner.join();
        never.receive();
        return 0;
      },
      {.pinned = true});
  s.go([] { throw std::out_of_range("sibling"); }, {.pinned = true});
  EXPECT_THROW(waits.join(), Cancelled);
  EXPECT_THROW(s.join(), std::out_of_range);
  EXPECT_EQ(started, 1);
}

GO_CASE(Pinned, StartGoroutinesOfTheirScope) {
  int ran = 0;
  scope s;
  s.go([&] { go([&] { ran++; }); }, {.pinned = true});
  s.join();
  EXPECT_EQ(ran, 1);
}

GO_CASE(Blocking, GivesTheResultOrTheError) {
  EXPECT_EQ(blocking([] { return 5; }), 5);
  EXPECT_EQ(*blocking([] { return std::make_unique<int>(6); }), 6);
  int ran = 0;
  blocking([&] { ran++; });
  EXPECT_EQ(ran, 1);
  EXPECT_THROW(blocking([] { throw std::out_of_range("inside"); }), std::out_of_range);
  EXPECT_THROW(blocking([] { throw 7; }), int);
}

GO_CASE(Blocking, MayNestAndWaitAndStartGoroutines) {
  chan<int> c(0), never(0);
  scope s;
  s.go([&] {
    const int v = blocking([&] {
      go([c] { c.send(3); });
      return *c.receive() + blocking([] { return 1; });
    });
    EXPECT_EQ(v, 4);
    go([] { throw std::out_of_range("stop"); });
    EXPECT_THROW(blocking([&] { never.receive(); }), Cancelled);
  });
  EXPECT_THROW(s.join(), std::out_of_range);
}

class OnOwnThreads : public OnWorkers {};
RUN_ON_WORKERS(OnOwnThreads);

// More calls that block than there are workers, which go on only when all are in theirs.
TEST_P(OnOwnThreads, BlockingCallsLeaveTheWorkersToOthers) {
  constexpr int kCalls = 20;
  std::atomic<int> inside{0};
  scope s;
  for (int i = 0; i < kCalls; i++) {
    s.go([&] {
      blocking([&] {
        inside++;
        while (inside < kCalls + 1) std::this_thread::sleep_for(100us);
      });
    });
  }
  s.go([&] {
    while (inside < kCalls) yield();
    inside++;
  });
  s.join();
  EXPECT_EQ(inside, kCalls + 1);
}

// The 513th and later wait for a thread.
TEST_P(OnOwnThreads, ManyBlockingCallsAreAllServed) {
  std::atomic<int> calls{0};
  scope s;
  for (int i = 0; i < 1500; i++) s.go([&] { blocking([&] { calls++; }); });
  s.join();
  EXPECT_EQ(calls, 1500);
}

TEST_P(OnOwnThreads, TheWordOfAGoroutineGoesAlong) {
  scope s;
  s.go([] {
    thread_state().local.bytes[0] = 3;
    blocking([] {
      EXPECT_EQ(thread_state().local.bytes[0], 3);
      thread_state().local.bytes[0] = 4;
    });
    EXPECT_EQ(thread_state().local.bytes[0], 4);
  });
  s.join();
}

TEST_P(OnOwnThreads, ANativeThreadBlocksItself) {
  const auto me = std::this_thread::get_id();
  EXPECT_EQ(blocking([] { return std::this_thread::get_id(); }), me);
}

TEST_P(OnOwnThreads, BlockingInALoopBodyIsAnError) {
  EXPECT_THROW(parallel_for(4, 1, [](int64_t, int64_t) { blocking([] {}); }), std::logic_error);
}

TEST_P(OnOwnThreads, PinnedGoroutinesHaveThreadsOfTheirOwn) {
  std::mutex lock;
  std::set<std::thread::id> ids;
  std::atomic<int> together{0};
  scope s;
  for (int i = 0; i < 5; i++) {
    s.go(
        [&] {
          {
            std::lock_guard guard(lock);
            ids.insert(std::this_thread::get_id());
          }
          together++;
          while (together < 5) std::this_thread::sleep_for(100us);  // none of them needs a worker
        },
        {.pinned = true});
  }
  s.join();
  EXPECT_EQ(ids.size(), 5U);
}

TEST_P(OnOwnThreads, InterruptsAreForTheProgramsThreads) {
  chan<int> c(0);
  scope s;
  auto received = s.go([c] { return *c.receive(); }, {.pinned = true});
  auto blocked = s.go([c] { return blocking([c] { return *c.receive(); }); });
  static std::atomic<bool> asked;
  asked = false;
  set_interrupt_check([] { return !asked.exchange(true); });
  std::this_thread::sleep_for(1ms);
  EXPECT_THROW(chan<int>(0).receive(), Interrupted);
  set_interrupt_check(nullptr);
  c.send(1);
  c.send(1);
  EXPECT_EQ(received.join() + blocked.join(), 2);
  s.join();
}

TEST_P(OnOwnThreads, ALoopInAPinnedGoroutineIsParallel) {
  std::atomic<int64_t> sum{0};
  scope s;
  s.go([&] { parallel_for(100, 1, [&](int64_t b, int64_t) { sum += b; }); }, {.pinned = true});
  s.join();
  EXPECT_EQ(sum, 4950);
}

int child_status(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// What comes back from fork() in a goroutine is a process with one thread, and it ends when that returns: nothing that the
// parent's goroutines would do is done twice.
TEST_P(OnOwnThreads, AForkedChildEndsWhereItsGoroutineDoes) {
  std::atomic<int> ended{0};
  for (const bool pinned : {false, true}) {
    scope s;
    const auto fork_here = [&] {
      const pid_t child = fork();
      if (child != 0) {
        EXPECT_EQ(child_status(child), 0);
      }
      ended++;
    };
    s.go([&] { pinned ? fork_here() : blocking(fork_here); }, {.pinned = pinned});
    s.join();
  }
  EXPECT_EQ(ended, 2);
}

TEST_P(OnOwnThreads, AForkedChildHasBlockingCallsOfItsOwn) {
  run([] { blocking([] {}); });
  const pid_t child = fork();
  if (child == 0) {
    const int v = run([] { return blocking([] { return 9; }); });
    _exit(v == 9 ? 0 : 1);
  }
  EXPECT_EQ(child_status(child), 0);
}

}  // namespace
}  // namespace gotorch::runtime
