// Channels and selects, on their own source and that of waiting (park.cpp): what a channel accepts is received once, whoever waits is
// woken once, and nobody waits for ever when a channel is closed, a deadline passes or a context is cancelled meanwhile.
#include "runtime/chan.h"
#include "runtime/context.h"
#include "runtime/select.h"
#include "tests/models/support.h"

namespace gotorch::runtime {
namespace {

using explorer::check;
using explorer::Mutation;

// Sends, and counts what was accepted. False: the channel is closed.
bool sends(const chan<int>& c, int value, int& accepted) {
  try {
    c.send(value);
    accepted++;
    return true;
  } catch (const ChanError&) {
    return false;
  }
}

// A sender, a receiver and who closes meet at an unbuffered channel.
void close_meets_both() {
  Model model;
  const chan<int> c(0);
  int accepted = 0, received = 0;
  const auto sender = [&] { sends(c, 1, accepted); };
  const auto receiver = [&] {
    while (c.receive()) received++;
  };
  const auto closer = [&] { c.close(); };
  model.go(sender);
  model.go(receiver);
  model.go(closer);
  explorer::join_all();
  check(accepted == received, "what was accepted is received");
}

// All that were accepted before the channel is closed come out of its buffer.
void close_keeps_the_buffer() {
  Model model;
  const chan<int> c(1);
  int accepted = 0, received = 0;
  const auto sender = [&] { sends(c, 1, accepted) && sends(c, 2, accepted); };
  const auto receiver = [&] {
    while (const std::optional<int> v = c.receive()) check(*v == ++received, "in their order");
  };
  const auto closer = [&] { c.close(); };
  model.go(sender);
  model.go(receiver);
  model.go(closer);
  explorer::join_all();
  check(accepted == received, "what was accepted is received");
}

// Everybody who waits is told, senders with an error.
void close_wakes_all(bool full) {
  Model model;
  const chan<int> c(1);
  if (full) c.send(1);
  int accepted = 0;
  const auto waiting = [&] {
    if (full) check(!sends(c, 2, accepted), "a full channel was closed");
    else check(!c.receive(), "nobody has sent");
  };
  const auto closer = [&] { c.close(); };
  model.go(waiting);
  model.go(waiting);
  model.go(closer);
  explorer::join_all();
}

// Attempts look at the channel without its lock. What has happened before them they see.
void attempts_see_what_was_before() {
  Model model;
  const chan<int> c(1);
  std::atomic<int> told{0};
  const auto sender = [&] {
    c.send(1);
    told.store(1, std::memory_order_release);
    c.close();
    told.store(2, std::memory_order_release);
  };
  const auto receiver = [&] {
    const int before = told.load(std::memory_order_acquire);
    std::optional<int> value;
    const ChanResult result = c.try_receive(value);
    check(result != ChanResult::Closed, "the end comes after the last value");
    if (before >= 1) check(result == ChanResult::Done, "what was sent before is there");
    if (!value) return;
    const bool closed = told.load(std::memory_order_acquire) == 2;
    const ChanResult next = c.try_receive(value);
    check(next != ChanResult::Done, "one value was sent");
    if (closed) check(next == ChanResult::Closed, "it was closed before");
  };
  model.go(sender);
  model.go(receiver);
  explorer::join_all();
}

// One of two senders is served by the select, the other one's value is not accepted.
void select_takes_one() {
  Model model;
  const chan<int> a(0), b(0);
  int from_a = 0;
  bool from_b = false;
  const auto selecting = [&] {
    const int taken =
        select(on_receive(a, [](std::optional<int> v) { check(v == 1, "what was sent to a"); }),
               on_receive(b, [](std::optional<int> v) { check(v == 2, "what was sent to b"); }));
    a.close();
    if (taken == 1) from_a--;
  };
  const auto to_a = [&] { sends(a, 1, from_a); };
  const auto to_b = [&] { from_b = b.try_send(2); };
  model.go(selecting);
  model.go(to_a);
  model.go(to_b);
  explorer::join_all();
  check(from_a == (from_b ? -1 : 1), "one value is accepted, and that is received");
}

// Two selects that both send and receive, on two channels that they name in opposite orders: exactly one value goes over.
void selects_meet_each_other() {
  Model model;
  const chan<int> a(0), b(0);
  int sent = 0, received = 0;
  const auto one = [&] {
    select(on_send(a, 1, [&] { sent++; }), on_receive(b, [&](std::optional<int>) { received++; }));
  };
  const auto other = [&] {
    select(on_send(b, 2, [&] { sent++; }), on_receive(a, [&](std::optional<int>) { received++; }));
  };
  model.go(one);
  model.go(other);
  explorer::join_all();
  check(sent == 1 && received == 1, "a value has one sender and one receiver");
}

// A select that waits on both channels when both are closed goes on once.
void select_meets_close() {
  Model model;
  const chan<int> a(0), b(0);
  const auto selecting = [&] {
    select(on_receive(a, [](std::optional<int> v) { check(!v, "a was closed"); }),
           on_receive(b, [](std::optional<int> v) { check(!v, "b was closed"); }));
  };
  const auto close_a = [&] { a.close(); };
  const auto close_b = [&] { b.close(); };
  model.go(selecting);
  model.go(close_a);
  model.go(close_b);
  explorer::join_all();
}

// A deadline passes while somebody sends: the value was accepted and received, or neither.
void deadline_meets_sender() {
  Model model;
  const chan<int> c(0);
  bool accepted = false, received = false, ended = false;
  const auto receiver = [&] {
    received = select(on_receive(c, [](std::optional<int>) {}),
                      on_timeout(std::chrono::nanoseconds(1), [] {})) == 0;
    ended = true;
  };
  const auto sender = [&] { accepted = c.try_send(1); };
  const auto clock = [&] {
    while (!ended) {
      explorer::wait_until([&] { return ended || model.has_timers(); });
      model.fire_timers();
    }
  };
  model.go(receiver);
  model.go(sender);
  model.go(clock);
  explorer::join_all();
  check(accepted == received, "what was accepted is received");
}

// So does a cancelled context.
void cancel_meets_sender() {
  Model model;
  const context c = context().child();
  ScopeState scope(ScopeState::Own{c});
  const chan<int> values(0);
  bool accepted = false, received = false;
  const auto receiver = [&] {
    try {
      received = values.receive().has_value();
    } catch (const Cancelled&) {
    }
    scope.finish(1);
  };
  const auto sender = [&] { accepted = values.try_send(1); };
  const auto canceller = [&] { c.cancel(); };
  model.go(receiver, &scope);
  model.go(sender);
  model.go(canceller);
  explorer::join_all();
  check(accepted == received, "what was accepted is received");
}

// Twice left for another, or once and an old value read: both together would take minutes.
void holds_within(const std::function<void()>& program) {
  holds(program, {.preemptions = 2, .stale = 0});
  holds(program, {.preemptions = 1, .stale = 1});
}

TEST(ChanModel, CloseMeetsSendAndReceive) {
  holds(close_meets_both, {.preemptions = 1, .stale = 1});
  fails(close_meets_both, {.no_release = true});
}

TEST(ChanModel, CloseKeepsTheBuffer) {
  holds(close_keeps_the_buffer, {.preemptions = 1, .stale = 1});
  fails(close_keeps_the_buffer, {.no_acquire = true});
}

TEST(ChanModel, CloseWakesAllReceivers) {
  holds([] { close_wakes_all(false); }, {.preemptions = 1, .stale = 1});
  fails([] { close_wakes_all(false); }, {.no_acquire = true});
}

TEST(ChanModel, CloseWakesAllSenders) {
  holds([] { close_wakes_all(true); }, {.preemptions = 1, .stale = 1});
  fails([] { close_wakes_all(true); }, {.no_release = true});
}

TEST(ChanModel, AttemptsSeeWhatWasBefore) {
  holds(attempts_see_what_was_before, {.preemptions = 2, .stale = 2});
  fails(attempts_see_what_was_before, {.no_acquire = true});
  fails(attempts_see_what_was_before, {.no_release = true});
}

TEST(SelectModel, TakesOne) {
  holds(select_takes_one, {.preemptions = 1, .stale = 1});
  fails(select_takes_one, {.no_release = true});
  fails(select_takes_one, {.split_claim = true});
}

TEST(SelectModel, MeetsAnother) {
  holds_within(selects_meet_each_other);
  fails(selects_meet_each_other, {.split_exchange = true});
}

TEST(SelectModel, MeetsClose) {
  holds(select_meets_close, {.preemptions = 1, .stale = 1});
  fails(select_meets_close, {.split_claim = true});
}

TEST(SelectModel, MeetsItsDeadline) {
  holds(deadline_meets_sender, {.preemptions = 1, .stale = 1});
  fails(deadline_meets_sender, {.split_claim = true});
}

TEST(CancelModel, MeetsASender) {
  holds_within(cancel_meets_sender);
  fails(cancel_meets_sender, {.no_heavy_fence = true});
}

}  // namespace
}  // namespace gotorch::runtime
