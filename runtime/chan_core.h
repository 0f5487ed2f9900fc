#pragma once
// Channels without their element type; chan.h is what one uses.
//
// Invariants
//  - At most one of the queues of waiting senders and receivers is not empty, except that a select
//    may wait on both sides of one channel. Receivers wait only if the buffer is empty, senders
//    only if it is full; so values arrive in the order in which they were sent.
//  - A value goes straight from the sender's slot to the receiver's, or to the buffer, under the
//    lock, by the one that did not wait. Waiters and slots are on the waiting stacks: they are
//    alive while they are queued, or claimed and not yet made ready.
//  - Moving a value must not throw and must not wait: it happens under the spin lock.
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>

#include "runtime/park.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

// Sending on a closed channel, closing one twice, closing a nil channel.
struct ChanError : std::logic_error {
  using std::logic_error::logic_error;
};

struct ElementOps {
  size_t size;
  void (*move)(void* to, void* from);  // constructs *to; *from is left moved from
  void (*destroy)(void* element);
};

struct ChanWaiter {
  Goroutine* g = nullptr;
  void* slot = nullptr;  // the value to send, or room for the one received
  ChanWaiter* next = nullptr;
  ChanWaiter* prev = nullptr;
  int number = 0;  // of the case in a select
  bool queued = false;
  bool ok = false;  // sent or received; false: the channel was closed
};

// Doubly linked, so that a select leaves in constant time.
class WaitQueue {
 public:
  void push(ChanWaiter& w) {
    w.prev = last_;
    w.next = nullptr;
    (last_ ? last_->next : first_) = &w;
    last_ = &w;
    w.queued = true;
  }
  void remove(ChanWaiter& w) {
    if (!w.queued) return;
    (w.prev ? w.prev->next : first_) = w.next;
    (w.next ? w.next->prev : last_) = w.prev;
    w.queued = false;
  }
  // The first waiter that can still be had; it is ours to serve and make ready.
  ChanWaiter* pop_claimed() {
    while (ChanWaiter* w = first_) {
      remove(*w);
      if (!claim(*w->g)) continue;
      w->g->fired = w;
      return w;
    }
    return nullptr;
  }
  bool empty() const { return !first_; }

 private:
  ChanWaiter* first_ = nullptr;
  ChanWaiter* last_ = nullptr;
};

enum class ChanResult { Done, Closed, WouldBlock };

class ChanCore {
 public:
  // `ring` holds capacity elements and is owned by who owns this.
  ChanCore(const ElementOps& ops, int64_t capacity, std::byte* ring);
  ~ChanCore();
  ChanCore(const ChanCore&) = delete;

  // Done, or WouldBlock if `wait` is false or the deadline passed. Throws ChanError if closed.
  ChanResult send(void* value, bool wait, int64_t deadline_ns = kForever);
  // Done: a value was moved to *slot. Closed: closed and drained; rethrows the error of close().
  ChanResult receive(void* slot, bool wait, int64_t deadline_ns = kForever);
  // With an error, receivers get that after the last value, instead of the end.
  void close(std::exception_ptr error = nullptr);

  // Takes back a value that was received on behalf of somebody who is gone by now: it is the next one to be received, also
  // after close().
  void give_back(void* value);

  int64_t size();
  int64_t capacity() const { return capacity_; }
  // Visits every value nobody has received, under the lock: for garbage collectors.
  void visit(FnRef<void(void*)> visitor);

 private:
  friend class Selection;
  struct alignas(64) Returned {
    Returned* next;
    void* value() { return this + 1; }
  };
  void take_returned(void* slot);
  void check_process() const;
  // Under the lock; what can be done without waiting. *woken: make it ready after unlocking.
  ChanResult try_send(void* value, Goroutine** woken);
  ChanResult try_receive(void* slot, Goroutine** woken);
  void put(void* value);
  void take(void* slot);
  std::byte* at(int64_t i) { return ring_ + static_cast<size_t>(i) * ops_.size; }
  bool wait_in(WaitQueue& queue, ChanWaiter& waiter, const char* what, int64_t deadline);
  void cancel_wait(WaitQueue& queue, ChanWaiter& waiter);

  SpinLock lock_;
  bool closed_ = false;
  const ElementOps& ops_;
  const int64_t capacity_;
  std::byte* const ring_;
  int64_t head_ = 0, count_ = 0;
  WaitQueue receivers_, senders_;
  Returned* returned_ = nullptr;  // the values given back, oldest first
  std::exception_ptr error_;
  const int process_;  // a forked child must not use it: the lock may be held by nobody
};

// Blocks for ever, as operations on a nil channel do; ends only by cancellation or interruption.
[[noreturn]] void wait_forever(const char* what);

}  // namespace gotorch::runtime
