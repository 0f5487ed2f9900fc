#include "runtime/wait_group.h"

#include <stdexcept>
#include <string>

namespace gotorch::runtime {

void wait_group::refuse(int64_t n, const char* why) {
  throw std::logic_error("wait_group: add(" + std::to_string(n) + ") " + why);
}

// add() was not simply one more or one less among others.
void wait_group::settle(int64_t before, int64_t n) {
  const int64_t count = (before >> 32) + n;
  const bool waited_for = before & kWaiters;
  const bool early = n > 0 && before < kOne && waited_for;  // the waiters are being woken
  if (count < 0 || count > kMost || early) {
    word_.fetch_sub(n * kOne, std::memory_order_relaxed);
    refuse(n, count < 0 ? "makes the count negative"
              : early   ? "before all waits of the last round have returned"
                        : "makes the count too large");
  }
  if (count > 0 || !waited_for) return;
  WokenList woken;
  lock_.lock();
  while (SyncWaiter* w = waiters_.pop_claimed()) woken.add(w->g);
  word_.fetch_and(~kWaiters, std::memory_order_release);  // release: see give_up
  lock_.unlock();
  woken.make_ready();
}

void wait_group::wait() {
  at_edge(Edge::Operation);
  int64_t word = word_.load(std::memory_order_acquire);  // acquire: see add
  if (word < kOne) return;
  SyncWaiter waiter{.g = &self()};
  lock_.lock();
  do {
    if (word < kOne) return lock_.unlock();
  } while (!word_.compare_exchange_weak(word, word + 1, std::memory_order_acquire));
  waiters_.push_back(waiter);
  const WakeReason reason = park_unlocking(lock_, waiter, "wait_group", this, true);
  if (reason == WakeReason::Signal) {
    if (word_.load(std::memory_order_acquire) != 0) {
      throw std::logic_error("wait_group: used again before wait() has returned");
    }
    return;
  }
  give_up(waiter);
  throw_if_stopped(reason);
}

void wait_group::give_up(SyncWaiter& waiter) {
  lock_.lock();
  const bool counted = waiter.queued;
  waiters_.remove(waiter);
  int64_t word = word_.load(std::memory_order_relaxed);
  while (counted && word >= kOne) {
    if (word_.compare_exchange_weak(word, word - 1, std::memory_order_relaxed)) {
      return lock_.unlock();
    }
  }
  lock_.unlock();
  if (!counted) return;
  // The count is zero and we were still counted: the last done() is about to take lock_, and must find the group there.
  while (word_.load(std::memory_order_acquire) & kWaiters) sched_yield();
  lock_.lock();  // it has left
  lock_.unlock();
}

}  // namespace gotorch::runtime
