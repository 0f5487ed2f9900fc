#pragma once
// Actors: a state that only one goroutine touches, which handles messages one at a time.
//
//   struct Add { int amount; };
//   struct Total {};
//   struct Account {
//     int total = 0;
//     void operator()(Add m) { total += m.amount; }
//     int operator()(Total) { return total; }
//   };
//
//   scope s;
//   actor<Account> account(s);
//   account.send(Add{5});
//   int total = account.ask(Total{}).join();
//   account.stop();
//   s.join();
//
// Invariants
//  - A message is accepted when send() or ask() returns. It is then handled once, in the order of acceptance, also after a restart, unless
//    the actor ends before; who has asked is then told so (ActorStopped, with what ended it).
//  - The message whose handler fails is not handled again; who has asked gets the error.
//  - Each life of the state, from its making to its failure or the end, is a scope: what the handlers start with go(), and the
//    actors they make, end before the state is destroyed.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "runtime/chan.h"
#include "runtime/handle.h"
#include "runtime/scope.h"

namespace gotorch::runtime {

// What an actor's failure leads to.
enum class OnFailure {
  Escalate,  // the actor ends, and its scope fails with the error: for a child, its parent has failed
  Restart,  // a fresh state goes on with the mailbox; too often: Escalate
  Stop,     // the actor ends alone
};

struct ActorOptions {
  int64_t mailbox = 64;  // messages that may wait; who sends more waits
  OnFailure on_failure = OnFailure::Escalate;
  int restarts = 3;                                           // at most so many
  std::chrono::nanoseconds within = std::chrono::seconds(5);  // in so much time
};

// To who sends to an actor that has ended, or asked it and got no reply. `cause`: the error that ended it, if one did.
struct ActorStopped : std::runtime_error {
  explicit ActorStopped(std::exception_ptr cause);
  std::exception_ptr cause;
};

template <class A>
class Letter {
 public:
  virtual ~Letter() = default;
  virtual void deliver(A& state) = 0;
  virtual void refuse(const std::exception_ptr&) {}
};

template <class A, class M>
class Order final : public Letter<A> {
 public:
  explicit Order(M m) : message_(std::move(m)) {}
  void deliver(A& state) override { state(std::move(message_)); }

 private:
  M message_;
};

template <class A, class M, class R>
class Question final : public Letter<A> {
 public:
  Question(M m, chan<R> reply) : message_(std::move(m)), reply_(std::move(reply)) {}
  ~Question() override {
    if (reply_) refuse(std::make_exception_ptr(ActorStopped(nullptr)));
  }
  void deliver(A& state) override {
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<A&, M>>) {
        state(std::move(message_));
        reply_.send({});
      } else {
        reply_.send(state(std::move(message_)));  // there is room
      }
    } catch (...) {
      refuse(std::current_exception());
      throw;
    }
    std::exchange(reply_, {}).close();
  }
  void refuse(const std::exception_ptr& error) override { std::exchange(reply_, {}).close(error); }

 private:
  M message_;
  chan<R> reply_;
};

// What does not depend on the messages.
class ActorLife {
 public:
  ActorLife(const ActorOptions& options, context own);
  virtual ~ActorLife() = default;
  void run();
  void stop();
  void kill();
  // What senders and askers are told.
  std::exception_ptr stopped() const;
  const chan<unit>& ended() const { return ended_; }

 protected:
  virtual void make_state() = 0;
  virtual void destroy_state() = 0;
  virtual bool handle_all(
      const context&
          life) = 0;  // until the mailbox is closed and empty; false: or `life` is cancelled
  virtual void close_mailbox() = 0;
  virtual void refuse_all(const std::exception_ptr& error) = 0;

 private:
  bool live();
  bool may_restart();
  void end(const std::exception_ptr& cause, const std::exception_ptr& error);

  const ActorOptions options_;
  const context own_;
  const chan<unit> ended_{0};
  std::deque<int64_t> restarts_ns_;
  std::exception_ptr cause_;
  std::atomic<bool> cause_known_{false};
};

// A handle, copied freely; thread-safe. Any M that `A` can be called with is a message.
template <class A>
class actor {
 public:
  using Make = std::function<A(const actor&)>;

