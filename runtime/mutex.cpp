#include "runtime/mutex.h"

#include "runtime/parallel.h"
#include "runtime/scheduler.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

constexpr int64_t kStarvingNs = 1'000'000;  // as Go
constexpr int kLongestSpin = 64;            // about as long as waking another worker takes

}  // namespace

// Worth while if the holder runs, and nobody else could run here.
bool mutex::spin() {
  if (try_lock()) return true;
  const Worker* worker = this_worker();
  if (num_workers() == 1 || (worker && (worker->has_next() || worker->has_stealable())))
    return false;
  // Looking ever more rarely: the holder's unlock() needs the line.
  for (int pauses = 4; pauses <= kLongestSpin; pauses *= 2) {
    for (int i = 0; i < pauses; i++) cpu_relax();
    if (try_lock()) return true;
  }
  return false;
}

// Under lock_. False: it is locked, and its holder will come here.
bool mutex::take_or_mark(bool woken) {
  uint32_t before = state_.load(std::memory_order_relaxed), after = 0;
  do {
    after = (before | kLocked | kWaited) & ~(woken ? kWoken : 0);
    if (!(before & kLocked) && waiters_.empty()) after &= ~kWaited;
    // acquire as in lock().
  } while (!state_.compare_exchange_weak(before, after, std::memory_order_acquire,
                                         std::memory_order_relaxed));
  return !(before & kLocked);
}

void mutex::lock_slowly() {
  if (spin()) return;
  SyncWaiter waiter{.g = &self(), .since_ns = now_ns()};
  for (bool woken = false;; woken = true) {
    lock_.lock();
    if (take_or_mark(woken)) return lock_.unlock();
    woken ? waiters_.push_front(waiter) : waiters_.push_back(waiter);
    const WakeReason reason = park_unlocking(lock_, waiter, "mutex", this, false);
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

void mutex::unlock_slowly() {
  for (;;) {
    uint32_t state = state_.load(std::memory_order_relaxed);
    if (!(state & kLocked)) throw std::logic_error("mutex: unlock() of a mutex that is not locked");
    if (!(state & kWaited) || (state & kWoken)) {
      if (state_.compare_exchange_weak(state, state & ~kLocked, std::memory_order_release)) return;
      continue;
    }
    lock_.lock();
    SyncWaiter* const next = waiters_.pop_claimed();
    if (next) next->granted = now_ns() - next->since_ns > kStarvingNs;
    const bool granted = next && next->granted;  // it stays locked, for that one
    // Nobody else changes it: it is locked, and we hold lock_.
    state_.store(kLocked | (waiters_.empty() ? 0 : kWaited) | (next && !granted ? kWoken : 0),
                 std::memory_order_relaxed);
    lock_.unlock();
    if (!next) continue;
    if (!granted) state_.fetch_and(~kLocked, std::memory_order_release);
    return ready(next->g);
  }
}

}  // namespace gotorch::runtime
