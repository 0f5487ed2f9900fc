#include "runtime/loops.h"

#include <bit>

#include "runtime/futex.h"
#include "runtime/trace.h"

namespace gotorch::runtime {

bool Loop::run_first() {
  if (left() <= 0) return false;
  // acquire: pairs with the release in open(), so body, n, grain and chunks are seen.
  const int64_t before = claims.fetch_sub(kOne, std::memory_order_acquire);
  if (left(before) <= 0) return false;
  const auto by_helpers = static_cast<uint32_t>(before);
  if (!run(chunks - left(before) - by_helpers)) cancel();
  finish_one();
  return true;
}

bool Loop::run_last() {
  if (left() <= 0) return false;
  // acquire: as above.
  const int64_t before = claims.fetch_sub(kOne - 1, std::memory_order_acquire);
  if (left(before) <= 0) return false;
  run(chunks - 1 - static_cast<uint32_t>(before));
  finish_one();
  return true;
}

bool Loop::run(int64_t chunk) {
  const int64_t begin = chunk * grain;
  loop_depth()++;
  const trace::Span span("chunk", chunk);
  bool threw = false;
  try {
    (*body)(begin, n - begin <= grain ? n : begin + grain);
  } catch (...) {
    threw = true;
    error_lock.lock();
    if (!error || chunk < error_chunk) {
      error = std::current_exception();
      error_chunk = chunk;
    }
    error_lock.unlock();
  }
  loop_depth()--;
  return !threw;
}

void Loop::finish_one() {
  // release: what the body wrote is seen by the caller. acquire: the last one sees the caller's
  // preparations for being woken.
  if (unfinished.fetch_sub(1, std::memory_order_acq_rel) != kParked + 1) return;
  over.store(1, std::memory_order_release);
  futex_wake(over, 1);  // the place may be in use again by now: at worst a wake for no reason
}

void Loop::cancel() {
  const int64_t dropped = left(claims.exchange(0, std::memory_order_relaxed));
  // relaxed: whoever ends the loop synchronises by its own decrement.
  if (dropped > 0) unfinished.fetch_sub(dropped, std::memory_order_relaxed);
}

Loop* LoopBoard::acquire() {
  uint64_t taken = taken_.load(std::memory_order_relaxed);
  while (~taken) {
    const int i = std::countr_one(taken);
    // acquire: pairs with the release of the place by its previous owner.
    if (taken_.compare_exchange_weak(taken, taken | uint64_t{1} << i, std::memory_order_acquire)) {
      return &places_[i];
    }
  }
  return nullptr;
}

void LoopBoard::release(Loop& loop) { taken_.fetch_and(~bit(loop), std::memory_order_release); }

void LoopBoard::open(Loop& loop, int64_t n, int64_t grain, int64_t chunks, const RangeBody& body) {
  loop.n = n;
  loop.grain = grain;
  loop.chunks = chunks;
  loop.body = &body;
  loop.error = nullptr;
  loop.over.store(0, std::memory_order_relaxed);
  loop.unfinished.store(chunks, std::memory_order_relaxed);
  loop.claims.store(chunks << 32, std::memory_order_release);
  // seq_cst: the caller looks for sleepers next, and sleepers look here after they lie down.
  open_.fetch_or(bit(loop), std::memory_order_seq_cst);
}

void LoopBoard::close(Loop& loop) { open_.fetch_and(~bit(loop), std::memory_order_relaxed); }

Loop* LoopBoard::find_among(uint64_t open, unsigned start) {
  for (uint64_t rest = std::rotr(open, static_cast<int>(start % kPlaces)); rest; rest &= rest - 1) {
    Loop& loop = places_[(static_cast<unsigned>(std::countr_zero(rest)) + start) % kPlaces];
    if (loop.left() > 0) return &loop;
  }
  return nullptr;
}

}  // namespace gotorch::runtime
