#pragma once
// Queues of those who wait, for sync.h.
//
// Invariants
//  - A waiter is on the stack of who waits, and in at most one queue, whose lock guards its links. It is alive while it is
//    queued, or its goroutine is claimed and not yet made ready.
#include <utility>

#include "runtime/park.h"
#include "runtime/spin.h"
#include "runtime/waiter_queue.h"

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

using SyncQueue = WaiterQueue<SyncWaiter>;

// Claimed goroutines, to be made ready after a lock is released.
class WokenList {
 public:
  void add(Goroutine* g) {
    g->next = nullptr;
    (last_ ? last_->next : first_) = g;
    last_ = g;
  }
  void make_ready() { ready_all(std::exchange(first_, nullptr)); }

 private:
  Goroutine* first_ = nullptr;
  Goroutine* last_ = nullptr;
};

// Waits with `lock` held, which is released. Anything but Signal: `w` is still in its queue, unless a waker that came too
// late has dropped it.
inline WakeReason park_unlocking(SpinLock& lock, SyncWaiter& w, const char* what,
                                 const void* object, bool cancellable) {
  return park(*w.g, {.what = what,
                     .object = object,
                     .unlock = unlock_spin,
                     .argument = &lock,
                     .cancellable = cancellable});
}

}  // namespace gotorch::runtime
