#pragma once
// The places where runnable goroutines wait for a worker. The ring is the algorithm of Go's local
// run queue; the deque is Chase and Lev's (SPAA 2005) with the orders of Le, Pop, Cohen and
// Zappa Nardelli (PPoPP 2013).
//
// Invariants
//  - push and pop of a ring or deque only by the worker that owns it; steal by anybody.
//  - A goroutine is in at most one queue, and a queue's entry is taken by exactly one thread: the
//    one whose exchange of head (or top) succeeds.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/goroutine.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

// First in, first out, for goroutines that were woken or gave way.
class RunRing {
 public:
  static constexpr uint32_t kSize = 256;

  bool push(Goroutine* g) {
    const uint32_t t = tail_.load(std::memory_order_relaxed);  // ours alone
    // acquire: the slot we are about to overwrite has been read by whoever moved head past it.
    if (t - head_.load(std::memory_order_acquire) >= kSize) return false;
    slots_[t % kSize].store(g, std::memory_order_relaxed);
    tail_.store(t + 1, std::memory_order_release);  // publishes slot and goroutine
    return true;
  }

  Goroutine* pop() {
    uint32_t h = head_.load(std::memory_order_relaxed);
    for (;;) {
      if (h == tail_.load(std::memory_order_relaxed)) return nullptr;
      Goroutine* g = slots_[h % kSize].load(std::memory_order_relaxed);
      at_fine_edge(Edge::Queue);
      // release: our read of the slot comes before a push that reuses it.
      if (head_.compare_exchange_weak(h, h + 1, std::memory_order_acq_rel)) return g;
    }
  }

  // Moves half of another ring here, which must be empty, and returns one of them.
  Goroutine* steal_from(RunRing& victim) {
    const uint32_t t = tail_.load(std::memory_order_relaxed);
    uint32_t h = victim.head_.load(std::memory_order_acquire);
    for (;;) {
      // acquire: pairs with push, so the goroutines in the slots are seen.
      const uint32_t n = (victim.tail_.load(std::memory_order_acquire) - h + 1) / 2;
      if (n == 0) return nullptr;
      if (n > kSize / 2) {  // head and tail were read apart
        h = victim.head_.load(std::memory_order_acquire);
        continue;
      }
      for (uint32_t i = 0; i < n; i++) {
        slots_[(t + i) % kSize].store(
            victim.slots_[(h + i) % kSize].load(std::memory_order_relaxed),
            std::memory_order_relaxed);
      }
      at_fine_edge(Edge::Queue);
      if (!victim.head_.compare_exchange_weak(h, h + n, std::memory_order_acq_rel)) continue;
      tail_.store(t + n - 1, std::memory_order_release);
      return slots_[(t + n - 1) % kSize].load(std::memory_order_relaxed);
    }
  }

  bool empty() const {
    return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_relaxed);
  }

 private:
  alignas(64) std::atomic<uint32_t> head_{0};
  alignas(64) std::atomic<uint32_t> tail_{0};
  std::atomic<Goroutine*> slots_[kSize]{};
};

// For goroutines not yet started: the owner takes the newest, so that a tree of them needs memory
// for one path only; thieves take the oldest, which is likely the largest.
class SpawnDeque {
 public:
  explicit SpawnDeque(int64_t size = 256) {  // a power of 2; it grows
    arrays_.push_back(std::make_unique<Array>(size));
    array_ = arrays_.back().get();
  }

  void push(Goroutine* g) {
    const int64_t b = bottom_.load(std::memory_order_relaxed);
    Array* a = array_.load(std::memory_order_relaxed);
    // Thieves write top's line: we look at it only if there seems to be no room.
    if (b - top_seen_ > a->mask) {
      // acquire: the slot we may reuse has been read by the thief that moved top.
      top_seen_ = top_.load(std::memory_order_acquire);
      if (b - top_seen_ > a->mask) a = grow(a, top_seen_, b);
    }
    a->at(b).store(g, std::memory_order_relaxed);
    bottom_.store(b + 1, std::memory_order_release);  // publishes slot and goroutine
  }

