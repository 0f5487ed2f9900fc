// Variance, standard deviation and mean.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/kernels/moments.h"
#include "tensor/kernels/reduce.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

// Two fields: the mean and the sum of squared deviations from it, in double.
template <class T>
inline void rows(const void* x_, int64_t count, int64_t n, int64_t, void* state, int64_t room) {
  const T* x = static_cast<const T*>(x_);
  double *mean = static_cast<double*>(state), *m2 = mean + room;
  for (int64_t r = 0; r < count; r++, x += n) {
    const Moments m = moments_of(x, 1, 0, n);
    mean[r] = m.mean;
    m2[r] = m.m2;
  }
}

// As moments.h: deviations from the rounded mean also give what was rounded off. V is a Vec or T.
template <class T, class V>
inline void strip(const T* x, int64_t rows, int64_t stride, double* mean, double* m2) {
  const auto at = [&](int64_t r) {
    V v;
    std::memcpy(&v, x + r * stride, sizeof v);
    return v;
  };
  V about = at(0);
  for (int64_t r = 1; r < rows; r++) about += at(r);
  about /= static_cast<T>(rows);
  V d1 = {}, d2 = {};
  for (int64_t r = 0; r < rows; r++) {
    const V d = at(r) - about;
    d1 += d;
    d2 += d * d;
  }
  constexpr int W = sizeof(V) / sizeof(T);
  T first[W], rest[W], squares[W];
  std::memcpy(first, &about, sizeof about);
  std::memcpy(rest, &d1, sizeof d1);
  std::memcpy(squares, &d2, sizeof d2);
  const double n = static_cast<double>(rows);
  for (int l = 0; l < W; l++) {
    const double d = static_cast<double>(rest[l]);
    mean[l] = static_cast<double>(first[l]) + d / n;
    m2[l] = static_cast<double>(squares[l]) - d * d / n;
  }
}

template <class T>
inline void panel(const void* x_, int64_t rows, int64_t cols, int64_t stride, int64_t, void* state,
                  int64_t room) {
  constexpr int W = kWidth<T>;
  const T* x = static_cast<const T*>(x_);
  double *mean = static_cast<double*>(state), *m2 = mean + room;
  int64_t c = 0;
  for (; c + W <= cols; c += W) strip<T, Vec<T>>(x + c, rows, stride, mean + c, m2 + c);
  for (; c < cols; c++) strip<T, T>(x + c, rows, stride, mean + c, m2 + c);
}

inline void merge(void* a, const void* b, int64_t cols, int64_t room, double na, double nb) {
  double* __restrict mean = static_cast<double*>(a);
  const double* __restrict other = static_cast<const double*>(b);
  const double n = na + nb, part = nb / n, both = na * nb / n;
  for (int64_t c = 0; c < cols; c++) {
    const double d = other[c] - mean[c];
    mean[c] += d * part;
    mean[room + c] += other[room + c] + d * d * both;
  }
}

void empty(void* state, int64_t cols, int64_t room) {
  double* mean = static_cast<double*>(state);
  std::fill_n(mean, cols, std::nan(""));
  std::fill_n(mean + room, cols, 0.0);
}

template <class T, bool Root>
void finish(const void* state, int64_t cols, int64_t room, double n, double correction, void* y0,
            void* y1) {
  const double *mean = static_cast<const double*>(state), *m2 = mean + room;
  const double freedom = std::max(0.0, n - correction);
  for (int64_t c = 0; c < cols; c++) {
    const double var = m2[c] / freedom;
    static_cast<T*>(y0)[c] = static_cast<T>(Root ? std::sqrt(var) : var);
  }
  if (!y1) return;
  for (int64_t c = 0; c < cols; c++) static_cast<T*>(y1)[c] = static_cast<T>(mean[c]);
}

template <class T, bool Root>
ReduceKernel make() {
  return {dtype_of<T>(),
          dtype_of<T>(),
          2 * sizeof(double),
          false,
          best_variant<&rows<T>>(),
          best_variant<&panel<T>>(),
          best_variant<&merge>(),
          &empty,
          &finish<T, Root>};
}

}  // namespace

const ReduceKernel& var_kernel(Dtype d) {
  static const ReduceKernel f = make<float, false>(), g = make<double, false>();
  return d == Dtype::Float ? f : g;
}
const ReduceKernel& std_kernel(Dtype d) {
  static const ReduceKernel f = make<float, true>(), g = make<double, true>();
  return d == Dtype::Float ? f : g;
}

}  // namespace gotorch::kernels
