#include "runtime/chan_core.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "runtime/deadlock.h"
#include "runtime/scheduler.h"
#include "runtime/trace.h"

namespace gotorch::runtime {

static constexpr size_t kLeastAlign = __STDCPP_DEFAULT_NEW_ALIGNMENT__;
static constexpr int64_t kMaxBytes = int64_t{1} << 40;

ChanCore* ChanCore::make(const ElementOps& ops, int64_t capacity) {
  const size_t align = std::max(ops.align, kLeastAlign);
  const size_t ring_at = (sizeof(ChanCore) + align - 1) / align * align;
  const auto most = kMaxBytes / static_cast<int64_t>(ops.size);
  if (capacity < 0 || capacity > most) {
    throw std::invalid_argument("chan: capacity must be from 0 to " + std::to_string(most) +
                                ", got " + std::to_string(capacity));
  }
  const size_t bytes = ring_at + static_cast<size_t>(capacity) * ops.size;
  void* memory = ops.align > kLeastAlign ? ::operator new(bytes, std::align_val_t(align))
                                         : ::operator new(bytes);
  return new (memory) ChanCore(ops, capacity, static_cast<std::byte*>(memory) + ring_at);
}

ChanCore::ChanCore(const ElementOps& ops, int64_t capacity, std::byte* ring)
    : process_(process_number()), ops_(ops), capacity_(capacity), ring_(ring) {}

ChanCore::~ChanCore() {
  source.reset();
  while (Returned* r = returned_.load(std::memory_order_relaxed)) {
    returned_.store(r->next, std::memory_order_relaxed);
    ops_.destroy(r->value());
    delete_returned(r);
  }
  if (ops_.plain) return;
  for (int64_t left = size(); left > 0; left--) {
    ops_.destroy(at(head_));
    if (++head_ == capacity_) head_ = 0;
  }
}

void ChanCore::free() {
  const size_t align = ops_.align;
  this->~ChanCore();
  if (align > kLeastAlign) ::operator delete(this, std::align_val_t(align));
  else ::operator delete(this);
}

void ChanCore::refuse_process() const {
  throw ChanError("channel: made before fork(), cannot be used in the child");
}

// Sizes that the compiler knows are copied by a few instructions.
inline void ChanCore::move(void* to, void* from) const {
  if (!ops_.plain) return ops_.move(to, from);
  switch (ops_.size) {
    case 1: std::memcpy(to, from, 1); return;
    case 4: std::memcpy(to, from, 4); return;
    case 8: std::memcpy(to, from, 8); return;
    default: std::memcpy(to, from, ops_.size);
  }
}

inline void ChanCore::put(void* value) {
  const int64_t count = size();
  int64_t tail = head_ + count;
  if (tail >= capacity_) tail -= capacity_;
  count_.store(count + 1, std::memory_order_relaxed);
  move(at(tail), value);
}

inline void ChanCore::take(void* slot) {
  move(slot, at(head_));
  if (!ops_.plain) ops_.destroy(at(head_));
  if (++head_ == capacity_) head_ = 0;
  count_.store(size() - 1, std::memory_order_relaxed);
}

ChanResult ChanCore::try_send(void* value, Goroutine** woken) {
  if (closed_.load(std::memory_order_relaxed)) return ChanResult::Closed;
  if (ChanWaiter* w = receivers_.pop_claimed()) {
    move(w->slot, value);
    w->ok = true;
    *woken = w->g;
    return ChanResult::Done;
  }
  if (size() == capacity_) return ChanResult::WouldBlock;
  put(value);
  return ChanResult::Done;
}

ChanResult ChanCore::try_receive(void* slot, Goroutine** woken) {
  if (returned_.load(std::memory_order_relaxed)) {
    take_returned(slot);
    return ChanResult::Done;
  }
  if (size() > 0) {
    take(slot);
    // The longest waiting sender's value takes the free place, behind those sent before it.
    if (ChanWaiter* w = senders_.pop_claimed()) {
      put(w->slot);
      w->ok = true;
      *woken = w->g;
    }
    return ChanResult::Done;
  }
  if (ChanWaiter* w = senders_.pop_claimed()) {
    move(slot, w->slot);
    w->ok = true;
    *woken = w->g;
    return ChanResult::Done;
  }
  return closed_.load(std::memory_order_relaxed) ? ChanResult::Closed : ChanResult::WouldBlock;
}

void ChanCore::cancel_wait(WaitQueue& queue, ChanWaiter& waiter) {
  lock_.lock();
  queue.remove(waiter);
  lock_.unlock();
}

// Waits in `queue` with the lock held, which it releases. False: the deadline passed.
bool ChanCore::wait_in(WaitQueue& queue, ChanWaiter& waiter, const char* what, int64_t deadline) {
  queue.push_back(waiter);
  const WakeReason reason = park(*waiter.g, {.what = what,
                                             .object = this,
                                             .unlock = unlock_spin,
                                             .argument = &lock_,
                                             .deadline_ns = deadline});
  if (reason == WakeReason::Signal) return true;
  cancel_wait(queue, waiter);
  throw_if_stopped(reason);
  return false;
}

inline void ChanCore::trace_operation(trace::Kind kind, ChanResult result, bool wait) const {
  if (trace::on() && (wait || result == ChanResult::Done)) [[unlikely]]
    trace::event(kind, this, size());
}

[[gnu::flatten]] ChanResult ChanCore::send(void* value, bool wait, int64_t deadline_ns) {
  check_process();
  at_edge(wait ? Edge::Operation : Edge::Attempt);
  if (!wait && send_would_block()) return ChanResult::WouldBlock;
  lock_.lock();
  Goroutine* woken = nullptr;
  ChanResult result = try_send(value, &woken);
  trace_operation(trace::Kind::Send, result, wait);
  if (result == ChanResult::WouldBlock && wait) {
    result = wait_to_send(value, deadline_ns);
  } else {
    const bool enough = wait && count_operation();
    lock_.unlock();
    if (woken) ready(woken);
    if (enough) yield_to_company();
  }
  if (result == ChanResult::Closed) [[unlikely]]
    throw ChanError("send: on a closed channel");
  return result;
}

[[gnu::flatten]] ChanResult ChanCore::receive(void* slot, bool wait, int64_t deadline_ns) {
  check_process();
  at_edge(wait ? Edge::Operation : Edge::Attempt);
  if (!wait && receive_would_block()) return ChanResult::WouldBlock;
  lock_.lock();
  Goroutine* woken = nullptr;
  const ChanResult result = try_receive(slot, &woken);
  trace_operation(trace::Kind::Receive, result, wait);
  if (result == ChanResult::WouldBlock && wait) return received(wait_to_receive(slot, deadline_ns));
  const bool enough = wait && count_operation();
  lock_.unlock();
  if (woken) ready(woken);
  if (enough) yield_to_company();
  return received(result);
}

inline ChanResult ChanCore::received(ChanResult result) const {
  // The error was written before the channel was closed, which we have seen under the lock.
  if (result == ChanResult::Closed && error_) std::rethrow_exception(error_);
  return result;
}

// With the lock held, as the next.
ChanResult ChanCore::wait_to_send(void* value, int64_t deadline_ns) {
  ChanWaiter waiter{.g = &waiting_self(), .slot = value};
  if (!wait_in(senders_, waiter, "channel send", deadline_ns)) return ChanResult::WouldBlock;
  return waiter.ok ? ChanResult::Done : ChanResult::Closed;
}

ChanResult ChanCore::wait_to_receive(void* slot, int64_t deadline_ns) {
  ChanWaiter waiter{.g = &waiting_self(), .slot = slot};
  if (!wait_in(receivers_, waiter, "channel receive", deadline_ns)) return ChanResult::WouldBlock;
  return waiter.ok ? ChanResult::Done : ChanResult::Closed;
}

// self(), which throws where nobody may wait.
Goroutine& ChanCore::waiting_self() {
  try {
    return self();
  } catch (...) {
    lock_.unlock();
    throw;
  }
}

void ChanCore::close(std::exception_ptr error) {
  check_process();
  std::unique_lock lock(lock_);
  if (closed_.load(std::memory_order_relaxed))
    throw ChanError("close: the channel is closed already");
  error_ = std::move(error);
  closed_.store(true, std::memory_order_release);  // see receive_would_block
  Goroutine* woken = nullptr;  // made ready after the lock, as they will want it
  for (WaitQueue* queue : {&receivers_, &senders_}) {
    while (ChanWaiter* w = queue->pop_claimed()) {
      w->g->next = woken;
      woken = w->g;
    }
  }
  lock.unlock();
  ready_all(woken);
}

void ChanCore::delete_returned(Returned* r) {
  ::operator delete(r, std::align_val_t(alignof(Returned)));
}

void ChanCore::take_returned(void* slot) {
  Returned* r = returned_.load(std::memory_order_relaxed);
  returned_.store(r->next, std::memory_order_relaxed);
  ops_.move(slot, r->value());
  ops_.destroy(r->value());
  delete_returned(r);
}

void ChanCore::give_back(void* value) {
  void* room = ::operator new(sizeof(Returned) + ops_.size, std::align_val_t(alignof(Returned)));
  auto* r = new (room) Returned{nullptr};
  ops_.move(r->value(), value);
  lock_.lock();
  ChanWaiter* w = receivers_.pop_claimed();
  if (w) {
    ops_.move(w->slot, r->value());
    w->ok = true;
  } else if (Returned* last = returned_.load(std::memory_order_relaxed)) {
    while (last->next) last = last->next;
    last->next = r;
  } else {
    returned_.store(r, std::memory_order_relaxed);
  }
  lock_.unlock();
  if (!w) return;
  ready(w->g);
  ops_.destroy(r->value());
  delete_returned(r);
}

void ChanCore::visit(FnRef<void(void*)> visitor) {
  std::lock_guard guard(lock_);
  for (int64_t i = 0; i < size(); i++) visitor(at((head_ + i) % capacity_));
  for (Returned* r = returned_.load(std::memory_order_relaxed); r; r = r->next) visitor(r->value());
}

void wait_on_nil(const char* what, bool wait, int64_t deadline_ns) {
  if (!wait) return;
  Goroutine& me = self();
  if (deadline_ns == kForever) watch_endless_wait(me);
  do {
    throw_if_stopped(park(me, {.what = what, .object = endless(), .deadline_ns = deadline_ns}));
  } while (now_ns() < deadline_ns);
}

}  // namespace gotorch::runtime
