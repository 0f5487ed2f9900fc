#include "runtime/context.h"

#include <algorithm>
#include <mutex>

#include "runtime/fence.h"
#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

std::mutex& tree_lock() {
  static auto* lock = new std::mutex;
  return *lock;
}

std::mutex& walk_lock() {
  static auto* lock = new std::mutex;
  return *lock;
}

// Sets the flags of the subtree. Iterative: trees may be deep.
std::vector<std::shared_ptr<ContextState>> mark_subtree(std::shared_ptr<ContextState> root,
                                                        const std::exception_ptr& cause) {
  std::vector<std::shared_ptr<ContextState>> marked;
  std::lock_guard guard(tree_lock());
  if (root->cancelled.load(std::memory_order_relaxed)) return marked;
  marked.push_back(std::move(root));
  for (size_t i = 0; i < marked.size(); i++) {
    marked[i]->cause = cause;
    // release: the cause comes first.
    marked[i]->cancelled.store(true, std::memory_order_release);
    for (const auto& child : std::exchange(marked[i]->children, {})) {
      auto alive = child.lock();
      if (alive && !alive->cancelled.load(std::memory_order_relaxed)) {
        marked.push_back(std::move(alive));
      }
    }
  }
  return marked;
}

void wake_goroutines_of(const std::vector<std::shared_ptr<ContextState>>& marked) {
  std::vector<const ContextState*> set;
  for (const auto& c : marked) set.push_back(c.get());
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

Goroutine* sound_alarm(Timer& timer) {
  return std::exchange(static_cast<ContextState::Alarm&>(timer).canceller, nullptr);
}

}  // namespace

ContextState::~ContextState() {
  if (alarm.fire) backlog().timers.remove(alarm);
  if (alarm.canceller) drop_goroutine(alarm.canceller);
  // Iterative: a long chain of parents must not be destroyed by recursion.
  for (auto p = std::move(parent); p && p.use_count() == 1;) {
    auto above = std::move(p->parent);
    p = std::move(above);
  }
}

context context::make(int64_t deadline_ns) const {
  auto c = std::make_shared<ContextState>();
  c->done = chan<unit>(0);
  c->deadline_ns = std::min(deadline_ns, this->deadline_ns());
  bool late = false;
  if (state_) {
    std::lock_guard guard(tree_lock());
    c->parent = state_;
    auto& children = state_->children;
    if (children.size() >= state_->purge_at) {
      std::erase_if(children, [](const auto& child) { return child.expired(); });
      state_->purge_at = 2 * children.size() + 16;
    }
    children.push_back(c);
    late = state_->cancelled.load(std::memory_order_relaxed);
  }
  context made(c);
  if (late) made.cancel(state_->cause);
  return made;
}

context context::with_timeout(std::chrono::nanoseconds timeout) const {
  const int64_t when = now_ns() + timeout.count();
  context made = make(when);
  ContextState& c = *made.state_;
  if (c.deadline_ns != when || c.cancelled) return made;  // the parent's comes first
  c.alarm.canceller = system_scope().make_goroutine([weak = std::weak_ptr(made.state_)] {
    if (auto state = weak.lock()) {
      context(state).cancel(std::make_exception_ptr(DeadlineExceeded()));
    }
  });
  c.alarm.when_ns = when;
  c.alarm.fire = sound_alarm;
  (this_worker() ? this_worker()->scheduler() : scheduler()).add_timer(c.alarm);
  return made;
}

void context::cancel(std::exception_ptr cause) const {
  if (!state_ || cancelled()) return;
  if (!cause) cause = std::make_exception_ptr(Cancelled());
  const auto marked = mark_subtree(state_, cause);
  wake_goroutines_of(marked);
  for (const auto& c : marked) c->done.close();
}

void context::check() const {
  if (cancelled()) std::rethrow_exception(cause());
}

std::exception_ptr context::cause() const {
  return context_cancelled(state_.get()) ? state_->cause : nullptr;
}

void wake_cancelled(const context& c) { wake_goroutines_of({c.state()}); }

void wait_for_scope_walks() { std::lock_guard guard(walk_lock()); }

void lock_contexts_for_fork() {
  walk_lock().lock();
  tree_lock().lock();
}
void unlock_contexts_after_fork() {
  tree_lock().unlock();
  walk_lock().unlock();
}

context this_context() {
  const Goroutine* g = current_goroutine();
  ScopeState* scope = g ? g->scope.load(std::memory_order_relaxed) : nullptr;
  return scope ? scope->ctx() : context();
}

}  // namespace gotorch::runtime
