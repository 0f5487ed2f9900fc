#pragma once
// Queues of those who wait, for sync.h.
//
// Invariants
//  - A waiter is on the stack of who waits, and in at most one queue, whose lock guards its links. It is alive while it is
//    queued, or its goroutine is claimed and not yet made ready.
#include <utility>

#include "runtime/park.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

struct SyncWaiter {
  Goroutine* g = nullptr;
  SyncWaiter* next = nullptr;
  SyncWaiter* prev = nullptr;
  bool queued = false;
  bool granted = false;
  int64_t since_ns = 0;
  int64_t amount = 0;
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
  SyncWaiter* first() const { return first_; }
  bool empty() const { return !first_; }

 private:
  SyncWaiter* first_ = nullptr;
  SyncWaiter* last_ = nullptr;
};

// Claimed goroutines, to be made ready after a lock is released.
class WokenList {
 public:
  void add(Goroutine* g) {
    g->next = nullptr;
    (last_ ? last_->next : first_) = g;
    last_ = g;
  }
  void make_ready() {
    while (first_) ready(std::exchange(first_, first_->next));
  }

 private:
  Goroutine* first_ = nullptr;
  Goroutine* last_ = nullptr;
};

// Waits with `lock` held, which is released. Anything but Signal: `w` is still in its queue, unless a waker that came too
// late has dropped it.
inline WakeReason park_unlocking(SpinLock& lock, SyncWaiter& w, const char* what,
                                 const void* object, bool cancellable) {
  const auto unlock = [](void* l) {
    static_cast<SpinLock*>(l)->unlock();
    return true;
  };
  return park(*w.g, {.what = what,
                     .object = object,
                     .unlock = unlock,
                     .argument = &lock,
                     .cancellable = cancellable});
}

}  // namespace gotorch::runtime
