// The whole runtime, workers included, with a few goroutines: nobody sleeps for ever, no value is lost or comes twice, whatever the
// threads do. Too large for all schedules, so these run at random, many times.
#include "runtime/go.h"
#include "runtime/scheduler.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

void with_workers(int workers, FnRef<void()> program) {
  set_num_workers(workers);
  program();
  shutdown();  // threads do not outlive their run
}

// The event count: work from outside finds a worker, however the workers fall asleep.
void submit() {
  with_workers(2, [] {
    for (int round = 0; round < 3; round++) {
      for (int pause = explorer::pick(40); pause > 0; pause--) explorer::relax();
      int ran[2] = {};
      scope s;
      for (int& r : ran) s.go([&r] { r++; });
      s.join();
      explorer::check(ran[0] == 1 && ran[1] == 1, "each goroutine runs once");
    }
  });
}

// Goroutines that wake each other, and start others, on two workers.
void ping_pong() {
  with_workers(2, [] {
    chan<int> ping(0), pong(0);
    int sum = 0;
    scope s;
    s.go([&] {
      for (int i = 1; i <= 2; i++) pong.send(*ping.receive() + i);
    });
    s.go([&] {
      for (int i = 1; i <= 2; i++) {
        ping.send(10 * i);
        sum += *pong.receive();
      }
    });
    s.join();
    explorer::check(sum == 33, "values arrive in order");
  });
}

// A select is claimed by a sender, a close, a timer or a cancellation: by exactly one.
void select_and_its_claimers() {
  with_workers(2, [] {
    chan<int> a(0), b(0);
    int received = 0, sent = 0;
    scope s;
    s.go([&] {
      try {
        select(on_receive(a, [&](std::optional<int> v) { received += *v; }),
               on_receive(b, [&](std::optional<int>) {}), on_timeout(2us, [] {}));
      } catch (const Cancelled&) {
      }
    });
    s.go([&] {
      try {
        select(on_send(a, 1, [&] { sent++; }), on_timeout(3us, [] {}));
      } catch (const Cancelled&) {
      }
    });
    s.go([&] { b.close(); });
    s.go([&] { s.cancel(); });
    s.join();
    explorer::check(sent == received, "a value is sent if and only if it is received");
  });
}

void survives(void (*program)()) {
  const explorer::Result result = explorer::wander(program, 1, 1000);
  EXPECT_EQ(result.failure, "") << "in run " << result.runs;
}

TEST(RuntimeModel, Submit) { survives(submit); }
TEST(RuntimeModel, PingPong) { survives(ping_pong); }
TEST(RuntimeModel, SelectAndItsClaimers) { survives(select_and_its_claimers); }

}  // namespace
}  // namespace gotorch::runtime
