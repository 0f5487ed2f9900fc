#pragma once
// Invariants
//  - A timer is armed exactly while its index is not negative; only under the lock of its heap. Its entry names it until it is
//    disarmed, which leaves a dead entry: taking that out costs moves, so it waits until it comes up, or half are dead.
//  - fire() runs under the lock, so after remove() has returned the timer is not in use and may be
//    destroyed. It must not wait or touch a heap; what it returns is made ready after the lock.
//  - earliest() is never later than the first timer's time; that of a dead entry may be earlier. Who adds an earlier
//    timer than all others of a heap tells whoever sleeps until a later time (Scheduler::add_timer).
//  - One thread at a time fires timers, so those of all heaps fire in the order of their times.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "runtime/futex.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

struct Goroutine;

struct Timer {
  int64_t when_ns = 0;
  int64_t period_ns =
      0;  // not 0: armed anew each time that it fires; times that are past by then are left out
  Goroutine* (*fire)(Timer&) = nullptr;
  int64_t index = -1;
  int heap = 0;
};

class alignas(64) TimerHeap {
 public:
  // True if it is now the earliest.
  bool add(Timer& timer) {
    const std::lock_guard guard(lock_);
    entries_.push_back({timer.when_ns, &timer});
    up(std::ssize(entries_) - 1);
    publish();
    return timer.index == 0;
  }

  // False: it was not there; it has fired, or is not armed.
  bool remove(Timer& timer) {
    const std::lock_guard guard(lock_);
    const int64_t i = timer.index;
    if (i < 0 || i >= std::ssize(entries_) || at(i).timer != &timer)
      return false;  // the parent's, after a fork
    timer.index = -1;
    at(i).timer = nullptr;
    dead_++;
    while (!entries_.empty() && !entries_.back().timer) {
      entries_.pop_back();
      dead_--;
    }
    if (2 * dead_ > std::ssize(entries_)) bury_dead();
    publish();
    return true;
  }

  // Calls f() while no timer fires.
  template <class F>
  void hold_back(F f) {
    const std::lock_guard guard(lock_);
    f();
  }

  // Fires one timer that is due. False: there is none. *woken: make it ready, if not null.
  bool fire_one(int64_t now_ns, Goroutine** woken) {
    if (earliest() > now_ns) return false;
    const std::lock_guard guard(lock_);
    drop_dead_heads();
    const bool due = !entries_.empty() && at(0).when_ns <= now_ns;
    if (due) *woken = fire_first(now_ns);
    publish();
    return due;
  }

  // kForever if there is none.
  int64_t earliest() const { return earliest_.load(std::memory_order_relaxed); }

  int64_t size() {
    const std::lock_guard guard(lock_);
    return std::ssize(entries_) - dead_;
  }

  // The same as earliest(), but not that of a dead entry.
  int64_t next() {
    const std::lock_guard guard(lock_);
    drop_dead_heads();
    publish();
    return earliest();
  }

 private:
  // The time beside the pointer: comparing does not touch the timers.
  struct Entry {
    int64_t when_ns;
    Timer* timer;  // null: disarmed
  };

  Entry& at(int64_t i) { return entries_[static_cast<size_t>(i)]; }

  // relaxed: who adds passes a fence before it looks for who sleeps.
  void publish() {
    const int64_t first = entries_.empty() ? kForever : at(0).when_ns;
    if (first != earliest()) earliest_.store(first, std::memory_order_relaxed);
  }

  Goroutine* fire_first(int64_t now_ns) {
    Timer& timer = *at(0).timer;
    if (timer.period_ns == 0) {
      timer.index = -1;
      take_first();
      return timer.fire(timer);  // which may be the end of it
    }
    Goroutine* woken = timer.fire(timer);
    const int64_t passed = (now_ns - timer.when_ns) / timer.period_ns * timer.period_ns;
    if (__builtin_add_overflow(timer.when_ns + passed, timer.period_ns, &timer.when_ns)) {
      timer.when_ns = kForever;
    }
    at(0).when_ns = timer.when_ns;
    down(0);
    return woken;
  }

