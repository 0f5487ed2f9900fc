#include "runtime/rw_mutex.h"

#include <stdexcept>
#include <utility>

namespace gotorch::runtime {

void rw_mutex::lock() {
  writers_.lock();
  // acquire: what readers did before they left is seen.
  const int64_t readers = word_.fetch_or(kWriter, std::memory_order_acquire) / kReader;
  if (readers > 0) wait_for_readers(readers);
  held_.store(true, std::memory_order_relaxed);
}

bool rw_mutex::try_lock() {
  if (!writers_.try_lock()) return false;
  int64_t unlocked = 0;
  if (word_.compare_exchange_strong(unlocked, kWriter, std::memory_order_acquire)) {
    held_.store(true, std::memory_order_relaxed);
    return true;
  }
  writers_.unlock();
  return false;
}

void rw_mutex::wait_for_readers(int64_t readers) {
  SyncWaiter waiter;
  lock_.lock();
  reader_wait_ += readers;
  if (reader_wait_ == 0) return lock_.unlock();  // they have left
  try {
    waiter.g = &self();
  } catch (...) {  // nobody may wait in a loop's body
    writer_gave_up_ = true;
    lock_.unlock();
    throw;
  }
  writer_ = &waiter;
  const WakeReason reason = park_unlocking(lock_, waiter, "rw_mutex", this, false);
  if (reason == WakeReason::Signal) return;
  lock_.lock();
  writer_ = nullptr;
  const bool locked = reader_wait_ == 0;  // the last one left, and could not wake us any more
  writer_gave_up_ = !locked;
  lock_.unlock();
  if (locked) release_writer();
  throw_if_stopped(reason);
}

void rw_mutex::unlock() {
  if (!held_.load(std::memory_order_relaxed)) {
    throw std::logic_error("rw_mutex: unlock() of one that is not locked");
  }
  release_writer();
}

void rw_mutex::release_writer() {
  held_.store(false, std::memory_order_relaxed);
  WokenList woken;
  int64_t gave_up = 0;
  // release: what the writer did is seen by the readers.
  const int64_t readers = word_.fetch_and(~kWriter, std::memory_order_acq_rel) / kReader;
  if (readers > 0) {
    lock_.lock();
    grants_ += readers;
    gave_up = std::exchange(readers_gave_up_, 0);
    grants_ -= gave_up;
    while (SyncWaiter* w = readers_.pop_claimed()) {
      woken.add(w->g);
      grants_--;
    }
    lock_.unlock();
  }
  writers_.unlock();
  woken.make_ready();
  for (; gave_up > 0; gave_up--) unlock_shared();
}

void rw_mutex::lock_shared_slowly() {
  SyncWaiter waiter;
  lock_.lock();
  if (grants_ > 0) {  // the writer has left meanwhile
    grants_--;
    return lock_.unlock();
  }
  try {
    waiter.g = &self();
  } catch (...) {
    readers_gave_up_++;
    lock_.unlock();
    throw;
  }
  readers_.push_back(waiter);
  const WakeReason reason = park_unlocking(lock_, waiter, "rw_mutex (shared)", this, false);
  if (reason == WakeReason::Signal) return;
  lock_.lock();
  const bool locked = !waiter.queued;  // the writer has left, and could not wake us any more
  readers_.remove(waiter);
  locked ? grants_-- : readers_gave_up_++;
  lock_.unlock();
  if (locked) unlock_shared();
  throw_if_stopped(reason);
}

void rw_mutex::unlock_shared_slowly(int64_t before) {
  if (before < kReader || held_.load(std::memory_order_relaxed)) {
    word_.fetch_add(kReader, std::memory_order_relaxed);
    throw std::logic_error("rw_mutex: unlock_shared() of one that no reader has locked");
  }
  lock_.lock();
  const bool last = --reader_wait_ == 0;
  SyncWaiter* const writer = last ? std::exchange(writer_, nullptr) : nullptr;
  const bool woken = writer && claim(*writer->g);
  const bool in_its_place = last && std::exchange(writer_gave_up_, false);
  lock_.unlock();
  if (woken) ready(writer->g);
  if (in_its_place) release_writer();
}

}  // namespace gotorch::runtime