  Goroutine* pop() {
    const int64_t b = bottom_.load(std::memory_order_relaxed) - 1;
    if (b < top_.load(std::memory_order_relaxed)) return nullptr;  // only we add: surely empty
    Array* a = array_.load(std::memory_order_relaxed);
    // release, here and below: a thief that reads this value has to see what was pushed before.
    bottom_.store(b, std::memory_order_release);
    // Fence: thieves see our lower bottom, or we see their higher top; both sides have one.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    at_fine_edge(Edge::Queue);
    int64_t t = top_.load(std::memory_order_relaxed);
    Goroutine* g = t <= b ? a->at(b).load(std::memory_order_relaxed) : nullptr;
    if (t == b && !top_.compare_exchange_strong(t, t + 1, std::memory_order_seq_cst)) g = nullptr;
    if (t >= b) bottom_.store(b + 1, std::memory_order_release);
    return g;
  }

  Goroutine* steal() {
    int64_t t = top_.load(std::memory_order_acquire);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // see pop
    if (t >= bottom_.load(std::memory_order_acquire)) return nullptr;
    // acquire: a grown array is seen with its contents.
    Goroutine* g = array_.load(std::memory_order_acquire)->at(t).load(std::memory_order_relaxed);
    at_fine_edge(Edge::Queue);
    return top_.compare_exchange_strong(t, t + 1, std::memory_order_seq_cst) ? g : nullptr;
  }

  // Takes one, and moves more of a long row to another deque, which must be empty and the caller's. The rest of a short row may be
  // the larger part of a tree of work: that stays.
  Goroutine* steal_into(SpawnDeque& mine) {
    int64_t more = std::min((size() - 1) / kShare, kMost);
    Goroutine* g = steal();
    for (Goroutine* another; g && more > 0 && (another = steal()); more--) {
      __builtin_prefetch(another, 1);  // from the cache of the core that made it
      __builtin_prefetch(reinterpret_cast<const char*>(another) + 64, 1);
      mine.push(std::exchange(g, another));
    }
    return g;
  }

  // What pop() would return if no thief took it first. Only by the owner.
  Goroutine* newest() const {
    const int64_t b = bottom_.load(std::memory_order_relaxed) - 1;
    if (b < top_.load(std::memory_order_relaxed)) return nullptr;
    return array_.load(std::memory_order_relaxed)->at(b).load(std::memory_order_relaxed);
  }

  bool empty() const { return size() <= 0; }

 private:
  static constexpr int64_t kShare = 8, kMost = 64;

  int64_t size() const {
    return bottom_.load(std::memory_order_relaxed) - top_.load(std::memory_order_relaxed);
  }

  struct Array {
    explicit Array(int64_t size) : mask(size - 1), slots(new std::atomic<Goroutine*>[size]) {}
    std::atomic<Goroutine*>& at(int64_t i) { return slots[i & mask]; }
    const int64_t mask;
    const std::unique_ptr<std::atomic<Goroutine*>[]> slots;
  };

  Array* grow(Array* old, int64_t t, int64_t b) {
    arrays_.push_back(std::make_unique<Array>(2 * (old->mask + 1)));
    Array* a = arrays_.back().get();
    for (int64_t i = t; i < b; i++) {
      a->at(i).store(old->at(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    array_.store(a, std::memory_order_release);
    return a;
  }

  alignas(64) std::atomic<int64_t> top_{0};
  alignas(64) std::atomic<int64_t> bottom_{0};
  int64_t top_seen_ = 0;  // by the owner
  std::atomic<Array*> array_;
  std::vector<std::unique_ptr<Array>> arrays_;  // old ones stay: a thief may be reading them
};

// Shared by all workers: what native threads submit, and what does not fit elsewhere.
class InjectQueue {
 public:
  void push(Goroutine* g) {
    g->next = nullptr;
    lock_.lock();
    (last_ ? last_->next : first_) = g;
    last_ = g;
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    lock_.unlock();
  }

  Goroutine* pop() {
    if (empty()) return nullptr;
    lock_.lock();
    Goroutine* g = first_;
    if (g) {
      first_ = g->next;
      if (!first_) last_ = nullptr;
      g->next = nullptr;
      count_.store(count_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    }
    lock_.unlock();
    return g;
  }

  bool empty() const { return count_.load(std::memory_order_relaxed) == 0; }

 private:
  SpinLock lock_;
  std::atomic<int64_t> count_{0};
  Goroutine* first_ = nullptr;
  Goroutine* last_ = nullptr;
};

}  // namespace gotorch::runtime
