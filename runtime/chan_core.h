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
#include <utility>

#include "runtime/fork.h"
#include "runtime/park.h"
#include "runtime/spin.h"
#include "runtime/trace.h"
#include "runtime/waiter_queue.h"

namespace gotorch::runtime {

struct ContextState;

// Sending on a closed channel, closing one twice, closing a nil channel.
struct ChanError : std::logic_error {
  using std::logic_error::logic_error;
};

struct ElementOps {
  size_t size, align;
  bool plain;                          // bytes may be copied, and forgotten
  void (*move)(void* to, void* from);  // constructs *to; *from is left moved from
  void (*destroy)(void* element);
};

// On the stack of who waits, who fills in all of it but the links.
struct ChanWaiter {
  Goroutine* g;
  void* slot;  // the value to send, or room for the one received
  ChanWaiter* next;
  ChanWaiter* prev;
  int number;  // of the case in a select
  bool queued;
  bool ok;  // sent or received; false: the channel was closed
};

using WaitQueue = WaiterQueue<ChanWaiter>;

enum class ChanResult { Done, Closed, WouldBlock };

class ChanCore {
 public:
  // With one reference. std::bad_alloc, std::invalid_argument for a capacity that cannot be.
  static ChanCore* make(const ElementOps& ops, int64_t capacity);
  ChanCore(const ChanCore&) = delete;

  // 1: only by who asks, who has a handle.
  int references() const { return references_.load(std::memory_order_acquire); }
  // relaxed: who copies a handle has one.
  void add_reference() { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() {
    // acq_rel: whatever others did with it comes before its end.
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) free();
  }

  // Done, or WouldBlock if `wait` is false or the deadline passed. Throws ChanError if closed.
  ChanResult send(void* value, bool wait, int64_t deadline_ns = kForever);
  // Done: a value was moved to *slot. Closed: closed and drained; rethrows the error of close().
  ChanResult receive(void* slot, bool wait, int64_t deadline_ns = kForever);
  // With an error, receivers get that after the last value, instead of the end.
  void close(std::exception_ptr error = nullptr);

  // Takes back a value that was received on behalf of somebody who is gone by now: it is the next one to be received, also
  // after close().
  void give_back(void* value);

  int64_t size() const { return count_.load(std::memory_order_relaxed); }
  int64_t capacity() const { return capacity_; }
  // Visits every value nobody has received, under the lock: for garbage collectors.
  void visit(FnRef<void(void*)> visitor);

  // Of the goroutines that fill it, if it is a stage's: who stops receiving cancels them. Set before the channel is shared.
  std::shared_ptr<ContextState> filler;
  // What puts values into it without keeping it: ends before the channel does. Set before the channel is shared.
  std::shared_ptr<void> source;

 private:
  static constexpr uint32_t kOperationsInARow = 128;
  friend class Selection;
  struct alignas(64) Returned {
    Returned* next;
    void* value() { return this + 1; }
  };
  void take_returned(void* slot);
  static void delete_returned(Returned* r);
  ChanCore(const ElementOps& ops, int64_t capacity, std::byte* ring);
  ~ChanCore();
  void free();
  void check_process() const {
    if (process_ != process_number()) refuse_process();
  }
  [[noreturn]] void refuse_process() const;

  // Without the lock. True: at some moment during the call, a sender or receiver would have had to wait.
  bool send_would_block() const;
  bool receive_would_block() const;
  // Under the lock; what can be done without waiting. *woken: make it ready after unlocking.
  ChanResult try_send(void* value, Goroutine** woken);
  ChanResult try_receive(void* slot, Goroutine** woken);
  ChanResult wait_to_send(void* value, int64_t deadline_ns);
  ChanResult wait_to_receive(void* slot, int64_t deadline_ns);
  ChanResult received(ChanResult result) const;
  Goroutine& waiting_self();
  void trace_operation(trace::Kind kind, ChanResult result, bool wait) const;
  // Who never has to wait lets others run now and then, as tokio's tasks. Here a channel counts, as its line is at hand.
  bool count_operation() { return ++operations_ % kOperationsInARow == 0; }
  void move(void* to, void* from) const;
  void put(void* value);
  void take(void* slot);
  std::byte* at(int64_t i) { return ring_ + static_cast<size_t>(i) * ops_.size; }
  bool wait_in(WaitQueue& queue, ChanWaiter& waiter, const char* what, int64_t deadline);
  void cancel_wait(WaitQueue& queue, ChanWaiter& waiter);

  SpinLock lock_;  // guards what follows; the atomics are read without it, too
  std::atomic<bool> closed_{false};
  std::atomic<int> references_{1};
  const int process_;        // a forked child must not use it: the lock may be held by nobody
  uint32_t operations_ = 0;  // that did not wait
  const ElementOps& ops_;
  const int64_t capacity_;
  std::byte* const ring_;  // in the same block of memory
  int64_t head_ = 0;
  std::atomic<int64_t> count_{0};
  WaitQueue receivers_, senders_;
  std::atomic<Returned*> returned_{nullptr};  // the values given back, oldest first
  std::exception_ptr error_;
};

// A full channel that is open can only have been full before, too: closing comes last.
inline bool ChanCore::send_would_block() const {
  // acquire: `closed` is read before the rest.
  if (closed_.load(std::memory_order_acquire)) return false;
  return capacity_ > 0 ? size() == capacity_ : receivers_.empty();
}

// What is empty, and later still open, was empty and open.
inline bool ChanCore::receive_would_block() const {
  if (returned_.load(std::memory_order_relaxed)) return false;
  if (capacity_ > 0 ? size() > 0 : !senders_.empty()) return false;
  // acquire: `closed` is read after the rest.
  std::atomic_thread_fence(std::memory_order_acquire);
  return !closed_.load(std::memory_order_acquire);
}

// A counted pointer to one.
class ChanRef {
 public:
  ChanRef() = default;
  explicit ChanRef(ChanCore* adopted) : core_(adopted) {}
  ChanRef(const ChanRef& other) : core_(other.core_) {
    if (core_) core_->add_reference();
  }
  ChanRef(ChanRef&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  ChanRef& operator=(ChanRef other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~ChanRef() {
    if (core_) core_->drop_reference();
  }
  ChanCore* get() const { return core_; }
  ChanCore* operator->() const { return core_; }
  explicit operator bool() const { return core_; }
  friend bool operator==(const ChanRef&, const ChanRef&) = default;

 private:
  ChanCore* core_ = nullptr;
};

// What operations on a nil channel do, which is never ready: wait until the deadline, or not at all.
void wait_on_nil(const char* what, bool wait, int64_t deadline_ns);

}  // namespace gotorch::runtime
