#pragma once
// Invariants
//  - A worker sleeps only while its seat is on the list, or after a waker took the seat off it. In
//    the second case a signal is set or about to be, and the worker consumes exactly that one.
//  - `searching` counts awake workers that look for work and have none. Who publishes work passes a light
//    fence (fence.h), then reads `searching` and the list; who goes to sleep enters the list, stops searching,
//    passes a heavy one, then looks at every source of work again. One of the two sees the other.
//  - Work that was published while a worker counted as searching is that worker's to pass on: when it finds work on its way
//    to sleep it counts again, and whoever stops searching looks whether there is more, and wakes another.
//  - A worker that keeps away (Worker::go_away) does not look at goroutines that were woken, and nobody wakes it for them: it
//    sleeps for a short time only, and looks at them after that.
//  - A waker counts the worker it wakes as searching, so that two submissions wake two workers.
#include <algorithm>
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
    // Is not to be woken for goroutines that were woken. Changed while off the list.
    bool away = false;
  };

  IdleWorkers() { seats_.reserve(kMaxWorkers); }

  void enter(Seat& seat) {
    lock_.lock();
    seats_.push_back(&seat);
    recount();
    lock_.unlock();
  }

  // True if the seat was still on the list. False: a waker has it, so take the signal.
  bool leave(Seat& seat) {
    lock_.lock();
    const bool found = take_off(seat);
    lock_.unlock();
    return found;
  }

  // The same, but only if at least `count` workers sleep, this one among them.
  bool leave_if_all_sleep(Seat& seat, int count) {
    lock_.lock();
    const bool all = static_cast<int>(seats_.size()) >= count && take_off(seat);
    lock_.unlock();
    return all;
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

  // Wakes the worker that fell asleep last (its caches are the warmest), or of those that are not away. False: none sleeps.
  bool wake_one(bool also_away = true) {
    if (also_away ? sleeping() == 0 : waiting() == 0) return false;
    lock_.lock();
    auto last = seats_.rbegin();
    while (last != seats_.rend() && (*last)->away && !also_away) ++last;
    Seat* seat = last == seats_.rend() ? nullptr : *last;
    if (seat) take_off(*seat);
    lock_.unlock();
    if (seat) signal(*seat);
    return seat;
  }

  int sleeping() const { return count_.load(std::memory_order_relaxed); }
  // Those that sleep and are not away.
  int waiting() const { return waiting_.load(std::memory_order_relaxed); }

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

  // Under the lock.
  bool take_off(Seat& seat) {
    const auto found = std::find(seats_.begin(), seats_.end(), &seat);
    if (found == seats_.end()) return false;
    seats_.erase(found);
    recount();
    return true;
  }
  void recount() {
    const auto away = std::count_if(seats_.begin(), seats_.end(), [](Seat* s) { return s->away; });
    count_.store(static_cast<int>(seats_.size()), std::memory_order_relaxed);
    waiting_.store(static_cast<int>(seats_.size()) - static_cast<int>(away),
                   std::memory_order_relaxed);
  }

  alignas(64) SpinLock lock_;
  std::atomic<int> count_{0};  // seats_.size(), readable without the lock
  std::atomic<int> waiting_{0};
  std::vector<Seat*> seats_;
};

}  // namespace gotorch::runtime
