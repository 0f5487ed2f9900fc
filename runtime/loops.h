#pragma once
#include <atomic>
#include <cstdint>
#include <exception>

#include "runtime/fn_ref.h"
#include "runtime/spin.h"
#include "runtime/thread_state.h"

namespace gotorch::runtime {

using RangeBody = FnRef<void(int64_t, int64_t)>;

// Invariants
//  - A loop's place is never unmapped and is reused. Chunks are claimed by counting `unclaimed`
//    down; only a claim that found it positive is one, and only then may the other fields be read:
//    the loop they describe cannot end before that chunk is finished.
//  - The caller claims from the first chunk upwards, helpers from the last one downwards. So in a row of loops over
//    the same memory each thread mostly meets the part it had before, in its own cache. What is unclaimed lies in
//    one piece between the two.
//  - `unfinished` reaches zero once, after which only the caller touches the place. The caller
//    returns when it has seen that, or, once it has added kParked, when the thread that finished
//    the last chunk has set `over`. That thread alone sees kParked + 1.
//  - Every chunk below one that throws is finished: the lowest throwing chunk is the same at any worker count. Only the
//    caller drops chunks, which all lie above its own.
struct alignas(128) Loop {
  static constexpr int64_t kParked = int64_t{1} << 62;
  static constexpr int64_t kMaxChunks = INT32_MAX;

  // The chunks left, in the upper half; how many helpers have claimed, in the lower.
  std::atomic<int64_t> claims{0};
  alignas(64) std::atomic<int64_t> unfinished{0};
  std::atomic<uint32_t> over{0};

  alignas(64) const RangeBody* body = nullptr;
  int64_t n = 0, grain = 1, chunks = 0;

  SpinLock error_lock;
  int64_t error_chunk = 0;
  std::exception_ptr error;

  // Runs one chunk if any is left.
  bool run_first();  // for the caller
  bool run_last();   // for helpers
  // Drops the chunks nobody has claimed. Only for the caller, before it waits.
  void cancel();
  int64_t left() const { return left(claims.load(std::memory_order_relaxed)); }

 private:
  static constexpr int64_t kOne = int64_t{1} << 32;
  static int64_t left(int64_t claims) { return claims >> 32; }
  bool run(int64_t chunk);  // false: it threw
  void finish_one();
};

// The loops that are open for helpers.
class LoopBoard {
 public:
  // Null if every place is taken.
  Loop* acquire();
  void release(Loop& loop);
  void open(Loop& loop, int64_t n, int64_t grain, int64_t chunks, const RangeBody& body);
  void close(Loop& loop);

  // A loop with unclaimed chunks, or null. `start` spreads helpers over the loops.
  Loop* find(unsigned start) {
    const uint64_t open = open_.load(std::memory_order_relaxed);
    return open ? find_among(open, start) : nullptr;
  }

 private:
  Loop* find_among(uint64_t open, unsigned start);
  static constexpr int kPlaces = 64;
  uint64_t bit(const Loop& loop) const { return uint64_t{1} << (&loop - places_); }

  alignas(64) std::atomic<uint64_t> open_{0};
  alignas(64) std::atomic<uint64_t> taken_{0};
  Loop places_[kPlaces];
};

}  // namespace gotorch::runtime
