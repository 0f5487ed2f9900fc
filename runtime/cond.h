#pragma once
#include "runtime/edges.h"
#include "runtime/interrupt.h"
#include "runtime/sync_queue.h"

namespace gotorch::runtime {

// Go's Cond: goroutines and native threads wait for something to change. Those who wait longest are woken first. Any lock
// with lock() and unlock() that does not wait in unlock() will do. Thread-safe.
//
//   std::unique_lock lock(m);
//   changed.wait(lock, [&] { return !queue.empty(); });
//
// A cancelled context ends a wait with Cancelled, with the lock held again; a signal goes to another one then.
class cond {
 public:
  cond() = default;
  cond(const cond&) = delete;

  // Unlocks, waits for a signal, locks. Nobody can come between the first two: a signal sent after the unlock is received.
  template <class Lock>
  void wait(Lock& lock) {
    at_edge(Edge::Operation);
    SyncWaiter waiter{.g = &self()};
    lock_.lock();
    waiters_.push_back(waiter);
    try {
      lock.unlock();
    } catch (...) {  // it was not locked
      waiters_.remove(waiter);
      lock_.unlock();
      throw;
    }
    const WakeReason reason = park_unlocking(lock_, waiter, "cond", this, true);
    if (reason != WakeReason::Signal) leave(waiter);
    bool interrupted = false;
    for (bool locked = false; !locked;) {
      try {
        lock.lock();
        locked = true;
      } catch (const Interrupted&) {  // our caller relies on the lock
        interrupted = true;
      }
    }
    if (interrupted && reason == WakeReason::Signal) signal();
    if (interrupted) throw Interrupted();
    throw_if_stopped(reason);
  }
  template <class Lock, class Predicate>
  void wait(Lock& lock, Predicate true_now) {
    while (!true_now()) wait(lock);
  }

  void signal();  // wakes one that waits, if there is one
  void broadcast();

 private:
  void leave(SyncWaiter& waiter);

  SpinLock lock_;
  SyncQueue waiters_;
};

}  // namespace gotorch::runtime
