#include "runtime/scope.h"

#include <mutex>

#include "runtime/interrupt.h"
#include "runtime/scheduler.h"
#include "runtime/trace.h"
#include "runtime/worker.h"

namespace gotorch::runtime {

namespace {

// Never destroyed: goroutines may outlive static destructors.
struct RootScopes {
  ScopeState system{context()}, background{context()};
};
std::atomic<RootScopes*>& roots() {
  static std::atomic<RootScopes*> scopes{new RootScopes};
  return scopes;
}

}  // namespace

ScopeState& system_scope() { return roots().load(std::memory_order_acquire)->system; }
ScopeState& background() { return roots().load(std::memory_order_acquire)->background; }

// The parent's goroutines will never end in the child.
void forget_scopes_after_fork() { roots().store(new RootScopes, std::memory_order_release); }

ScopeState& current_scope() {
  Worker* worker = this_worker();
  Goroutine* g = worker ? worker->current() : nullptr;
  return g && g->scope != &system_scope() ? *g->scope : background();
}

void start(Goroutine* g) {
  trace::event(trace::Kind::Spawn, g);
  if (Worker* worker = this_worker()) return worker->spawn(g);
  native_counts().spawned.fetch_add(1, std::memory_order_relaxed);
  scheduler().inject(g);
}

void drop_goroutine(Goroutine* g) {
  ScopeState* scope = g->scope;
  g->invoke(*g, false);
  g->context.store(nullptr, std::memory_order_relaxed);
  free_goroutine(g);
  scope->finish_one();
}

void ScopeState::enter(Goroutine& g) {
  g.scope = this;
  g.context.store(context_.state().get(), std::memory_order_relaxed);
  pending_.fetch_add(1, std::memory_order_relaxed);  // by who is itself pending, or joins later
}

void ScopeState::fail(std::exception_ptr error) {
  if (context_.cancelled()) {
    // Goroutines that end because they were told to are no failures.
    try {
      std::rethrow_exception(error);
    } catch (const Cancelled&) {
      return;
    } catch (...) {
    }
  }
  error_lock_.lock();
  const bool first = !error_;
  if (first) error_ = error;
  error_lock_.unlock();
  if (first) context_.cancel(error);
}

void ScopeState::finish_one() {
  // release: what the goroutine did is seen by the joiner. acquire: joiner_ is seen.
  if (pending_.fetch_sub(1, std::memory_order_acq_rel) != kParked + 1) return;
  Goroutine* joiner = joiner_;
  left_.store(true, std::memory_order_release);  // from here on the scope may be gone
  if (claim(*joiner)) ready(joiner);
}

// False if interrupted.
bool ScopeState::wait(bool interruptible) {
  struct Mark {
    ScopeState& scope;
    bool set;
    static bool add(void* p) {
      auto& mark = *static_cast<Mark*>(p);
      auto& pending = mark.scope.pending_;
      mark.set = true;  // before the mark itself, after which our stack may be in use again
      // release: joiner_ is seen by who finds the mark.
      if (pending.fetch_add(kParked, std::memory_order_acq_rel) != 0) return true;
      pending.fetch_sub(kParked, std::memory_order_relaxed);
      mark.set = false;
      return false;
    }
  };
  while (pending_.load(std::memory_order_acquire) != 0) {
    Goroutine& me = self();
    joiner_ = &me;
    left_.store(false, std::memory_order_relaxed);
    Mark mark{*this, false};
    const WakeReason reason = park(me, {.what = "join",
                                        .object = this,
                                        .unlock = Mark::add,
                                        .argument = &mark,
                                        .cancellable = false,
                                        .interruptible = interruptible});
    if (!mark.set) continue;
    const int64_t before = pending_.fetch_sub(kParked, std::memory_order_acq_rel);
    if (reason != WakeReason::Interrupted) continue;
    if (before != kParked) return false;
    // The last goroutine ended at this moment; it reads joiner_ yet.
    while (!left_.load(std::memory_order_acquire)) cpu_relax();
    return false;
  }
  return true;
}

void ScopeState::join() {
  std::exception_ptr interrupted;  // or a deadlock
  if (!wait(true)) {
    try {
      throw_if_stopped(WakeReason::Interrupted);
    } catch (...) {
      interrupted = std::current_exception();
    }
    context_.cancel(interrupted);
    wait(false);  // they may use what belongs to our caller
  }
  error_lock_.lock();
  const std::exception_ptr error = std::exchange(error_, nullptr);
  error_lock_.unlock();
  if (interrupted) std::rethrow_exception(interrupted);
  if (error) std::rethrow_exception(error);
  const std::exception_ptr cause = context_.cause();
  if (!cause) return;
  try {
    std::rethrow_exception(cause);
  } catch (const DeadlineExceeded&) {
    throw;
  } catch (...) {
  }
}

scope::~scope() {
  if (joined_) return;
  cancel();
  try {
    join();
  } catch (...) {
  }
}

}  // namespace gotorch::runtime
