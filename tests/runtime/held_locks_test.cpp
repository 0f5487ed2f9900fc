// A goroutine that waits while it holds a native lock. The tests run in a child process, into which the library that counts locks
// is loaded.
#include "runtime/held_locks.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "runtime/chan.h"
#include "runtime/sanitizer.h"
#include "runtime/scope.h"
#include "runtime/sync.h"

namespace gotorch::runtime {
namespace {

template <class F>
void in_a_goroutine(F f) {
  scope s;
  s.go(f);
  s.join();
}

#if !GOTORCH_SANITIZED  // whose own library has to be loaded before all others
TEST(HeldLocks, AreRefusedInAWaitIfTheLibraryCountsThem) {
  char self[4096] = {};
  ASSERT_GT(readlink("/proc/self/exe", self, sizeof self - 1), 0);
  const std::string command =
      std::string("LD_PRELOAD=" GOTORCH_LOCKS_LIBRARY " '") + self +
      "' --gtest_also_run_disabled_tests --gtest_filter='HeldLocks.DISABLED_*'";
  EXPECT_EQ(std::system(command.c_str()), 0);
}
#endif

TEST(HeldLocks, DISABLED_EachKindOfLock) {
  ASSERT_TRUE(held_native_locks);
  const chan<int> c(0);
  std::mutex plain;
  std::recursive_mutex twice;
  std::shared_mutex shared;
  in_a_goroutine([&] {
    const auto refused = [&] { EXPECT_THROW(c.receive(), std::logic_error); };
    {
      const std::lock_guard guard(plain);
      refused();
    }
    {
      const std::lock_guard guard(twice);
      const std::lock_guard again(twice);
      refused();
    }
    {
      const std::shared_lock guard(shared);
      refused();
    }
    const std::unique_lock guard(shared, std::try_to_lock);
    refused();
    wait_group one;
    one.add(1);
    EXPECT_THROW(one.wait(), std::logic_error);
  });
}

// What does not wait may be done, and who holds none may wait: also after a wait that was refused.
TEST(HeldLocks, DISABLED_OnlyInAWait) {
  const chan<int> c(1), answer(0);
  std::mutex lock;
  scope s;
  s.go([&] {
    {
      const std::lock_guard guard(lock);
      c.send(1);
      EXPECT_FALSE(c.try_send(2));
      EXPECT_THROW(c.send(3), std::logic_error);
    }
    EXPECT_EQ(c.receive(), 1);
    answer.send(4);
  });
  EXPECT_EQ(answer.receive(), 4);
  s.join();
}

// A native thread keeps its locks while it waits: that is its own business.
TEST(HeldLocks, DISABLED_NativeThreadsMay) {
  const chan<int> c(0);
  std::mutex lock;
  scope s;
  s.go([&] { c.send(1); });
  const std::lock_guard guard(lock);
  EXPECT_EQ(c.receive(), 1);
  s.join();
}

}  // namespace
}  // namespace gotorch::runtime
