#include "runtime/actor.h"

#include <gtest/gtest.h>

#include <vector>

#include "runtime/park.h"
#include "runtime/sync.h"
#include "runtime/timer.h"
#include "tests/runtime/go_case.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

struct Add {
  int amount;
};
struct Total {};
struct Fail {};
struct Account {
  int total = 0;
  void operator()(Add m) { total += m.amount; }
  int operator()(Total) { return total; }
  void operator()(Fail) { throw std::out_of_range("account"); }
};

// What was handled, whatever became of the state that did.
struct Recorder {
  std::vector<int>* seen;
  void operator()(int v) {
    if (v < 0) throw std::out_of_range("negative");
    seen->push_back(v);
  }
};

// Takes a message and waits until it may go on.
struct Gated {
  chan<unit> entered, gate;
  std::vector<int>* seen;
  void operator()(int v) {
    entered.send({});
    gate.receive();
    seen->push_back(v);
  }
};

std::vector<int> numbers(int from, int to) {
  std::vector<int> all;
  for (int i = from; i < to; i++) all.push_back(i);
  return all;
}

template <class F>
std::string cause_of_stop(F f) {
  try {
    f();
  } catch (const ActorStopped& stopped) {
    if (!stopped.cause) return "none";
    try {
      std::rethrow_exception(stopped.cause);
    } catch (const std::exception& cause) {
      EXPECT_NE(std::string(stopped.what()).find(cause.what()), std::string::npos);
      return cause.what();
    }
  }
  return "not stopped";
}

GO_CASE(Actor, HandlesMessagesOneAtATimeInTheirOrder) {
  scope s;
  std::vector<int> seen;
  actor recorder(s, [&] { return Recorder{&seen}; }, {.mailbox = 3});
  for (int i = 0; i < 50; i++) recorder.send(i);
  recorder.stop();
  s.join();
  EXPECT_EQ(seen, numbers(0, 50));
}

GO_CASE(Actor, ManySendersLoseNothing) {
  scope s;
  actor<Account> account(s, {.mailbox = 2});
  {
    scope senders;
    for (int i = 0; i < 8; i++) {
      senders.go([account] {
        for (int k = 0; k < 20; k++) account.send(Add{1});
      });
    }
    senders.join();
  }
  EXPECT_EQ(account.ask(Total{}).join(), 160);
  account.stop();
  s.join();
}

GO_CASE(Actor, ReplyOfAHandlerThatReturnsNothing) {
  scope s;
  actor<Account> account(s);
  account.ask(Add{3}).join();
  EXPECT_EQ(account.ask(Total{}).join(), 3);
  account.stop();
  account.join();
  s.join();
}

GO_CASE(Actor, AFullMailboxHoldsUpItsSenders) {
  scope s;
  std::vector<int> seen;
  chan<unit> entered(0), gate(0);
  actor gated(s, [&] { return Gated{entered, gate, &seen}; }, {.mailbox = 2});
  gated.send(0);
  entered.receive();  // it is being handled, so the mailbox is empty
  gated.send(1);
  gated.send(2);
  EXPECT_FALSE(gated.try_send(3));
  gate.send({});
  entered.receive();
  EXPECT_TRUE(gated.try_send(3));
  gated.stop();
  for (int i = 0; i < 3; i++) {
    gate.send({});
    if (i < 2) entered.receive();
  }
  s.join();
  EXPECT_EQ(seen, numbers(0, 4));
}

GO_CASE(Actor, StopHandlesWhatWasAcceptedAndNothingElse) {
  scope s;
  std::vector<int> seen;
  chan<unit> entered(0), gate(0);
  actor gated(s, [&] { return Gated{entered, gate, &seen}; }, {.mailbox = 4});
  for (int i = 0; i < 4; i++) gated.send(i);
  gated.stop();
  EXPECT_EQ(cause_of_stop([&] { gated.send(4); }), "none");
  EXPECT_EQ(cause_of_stop([&] { gated.ask(4); }), "none");
  EXPECT_THROW(gated.try_send(4), ActorStopped);
  for (int i = 0; i < 4; i++) {
    entered.receive();
    gate.send({});
  }
  gated.join();
  gated.stop();
  gated.kill();
  s.join();
  EXPECT_EQ(seen, numbers(0, 4));
}

