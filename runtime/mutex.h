#pragma once
#include <atomic>
#include <cstdint>
#include <stdexcept>

#include "runtime/edges.h"
#include "runtime/sync_queue.h"

namespace gotorch::runtime {

// A lock that parks who waits, for goroutines and native threads alike. A running goroutine may be
// faster than one that has just been woken, but after a millisecond the longest waiting one is given the lock.
// Works with std::lock_guard and std::unique_lock. lock() is not ended by a cancelled context.
//
// Invariants
//  - kWaited: the queue is not empty, or was so a moment ago. Set and cleared under lock_.
//  - kWoken: a waiter was taken out of the queue and is on its way to try again; meanwhile unlock() wakes no other. The
//    waiter clears it with the same exchange that tries for the lock: who holds that, then wakes somebody when it unlocks.
//  - After the exchange that clears kLocked, unlock() does not touch the mutex: it may be gone.
class mutex {
 public:
  mutex() = default;
  mutex(const mutex&) = delete;

  void lock() {
    at_edge(Edge::Operation);
    if (!try_lock()) lock_slowly();
  }
  bool try_lock() {
    uint32_t state = state_.load(std::memory_order_relaxed);
    // acquire: pairs with the release in unlock.
    return !(state & kLocked) &&
           state_.compare_exchange_strong(state, state | kLocked, std::memory_order_acquire);
  }
  // std::logic_error if it is not locked.
  void unlock() {
    uint32_t state = state_.load(std::memory_order_relaxed);
    // If nobody waits, or one of those is on its way already. release: what was done under the lock is seen by the next one.
    const bool simple = state & kLocked && (!(state & kWaited) || state & kWoken);
    if (!simple ||
        !state_.compare_exchange_strong(state, state & ~kLocked, std::memory_order_release))
      unlock_slowly();
  }

 private:
  static constexpr uint32_t kLocked = 1, kWaited = 2, kWoken = 4;
  void lock_slowly();
  bool spin();
  bool take_or_mark(bool woken);
  void unlock_slowly();

  std::atomic<uint32_t> state_{0};
  SpinLock lock_;  // guards the queue, kWaited and kWoken
  SyncQueue waiters_;
};

}  // namespace gotorch::runtime
