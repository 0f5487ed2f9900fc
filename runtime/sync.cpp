#include "runtime/sync.h"

#include <mutex>
#include <utility>

namespace gotorch::runtime {
namespace {

bool unlock_spin(void* lock) {
  static_cast<SpinLock*>(lock)->unlock();
  return true;
}

constexpr int64_t kStarvingNs = 1'000'000;

}  // namespace

void wait_group::add(int64_t n) {
  Goroutine* woken = nullptr;
  {
    std::lock_guard guard(lock_);
    if (count_ + n < 0) throw std::logic_error("wait_group: done() called more often than add()");
    count_ += n;
    if (count_ > 0) return;
    while (SyncWaiter* w = waiters_.pop_claimed()) {
      w->granted = true;
      w->g->next = woken;
      woken = w->g;
    }
  }  // the group may be gone as soon as the first of them runs
  while (woken) ready(std::exchange(woken, woken->next));
}

void wait_group::wait() {
  at_edge(Edge::Operation);
  std::unique_lock guard(lock_);
  if (count_ == 0) return;
  SyncWaiter waiter{.g = &self()};
  waiters_.push_back(waiter);
  guard.release();
  const WakeReason reason = park(
      *waiter.g, {.what = "wait_group", .object = this, .unlock = unlock_spin, .argument = &lock_});
  if (reason == WakeReason::Signal) return;
  lock_.lock();
  waiters_.remove(waiter);
  lock_.unlock();
  throw_if_stopped(reason);
}

bool mutex::try_lock() {
  uint32_t state = state_.load(std::memory_order_relaxed);
  // acquire: pairs with the release in unlock.
  return !(state & kLocked) &&
         state_.compare_exchange_strong(state, state | kLocked, std::memory_order_acquire);
}

void mutex::lock() {
  at_edge(Edge::Operation);
  uint32_t unlocked = 0;
  if (!state_.compare_exchange_strong(unlocked, kLocked, std::memory_order_acquire)) lock_slowly();
}

void mutex::lock_slowly() {
  SyncWaiter waiter{.g = &self(), .since_ns = now_ns()};
  for (bool woken = false;; woken = true) {
    lock_.lock();
    // With the mark set, unlock() must come through lock_, which we hold: it will see us queued.
    const uint32_t before = state_.fetch_or(kLocked | kWaited, std::memory_order_acquire);
    if (!(before & kLocked)) {
      if (waiters_.empty()) state_.fetch_and(~kWaited, std::memory_order_relaxed);
      lock_.unlock();
      return;
    }
    woken ? waiters_.push_front(waiter) : waiters_.push_back(waiter);
    const WakeReason reason = park(*waiter.g, {.what = "mutex",
                                               .object = this,
                                               .unlock = unlock_spin,
                                               .argument = &lock_,
                                               .cancellable = false});
    if (reason == WakeReason::Signal) {
      if (waiter.granted) return;
      continue;
    }
    lock_.lock();
    waiters_.remove(waiter);
    if (waiters_.empty()) state_.fetch_and(~kWaited, std::memory_order_relaxed);
    lock_.unlock();
    throw_if_stopped(reason);
  }
}

void mutex::unlock() {
  uint32_t locked = kLocked;
  // release: what was done under the lock is seen by the next one.
  if (!state_.compare_exchange_strong(locked, 0, std::memory_order_release)) unlock_slowly();
}

void mutex::unlock_slowly() {
  lock_.lock();
  if (!(state_.load(std::memory_order_relaxed) & kLocked)) {
    lock_.unlock();
    throw std::logic_error("mutex: unlock() of a mutex that is not locked");
  }
  Goroutine* next = nullptr;
  if (SyncWaiter* w = waiters_.pop_claimed()) {
    next = w->g;
    w->granted = now_ns() - w->since_ns > kStarvingNs;
    const uint32_t waited = waiters_.empty() ? 0 : kWaited;
    // release, as in unlock(). Granted: it stays locked, for the waiter.
    state_.store((w->granted ? kLocked : 0) | waited, std::memory_order_release);
  } else {
    state_.store(0, std::memory_order_release);
  }
  lock_.unlock();
  if (next) ready(next);
}

}  // namespace gotorch::runtime
