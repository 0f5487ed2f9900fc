#pragma once
// Invariants
//  - A worker sleeps only while its seat is on the list, or after a waker took the seat off it. In
//    the second case a signal is set or about to be, and the worker consumes exactly that one.
//  - `searching` counts awake workers that look for work and have none. Who publishes work passes a light
//    fence (fence.h), then reads `searching` and the list; who goes to sleep enters the list, stops searching,
//    passes a heavy one, then looks at every source of work again. One of the two sees the other.
//  - Work that was published while a worker counted as searching is that worker's to pass on: when it finds work on its way
//    to sleep it counts again, and whoever stops searching looks whether there is more, and wakes another.
//  - A waker counts the worker it wakes as searching, so that two submissions wake two workers.
#include <atomic>
#include <cstdint>
#include <vector>

#include "runtime/cpus.h"
#include "runtime/futex.h"
#include "runtime/io/poller.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

class IdleWorkers {
 public:
  struct Seat {
    std::atomic<uint32_t> signal{0};
    std::atomic<bool> polls{false};  // sleeps in the poller
  };

  IdleWorkers() { seats_.reserve(kMaxWorkers); }

  void enter(Seat& seat) {
    lock_.lock();
    seats_.push_back(&seat);
    count_.store(static_cast<int>(seats_.size()), std::memory_order_relaxed);
    lock_.unlock();
  }

  // True if the seat was still on the list. False: a waker has it, so take the signal.
  bool leave(Seat& seat) {
    lock_.lock();
    bool found = false;
    for (size_t i = seats_.size(); i-- > 0 && !found;) {
      if (seats_[i] != &seat) continue;
      seats_.erase(seats_.begin() + static_cast<std::ptrdiff_t>(i));
      found = true;
    }
    count_.store(static_cast<int>(seats_.size()), std::memory_order_relaxed);
    lock_.unlock();
    return found;
  }

  // Sleeps until signalled or the time is over; then the seat is off the list. True: signalled.
  bool sleep(Seat& seat, int64_t timeout_ns) {
    // acquire: what the waker did before it signalled is seen.
    if (seat.signal.load(std::memory_order_acquire) == 0) futex_wait(seat.signal, 0, timeout_ns);
    return woken(seat);
  }

  // As sleep(), waiting for I/O too. *found: the goroutines that this lets go on.
  bool sleep_polling(Seat& seat, int64_t timeout_ns, Goroutine** found) {
    // seq_cst: who signals sets `signal`, then looks at `polls`; we set `polls`, then look at it.
    seat.polls.store(true, std::memory_order_seq_cst);
    if (seat.signal.load(std::memory_order_seq_cst) == 0) *found = poller().poll(timeout_ns);
    seat.polls.store(false, std::memory_order_seq_cst);
    return woken(seat);
  }

  // Wakes this one, if it sleeps.
  bool wake(Seat& seat) {
    if (!leave(seat)) return false;
    signal(seat);
    return true;
  }

  // Wakes the worker that fell asleep last (its caches are the warmest). False: none sleeps.
  bool wake_one() {
    if (count_.load(std::memory_order_relaxed) == 0) return false;
    lock_.lock();
    Seat* seat = seats_.empty() ? nullptr : seats_.back();
    if (seat) seats_.pop_back();
    count_.store(static_cast<int>(seats_.size()), std::memory_order_relaxed);
    lock_.unlock();
    if (seat) signal(*seat);
    return seat;
  }

  int sleeping() const { return count_.load(std::memory_order_relaxed); }

  alignas(64) std::atomic<int> searching{0};

 private:
  bool woken(Seat& seat) {
    // seq_cst: if our waker saw us polling, it has signalled before; else it wakes the futex.
    if (seat.signal.load(std::memory_order_seq_cst) == 0 && leave(seat)) return false;
    while (seat.signal.load(std::memory_order_acquire) == 0) futex_wait(seat.signal, 0, kForever);
    seat.signal.store(0, std::memory_order_relaxed);
    return true;
  }

  void signal(Seat& seat) {
    searching.fetch_add(1, std::memory_order_relaxed);  // before the signal, see Invariants
    // seq_cst: see sleep_polling(). Releases what we did before.
    seat.signal.store(1, std::memory_order_seq_cst);
    if (seat.polls.load(std::memory_order_seq_cst)) poller().interrupt();
    else futex_wake(seat.signal, 1);
  }

  alignas(64) SpinLock lock_;
  std::atomic<int> count_{0};  // seats_.size(), readable without the lock
  std::vector<Seat*> seats_;
};

}  // namespace gotorch::runtime
