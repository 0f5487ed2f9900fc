#pragma once
// Which descriptors of the operating system have become ready.
//
// Invariants
//  - A descriptor is registered once, edge-triggered, for both directions, until it is closed. An
//    event that comes late, for what used to be in a place, only lets the next operation there try
//    in vain: places are never unmapped.
//  - Workers that have nothing to run look here without waiting. While a descriptor is registered,
//    one of the workers that sleep does so in here, unless others run goroutines: those look
//    when they run out of them and every now and then.
//  - interrupt() ends the wait of who waits at that time, or of the next. Only who waits
//    consumes an interruption: the event is level-triggered.
#include <atomic>
#include <cstdint>

#include "runtime/goroutine.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

struct Descriptor;

class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;

  Descriptor* take_place();
  void give_back(Descriptor* place);

  // errno's value, or 0.
  int add(Descriptor& descriptor, int fd);
  void opened();
  void closed();

  // The goroutines, claimed and linked by `next`, that an event lets go on. Waits for one for at
  // most timeout_ns, by one thread at a time; 0: only looks.
  Goroutine* poll(int64_t timeout_ns);
  void interrupt();

 private:
  friend bool io_in_use();

  const int epoll_;
  const int event_;
  std::atomic<int> open_{0};
  SpinLock lock_;
  Descriptor* free_ = nullptr;
};

// This process's. IoError if the system has no room for one.
Poller& poller();

inline std::atomic<Poller*> poller_instance{nullptr};
inline bool io_in_use() {
  // relaxed: who registers the first descriptor wakes a worker, which orders the two.
  const Poller* p = poller_instance.load(std::memory_order_acquire);
  return p && p->open_.load(std::memory_order_relaxed) > 0;
}

// The child must not touch what the parent waits for.
void forget_poller_after_fork();

}  // namespace gotorch::runtime
