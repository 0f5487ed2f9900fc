#pragma once
// Invariants
//  - A timer is in the heap exactly while its index is not negative; only under the lock.
//  - fire() runs under the lock, so after remove() has returned the timer is not in use and may be
//    destroyed. It must not wait or touch the heap; what it returns is made ready after the lock.
//  - earliest() is exact under the lock. Who adds an earlier timer than all others tells whoever
//    sleeps until the previous earliest one.
#include <atomic>
#include <cstdint>
#include <vector>

#include "runtime/futex.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

struct Goroutine;

struct Timer {
  int64_t when_ns = 0;
  Goroutine* (*fire)(Timer&) = nullptr;
  int64_t index = -1;
};

class TimerHeap {
 public:
  // True if it is now the earliest.
  bool add(Timer& timer) {
    lock_.lock();
    heap_.push_back(&timer);
    place(static_cast<int64_t>(heap_.size()) - 1, &timer);
    up(timer.index);
    const bool first = timer.index == 0;
    publish();
    lock_.unlock();
    return first;
  }

  // False: it was not there; it has fired, or is not armed.
  bool remove(Timer& timer) {
    lock_.lock();
    const bool found =
        timer.index >= 0 && timer.index < static_cast<int64_t>(heap_.size()) &&
        heap_[static_cast<size_t>(timer.index)] == &timer;  // not the parent's, after fork
    if (found) take_out(timer.index);
    publish();
    lock_.unlock();
    return found;
  }

  // Fires one timer that is due. False: there is none. *woken: make it ready, if not null.
  bool fire_one(int64_t now_ns, Goroutine** woken) {
    if (earliest() > now_ns) return false;
    lock_.lock();
    const bool due = !heap_.empty() && heap_[0]->when_ns <= now_ns;
    if (due) {
      Timer& timer = *heap_[0];
      take_out(0);
      *woken = timer.fire(timer);
    }
    publish();
    lock_.unlock();
    return due;
  }

  int64_t size() {
    lock_.lock();
    const auto n = static_cast<int64_t>(heap_.size());
    lock_.unlock();
    return n;
  }

  // kForever if there is none.
  int64_t earliest() const { return earliest_.load(std::memory_order_seq_cst); }

 private:
  void publish() {
    const int64_t first = heap_.empty() ? kForever : heap_[0]->when_ns;
    // seq_cst: see IdleWorkers; the adder looks for sleepers next.
    if (first != earliest_.load(std::memory_order_relaxed)) {
      earliest_.store(first, std::memory_order_seq_cst);
    }
  }

  void place(int64_t i, Timer* timer) {
    heap_[static_cast<size_t>(i)] = timer;
    timer->index = i;
  }

  void take_out(int64_t i) {
    heap_[static_cast<size_t>(i)]->index = -1;
    Timer* last = heap_.back();
    heap_.pop_back();
    if (i == static_cast<int64_t>(heap_.size())) return;
    place(i, last);
    up(i);
    down(last->index);
  }

  // Four children to a node: fewer levels, and the children share a cache line.
  void up(int64_t i) {
    Timer* timer = heap_[static_cast<size_t>(i)];
    while (i > 0) {
      Timer* parent = heap_[static_cast<size_t>((i - 1) / 4)];
      if (parent->when_ns <= timer->when_ns) break;
      place(i, parent);
      i = (i - 1) / 4;
    }
    place(i, timer);
  }

  void down(int64_t i) {
    const auto size = static_cast<int64_t>(heap_.size());
    Timer* timer = heap_[static_cast<size_t>(i)];
    for (;;) {
      int64_t least = -1;
      for (int64_t c = 4 * i + 1; c < size && c <= 4 * i + 4; c++) {
        if (least < 0 ||
            heap_[static_cast<size_t>(c)]->when_ns < heap_[static_cast<size_t>(least)]->when_ns) {
          least = c;
        }
      }
      if (least < 0 || timer->when_ns <= heap_[static_cast<size_t>(least)]->when_ns) break;
      place(i, heap_[static_cast<size_t>(least)]);
      i = least;
    }
    place(i, timer);
  }

  SpinLock lock_;
  std::atomic<int64_t> earliest_{kForever};
  std::vector<Timer*> heap_;
};

}  // namespace gotorch::runtime
