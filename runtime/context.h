#pragma once
// Invariants
//  - `cancelled` is set once, after `cause`; who sees it set may read the cause.
//  - The links to children are under one lock. A child keeps its parent alive, so that what is
//    cancelled above reaches it; a child made under a cancelled parent is cancelled at once.
//  - Cancelling sets the flags of the whole subtree, then claims every goroutine that waits under
//    one of them. A goroutine looks at the flag after it has marked itself waiting, so one of the
//    two sees the other (fence.h).
//  - The context of a goroutine is that of its scope, or of the nearest scope around that which has one of its own. Who looks
//    for goroutines to claim walks along scopes of others: a scope does not end meanwhile (scope_walks).
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <vector>

#include "runtime/chan.h"
#include "runtime/timer_heap.h"

namespace gotorch::runtime {

// The cause of a context whose deadline has passed.
struct DeadlineExceeded : std::runtime_error {
  DeadlineExceeded() : std::runtime_error("deadline exceeded") {}
};

struct ContextState : std::enable_shared_from_this<ContextState> {
  std::atomic<bool> cancelled{false};
  std::exception_ptr cause;
  chan<unit> done;
  std::shared_ptr<ContextState> parent;
  std::vector<std::weak_ptr<ContextState>> children;
  size_t purge_at = 16;  // children are looked through for dead ones when there are so many
  int64_t deadline_ns = kForever;
  struct Alarm : Timer {
    Goroutine* canceller = nullptr;  // what it starts when it fires
  } alarm;
  ~ContextState();
};

// A null context is never cancelled.
inline bool context_cancelled(const ContextState* c) {
  return c && c->cancelled.load(std::memory_order_acquire);  // acquire: the cause
}

// Tells a group of goroutines to stop. A handle, copied freely; thread-safe. Goroutines of a scope
// run under its context: cancelling it ends their waits with Cancelled.
class context {
 public:
  context() = default;  // the background: never cancelled

  context child() const { return make(kForever); }
  context with_timeout(std::chrono::nanoseconds timeout) const;

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
  chan<unit> done() const { return state_ ? state_->done : chan<unit>(); }
  int64_t deadline_ns() const { return state_ ? state_->deadline_ns : kForever; }

  explicit context(std::shared_ptr<ContextState> state) : state_(std::move(state)) {}
  const std::shared_ptr<ContextState>& state() const { return state_; }

 private:
  context make(int64_t deadline_ns) const;
  std::shared_ptr<ContextState> state_;
};

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