GO_CASE(Actor, KillCancelsTheHandlerAndTellsWhoHasAsked) {
  scope s;
  std::vector<int> seen;
  chan<unit> entered(0), gate(0);
  actor gated(s, [&] { return Gated{entered, gate, &seen}; });
  auto first = gated.ask(0);
  auto second = gated.ask(1);
  entered.receive();
  gated.kill();
  EXPECT_THROW(first.join(), Cancelled);
  EXPECT_EQ(cause_of_stop([&] { second.join(); }), "cancelled");
  gated.join();
  s.join();
  EXPECT_TRUE(seen.empty());
}

GO_CASE(Actor, ARestartGivesAFreshStateAndKeepsTheMailbox) {
  scope s;
  chan<unit> gate(0);
  struct Waiting : Account {
    chan<unit> gate;
    using Account::operator();
    void operator()(unit) { gate.receive(); }
  };
  int made = 0;
  actor account(s, [&] { return made++, Waiting{{}, gate}; }, {.on_failure = OnFailure::Restart});
  account.send(unit{});
  account.send(Add{5});
  auto failed = account.ask(Fail{});
  account.send(Add{2});
  auto total = account.ask(Total{});
  gate.send({});
  EXPECT_THROW(failed.join(), std::out_of_range);
  EXPECT_EQ(total.join(), 2);
  account.stop();
  s.join();
  EXPECT_EQ(made, 2);
}

GO_CASE(Actor, TooManyRestartsEscalate) {
  scope s;
  std::vector<int> seen;
  actor recorder(s, [&] { return Recorder{&seen}; },
                 {.on_failure = OnFailure::Restart, .restarts = 2, .within = 1h});
  recorder.send(1);
  recorder.send(-1);
  recorder.send(2);
  recorder.send(-1);
  recorder.send(3);
  recorder.ask(3).join();
  recorder.send(-1);
  EXPECT_EQ(cause_of_stop([&] {
              for (;;) recorder.send(4);
            }),
            "negative");
  EXPECT_THROW(recorder.join(), std::out_of_range);
  EXPECT_THROW(s.join(), std::out_of_range);
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3, 3}));
}

GO_CASE(Actor, RestartsLongAgoDoNotCount) {
  scope s;
  std::vector<int> seen;
  actor recorder(s, [&] { return Recorder{&seen}; },
                 {.on_failure = OnFailure::Restart, .restarts = 1, .within = 0ns});
  for (int i = 0; i < 4; i++) {
    EXPECT_THROW(recorder.ask(-1).join(), std::out_of_range);
    sleep(1us);
  }
  recorder.ask(1).join();
  recorder.stop();
  s.join();
}

GO_CASE(Actor, AStateThatCannotBeMadeIsAFailure) {
  scope s;
  int tries = 0;
  actor account(s,
                [&] {
                  if (++tries < 3) throw std::out_of_range("not yet");
                  return Account();
                },
                {.on_failure = OnFailure::Restart});
  account.send(Add{1});
  EXPECT_EQ(account.ask(Total{}).join(), 1);
  account.stop();
  s.join();
  EXPECT_EQ(tries, 3);
}

GO_CASE(Actor, EscalationFailsTheScopeAndTellsWhoWaits) {
  scope s;
  chan<unit> gate(0), entered(0);
  struct Waiting : Account {
    chan<unit> entered, gate;
    using Account::operator();
    void operator()(unit) {
      entered.send({});
      gate.receive();
    }
  };
  actor account(s, [&] { return Waiting{{}, entered, gate}; });
  s.go([] { chan<int>(0).receive(); });  // a sibling, cancelled with it
  account.send(unit{});
  entered.receive();
  auto failed = account.ask(Fail{});
  auto behind = account.ask(Total{});
  gate.send({});
  EXPECT_THROW(failed.join(), std::out_of_range);
  EXPECT_EQ(cause_of_stop([&] { behind.join(); }), "account");
  EXPECT_THROW(account.join(), std::out_of_range);
  EXPECT_THROW(s.join(), std::out_of_range);
  EXPECT_EQ(cause_of_stop([&] { account.send(Add{1}); }), "account");
}

