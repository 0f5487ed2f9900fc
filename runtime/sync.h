#pragma once
// Waiting for groups, and mutual exclusion, for goroutines and native threads alike.
#include <atomic>
#include <cstdint>
#include <stdexcept>

#include "runtime/park.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

// Goroutines in a queue, on their own stacks.
struct SyncWaiter {
  Goroutine* g = nullptr;
  SyncWaiter* next = nullptr;
  SyncWaiter* prev = nullptr;
  bool queued = false;
  bool granted = false;
  int64_t since_ns = 0;
};

class SyncQueue {
 public:
  void push_back(SyncWaiter& w) {
    w.prev = last_;
    w.next = nullptr;
    (last_ ? last_->next : first_) = &w;
    last_ = &w;
    w.queued = true;
  }
  void push_front(SyncWaiter& w) {
    w.next = first_;
    w.prev = nullptr;
    (first_ ? first_->prev : last_) = &w;
    first_ = &w;
    w.queued = true;
  }
  void remove(SyncWaiter& w) {
    if (!w.queued) return;
    (w.prev ? w.prev->next : first_) = w.next;
    (w.next ? w.next->prev : last_) = w.prev;
    w.queued = false;
  }
  // The first that can still be had, claimed.
  SyncWaiter* pop_claimed() {
    while (SyncWaiter* w = first_) {
      remove(*w);
      if (claim(*w->g)) return w;
    }
    return nullptr;
  }
  bool empty() const { return !first_; }

 private:
  SyncWaiter* first_ = nullptr;
  SyncWaiter* last_ = nullptr;
};

// Go's WaitGroup: wait() returns once done() has been called as often as add() said. More calls of
// done() than that throw std::logic_error. May be used again at once.
//   wait_group all; all.add(2);
//   go([&] { work(); all.done(); }); go([&] { work(); all.done(); });
//   all.wait();
class wait_group {
 public:
  void add(int64_t n);
  void done() { add(-1); }
  void wait();

 private:
  SpinLock lock_;
  int64_t count_ = 0;
  SyncQueue waiters_;
};

// A lock that parks who waits. First come, first served, except that a running goroutine may be
// faster than one that has just been woken; after a millisecond the longest waiting one gets it.
// Works with std::lock_guard and std::unique_lock. lock() is not ended by a cancelled context.
class mutex {
 public:
  void lock();
  bool try_lock();
  void unlock();  // std::logic_error if it is not locked

 private:
  static constexpr uint32_t kLocked = 1, kWaited = 2;  // kWaited: the queue is not empty
  void lock_slowly();
  void unlock_slowly();

  std::atomic<uint32_t> state_{0};
  SpinLock lock_;  // guards the queue, and kWaited
  SyncQueue waiters_;
};

}  // namespace gotorch::runtime