  // In a scope, whose goroutines are cancelled if it escalates. make(actor), or make(), gives the state: the first and, after a
  // failure, the next one. std::invalid_argument for options that cannot be.
  template <class B = A>
    requires std::is_default_constructible_v<B>
  explicit actor(scope& s, ActorOptions options = {}) : actor(s, [] { return A(); }, options) {}
  template <class F>
    requires std::is_invocable_r_v<A, F&> || std::is_invocable_r_v<A, F&, const actor&>
  actor(scope& s, F make, ActorOptions options = {})
      : core_(std::make_shared<Core>(std::move(make), options, s.ctx().child())) {
    s.go([core = core_] { core->run(); });
  }
  // In the scope that runs here: in a handler, as a child, which ends with this life of its parent. actor<A>({}) has the usual options.
  template <class B = A>
    requires std::is_default_constructible_v<B>
  explicit actor(ActorOptions options) : actor([] { return A(); }, options) {}
  template <class F>
    requires std::is_invocable_r_v<A, F&> || std::is_invocable_r_v<A, F&, const actor&>
  explicit actor(F make, ActorOptions options = {})
      : core_(std::make_shared<Core>(std::move(make), options, this_context().child())) {
    go([core = core_] { core->run(); });
  }

  // Waits while the mailbox is full. ActorStopped if the actor accepts no more.
  template <class M>
  void send(M message) const {
    post(std::make_unique<Order<A, M>>(std::move(message)));
  }
  // The reply is had from the handle; `unit` if the handler returns nothing. Its join() rethrows what the handler threw.
  template <class M>
  auto ask(M message) const {
    using Result = std::decay_t<std::invoke_result_t<A&, M>>;
    using R = std::conditional_t<std::is_void_v<Result>, unit, Result>;
    handle<R> reply;
    post(std::make_unique<Question<A, M, R>>(std::move(message), reply.result()));
    return reply;
  }
  // False, and the message is gone, if it would have to wait.
  template <class M>
  bool try_send(M message) const {
    return refused_if_closed([&] {
      return core_->mailbox.try_send(Envelope(std::make_unique<Order<A, M>>(std::move(message))));
    });
  }

  // No more messages are accepted; ends when those in the mailbox are handled. Does not wait.
  void stop() const { core_->stop(); }
  // Cancels what runs, drops what is in the mailbox. Does not wait.
  void kill() const { core_->kill(); }
  // Waits until it has ended; rethrows the error that ended it.
  void join() const { core_->ended().receive(); }
  // Closed when it has ended. For select.
  const chan<unit>& ended() const { return core_->ended(); }

 private:
  using Envelope = std::unique_ptr<Letter<A>>;

  struct Core final : ActorLife, std::enable_shared_from_this<Core> {
    template <class F>
    Core(F f, const ActorOptions& options, context own)
        : ActorLife(options, std::move(own)), mailbox(options.mailbox) {
      if constexpr (std::is_invocable_v<F&, const actor&>) make = std::move(f);
      else make = [f = std::move(f)](const actor&) mutable { return f(); };
    }
    void make_state() override { state.emplace(Made{*this}); }
    void destroy_state() override { state.reset(); }
    bool handle_all(const context& life) override {
      for (;;) {
        if (!taken) taken = mailbox.receive();
        if (!taken) return true;
        if (life.cancelled()) return false;  // it is for the next life
        const Envelope letter = *std::exchange(taken, std::nullopt);
        letter->deliver(*state);
      }
    }
    void close_mailbox() override {
      try {
        mailbox.close();
      } catch (const ChanError&) {  // it is closed
      }
    }
    void refuse_all(const std::exception_ptr& error) override {
      if (!taken) taken = mailbox.try_receive();
      for (; taken; taken = mailbox.try_receive()) (*taken)->refuse(error);
    }

    chan<Envelope> mailbox;
    Make make;
    std::optional<A> state;
    std::optional<Envelope> taken;  // from the mailbox, not yet handled
  };
  // Lets a state that cannot be moved be made in its place.
  struct Made {
    Core& core;
    operator A() const { return core.make(actor(core.shared_from_this())); }
  };

  explicit actor(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  template <class F>
  bool refused_if_closed(F f) const {
    try {
      return f();
    } catch (const ChanError&) {
      std::rethrow_exception(core_->stopped());
    }
  }
  void post(Envelope letter) const {
    refused_if_closed([&] {
      core_->mailbox.send(std::move(letter));
      return true;
    });
  }

  std::shared_ptr<Core> core_;
};
template <class F>
actor(scope&, F, ActorOptions = {}) -> actor<std::invoke_result_t<F&>>;
template <class F>
actor(F, ActorOptions = {}) -> actor<std::invoke_result_t<F&>>;

}  // namespace gotorch::runtime
