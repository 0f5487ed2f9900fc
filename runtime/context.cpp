#include "runtime/context.h"

#include <algorithm>
#include <mutex>

#include "runtime/fence.h"
#include "runtime/fork.h"
#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

using StateRef = std::shared_ptr<ContextState>;

// Few locks for all contexts, so that fork() can take them all.
constexpr size_t kLocks = 64;
struct alignas(64) TreeLock {
  SpinLock lock;
};
TreeLock tree_locks[kLocks];

SpinLock& lock_of(const ContextState* c) {
  return tree_locks[(reinterpret_cast<uintptr_t>(c) >> 6) % kLocks].lock;
}

// With the parent's lock.
void unlink(ContextState& c) {
  (c.prev ? c.prev->next : c.parent->children) = c.next;
  if (c.next) c.next->prev = c.prev;
  c.linked = false;
}

void leave_parent(ContextState& c) {
  if (!c.parent) return;
  const std::lock_guard guard(lock_of(c.parent.get()));
  if (c.linked) unlink(c);
}

// False: it is cancelled.
bool enter_parent(ContextState& c) {
  ContextState& above = *c.parent;
  const std::lock_guard guard(lock_of(&above));
  if (above.cancelled.load(std::memory_order_relaxed)) return false;
  c.next = above.children;
  if (c.next) c.next->prev = &c;
  above.children = &c;
  c.linked = true;
  return true;
}

// Sets the flag. False: it was set.
bool mark(ContextState& c, const std::exception_ptr& cause) {
  const std::lock_guard guard(lock_of(&c));
  if (c.cancelled.load(std::memory_order_relaxed)) return false;
  c.cause = cause;
  c.cancelled.store(true, std::memory_order_release);  // release: the cause comes first
  return true;
}

// Moves the children of a cancelled context, which gets no more of them, to the list.
void take_children(ContextState& c, std::vector<StateRef>& list) {
  constexpr int kAtOnce = 64;  // others may be waiting for the lock
  for (bool more = true; more;) {
    list.reserve(list.size() + kAtOnce);
    const std::lock_guard guard(lock_of(&c));
    for (int i = 0; i < kAtOnce && c.children; i++) {
      ContextState& child = *c.children;
      unlink(child);
      if (StateRef alive = child.weak_from_this().lock()) list.push_back(std::move(alive));
    }
    more = c.children;
  }
}

// Sets the flags of the subtree, and returns all whose flag that has set.
std::vector<StateRef> mark_subtree(const StateRef& root, const std::exception_ptr& cause) {
  std::vector<StateRef> marked, next{root};
  while (!next.empty()) {
    const StateRef c = std::move(next.back());
    next.pop_back();
    if (!mark(*c, cause)) continue;
    marked.push_back(c);
    take_children(*c, next);
  }
  return marked;
}

std::mutex& walk_lock() {
  static auto* lock = new std::mutex;
  return *lock;
}

void wake_goroutines_of(const std::vector<StateRef>& marked) {
  std::vector<const ContextState*> set;
  for (const StateRef& c : marked) {
    if (c->process == process_number()) set.push_back(c.get());
  }
  if (set.empty()) return;
  std::sort(set.begin(), set.end());
  std::lock_guard guard(walk_lock());
  scope_walks.store(1, std::memory_order_relaxed);
  heavy_fence();  // see Invariants; the other sides are in commit_park and ~ScopeState
  for_each_goroutine([&](Goroutine& g) {
    uint64_t word = g.wait.load(std::memory_order_acquire);
    if ((word & Goroutine::kStateMask) != Goroutine::kWaiting) return;
    const ScopeState* scope = g.scope.load(std::memory_order_relaxed);
    if (!g.cancellable.load(std::memory_order_relaxed) || !scope ||
        !std::binary_search(set.begin(), set.end(), scope->governing())) {
      return;
    }
    // If the word is unchanged it is the same wait, so it was its context that we have read.
    if (g.wait.compare_exchange_strong(word, Goroutine::claimed(word, WakeReason::Cancelled),
                                       std::memory_order_acq_rel)) {
      ready(&g);
    }
  });
  scope_walks.store(0, std::memory_order_relaxed);
}

void close_done(ContextState& c) {
  chan<unit> done;
  {
    const std::lock_guard guard(lock_of(&c));
    if (!c.done || std::exchange(c.done_closed, true)) return;
    done = c.done;
  }
  done.close();
}

void start_callback(const std::shared_ptr<ContextCallback>& callback) {
  start(make_runner([action = std::move(callback->action)] { action->run(); }));
}

void run_callbacks(ContextState& c) {
  std::vector<std::shared_ptr<ContextCallback>> callbacks;
  {
    const std::lock_guard guard(lock_of(&c));
    callbacks.swap(c.callbacks);
    for (auto& callback : callbacks) callback->pending = false;
  }
  for (auto& callback : callbacks) start_callback(callback);
}

Goroutine* sound_alarm(Timer& timer) {
  return std::exchange(static_cast<ContextAlarm&>(timer).canceller, nullptr);
}

}  // namespace

ContextState::ContextState() : process(process_number()) {}

