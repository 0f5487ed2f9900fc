#include "tensor/kernels/unique.h"

#include <memory>

#include "runtime/parallel.h"
#include "tensor/dtype.h"
#include "tensor/kernels/axis.h"
#include "tensor/kernels/instantiate.h"
#include "tensor/kernels/radix_sort.h"

namespace gotorch::kernels {

template <class T>
Runs unique(const T* x, int64_t n, bool sorted, bool want_inverse) {
  const Row<T> row{x, n};
  const std::unique_ptr<Narrow[]> buffer(new Narrow[sorted ? 2 * n : 0]);
  Key<T> base;
  bool exact;
  const Narrow* items =
      sorted ? sort_row(row, buffer.get(), buffer.get() + n, &base, &exact) : nullptr;
  Runs runs;
  if (want_inverse) runs.inverse.resize(n);
  Key<T> before = 0;
  for (int64_t i = 0; i < n; i++) {
    const int64_t position = sorted ? position_of(items[i]) : i;
    const Key<T> key =
        sorted && exact ? static_cast<Key<T>>(key_in(items[i]) + base) : row.key(position);
    const bool is_nan = kIsFloating<T> && key == kNanKey<T>;
    if (i == 0 || is_nan || key != before) {
      runs.first.push_back(position);
      runs.count.push_back(0);
    }
    before = key;
    runs.count.back()++;
    if (want_inverse) runs.inverse[position] = static_cast<int64_t>(runs.first.size()) - 1;
  }
  return runs;
}

template <class T>
void searchsorted(const T* sequence, bool shared, int64_t rows, int64_t n, const T* value,
                  int64_t m, bool right, int64_t* y) {
  int64_t steps = 1;
  while (n >> steps) steps++;
  runtime::parallel_for(rows * m, grain_of(4 * steps), [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; i++) {
      const T* row = sequence + (shared ? 0 : i / m * n);
      const Compute<T> v = value[i];
      int64_t lo = 0, hi = n;
      while (lo < hi) {
        const int64_t mid = lo + (hi - lo) / 2;
        const Compute<T> at = row[mid];
        // Negated, so that a NaN on either side leads to the right.
        if (!(right ? at > v : at >= v)) lo = mid + 1;
        else hi = mid;
      }
      y[i] = lo;
    }
  });
}

#define GOTORCH_INSTANTIATE(T)                         \
  template Runs unique(const T*, int64_t, bool, bool); \
  template void searchsorted(const T*, bool, int64_t, int64_t, const T*, int64_t, bool, int64_t*);
GOTORCH_FOR_NUMBERS(GOTORCH_INSTANTIATE)

}  // namespace gotorch::kernels
