#include "tensor/kernels/bad_index.h"

#include <atomic>

#include "runtime/parallel.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

// No early exit, so that it is vector code: bad indices are the exception.
bool any_outside(const int64_t* index, int64_t count, int64_t low, int64_t bound) {
  int64_t outside = 0;
  for (int64_t i = 0; i < count; i++) outside |= (index[i] < low) | (index[i] >= bound);
  return outside != 0;
}

}  // namespace

bool any_bad_index(const int64_t* index, int64_t count, int64_t low, int64_t bound) {
  static const auto any = best_variant<&any_outside>();
  return any(index, count, low, bound);
}

std::optional<BadIndex> find_bad_index(const int64_t* index, int64_t count, int64_t low,
                                       int64_t bound, const int64_t* ignore) {
  const auto bad = [&](int64_t v) { return (v < low || v >= bound) && !(ignore && v == *ignore); };
  std::atomic<int64_t> first{count};
  runtime::parallel_for(count, 65536, [&](int64_t b, int64_t e) {
    if (!any_bad_index(index + b, e - b, low, bound)) return;
    for (int64_t i = b; i < e; i++) {
      if (!bad(index[i])) continue;
      // The lowest position wins, whichever chunk ends first. Relaxed: parallel_for joins.
      int64_t seen = first.load(std::memory_order_relaxed);
      while (i < seen && !first.compare_exchange_weak(seen, i, std::memory_order_relaxed)) {
      }
      return;
    }
  });
  const int64_t i = first.load(std::memory_order_relaxed);
  if (i == count) return std::nullopt;
  return BadIndex{i, index[i], bound};
}

}  // namespace gotorch::kernels
