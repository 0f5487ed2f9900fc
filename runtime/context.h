#pragma once
// Invariants
//  - `cancelled` is set once, after `cause`; who sees it set may read the cause.
//  - A context is in its parent's list of children until it is cancelled or gone, under the parent's lock. It keeps its parent
//    alive, so that what is cancelled above reaches it; a child made under a cancelled parent is cancelled at once.
//  - Cancelling sets the flags of the whole subtree, then claims every goroutine that waits under
//    one of them. A goroutine looks at the flag after it has marked itself waiting, so one of the
//    two sees the other (fence.h).
//  - The context of a goroutine is that of its scope, or of the nearest scope around that which has one of its own. Who looks
//    for goroutines to claim walks along scopes of others: a scope does not end meanwhile (scope_walks).
//  - Nothing here recurses: trees may be deep.
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/callable.h"
#include "runtime/chan.h"
#include "runtime/clock.h"
#include "runtime/timer_heap.h"

namespace gotorch::runtime {

// The cause of a context whose deadline has passed.
struct DeadlineExceeded : std::runtime_error {
  DeadlineExceeded() : std::runtime_error("deadline exceeded") {}
};

struct ContextState;

// What after_func() registered.
struct ContextCallback {
  std::shared_ptr<Action> action;
  size_t index = 0;  // among those of its context
  bool pending = true;
};

struct ContextValue {
  explicit ContextValue(const void* key) : key(key) {}
  virtual ~ContextValue() = default;
  const void* const key;
};

struct ContextAlarm : Timer {
  Goroutine* canceller = nullptr;  // what it starts when it fires
};

struct ContextState : std::enable_shared_from_this<ContextState> {
  ContextState();
  ~ContextState();
  ContextState(const ContextState&) = delete;

  std::atomic<bool> cancelled{false};
  std::exception_ptr cause;
  int64_t deadline_ns = kForever;
  std::shared_ptr<ContextState> parent;
  std::unique_ptr<ContextValue> value;
  std::unique_ptr<ContextAlarm> alarm;
  const int process;  // a forked child does not wake its parent's goroutines

  // Under the parent's lock.
  ContextState *next = nullptr, *prev = nullptr;
  bool linked = false;

  // Under its own.
  ContextState* children = nullptr;
  chan<unit> done;  // nil until somebody asks for it
  bool done_closed = false;
  std::vector<std::shared_ptr<ContextCallback>> callbacks;
};

// A null context is never cancelled.
inline bool context_cancelled(const ContextState* c) {
  return c && c->cancelled.load(std::memory_order_acquire);  // acquire: the cause
}

// A type that is a key for values of type T:
//   struct user : context_key<std::string> {};
template <class T>
struct context_key {
  using type = T;
};
template <class Key>
inline char context_key_address = 0;

// Tells a group of goroutines to stop, and carries what belongs to their work. A handle, copied freely; thread-safe.
// Goroutines of a scope run under its context: cancelling it ends their waits with Cancelled.
//
//   context c = this_context().with_timeout(1s).with_value<user>("ann");
//   scope s(c);
//   s.go([] { reply(*this_context().value<user>()); });
class context {
 public:
  context() = default;  // the background: never cancelled

  context child() const { return make(kForever); }
  // Cancelled when that much time has passed, or then, with DeadlineExceeded or what is given; at once if that is past.
  context with_timeout(std::chrono::nanoseconds timeout, std::exception_ptr cause = nullptr) const;
  context with_deadline(runtime_clock::time_point time, std::exception_ptr cause = nullptr) const;
  // Has the same values, and is not cancelled with this one.
  context without_cancel() const;

  template <class Key>
  context with_value(typename Key::type value) const {
    return with(std::make_unique<Holder<Key>>(std::move(value)));
  }
  // Null if neither this context nor one above has such a value. It lives as long as this context.
  template <class Key>
  const typename Key::type* value() const {
    const ContextValue* found = find(&context_key_address<Key>);
    return found ? &static_cast<const Holder<Key>*>(found)->value : nullptr;
  }

  // Cancels this context and those below it. Only the first cause counts; none: Cancelled. Does
  // nothing to the background.
  void cancel(std::exception_ptr cause = nullptr) const;

  bool cancelled() const {
    // relaxed: loops may ask often; the answer may be a moment old.
    return state_ && state_->cancelled.load(std::memory_order_relaxed);
  }
  // Throws the cause if cancelled.
  void check() const;
  std::exception_ptr cause() const;
  // Closed when cancelled; nil for the background. For select.
  chan<unit> done() const;
  int64_t deadline_ns() const { return state_ ? state_->deadline_ns : kForever; }
  std::optional<runtime_clock::time_point> deadline() const;

  class registration;
  // Runs f() in a goroutine of its own once this context is cancelled; at once if it is. An exception that leaves f fails
  // background(). std::invalid_argument if f is null. The context owns f, so f should not own the context.
  template <class F>
  registration after_func(F f) const;

  explicit context(std::shared_ptr<ContextState> state) : state_(std::move(state)) {}
  const std::shared_ptr<ContextState>& state() const { return state_; }

 private:
  template <class Key>
  struct Holder : ContextValue {
    explicit Holder(typename Key::type&& v)
        : ContextValue(&context_key_address<Key>), value(std::move(v)) {}
    const typename Key::type value;
  };

  context make(int64_t deadline_ns) const;
  context with(std::unique_ptr<ContextValue> value) const;
  context with_deadline_ns(int64_t when_ns, std::exception_ptr cause) const;
  const ContextValue* find(const void* key) const;
  std::shared_ptr<ContextCallback> add_callback(std::shared_ptr<Action> action) const;
  std::shared_ptr<ContextState> state_;
};

// Takes back what after_func() asked for.
class context::registration {
 public:
  // True if that kept f from running: false if f was started, or stopped before. Does not wait for f.
  bool stop() const;

 private:
  friend class context;
  registration(context c, std::shared_ptr<ContextCallback> callback)
      : context_(std::move(c)), callback_(std::move(callback)) {}
  context context_;
  std::shared_ptr<ContextCallback> callback_;
};

template <class F>
context::registration context::after_func(F f) const {
  return registration(*this, add_callback(make_action(std::move(f), "context: after_func")));
}

// Is not 0 while somebody walks along scopes. A scope looks at it when its goroutines have ended, before it is destroyed.
inline std::atomic<int> scope_walks{0};
void wait_for_scope_walks();
// Ends the waits of goroutines that are under this one, which is cancelled.
void wake_cancelled(const context& c);

// No context is being changed while this is held.
void lock_contexts_for_fork();
void unlock_contexts_after_fork();

// The context of the goroutine that runs here.
context this_context();

}  // namespace gotorch::runtime
