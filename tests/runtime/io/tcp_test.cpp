// Connections: what is sent arrives, what waits can be stopped.
#include "tests/runtime/io/echo.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

class Tcp : public OnWorkers {};
RUN_ON_WORKERS(Tcp);

TEST_P(Tcp, EchoOfOne) {
  scope s;
  const listener l = listen("tcp", "127.0.0.1:0");
  serve(s, l);
  s.go([&] {
    const conn c = dial("tcp", l.address());
    for (int i = 0; i < 1000; i++) EXPECT_EQ(ask(c, std::to_string(i)), std::to_string(i));
    s.cancel();
  });
  s.join();
}

TEST_P(Tcp, EchoOfMany) {
  constexpr int kConnections = 300;
  scope s;
  const listener l = listen("tcp", "127.0.0.1:0");
  serve(s, l);
  std::atomic<int> right{0};
  s.go([&] {
    scope clients;
    for (int i = 0; i < kConnections; i++) {
      clients.go([&, i] {
        const conn c = dial("tcp", l.address());
        for (int k = 0; k < 20; k++) {
          const std::string question = std::to_string(i) + "," + std::to_string(k);
          right += ask(c, question) == question;
        }
      });
    }
    clients.join();
    s.cancel();
  });
  s.join();
  EXPECT_EQ(right, 20 * kConnections);
}

TEST_P(Tcp, NativeThreadsTalkToGoroutines) {
  scope s;
  const listener l = listen("tcp", "127.0.0.1:0");
  serve(s, l);
  const conn c = dial("tcp", l.address());
  for (int i = 0; i < 100; i++) EXPECT_EQ(ask(c, "hello"), "hello");
  s.cancel();
  s.join();
}

TEST_P(Tcp, WhatIsSentBeforeTheEndIsRead) {
  scope s;
  const listener l = listen("tcp", "127.0.0.1:0");
  s.go([&] {
    const conn c = l.accept();
    EXPECT_EQ(c.read_all(), "question");
    c.write("answer");
  });
  const conn c = dial("tcp", l.address());
  c.write("question");
  c.close_write();
  EXPECT_EQ(c.read_all(), "answer");
  char room[1];
  EXPECT_EQ(c.read(room), 0u);  // and again
  s.join();
}

TEST_P(Tcp, LargeTransfersWaitForSlowReaders) {
  constexpr size_t kSize = 8 << 20;
  scope s;
  const listener l = listen("tcp", "127.0.0.1:0");
  std::string sent(kSize, ' ');
  for (size_t i = 0; i < kSize; i++) sent[i] = static_cast<char>(i * 2654435761u >> 13);
  s.go([&] { l.accept().write(sent); });
  const conn c = dial("tcp", l.address());
  std::string got(kSize, ' ');
  for (size_t n = 0, step = 1; n < kSize; step = step * 5 % 65521 + 1) {
    const size_t more = c.read({got.data() + n, std::min(step, kSize - n)});
    ASSERT_GT(more, 0u);
    n += more;
    if (step % 64 == 0) sleep(100us);
  }
  EXPECT_TRUE(got == sent);
  s.join();
}

TEST_P(Tcp, CancelEndsWhatWaits) {
  const listener l = listen("tcp", "127.0.0.1:0");
  const conn quiet = dial("tcp", l.address());
  const conn accepted = l.accept();
  scope s;
  std::atomic<int> cancelled{0};
  const auto expect_cancelled = [&](auto wait) {
    s.go([&, wait] {
      try {
        wait();
      } catch (const Cancelled&) {
        cancelled++;
      }
    });
  };
  const std::string more_than_fits(kMoreThanFits, ' ');
  expect_cancelled([&] { l.accept(); });
  expect_cancelled([&] { l.accept(); });
  expect_cancelled([&] {
    char room[10];
    quiet.read(room);
  });
  expect_cancelled([&] { quiet.write(more_than_fits); });
  sleep(1ms);
  s.cancel();
  s.join();
  EXPECT_EQ(cancelled, 4);
}