  void take_first() {
    at(0) = entries_.back();
    entries_.pop_back();
    if (!entries_.empty()) down(0);
  }

  void drop_dead_heads() {
    for (; !entries_.empty() && !at(0).timer; dead_--) take_first();
  }

  void bury_dead() {
    std::erase_if(entries_, [](const Entry& e) { return !e.timer; });
    dead_ = 0;
    for (int64_t i = 0; i < std::ssize(entries_); i++) at(i).timer->index = i;
    for (int64_t i = (std::ssize(entries_) - 2) / 4; i >= 0; i--) down(i);
  }

  void place(int64_t i, Entry entry) {
    at(i) = entry;
    if (entry.timer) entry.timer->index = i;
  }

  // Four children to a node: fewer levels, and the children share a cache line.
  void up(int64_t i) {
    const Entry entry = at(i);
    for (; i > 0 && at((i - 1) / 4).when_ns > entry.when_ns; i = (i - 1) / 4) {
      place(i, at((i - 1) / 4));
    }
    place(i, entry);
  }

  void down(int64_t i) {
    const Entry entry = at(i);
    const int64_t size = std::ssize(entries_);
    for (;;) {
      const int64_t first = 4 * i + 1;
      if (first >= size) break;
      int64_t least = first;
      for (int64_t c = first + 1; c < std::min(size, first + 4); c++) {
        if (at(c).when_ns < at(least).when_ns) least = c;
      }
      if (entry.when_ns <= at(least).when_ns) break;
      place(i, at(least));
      i = least;
    }
    place(i, entry);
  }

  SpinLock lock_;
  std::atomic<int64_t> earliest_{kForever};
  std::vector<Entry> entries_;
  int64_t dead_ = 0;
};

// One heap for each of the first workers, one for all native threads: threads that arm timers seldom meet.
class TimerHeaps {
 public:
  static constexpr int kHeaps = 9;

  // worker: -1 for a native thread. True if the timer is the earliest of its heap.
  bool add(Timer& timer, int worker) {
    timer.heap = worker < 0 ? kHeaps - 1 : worker % (kHeaps - 1);
    return heaps_[timer.heap].add(timer);
  }
  bool remove(Timer& timer) { return heaps_[timer.heap].remove(timer); }
  // Calls f() while this timer, which nobody arms or disarms meanwhile, does not fire.
  template <class F>
  void hold_back(const Timer& timer, F f) {
    heaps_[timer.heap].hold_back(f);
  }

  // Fires what is due, earliest first, unless another thread is at it. `wake` gets the goroutines.
  template <class F>
  void fire_due(int64_t now_ns, F wake) {
    if (earliest() > now_ns || !firing_.try_lock()) return;
    for (;;) {
      const auto first = std::min_element(
          heaps_, heaps_ + kHeaps,
          [](const TimerHeap& a, const TimerHeap& b) { return a.earliest() < b.earliest(); });
      if (first->earliest() > now_ns) break;
      Goroutine* woken = nullptr;
      if (first->fire_one(now_ns, &woken) && woken) wake(woken);
    }
    firing_.unlock();
  }

  int64_t size() {
    int64_t n = 0;
    for (TimerHeap& heap : heaps_) n += heap.size();
    return n;
  }

  // kForever if there is none; maybe too early.
  int64_t earliest() const {
    int64_t first = kForever;
    for (const TimerHeap& heap : heaps_) first = std::min(first, heap.earliest());
    return first;
  }
  int64_t next() {
    int64_t first = kForever;
    for (TimerHeap& heap : heaps_) first = std::min(first, heap.next());
    return first;
  }

 private:
  TimerHeap heaps_[kHeaps];
  SpinLock firing_;
};

}  // namespace gotorch::runtime
