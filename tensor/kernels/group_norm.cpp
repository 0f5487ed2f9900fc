#include <cmath>

#include "runtime/parallel.h"
#include "tensor/buffer.h"
#include "tensor/kernels/axis.h"
#include "tensor/kernels/moments.h"
#include "tensor/kernels/norm.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

// Groups begin ... end - 1 of n * groups; each is c / groups channels of s contiguous elements.
template <class T>
void forward_groups(const GroupNorm<T>& p, const T* x, T* y, int64_t begin, int64_t end) {
  const int64_t channels = p.c / p.groups, size = channels * p.s;
  for (int64_t r = begin; r < end; r++) {
    const Moments m = moments_of(x + r * size, size);
    const SplitMean<T> mean(m.mean);
    const T rstd = static_cast<T>(1 / std::sqrt(m.m2 / m.count + p.eps));
    p.mean[r] = mean.hi;
    p.rstd[r] = rstd;
    for (int64_t k = 0; k < channels; k++) {
      const int64_t c = r % p.groups * channels + k;
      const T a = p.weight ? rstd * p.weight[c] : rstd;
      const T b = (p.bias ? p.bias[c] : T(0)) - mean.lo * a;
      const T* xc = x + r * size + k * p.s;
      map_row(y + r * size + k * p.s, p.s, [&](auto at) { return (at(xc) - mean.hi) * a + b; });
    }
  }
}

// sum_g and sum_gd, [n, c], receive each channel's sums of g and g * (x - mean). gx may be null.
template <class T>
void backward_groups(const GroupNorm<T>& p, const T* g, const T* x, T* gx, double* sum_g,
                     double* sum_gd, int64_t begin, int64_t end) {
  const int64_t channels = p.c / p.groups, size = channels * p.s;
  const double n = static_cast<double>(size);
  for (int64_t r = begin; r < end; r++) {
    const T mean = p.mean[r], rstd = p.rstd[r];
    const T* w = p.weight ? p.weight + r % p.groups * channels : nullptr;
    double sum_u = 0, sum_ud = 0;  // of u = g * weight, over the group
    for (int64_t k = 0; k < channels; k++) {
      const T *gc = g + r * size + k * p.s, *xc = x + r * size + k * p.s;
      const auto [a, b] =
          sum_row<T, 2>(p.s, [&](auto at) { return terms(at(gc), at(gc) * (at(xc) - mean)); });
      sum_g[r * channels + k] = a;
      sum_gd[r * channels + k] = b;
      sum_u += w ? a * static_cast<double>(w[k]) : a;
      sum_ud += w ? b * static_cast<double>(w[k]) : b;
    }
    if (!gx) continue;
    const double rs = static_cast<double>(rstd);
    const T base = static_cast<T>(rs * sum_u / n),
            slope = static_cast<T>(rs * rs * rs * sum_ud / n);
    for (int64_t k = 0; k < channels; k++) {
      const T *gc = g + r * size + k * p.s, *xc = x + r * size + k * p.s;
      const T a = w ? rstd * w[k] : rstd;
      map_row(gx + r * size + k * p.s, p.s,
              [&](auto at) { return at(gc) * a - base - (at(xc) - mean) * slope; });
    }
  }
}

}  // namespace

template <class T>
void group_norm(const GroupNorm<T>& p, const T* x, T* y) {
  static const auto groups = best_variant<&forward_groups<T>>();
  if (p.c == 0) return;
  runtime::parallel_for(p.n * p.groups, grain_of(p.c / p.groups * p.s * 2),
                        [&](int64_t b, int64_t e) { groups(p, x, y, b, e); });
}

template <class T>
void group_norm_backward(const GroupNorm<T>& p, const T* g, const T* x, T* gx, T* g_weight,
                         T* g_bias) {
  static const auto groups = best_variant<&backward_groups<T>>();
  if (p.c == 0) return;
  Buffer<double> sums(2 * p.n * p.c);
  double *sum_g = sums.data(), *sum_gd = sum_g + p.n * p.c;
  runtime::parallel_for(p.n * p.groups, grain_of(p.c / p.groups * p.s * 4),
                        [&](int64_t b, int64_t e) { groups(p, g, x, gx, sum_g, sum_gd, b, e); });
  const int64_t channels = p.c / p.groups;
  for (int64_t c = 0; c < p.c; c++) {
    double bias = 0, weight = 0;
    for (int64_t i = 0; i < p.n; i++) {
      bias += sum_g[i * p.c + c];
      weight += sum_gd[i * p.c + c] * static_cast<double>(p.rstd[i * p.groups + c / channels]);
    }
    if (g_bias) g_bias[c] = static_cast<T>(bias);
    if (g_weight) g_weight[c] = static_cast<T>(weight);
  }
}

#define GOTORCH_INSTANTIATE(T)                                 \
  template void group_norm(const GroupNorm<T>&, const T*, T*); \
  template void group_norm_backward(const GroupNorm<T>&, const T*, const T*, T*, T*, T*);
GOTORCH_INSTANTIATE(float)
GOTORCH_INSTANTIATE(double)

}  // namespace gotorch::kernels
