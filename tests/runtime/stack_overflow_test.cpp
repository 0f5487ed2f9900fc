#include "runtime/stack_overflow.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "runtime/chan.h"
#include "runtime/scope.h"
#include "tests/runtime/go_case.h"

namespace gotorch::runtime {
namespace {

// Uses about `kb` KB of stack in small frames; true if they were all there.
[[gnu::noinline]] bool use_stack(int kb) {
  volatile char frame[1000];
  frame[0] = static_cast<char>(kb);
  frame[999] = static_cast<char>(kb);
  const bool below = kb <= 1 || use_stack(kb - 1);
  return below && frame[0] == static_cast<char>(kb) && frame[999] == frame[0];
}

GO_CASE(StackSizes, AreAtLeastWhatWasAskedFor) {
  for (const int kb : {0, 1, 16, 17, 64, 100, 256, 1000, 8192}) {
    scope s;
    s.go([&] { EXPECT_TRUE(use_stack(kb * 3 / 5)); }, {.stack_kb = kb});
    s.join();
  }
}

GO_CASE(StackSizes, OfGoroutinesThatFollowEachOtherDiffer) {
  scope s;
  int done = 0;
  chan<int> turn(1);
  for (int i = 0; i < 60; i++) {
    const int kb = std::array{0, 16, 1024}[static_cast<size_t>(i % 3)];
    s.go(
        [&, kb] {
          turn.send(1);
          EXPECT_TRUE(use_stack(kb / 2));
          yield();
          done++;
          turn.receive();
        },
        {.stack_kb = kb});
  }
  s.join();
  EXPECT_EQ(done, 60);
}

GO_CASE(StackSizes, ThatDoNotExistAreRefused) {
  EXPECT_THROW(go([] {}, {.stack_kb = -1}), std::invalid_argument);
  EXPECT_THROW(go([] {}, {.stack_kb = 65537}), std::invalid_argument);
}

class StackOverflow : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

void overflow(GoOptions options) {
  scope s;
  s.go([] { use_stack(1 << 20); }, options);
  s.join();
}

TEST_F(StackOverflow, NamesTheGoroutineAndWhatToDo) {
  EXPECT_DEATH(overflow({}),
               "stack overflow in the goroutine that was started at .*stack_overflow_test.cpp:.*"
               "its stack has 256 KB.*stack_kb = 1024");
}

TEST_F(StackOverflow, NamesTheSizeThatWasAskedFor) {
  EXPECT_DEATH(overflow({.stack_kb = 1024}), "its stack has 1024 KB.*stack_kb = 4096");
}

TEST_F(StackOverflow, GoesToTheHandlerThatWasThere) {
  EXPECT_EXIT(
      {
        struct sigaction mine = {};
        mine.sa_handler = [](int) {
          [[maybe_unused]] auto n = write(STDERR_FILENO, "my handler\n", 11);
          _exit(3);
        };
        sigaction(SIGSEGV, &mine, nullptr);
        overflow({});
      },
      testing::ExitedWithCode(3), "stack overflow(.|\n)*my handler");
}

TEST_F(StackOverflow, IsNotWhatOtherFaultsAre) {
  EXPECT_EXIT(
      {
        struct sigaction mine = {};
        mine.sa_flags = SA_SIGINFO;
        mine.sa_sigaction = [](int, siginfo_t* info, void*) {
          _exit(info->si_addr == reinterpret_cast<void*>(64) ? 4 : 5);
        };
        sigaction(SIGSEGV, &mine, nullptr);
        char* volatile nothing = nullptr;
        run([&] { nothing[64] = 1; });
      },
      testing::ExitedWithCode(4), "^$");
}

TEST_F(StackOverflow, LeavesSignalsThatAreSentToTheProgram) {
  EXPECT_EXIT(
      {
        run([] {});
        raise(SIGSEGV);
      },
      testing::KilledBySignal(SIGSEGV), "^$");
}

// Where there is no room for a guard.
TEST_F(StackOverflow, IsSeenByWhatItLeavesBelow) {
  std::vector<char> room(3 * 4096);
  char* volatile memory = room.data();
  const Stack stack{memory + 2 * 4096, memory + 3 * 4096, 0, false};
  EXPECT_FALSE(stack.overflowed());
  std::memset(stack.low - 2000, 1, 2000);
  EXPECT_TRUE(stack.overflowed());
  EXPECT_TRUE(stack.guards(stack.low - 1));
  EXPECT_FALSE(stack.guards(stack.low));
  EXPECT_FALSE(stack.guards(memory - 1));
  EXPECT_DEATH(die_of_stack_overflow(nullptr, stack), "stack overflow in a goroutine that had");
}

}  // namespace
}  // namespace gotorch::runtime
