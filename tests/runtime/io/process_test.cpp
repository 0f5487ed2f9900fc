// Pipes, child processes and signals.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/scheduler.h"
#include "tests/runtime/io/echo.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

class Processes : public OnWorkers {};
RUN_ON_WORKERS(Processes);
class Signals : public OnWorkers {};
RUN_ON_WORKERS(Signals);

TEST_P(Processes, PipesCarryBytes) {
  const auto [out, in] = make_pipe();
  const std::string sent(1 << 20, 'p');
  scope s;
  s.go([&, in = in] {
    in.write(sent);
    in.close();
  });
  EXPECT_TRUE(out.read_all() == sent);
  s.join();
}

TEST_P(Processes, WritingToNobodyIsAnError) {
  const auto [out, in] = make_pipe();
  out.close();
  const auto write = [in = in] {
    try {
      in.write("x");
    } catch (const IoError& e) {
      return e.code() == std::errc::broken_pipe;
    }
    return false;
  };
  EXPECT_TRUE(write());  // and no signal has ended us
  scope s;
  s.go([&] { EXPECT_TRUE(write()); });
  s.join();
}

TEST_P(Processes, InputGoesInAndOutputComesOut) {
  const process p = spawn({.arguments = {"sort"}, .in = Stdio::Pipe, .out = Stdio::Pipe});
  std::string lines, sorted;
  for (int i = 50'000; i-- > 10'000;) lines += std::to_string(i) + "\n";
  for (int i = 10'000; i < 50'000; i++) sorted += std::to_string(i) + "\n";
  scope s;
  s.go([&] {
    p.in().write(lines);
    p.in().close();
  });
  EXPECT_TRUE(p.out().read_all() == sorted);
  s.join();
  EXPECT_TRUE(p.wait().ok());
  EXPECT_TRUE(p.wait().ok());
  EXPECT_FALSE(p.kill(SIGTERM));
}

TEST_P(Processes, HowAProcessEnds) {
  EXPECT_EQ(spawn({.arguments = {"sh", "-c", "exit 7"}}).wait().code, 7);
  const process sleeper = spawn({.arguments = {"sleep", "1000"}});
  EXPECT_TRUE(sleeper.kill(SIGTERM));
  EXPECT_EQ(sleeper.wait().signal, SIGTERM);
  EXPECT_FALSE(sleeper.wait().ok());
}

TEST_P(Processes, FolderEnvironmentAndErrors) {
  const process p = spawn({.arguments = {"sh", "-c", "pwd; echo $WORD >&2; cat"},
                           .out = Stdio::Pipe,
                           .err = Stdio::Pipe,
                           .folder = "/usr",
                           .environment = {{{"WORD", "said"}, {"PATH", "/usr/bin:/bin"}}}});
  EXPECT_EQ(p.out().read_all(), "/usr\n");
  EXPECT_EQ(p.err().read_all(), "said\n");
  EXPECT_TRUE(p.wait().ok());
}

TEST_P(Processes, WhatCannotBeStarted) {
  try {
    spawn({.arguments = {"/no/such/program"}});
    ADD_FAILURE();
  } catch (const IoError& e) {
    EXPECT_STREQ(e.what(), "spawn /no/such/program: No such file or directory");
  }
  EXPECT_THROW(spawn({}), std::invalid_argument);
  EXPECT_THROW(spawn({.arguments = {std::string("a\0b", 3)}}), std::invalid_argument);
  EXPECT_THROW(process().wait(), IoClosed);
}

TEST_P(Processes, SeveralWaitAndCancelledWaitersLeave) {
  const process p = spawn({.arguments = {"cat"}, .in = Stdio::Pipe, .out = Stdio::Pipe});
  scope cancelled;
  std::atomic<int> left{0};
  for (int i = 0; i < 3; i++) {
    cancelled.go([&] {
      try {
        p.wait();
      } catch (const Cancelled&) {
        left++;
      }
    });
  }
  yield();
  cancelled.cancel();
  cancelled.join();
  EXPECT_EQ(left, 3);
  scope s;
  for (int i = 0; i < 3; i++) s.go([&] { EXPECT_TRUE(p.wait().ok()); });
  p.in().close();
  s.join();
}

TEST_P(Processes, ManyAtOnceLeaveNoZombies) {
  scope s;
  for (int i = 0; i < 20; i++) {
    s.go([i] {
      const process p = spawn({.arguments = {"sh", "-c", "exit " + std::to_string(i)}});
      if (i % 2 == 0) return;  // nobody waits
      EXPECT_EQ(p.wait().code, i);
    });
  }
  s.join();
  while (waitpid(-1, nullptr, WNOHANG) == 0) sleep(1ms);  // those that nobody waits for
}

TEST_P(Signals, ComeThroughChannels) {
  const chan<int> all(4), users(4);
  notify_signals(all, {SIGUSR1, SIGUSR2});
  notify_signals(users, {SIGUSR2});
  kill(getpid(), SIGUSR1);
  EXPECT_EQ(*all.receive(), SIGUSR1);
  scope s;
  s.go([&] { EXPECT_EQ(*all.receive(), SIGUSR2); });
  s.go([&] { EXPECT_EQ(*users.receive(), SIGUSR2); });
  kill(getpid(), SIGUSR2);
  s.join();
  stop_signals(all);
  kill(getpid(), SIGUSR2);
  EXPECT_EQ(*users.receive(), SIGUSR2);
  EXPECT_EQ(all.size(), 0);
  stop_signals(users);
  struct sigaction now;
  sigaction(SIGUSR2, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
}

TEST_P(Signals, AFullChannelMissesThem) {
  const chan<int> one(1), room(8);
  notify_signals(one, {SIGUSR1});
  notify_signals(room, {SIGUSR1});
  for (int i = 0; i < 3; i++) {
    kill(getpid(), SIGUSR1);
    EXPECT_EQ(*room.receive(), SIGUSR1);
  }
  EXPECT_EQ(one.size(), 1);
  one.close();  // nobody wants it any more, and nothing breaks
  kill(getpid(), SIGUSR1);
  EXPECT_EQ(*room.receive(), SIGUSR1);
  stop_signals(one);
  stop_signals(room);
}

TEST_P(Signals, WhatCannotBeCaught) {
  const chan<int> c(1);
  for (const int signal : {0, -1, 1000, SIGKILL, SIGSTOP}) {
    EXPECT_THROW(notify_signals(c, {signal}), std::invalid_argument) << signal;
  }
  EXPECT_THROW(notify_signals(chan<int>(), {SIGUSR1}), ChanError);
}

TEST_P(Signals, AForkedChildHasTheirUsualEffect) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer's own handler stays where the usual effect is restored";
#endif
  const chan<int> c(1);
  notify_signals(c, {SIGUSR1});
  const auto [out, in] = make_pipe();
  const pid_t child = fork();
  if (child == 0) {
    const chan<int> mine(1);
    notify_signals(mine, {SIGUSR2});
    kill(getpid(), SIGUSR2);
    if (*mine.receive() != SIGUSR2) _exit(1);
    kill(getpid(), SIGUSR1);
    _exit(2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1) << status;
  EXPECT_EQ(c.size(), 0);
  kill(getpid(), SIGUSR1);
  EXPECT_EQ(*c.receive(), SIGUSR1);
  stop_signals(c);
}

}  // namespace
}  // namespace gotorch::runtime