GO_CASE(Actor, StopOnFailureEndsItAlone) {
  scope s;
  actor<Account> account(s, {.on_failure = OnFailure::Stop});
  actor<Account> other(s);
  EXPECT_THROW(account.ask(Fail{}).join(), std::out_of_range);
  EXPECT_THROW(account.join(), std::out_of_range);
  EXPECT_EQ(cause_of_stop([&] { account.send(Add{1}); }), "account");
  other.send(Add{1});
  EXPECT_EQ(other.ask(Total{}).join(), 1);
  other.stop();
  s.join();
}

struct Parent {
  Parent(chan<unit> ended, OnFailure of_child)
      : child({.on_failure = of_child}), ended_(std::move(ended)) {
    go([ended = ended_] {
      struct Tell {
        chan<unit> ended;
        ~Tell() { ended.try_send({}); }
      } tell{ended};
      chan<int>(0).receive();
    });
  }
  actor<Account> operator()(Total) { return child; }
  void operator()(Fail) { throw std::out_of_range("parent"); }

  actor<Account> child;
  chan<unit> ended_;
};

GO_CASE(Actor, ChildrenEndWithTheirParent) {
  for (const bool at_once : {false, true}) {
    scope s;
    chan<unit> ended(1);
    actor parent(s, [&] { return Parent(ended, OnFailure::Escalate); });
    const auto child = parent.ask(Total{}).join();
    child.ask(Add{1}).join();
    if (at_once) parent.kill();
    else parent.stop();
    parent.join();
    EXPECT_TRUE(ended.try_receive());  // before the parent
    child.join();
    EXPECT_EQ(cause_of_stop([&] { child.send(Add{1}); }), "cancelled");
    s.join();
  }
}

GO_CASE(Actor, AChildThatEscalatesIsAFailureOfItsParent) {
  scope s;
  chan<unit> ended(4);
  actor parent(s, [&] { return Parent(ended, OnFailure::Escalate); },
               {.on_failure = OnFailure::Restart});
  const auto child = parent.ask(Total{}).join();
  EXPECT_THROW(child.ask(Fail{}).join(), std::out_of_range);
  EXPECT_THROW(child.join(), std::out_of_range);
  ended.receive();  // the first life's goroutine
  const auto next = parent.ask(Total{}).join();
  next.send(Add{1});
  EXPECT_EQ(next.ask(Total{}).join(), 1);
  parent.stop();
  s.join();
}

GO_CASE(Actor, ARestartedParentHasNewChildren) {
  scope s;
  chan<unit> ended(4);
  actor parent(s, [&] { return Parent(ended, OnFailure::Stop); },
               {.on_failure = OnFailure::Restart});
  const auto child = parent.ask(Total{}).join();
  EXPECT_THROW(parent.ask(Fail{}).join(), std::out_of_range);
  const auto next = parent.ask(Total{}).join();
  EXPECT_EQ(cause_of_stop([&] { child.send(Add{1}); }), "parent");
  EXPECT_EQ(next.ask(Total{}).join(), 0);
  parent.stop();
  s.join();
}

GO_CASE(Actor, EndsWithItsScope) {
  scope s;
  actor<Account> account(s);
  account.ask(Add{1}).join();
  s.cancel(std::make_exception_ptr(std::out_of_range("scope")));
  account.join();
  EXPECT_EQ(cause_of_stop([&] { account.send(Add{1}); }), "scope");
  s.join();
}

GO_CASE(Actor, MayStopItself) {
  struct Once {
    actor<Once> self;
    void operator()(int) { self.stop(); }
  };
  scope s;
  actor<Once> once(s, [](const actor<Once>& self) { return Once{self}; });
  once.ask(1).join();
  once.join();
  s.join();
}

GO_CASE(Actor, NeedsNoStateThatMoves) {
  struct Fixed {
    Fixed() = default;
    Fixed(Fixed&&) = delete;
    std::unique_ptr<int> operator()(std::unique_ptr<int> v) { return ++*v, std::move(v); }
  };
  scope s;
  actor<Fixed> fixed(s);
  EXPECT_EQ(*fixed.ask(std::make_unique<int>(1)).join(), 2);
  fixed.stop();
  s.join();
}

TEST(Actor, OptionsAreChecked) {
  scope s;
  EXPECT_THROW(actor<Account>(s, {.mailbox = -1}), std::invalid_argument);
  EXPECT_THROW(actor<Account>(s, {.restarts = -1}), std::invalid_argument);
  EXPECT_THROW(actor<Account>(s, {.within = -1ns}), std::invalid_argument);
}

}  // namespace
}  // namespace gotorch::runtime
