#include "runtime/semaphore.h"

#include <mutex>
#include <stdexcept>
#include <string>

namespace gotorch::runtime {

semaphore::semaphore(int64_t size) : size_(size), free_(size) {
  if (size < 0)
    throw std::invalid_argument("semaphore: size must not be negative, got " +
                                std::to_string(size));
}

void semaphore::check(const char* op, int64_t n) const {
  if (n < 0) {
    throw std::invalid_argument(std::string("semaphore: ") + op + ": n must not be negative, got " +
                                std::to_string(n));
  }
}

// Under the lock, as serve().
bool semaphore::take(int64_t n) {
  if (n > free_ || !waiters_.empty()) return false;
  free_ -= n;
  return true;
}

void semaphore::serve(WokenList& woken) {
  while (SyncWaiter* w = waiters_.first()) {
    if (w->amount > free_) return;
    waiters_.remove(*w);
    if (!claim(*w->g)) continue;
    free_ -= w->amount;
    woken.add(w->g);
  }
}

bool semaphore::try_acquire(int64_t n) {
  check("try_acquire", n);
  const std::lock_guard guard(lock_);
  return take(n);
}

void semaphore::acquire(int64_t n) {
  at_edge(Edge::Operation);
  check("acquire", n);
  if (n > size_) {
    throw std::invalid_argument("semaphore: acquire of " + std::to_string(n) + ", there are only " +
                                std::to_string(size_));
  }
  lock_.lock();
  if (take(n)) return lock_.unlock();
  SyncWaiter waiter{.amount = n};
  try {
    waiter.g = &self();
  } catch (...) {  // nobody may wait in a loop's body
    lock_.unlock();
    throw;
  }
  waiters_.push_back(waiter);
  const WakeReason reason = park_unlocking(lock_, waiter, "semaphore", this, true);
  if (reason == WakeReason::Signal) return;
  WokenList woken;
  lock_.lock();
  waiters_.remove(waiter);
  serve(woken);  // those behind may have waited for us only
  lock_.unlock();
  woken.make_ready();
  throw_if_stopped(reason);
}

void semaphore::release(int64_t n) {
  check("release", n);
  WokenList woken;
  lock_.lock();
  if (n > size_ - free_) {
    const int64_t out = size_ - free_;
    lock_.unlock();
    throw std::logic_error("semaphore: release of " + std::to_string(n) + ", only " +
                           std::to_string(out) + " were acquired");
  }
  free_ += n;
  serve(woken);
  lock_.unlock();
  woken.make_ready();
}

}  // namespace gotorch::runtime
