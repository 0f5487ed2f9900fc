// How goroutines end: errors of any kind, destructors that wait, detached ones, and what must not be asked of them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "runtime/chan.h"
#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "tests/runtime/go_case.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

struct AtEnd {
  std::function<void()> f;
  ~AtEnd() { f(); }
};

GO_CASE(GoroutineEnds, ErrorsOfAnyKindReachTheScope) {
  const auto fail_with = [](auto error) {
    scope s;
    s.go([error] { throw error; });
    s.join();
  };
  EXPECT_THROW(fail_with(1), int);
  EXPECT_THROW(fail_with("text"), const char*);
  EXPECT_THROW(fail_with(std::string("text")), std::string);
  EXPECT_THROW(fail_with(unit{}), unit);
}

GO_CASE(GoroutineEnds, AClosureIsDestroyedByItsGoroutineAndMayWait) {
  chan<int> c(0);
  int received = 0;
  scope s;
  s.go([end = std::make_shared<AtEnd>([&, c] { received = *c.receive(); })] {});
  c.send(5);
  s.join();
  EXPECT_EQ(received, 5);
}

GO_CASE(GoroutineEnds, DestructorsMayWaitWhileAnErrorPasses) {
  chan<int> c(0);
  int received = 0;
  scope s;
  s.go([&, c] {
    const AtEnd last{[&] {
      EXPECT_EQ(std::uncaught_exceptions(), 1);
      scope inside;  // the outer one is not cancelled before the error gets there
      inside.go([&] { received += *c.receive(); });
      inside.join();
    }};
    const AtEnd first{[&] {
      yield();
      received += *c.receive();
      EXPECT_EQ(std::uncaught_exceptions(), 1);
    }};
    throw std::out_of_range("passes");
  });
  c.send(5);
  c.send(6);
  EXPECT_THROW(s.join(), std::out_of_range);
  EXPECT_EQ(received, 11);
}

GO_CASE(GoroutineEnds, ErrorsInsideErrorsAreKeptApart) {
  scope s;
  s.go([] {
    const AtEnd end{[] {
      try {
        yield();
        throw std::logic_error("inner");
      } catch (const std::logic_error&) {
        yield();
      }
    }};
    try {
      throw std::runtime_error("outer");
    } catch (const std::runtime_error&) {
      yield();
      throw std::out_of_range("second");
    }
  });
  EXPECT_THROW(s.join(), std::out_of_range);
}

GO_CASE(GoroutineEnds, CancellationUnwindsWhatItEnds) {
  chan<int> never(0);
  std::vector<int> order;
  scope s;
  s.go([&] {
    const AtEnd outer{[&] { order.push_back(2); }};
    const AtEnd inner{[&] { order.push_back(1); }};
    never.receive();
  });
  yield();
  s.cancel();
  s.join();
  EXPECT_TRUE(order.empty() || (order == std::vector{1, 2}));
}

GO_CASE(Detached, RunOnTheirOwn) {
  chan<int> c(0);
  {
    scope s;
    s.go([c] { detach([c] { c.send(1); }); });
    s.join();
    s.cancel();
  }
  EXPECT_EQ(c.receive(), 1);
}

GO_CASE(Detached, AreNotCancelledWithWhoStartedThem) {
  chan<int> gate(0), done(1);
  scope s;
  s.go([=] {
    detach([=] {
      gate.receive();
      go([=] { done.send(1); });
    });
    throw std::out_of_range("parent");
  });
  EXPECT_THROW(s.join(), std::out_of_range);
  gate.close();
  EXPECT_EQ(done.receive(), 1);
}

class GoroutinesAtTheEnd : public OnWorkers {};
RUN_ON_WORKERS(GoroutinesAtTheEnd);

TEST_P(GoroutinesAtTheEnd, TheErrorsOfDetachedOnesGoToTheHandler) {
  static chan<std::string> seen;
  seen = chan<std::string>(10);
  set_detached_error_handler([](std::exception_ptr error, const std::source_location& site) {
    try {
      std::rethrow_exception(error);
    } catch (const std::out_of_range& e) {
      const std::string file = site.file_name();
      seen.send(file.substr(file.rfind('/') + 1) + ": " + e.what());
    }
  });
  detach([] { throw std::out_of_range("alone"); });
  EXPECT_EQ(seen.receive(), "goroutine_end_test.cpp: alone");
  detach([] { go([] { throw std::out_of_range("child"); }); });
  EXPECT_EQ(seen.receive(), "goroutine_end_test.cpp: child");
  set_detached_error_handler(nullptr);
  seen = {};
}

TEST_P(GoroutinesAtTheEnd, TheErrorsOfDetachedOnesArePrintedWithoutAHandler) {
  const auto printed = [](auto error) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const int before = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    detach([error] { throw error; });
    std::string text;
    for (char c = 0; c != '\n' && read(ends[0], &c, 1) == 1;) text += c;
    dup2(before, STDERR_FILENO);
    for (const int file : {before, ends[0], ends[1]}) close(file);
    return text;
  };
  const std::string lost = printed(std::runtime_error("lost"));
  EXPECT_NE(lost.find("goroutine_end_test.cpp:"), std::string::npos) << lost;
  EXPECT_NE(lost.find(" failed: lost\n"), std::string::npos) << lost;
  const std::string number = printed(7);
  EXPECT_NE(number.find("no std::exception"), std::string::npos) << number;
}

TEST_P(GoroutinesAtTheEnd, ShutdownInsideTheRuntimeIsAnError) {
  run([] { EXPECT_THROW(shutdown(), std::logic_error); });
}

TEST_P(GoroutinesAtTheEnd, ThoseThatWaitOutliveAShutdown) {
  chan<int> gate(0);
  scope s;
  std::atomic<int> waiting{0};
  for (int i = 0; i < 100; i++) {
    s.go([&] {
      waiting++;
      gate.receive();
    });
  }
  while (waiting < 100) std::this_thread::yield();
  shutdown();
  std::atomic<int> later{0};
  for (int i = 0; i < 100; i++) s.go([&] { later++; });
  gate.close();
  s.join();
  EXPECT_EQ(later, 100);
}

}  // namespace
}  // namespace gotorch::runtime