ContextState::~ContextState() {
  if (alarm) {
    backlog().timers.remove(*alarm);
    if (alarm->canceller) drop_goroutine(alarm->canceller);
  }
  leave_parent(*this);
  // A long chain of parents must not be destroyed by recursion.
  for (StateRef p = std::move(parent); p && p.use_count() == 1;) {
    leave_parent(*p);                // nobody finds it any more
    if (p.use_count() != 1) return;  // somebody has, who cancels it
    StateRef above = std::move(p->parent);
    p = std::move(above);
  }
}

context context::make(int64_t deadline_ns) const {
  auto c = std::make_shared<ContextState>();
  c->deadline_ns = std::min(deadline_ns, this->deadline_ns());
  c->parent = state_;
  context made(c);
  if (state_ && !enter_parent(*c)) made.cancel(state_->cause);
  return made;
}

context context::with(std::unique_ptr<ContextValue> value) const {
  context made = make(kForever);
  made.state_->value = std::move(value);
  return made;
}

context context::without_cancel() const {
  auto c = std::make_shared<ContextState>();
  c->parent = state_;  // for its values; it does not know us
  return context(c);
}

context context::with_timeout(std::chrono::nanoseconds timeout, std::exception_ptr cause) const {
  return with_deadline_ns(deadline_after(timeout), std::move(cause));
}

context context::with_deadline(runtime_clock::time_point time, std::exception_ptr cause) const {
  return with_deadline_ns(time.time_since_epoch().count(), std::move(cause));
}

context context::with_deadline_ns(int64_t when_ns, std::exception_ptr cause) const {
  context made = make(when_ns);
  ContextState& c = *made.state_;
  if (c.deadline_ns != when_ns || c.cancelled || when_ns == kForever)
    return made;  // the parent's comes first
  if (!cause) cause = std::make_exception_ptr(DeadlineExceeded());
  if (when_ns <= now_ns()) {
    made.cancel(cause);
    return made;
  }
  c.alarm = std::make_unique<ContextAlarm>();
  c.alarm->canceller = system_scope().make_goroutine([weak = std::weak_ptr(made.state_), cause] {
    if (auto state = weak.lock()) context(state).cancel(cause);
  });
  c.alarm->when_ns = when_ns;
  c.alarm->fire = sound_alarm;
  this_scheduler().add_timer(*c.alarm);
  return made;
}

const ContextValue* context::find(const void* key) const {
  for (const ContextState* c = state_.get(); c; c = c->parent.get()) {
    if (c->value && c->value->key == key) return c->value.get();
  }
  return nullptr;
}

void context::cancel(std::exception_ptr cause) const {
  if (!state_ || cancelled()) return;
  if (!cause) cause = std::make_exception_ptr(Cancelled());
  const std::vector<StateRef> marked = mark_subtree(state_, cause);
  wake_goroutines_of(marked);
  for (const StateRef& c : marked) {
    close_done(*c);
    run_callbacks(*c);
  }
}

void context::check() const {
  if (cancelled()) std::rethrow_exception(cause());
}

std::exception_ptr context::cause() const {
  return context_cancelled(state_.get()) ? state_->cause : nullptr;
}

chan<unit> context::done() const {
  if (!state_) return {};
  ContextState& c = *state_;
  {
    const std::lock_guard guard(lock_of(&c));
    if (!c.done) c.done = chan<unit>(0);
  }
  if (context_cancelled(&c)) close_done(c);
  return c.done;
}

std::optional<runtime_clock::time_point> context::deadline() const {
  if (deadline_ns() == kForever) return std::nullopt;
  return runtime_clock::time_point(std::chrono::nanoseconds(deadline_ns()));
}

std::shared_ptr<ContextCallback> context::add_callback(std::shared_ptr<Action> action) const {
  auto callback = std::make_shared<ContextCallback>();
  callback->action = std::move(action);
  if (!state_) return callback;  // that never happens
  {
    const std::lock_guard guard(lock_of(state_.get()));
    if (!state_->cancelled.load(std::memory_order_relaxed)) {
      callback->index = state_->callbacks.size();
      state_->callbacks.push_back(callback);
      return callback;
    }
  }
  callback->pending = false;
  start_callback(callback);
  return callback;
}

bool context::registration::stop() const {
  ContextState* const c = context_.state().get();
  std::shared_ptr<ContextCallback> dropped;  // after the lock
  const std::lock_guard guard(lock_of(c));
  if (!std::exchange(callback_->pending, false)) return false;
  if (!c) return true;
  auto& callbacks = c->callbacks;
  const size_t i = callback_->index;
  dropped = std::move(callbacks[i]);
  if (i + 1 < callbacks.size()) {
    callbacks[i] = std::move(callbacks.back());
    callbacks[i]->index = i;
  }
  callbacks.pop_back();
  return true;
}

void wake_cancelled(const context& c) { wake_goroutines_of({c.state()}); }

void wait_for_scope_walks() { std::lock_guard guard(walk_lock()); }

void lock_contexts_for_fork() {
  walk_lock().lock();
  for (TreeLock& l : tree_locks) l.lock.lock();
}
void unlock_contexts_after_fork() {
  for (TreeLock& l : tree_locks) l.lock.unlock();
  walk_lock().unlock();
}

context this_context() {
  const Goroutine* g = current_goroutine();
  ScopeState* scope = g ? g->scope.load(std::memory_order_relaxed) : nullptr;
  return scope ? scope->ctx() : context();
}

}  // namespace gotorch::runtime
