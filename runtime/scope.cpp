#include "runtime/scope.h"

#include <cstdio>
#include <string>

#include "runtime/carrier.h"
#include "runtime/interrupt.h"
#include "runtime/native_thread.h"
#include "runtime/scheduler.h"
#include "runtime/simulate.h"
#include "runtime/stack.h"
#include "runtime/trace.h"
#include "runtime/worker.h"

namespace gotorch::runtime {

namespace {

std::atomic<DetachedErrorHandler> detached_error_handler{nullptr};

void print_detached(std::exception_ptr error, const std::source_location& site) {
  const std::string place = std::string(site.file_name()) + ":" + std::to_string(site.line());
  std::string what = "an exception that is no std::exception";
  try {
    std::rethrow_exception(std::move(error));
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) {
  }
  std::fprintf(stderr, "gotorch: the detached goroutine that was started at %s failed: %s\n",
               place.c_str(), what.c_str());
}

// Runs on the goroutine that failed.
void report_detached(std::exception_ptr error) {
  const std::source_location site = self().site.load(std::memory_order_relaxed);
  const DetachedErrorHandler handler = detached_error_handler.load(std::memory_order_acquire);
  if (!handler) return print_detached(std::move(error), site);
  try {
    handler(std::move(error), site);
  } catch (...) {
    print_detached(std::current_exception(), site);
  }
}

// Never destroyed: goroutines may outlive static destructors.
struct RootScopes {
  ScopeState system{ScopeState::Root{}}, background{ScopeState::Root{}},
      detached{ScopeState::Root{report_detached}};
};
std::atomic<RootScopes*>& roots() {
  static std::atomic<RootScopes*> scopes{new RootScopes};
  return scopes;
}

}  // namespace

ScopeState& system_scope() { return roots().load(std::memory_order_acquire)->system; }
ScopeState& detached() { return roots().load(std::memory_order_acquire)->detached; }
ScopeState& background() { return roots().load(std::memory_order_acquire)->background; }

bool is_root(const ScopeState* scope) {
  return !scope || scope == &system_scope() || scope == &detached() || scope == &background();
}

// The parent's goroutines will never end in the child.
void forget_scopes_after_fork() { roots().store(new RootScopes, std::memory_order_release); }

ScopeState& current_scope() {
  const Goroutine* g = current_goroutine();
  ScopeState* scope = g ? g->scope.load(std::memory_order_relaxed) : nullptr;
  return scope && scope != &system_scope() ? *scope : background();
}

void start(Goroutine* g) {
  trace::event(trace::Kind::Spawn, g);
  if (Worker* worker = this_worker()) return worker->spawn(g);
  native_counts().spawned.fetch_add(1, std::memory_order_relaxed);
  scheduler().inject(g);
}

void start(Goroutine* g, const GoOptions& options) {
  if (options.pinned && !this_simulation())
    return start_pinned(g);  // a simulation has one thread for all
  try {
    g->stack_size = stack_class(options.stack_kb);
  } catch (...) {
    drop_goroutine(g);
    throw;
  }
  start(g);
}

void set_detached_error_handler(DetachedErrorHandler handler) {
  detached_error_handler.store(handler, std::memory_order_release);
}

void drop_goroutine(Goroutine* g) {
  ScopeState* scope = g->scope.load(std::memory_order_relaxed);
  g->invoke(*g, false);
  free_goroutine(g);
  scope->finish(1);
}

ScopeState::ScopeState() {
  Worker* worker = this_worker();
  Goroutine* g = worker ? worker->current() : nullptr;
  const auto* here = reinterpret_cast<const char*>(this);
  if (g && carrier_of(*g->fiber).stack.low <= here && here < carrier_of(*g->fiber).stack.top) {
    enclosing_ = g->scope.load(std::memory_order_relaxed);
  } else {
    parent_ = this_context();
  }
}

void ScopeState::make_own() {
  ContextState* outer = enclosing_ ? enclosing_->governing() : parent_.state().get();
  const context made = (outer ? context(outer->shared_from_this()) : context()).child();
  error_lock_.lock();
  const bool first = !own_.load(std::memory_order_relaxed);
  if (first) {
    context_ = made;
    own_.store(made.state().get(), std::memory_order_release);
  }
  error_lock_.unlock();
  // Who cancelled the outer one before ours was known may have looked for our goroutines before they were under it.
  if (first && made.cancelled()) wake_cancelled(made);
}

void ScopeState::enter(Goroutine& g) {
  g.scope.store(this, std::memory_order_relaxed);
  pending_.fetch_add(1, std::memory_order_relaxed);  // by who is itself pending, or joins later
}

void ScopeState::fail(std::exception_ptr error) {
  if (on_error_) return on_error_(std::move(error));
  if (const ContextState* c = governing(); context_cancelled(c)) {
    // Goroutines that end because they were told to are no failures.
    if (error == c->cause) return;
    try {
      std::rethrow_exception(error);
    } catch (const Cancelled&) {
      return;
    } catch (...) {
    }
  }
  note(error);
  ctx().cancel(error);
}

void ScopeState::note(const std::exception_ptr& error) {
  error_lock_.lock();
  if (!error_) error_ = error;
  error_lock_.unlock();
}

void ScopeState::finish(int64_t ended) {
  // release: what the goroutines did is seen by the joiner. acquire: joiner_ is seen.
  if (pending_.fetch_sub(ended, std::memory_order_acq_rel) != kParked + ended) return;
  Goroutine* joiner = joiner_;
  left_.store(true, std::memory_order_release);  // from here on the scope may be gone
  if (claim(*joiner)) ready(joiner);
}

// Who joins has nothing to do until all have ended, so its stack may run those that nobody has taken yet.
void ScopeState::run_unstarted() {
  while (Worker* worker = this_worker()) {
    Goroutine* g = worker->newest_of(*this);
    if (!g) return worker->tell_ends();
    Worker::run_nested(*g);
  }
}

// False if interrupted.
bool ScopeState::wait(bool interruptible) {
  struct Mark {
    ScopeState& scope;
    bool set;
    static bool add(void* p) {
      auto& mark = *static_cast<Mark*>(p);
      auto& pending = mark.scope.pending_;
      // release: joiner_ is seen by who finds the mark.
      mark.set = pending.fetch_add(kParked, std::memory_order_acq_rel) != 0;
      if (!mark.set) pending.fetch_sub(kParked, std::memory_order_relaxed);
      return mark.set;
    }
  };
  if (pending_.load(std::memory_order_acquire) != 0) run_unstarted();
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
    ctx().cancel(interrupted);
    wait(false);  // they may use what belongs to our caller
  }
  error_lock_.lock();
  const std::exception_ptr error = std::exchange(error_, nullptr);
  error_lock_.unlock();
  if (interrupted) std::rethrow_exception(interrupted);
  if (error) std::rethrow_exception(error);
  const ContextState* context = governing();
  if (!context_cancelled(context)) return;
  try {
    std::rethrow_exception(context->cause);
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
