#pragma once
#include <atomic>

#include "runtime/park.h"

namespace gotorch::runtime {

// Those who wait for one thing, first come, first served. Doubly linked, so that leaving takes constant time. A Waiter is on the
// stack of who waits and has g, next, prev and queued; it is in at most one queue, whose owner's lock guards the links.
template <class Waiter>
class WaiterQueue {
 public:
  void push_back(Waiter& w) {
    w.prev = last_;
    w.next = nullptr;
    if (last_) last_->next = &w;
    else first_.store(&w, std::memory_order_relaxed);
    last_ = &w;
    w.queued = true;
  }
  void push_front(Waiter& w) {
    w.next = first();
    w.prev = nullptr;
    (w.next ? w.next->prev : last_) = &w;
    first_.store(&w, std::memory_order_relaxed);
    w.queued = true;
  }
  void remove(Waiter& w) {
    if (!w.queued) return;
    if (w.prev) w.prev->next = w.next;
    else first_.store(w.next, std::memory_order_relaxed);
    (w.next ? w.next->prev : last_) = w.prev;
    w.queued = false;
  }
  // The first that can still be had, claimed: it is ours to serve and make ready, and finds itself in `fired`.
  Waiter* pop_claimed() {
    while (Waiter* w = first()) {
      remove(*w);
      if (!claim(*w->g)) continue;
      w->g->fired = w;
      return w;
    }
    return nullptr;
  }
  Waiter* first() const { return first_.load(std::memory_order_relaxed); }
  bool empty() const { return !first(); }

 private:
  std::atomic<Waiter*> first_{nullptr};  // atomic for who asks empty() without the lock
  Waiter* last_ = nullptr;
};

}  // namespace gotorch::runtime