TEST_P(Tcp, AReadThatIsCancelledTakesNothing) {
  const listener l = listen("tcp", "127.0.0.1:0");
  const conn sender = dial("tcp", l.address());
  const conn receiver = l.accept();
  std::string got;
  for (int round = 0; round < 50; round++) {
    scope s;
    s.go([&] {
      char room[10];
      got.append(room, receiver.read(room));
    });
    s.go([&] { sender.write("ab"); });
    s.go([&] { s.cancel(); });
    try {
      s.join();
    } catch (const Cancelled&) {
    }
  }
  sender.close_write();
  got += receiver.read_all();
  EXPECT_EQ(got.size() % 2, 0u);
  for (size_t i = 0; i < got.size(); i++) ASSERT_EQ(got[i], i % 2 ? 'b' : 'a');
}

TEST_P(Tcp, DeadlinesEndWhatWaits) {
  const listener l = listen("tcp", "127.0.0.1:0");
  const conn c = dial("tcp", l.address());
  const conn accepted = l.accept();
  char room[10];
  c.set_deadline(in(2ms));
  EXPECT_THROW(c.read(room), IoTimeout);
  EXPECT_THROW(c.read(room), IoTimeout);  // until it is moved
  EXPECT_THROW(c.write("x"), IoTimeout);
  c.set_deadline(no_deadline);
  accepted.write("late");
  EXPECT_EQ(c.read(room), 4u);
  l.set_deadline(in(1ms));
  EXPECT_THROW(l.accept(), IoTimeout);
}

TEST_P(Tcp, ADeadlineCountsForWhatWaitsAlready) {
  const listener l = listen("tcp", "127.0.0.1:0");
  const conn c = dial("tcp", l.address());
  scope s;
  s.go([&] {
    char room[10];
    EXPECT_THROW(c.read(room), IoTimeout);
  });
  s.go([&] {
    sleep(1ms);
    c.set_deadline(in(0ns));
  });
  s.join();
}

TEST_P(Tcp, AWriteThatTimesOutTellsHowMuchWentOut) {
  const listener l = listen("tcp", "127.0.0.1:0");
  const conn sender = dial("tcp", l.address());
  const conn receiver = l.accept();
  const std::string more_than_fits(kMoreThanFits, 'x');
  size_t written = 0;
  scope s;
  s.go([&] { EXPECT_THROW(sender.write(more_than_fits, &written), IoTimeout); });
  char first[1];
  EXPECT_EQ(receiver.read(first), 1u);  // it is under way
  sender.set_write_deadline(in(0ns));
  s.join();
  sender.close();
  EXPECT_EQ(1 + receiver.read_all().size(), written);
}

TEST_P(Tcp, CloseEndsWhatWaits) {
  const listener l = listen("tcp", "127.0.0.1:0");
  const conn c = dial("tcp", l.address());
  const conn accepted = l.accept();
  scope s;
  for (int i = 0; i < 3; i++) {
    s.go([&] {
      char room[10];
      EXPECT_THROW(c.read(room), IoClosed);
    });
    s.go([&] { EXPECT_THROW(l.accept(), IoClosed); });
  }
  s.go([&] {
    sleep(1ms);
    c.close();
    c.close();
    l.close();
  });
  s.join();
  char room[10];
  EXPECT_EQ(accepted.read(room), 0u);
  EXPECT_THROW(c.write("x"), IoClosed);
  EXPECT_THROW(conn().write("x"), IoClosed);
}

TEST_P(Tcp, WritesDoNotMix) {
  constexpr size_t kSize = 1 << 20;
  const listener l = listen("tcp", "127.0.0.1:0");
  const conn sender = dial("tcp", l.address());
  const conn receiver = l.accept();
  scope s;
  for (char letter = 'a'; letter < 'e'; letter++) {
    s.go([&, letter] { sender.write(std::string(kSize, letter)); });
  }
  std::string got(4 * kSize, ' ');
  s.go([&] { receiver.read_full(got); });
  s.join();
  for (size_t i = 0; i < got.size(); i++) ASSERT_EQ(got[i], got[i / kSize * kSize]) << i;
}

}  // namespace
}  // namespace gotorch::runtime
