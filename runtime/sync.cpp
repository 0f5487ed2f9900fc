// The parts of cond.h and once.h that need not be in a header.
#include "runtime/sync.h"

#include <mutex>

#include "runtime/worker.h"

namespace gotorch::runtime {

void cond::leave(SyncWaiter& waiter) {
  const std::lock_guard guard(lock_);
  waiters_.remove(waiter);
}

void cond::signal() {
  lock_.lock();
  SyncWaiter* const w = waiters_.pop_claimed();
  lock_.unlock();
  if (w) ready(w->g);
}

void cond::broadcast() {
  WokenList woken;
  lock_.lock();
  while (SyncWaiter* w = waiters_.pop_claimed()) woken.add(w->g);
  lock_.unlock();
  woken.make_ready();
}

const void* who_runs() {
  ThreadState& here = thread_state();
  Goroutine* g = here.worker ? here.worker->current() : nullptr;
  return g ? static_cast<const void*>(g) : &here;
}

}  // namespace gotorch::runtime
