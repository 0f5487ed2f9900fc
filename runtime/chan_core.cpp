#include "runtime/chan_core.h"

#include <mutex>
#include <utility>

#include "runtime/scheduler.h"

namespace gotorch::runtime {
namespace {

bool unlock_spin(void* lock) {
  static_cast<SpinLock*>(lock)->unlock();
  return true;
}

}  // namespace

ChanCore::ChanCore(const ElementOps& ops, int64_t capacity, std::byte* ring)
    : ops_(ops), capacity_(capacity), ring_(ring), process_(process_number()) {}

ChanCore::~ChanCore() {
  for (; count_ > 0; count_--, head_++) {
    if (head_ == capacity_) head_ = 0;
    ops_.destroy(at(head_));
  }
  while (Returned* r = returned_) {
    returned_ = r->next;
    ops_.destroy(r->value());
    ::operator delete(r, std::align_val_t(alignof(Returned)));
  }
}

void ChanCore::check_process() const {
  if (process_ != process_number()) {
    throw ChanError("channel: made before fork(), cannot be used in the child");
  }
}

void ChanCore::put(void* value) {
  int64_t tail = head_ + count_++;
  if (tail >= capacity_) tail -= capacity_;
  ops_.move(at(tail), value);
}

void ChanCore::take(void* slot) {
  ops_.move(slot, at(head_));
  ops_.destroy(at(head_));
  if (++head_ == capacity_) head_ = 0;
  count_--;
}

ChanResult ChanCore::try_send(void* value, Goroutine** woken) {
  if (closed_) return ChanResult::Closed;
  if (ChanWaiter* w = receivers_.pop_claimed()) {
    ops_.move(w->slot, value);
    w->ok = true;
    *woken = w->g;
    return ChanResult::Done;
  }
  if (count_ == capacity_) return ChanResult::WouldBlock;
  put(value);
  return ChanResult::Done;
}

ChanResult ChanCore::try_receive(void* slot, Goroutine** woken) {
  if (returned_) {
    take_returned(slot);
    return ChanResult::Done;
  }
  if (count_ > 0) {
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
    ops_.move(slot, w->slot);
    w->ok = true;
    *woken = w->g;
    return ChanResult::Done;
  }
  return closed_ ? ChanResult::Closed : ChanResult::WouldBlock;
}

void ChanCore::cancel_wait(WaitQueue& queue, ChanWaiter& waiter) {
  lock_.lock();
  queue.remove(waiter);
  lock_.unlock();
}

// Waits in `queue` with the lock held, which it releases. False: the deadline passed.
bool ChanCore::wait_in(WaitQueue& queue, ChanWaiter& waiter, const char* what, int64_t deadline) {
  queue.push(waiter);
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

ChanResult ChanCore::send(void* value, bool wait, int64_t deadline_ns) {
  check_process();
  std::unique_lock lock(lock_);
  Goroutine* woken = nullptr;
  ChanResult result = try_send(value, &woken);
  if (result == ChanResult::WouldBlock && wait) {
    ChanWaiter waiter{.g = &self(), .slot = value};
    lock.release();
    if (!wait_in(senders_, waiter, "channel send", deadline_ns)) return ChanResult::WouldBlock;
    result = waiter.ok ? ChanResult::Done : ChanResult::Closed;
  } else {
    lock.unlock();
    if (woken) ready(woken);
  }
  if (result == ChanResult::Closed) throw ChanError("send: on a closed channel");
  return result;
}

ChanResult ChanCore::receive(void* slot, bool wait, int64_t deadline_ns) {
  check_process();
  std::unique_lock lock(lock_);
  Goroutine* woken = nullptr;
  ChanResult result = try_receive(slot, &woken);
  if (result == ChanResult::WouldBlock && wait) {
    ChanWaiter waiter{.g = &self(), .slot = slot};
    lock.release();
    if (!wait_in(receivers_, waiter, "channel receive", deadline_ns)) return ChanResult::WouldBlock;
    result = waiter.ok ? ChanResult::Done : ChanResult::Closed;
  } else {
    lock.unlock();
    if (woken) ready(woken);
  }
  // The error was written before the channel was closed, which we have seen under the lock.
  if (result == ChanResult::Closed && error_) std::rethrow_exception(error_);
  return result;
}

void ChanCore::close(std::exception_ptr error) {
  check_process();
  std::unique_lock lock(lock_);
  if (closed_) throw ChanError("close: the channel is closed already");
  error_ = std::move(error);
  closed_ = true;
  Goroutine* woken = nullptr;  // made ready after the lock, as they will want it
  for (WaitQueue* queue : {&receivers_, &senders_}) {
    while (ChanWaiter* w = queue->pop_claimed()) {
      w->g->next = woken;
      woken = w->g;
    }
  }
  lock.unlock();
  while (woken) ready(std::exchange(woken, woken->next));
}

void ChanCore::take_returned(void* slot) {
  Returned* r = returned_;
  returned_ = r->next;
  ops_.move(slot, r->value());
  ops_.destroy(r->value());
  ::operator delete(r, std::align_val_t(alignof(Returned)));
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
  } else {
    Returned** last = &returned_;
    while (*last) last = &(*last)->next;
    *last = r;
  }
  lock_.unlock();
  if (!w) return;
  ready(w->g);
  ops_.destroy(r->value());
  ::operator delete(r, std::align_val_t(alignof(Returned)));
}

void ChanCore::visit(FnRef<void(void*)> visitor) {
  std::lock_guard guard(lock_);
  for (int64_t i = 0; i < count_; i++) visitor(at((head_ + i) % capacity_));
  for (Returned* r = returned_; r; r = r->next) visitor(r->value());
}

int64_t ChanCore::size() {
  lock_.lock();
  int64_t n = count_;
  for (const Returned* r = returned_; r; r = r->next) n++;
  lock_.unlock();
  return n;
}

void wait_forever(const char* what) {
  for (;;) throw_if_stopped(park(self(), {.what = what, .object = nullptr}));
}

}  // namespace gotorch::runtime
