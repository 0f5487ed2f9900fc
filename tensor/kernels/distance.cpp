#include "tensor/kernels/distance.h"

#include <cmath>

#include "runtime/parallel.h"
#include "tensor/kernels/axis.h"
#include "tensor/kernels/lanes.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

enum class Norm { Zero, One, Two, Any, Infinity };

// Distances of one row to `rows` others.
template <class T, Norm norm>
void row_distances(const T* a, const T* b, int64_t rows, int64_t m, double p, T* y) {
  for (int64_t j = 0; j < rows; j++, b += m) {
    if constexpr (norm == Norm::One) {
      y[j] = static_cast<T>(sum_row<T, 1>(m, [&](auto at) {
        const auto d = at(a) - at(b);
        return terms(d < 0 ? -d : d);
      })[0]);
    } else if constexpr (norm == Norm::Two) {
      y[j] = static_cast<T>(std::sqrt(sum_row<T, 1>(m, [&](auto at) {
        const auto d = at(a) - at(b);
        return terms(d * d);
      })[0]));
    } else {
      T total = 0;
      for (int64_t i = 0; i < m; i++) {
        const T d = std::abs(a[i] - b[i]);
        if constexpr (norm == Norm::Zero) total += d != 0 ? T(1) : T(0);
        else if constexpr (norm == Norm::Infinity) total = total < d || d != d ? d : total;
        else total += std::pow(d, static_cast<T>(p));
      }
      y[j] = norm == Norm::Any ? std::pow(total, static_cast<T>(1 / p)) : total;
    }
  }
}

template <class T>
auto kernel_for(double p) {
  static const auto zero = best_variant<&row_distances<T, Norm::Zero>>(),
                    one = best_variant<&row_distances<T, Norm::One>>(),
                    two = best_variant<&row_distances<T, Norm::Two>>(),
                    infinity = best_variant<&row_distances<T, Norm::Infinity>>();
  return p == 0             ? zero
         : p == 1           ? one
         : p == 2           ? two
         : std::isinf(p)    ? infinity
                            : &row_distances<T, Norm::Any>;
}

}  // namespace

template <class T>
void distances(const Distances<T>& d, T* y) {
  const auto row = kernel_for<T>(d.p);
  runtime::parallel_for(d.batch * d.rows1, grain_of(d.rows2 * d.m), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++)
      row(d.x1 + r * d.m, d.x2 + r / d.rows1 * d.rows2 * d.m, d.rows2, d.m, d.p, y + r * d.rows2);
  });
}

template void distances(const Distances<float>&, float*);
template void distances(const Distances<double>&, double*);

}  // namespace gotorch::kernels
