#include "runtime/carrier.h"

#include <cxxabi.h>

#include <algorithm>
#include <boost/context/detail/exception.hpp>
#include <cstdlib>
#include <exception>
#include <new>

#include "runtime/park.h"
#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

constexpr size_t kTakenAtOnce = 64;
constexpr size_t kFreedAtOnce = 256;
constexpr int64_t kUnusedNs = 1'000'000'000;

}  // namespace

void run_to_end(Goroutine* g) {
  ScopeState* scope = g->scope.load(std::memory_order_relaxed);
  try {
    g->invoke(*g, true);
  } catch (const boost::context::detail::forced_unwind&) {
    throw;
  } catch (...) {
    scope->fail(std::current_exception());
  }
  const ThreadState& here = thread_state();
  // A forked child came back from the goroutine that forked: all else here belongs to the parent.
  if (!here.worker && !here.pinned) std::_Exit(0);
  g->fiber = nullptr;
  g->native.store(false, std::memory_order_relaxed);
  if (here.worker) {
    here.worker->goroutines().put(g);
    here.worker->count_end(*scope);
  } else {
    free_goroutine_shared(g);
    scope->finish(1);
  }
}

Carrier* make_carrier(FiberThread& thread, StackClass size) {
  const Stack stack = allocate_stack(size);
  auto* carrier = new (stack.top - sizeof(Carrier)) Carrier{.stack = stack};
  try {
    thread.make(carrier->fiber, stack.low, reinterpret_cast<char*>(carrier), carrier_main, carrier);
  } catch (...) {
    free_stack(stack);
    throw;
  }
  return carrier;
}

void CarrierStore::put_locked(Carrier* c) {
  idle_[c->stack.size].carriers.push_back(c);
  if (due_ns() == kForever) due_ns_.store(now_ns() + kUnusedNs, std::memory_order_relaxed);
}

void CarrierStore::put(Carrier* c) {
  lock_.lock();
  put_locked(c);
  lock_.unlock();
}

void CarrierStore::take_all(CarrierStore& other) {
  other.lock_.lock();
  auto theirs = std::exchange(other.idle_, {});
  other.due_ns_.store(kForever, std::memory_order_relaxed);
  other.lock_.unlock();
  lock_.lock();
  for (Idle& idle : theirs)
    std::for_each(idle.carriers.begin(), idle.carriers.end(),
                  [this](Carrier* c) { put_locked(c); });
  lock_.unlock();
}

void CarrierStore::put_oldest(std::vector<Carrier*>& from, size_t count) {
  const auto end = from.begin() + static_cast<std::ptrdiff_t>(std::min(count, from.size()));
  lock_.lock();
  std::for_each(from.begin(), end, [this](Carrier* c) { put_locked(c); });
  lock_.unlock();
  from.erase(from.begin(), end);
}

Carrier* CarrierStore::take(StackClass size, std::vector<Carrier*>& spare) {
  lock_.lock();
  Idle& idle = idle_[size];
  Carrier* taken = nullptr;
  for (size_t n = size == 0 ? kTakenAtOnce : 1; n > 0 && !idle.carriers.empty(); n--) {
    if (taken) spare.push_back(taken);
    taken = idle.carriers.back();
    idle.carriers.pop_back();
  }
  idle.least = std::min(idle.least, idle.carriers.size());
  lock_.unlock();
  return taken;
}

void CarrierStore::free_unused(int64_t now_ns) {
  std::vector<Carrier*> unused;
  unused.reserve(kFreedAtOnce);
  lock_.lock();
  if (now_ns >= due_ns()) {
    bool any = false;
    for (Idle& idle : idle_) {
      const size_t n = std::min(idle.least, kFreedAtOnce - unused.size());
      const size_t kept = idle.carriers.size() - n;
      for (size_t i = kept; i < kept + n; i++) unused.push_back(idle.carriers[i]);
      idle.carriers.resize(kept);
      idle.least -= n;
      any |= kept > 0;
    }
    // What is left of them comes next, whatever is left after that in a second.
    const bool more = unused.size() == kFreedAtOnce;
    for (Idle& idle : idle_) idle.least = more ? idle.least : idle.carriers.size();
    due_ns_.store(more ? now_ns : any ? now_ns + kUnusedNs : kForever, std::memory_order_relaxed);
  }
  lock_.unlock();
  for (Carrier* c : unused) {
    FiberThread::forget(c->fiber);
    free_stack(Stack(c->stack));
  }
}

// Its address never changes while the thread lives.
ExceptionState* thread_exception_record() {
  return reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals());
}

void carrier_main(void* argument) {
  Carrier& carrier = *static_cast<Carrier*>(argument);
  this_worker()->enter_carrier(carrier);
  for (;;) {
    for (Goroutine* g = std::exchange(carrier.next_task, nullptr); g;) {
      g->fiber = &carrier.fiber;
      this_worker()->set_current(g);
      thread_state().local = {};
      run_to_end(g);
      Worker* worker = this_worker();
      worker->set_current(nullptr);
      g = worker->next_task_here(carrier);
    }
    Worker::switch_out({.idle = &carrier});
  }
}

}  // namespace gotorch::runtime
