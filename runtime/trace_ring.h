#pragma once
// Invariants
//  - Only its thread writes to a ring; `head` counts what it has ever written. A slot is written before head says so.
//  - A reader takes what is between head - size and head, but leaves out the oldest kMargin: a thread that has not yet heard
//    that tracing is off may be writing there. What it has overtaken meanwhile it drops.
//  - Rings are never freed: a thread that ends leaves its own for another. There are at most kMostRings; further threads
//    do not record.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/trace.h"

namespace gotorch::runtime::trace {

struct Event {
  int64_t ticks;
  Kind kind;
  uint64_t a, b;
  int ring;
};

class Ring {
 public:
  static constexpr uint64_t kMargin = 8;

  Ring(int number, uint64_t size) : number_(number), mask_(size - 1), slots_(new Slot[size]) {}

  void write(int64_t ticks, Kind kind, uint64_t a, uint64_t b) {
    const uint64_t head = head_.load(std::memory_order_relaxed);  // ours alone
    Slot& slot = slots_[head & mask_];
    slot[0].store(static_cast<uint64_t>(ticks), std::memory_order_relaxed);
    slot[1].store(static_cast<uint64_t>(kind), std::memory_order_relaxed);
    slot[2].store(a, std::memory_order_relaxed);
    slot[3].store(b, std::memory_order_relaxed);
    head_.store(head + 1, std::memory_order_release);  // publishes the slot
  }

  // Appends the events since clear().
  void read(std::vector<Event>& out) const {
    const uint64_t end = head_.load(std::memory_order_acquire);
    const uint64_t room = mask_ + 1 - kMargin;
    uint64_t i = end - first_ > room ? end - room : first_;
    for (; i < end; i++) {
      const Slot& slot = slots_[i & mask_];
      out.push_back({static_cast<int64_t>(slot[0].load(std::memory_order_relaxed)),
                     static_cast<Kind>(slot[1].load(std::memory_order_relaxed)),
                     slot[2].load(std::memory_order_relaxed),
                     slot[3].load(std::memory_order_relaxed), number_});
    }
  }
  void clear() { first_ = head_.load(std::memory_order_acquire); }
  uint64_t size() const { return mask_ + 1; }
  int number() const { return number_; }

  std::atomic<bool> taken{true};
  std::string owner;  // under the lock of the list of rings

 private:
  using Slot = std::array<std::atomic<uint64_t>, 4>;
  const int number_;
  const uint64_t mask_;
  std::unique_ptr<Slot[]> slots_;
  std::atomic<uint64_t> head_{0};
  uint64_t first_ = 0;
};

// What runtime::ticks() showed at two times of now_ns().
struct Calibration {
  int64_t ticks0, ns0, ticks1, ns1;
  double microseconds(int64_t t) const {
    const double per_tick =
        ticks1 > ticks0 ? static_cast<double>(ns1 - ns0) / static_cast<double>(ticks1 - ticks0) : 1;
    return static_cast<double>(t - ticks0) * per_tick * 1e-3;
  }
};

// The events of all rings and the names of their threads, as JSON.
std::string to_json(std::vector<Event> events, const std::vector<std::string>& owners,
                    const Calibration& clock);

}  // namespace gotorch::runtime::trace
