#include <algorithm>
#include <cstdint>
#include <memory>

#include "runtime/parallel.h"
#include "tensor/kernels/instantiate.h"
#include "tensor/kernels/random_fill.h"
#include "tensor/kernels/random_unit.h"

namespace gotorch {
namespace {

constexpr int64_t kGrain = 32768;

// Running sums of p over their total, added up in order. Rounding must not leave the last below 1.
template <class T, class C>
void cumulative(const T* p, int64_t n, C* sums) {
  C sum = 0;
  for (int64_t i = 0; i < n; i++) {
    sum += static_cast<C>(p[i]);
    sums[i] = sum;
  }
  for (int64_t i = 0; i < n; i++) sums[i] /= sum;
  sums[n - 1] = 1;
}

}  // namespace

template <class T>
void fill_categories(int64_t* out, const T* p, int64_t rows, int64_t categories, int64_t samples,
                     const Generator& generator) {
  const auto words = std::make_unique_for_overwrite<uint32_t[]>(2 * rows * samples);
  RandomStream(generator).words(words.get(), 2 * rows * samples);
  const int64_t row_cost = categories + 16 * samples;
  runtime::parallel_for(rows, std::max<int64_t>(1, kGrain / row_cost), [&](int64_t b, int64_t e) {
    const auto sums = std::make_unique_for_overwrite<Compute<T>[]>(categories);
    for (int64_t row = b; row < e; row++) {
      cumulative(p + row * categories, categories, sums.get());
      runtime::parallel_for(samples, kGrain / 16, [&](int64_t first, int64_t last) {
        for (int64_t i = row * samples + first; i < row * samples + last; i++) {
          const double u = unit_double(words.get() + 2 * i);
          out[i] = std::lower_bound(sums.get(), sums.get() + categories, u) - sums.get();
        }
      });
    }
  });
}

#define GOTORCH_INSTANTIATE(T) \
  template void fill_categories(int64_t*, const T*, int64_t, int64_t, int64_t, const Generator&);
GOTORCH_FOR_FLOATS(GOTORCH_INSTANTIATE)
#undef GOTORCH_INSTANTIATE

}  // namespace gotorch
