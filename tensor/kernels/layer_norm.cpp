#include <cmath>
#include <memory>

#include "runtime/parallel.h"
#include "tensor/kernels/columns.h"
#include "tensor/kernels/moments.h"
#include "tensor/kernels/norm.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

enum class Kind { Layer, Rms };

// y = centre(i) * rstd, times weight, plus bias.
template <class T, class F>
void scale_row(const RowNorm<T>& p, T* y, T rstd, F centre) {
  const T *w = p.weight, *b = p.bias;
  if (w && b) map_row(y, p.n, [&](auto at) { return centre(at) * rstd * at(w) + at(b); });
  else if (w) map_row(y, p.n, [&](auto at) { return centre(at) * rstd * at(w); });
  else if (b) map_row(y, p.n, [&](auto at) { return centre(at) * rstd + at(b); });
  else map_row(y, p.n, [&](auto at) { return centre(at) * rstd; });
}

template <class T, Kind kind>
void forward_rows(const RowNorm<T>& p, const T* x, T* y, int64_t begin, int64_t end) {
  const double n = static_cast<double>(p.n);
  for (int64_t r = begin; r < end; r++) {
    const T* xr = x + r * p.n;
    T* yr = y + r * p.n;
    if constexpr (kind == Kind::Layer) {
      const Moments m = moments_of(xr, p.n);
      const SplitMean<T> mean(m.mean);
      const T rstd = static_cast<T>(1 / std::sqrt(m.m2 / n + p.eps));
      scale_row(p, yr, rstd, [&](auto at) { return (at(xr) - mean.hi) - mean.lo; });
      if (p.mean) p.mean[r] = mean.hi;
      if (p.rstd) p.rstd[r] = rstd;
    } else {
      const double squares = sum_row<T, 1>(p.n, [&](auto at) { return terms(at(xr) * at(xr)); })[0];
      const T rstd = static_cast<T>(1 / std::sqrt(squares / n + p.eps));
      scale_row(p, yr, rstd, [&](auto at) { return at(xr); });
      if (p.rstd) p.rstd[r] = rstd;
    }
  }
}

// With u = g * weight and d = x - mean (x itself for rms_norm):
//   gx = rstd * (u - mean(u) - d * rstd^2 * mean(u * d)), without mean(u) for rms_norm
// and the rows' terms g * d * rstd of g_weight and g of g_bias are added up.
template <class T, Kind kind, bool weighted>
void backward_row(const RowNorm<T>& p, const T* g, const T* x, T* gx, T mean, T rstd) {
  const T* w = p.weight;
  const auto u = [&](auto at) {
    if constexpr (weighted) return at(g) * at(w);
    else return at(g);
  };
  const auto [sum_u, sum_ud] = sum_row<T, 2>(p.n, [&](auto at) {
    const auto ui = u(at);
    return terms(ui, ui * (at(x) - mean));
  });
  const double n = static_cast<double>(p.n), r = static_cast<double>(rstd);
  const T a = kind == Kind::Layer ? static_cast<T>(sum_u / n) : T(0);
  const T b = static_cast<T>(r * r * sum_ud / n);
  map_row(gx, p.n, [&](auto at) { return rstd * (u(at) - a - (at(x) - mean) * b); });
}

// g_weight and g_bias are sums over these rows; any output may be null.
template <class T, Kind kind>
void backward_rows(const RowNorm<T>& p, const T* g, const T* x, T* gx, T* g_weight, T* g_bias,
                   int64_t begin, int64_t end) {
  if (g_weight) std::fill_n(g_weight, p.n, T(0));
  if (g_bias) std::fill_n(g_bias, p.n, T(0));
  for (int64_t r = begin; r < end; r++) {
    const T *gr = g + r * p.n, *xr = x + r * p.n;
    const T mean = kind == Kind::Layer ? p.mean[r] : T(0), rstd = p.rstd[r];
    if (gx && p.weight) backward_row<T, kind, true>(p, gr, xr, gx + r * p.n, mean, rstd);
    else if (gx) backward_row<T, kind, false>(p, gr, xr, gx + r * p.n, mean, rstd);
    if (g_weight)
      map_row(g_weight, p.n,
              [&](auto at) { return at(g_weight) + at(gr) * ((at(xr) - mean) * rstd); });
    if (g_bias) map_row(g_bias, p.n, [&](auto at) { return at(g_bias) + at(gr); });
  }
}

// Sums `count` rows of n elements, `stride` apart.
template <class T>
void sum_rows(const T* x, int64_t count, int64_t stride, int64_t n, T* y) {
  for (int64_t j = 0; j < n; j += kMaxTile) {
    const int64_t w = std::min(kMaxTile, n - j);
    ColumnSums<T> sums(w);
    sums.add(0, count, [&](auto at, int64_t i) { return terms(at(x + i * stride + j)); });
    std::copy_n(sums.rounded(), w, y + j);
  }
}

template <class T, Kind kind>
void forward(const RowNorm<T>& p, const T* x, T* y) {
  static const auto rows = best_variant<&forward_rows<T, kind>>();
  runtime::parallel_for(p.rows, grain_of(p.n * 2),
                        [&](int64_t b, int64_t e) { rows(p, x, y, b, e); });
}

// Rows go in chunks of at most 512, so plain sums stay accurate; each chunk has its own sums of
// g_weight and g_bias, which are added in order.
template <class T, Kind kind>
void backward(const RowNorm<T>& p, const T* g, const T* x, T* gx, T* g_weight, T* g_bias) {
  static const auto rows = best_variant<&backward_rows<T, kind>>();
  static const auto sum = best_variant<&sum_rows<T>>();
  const int64_t chunk = std::clamp<int64_t>(std::max(p.rows / 64, grain_of(p.n * 4)), 1, 512);
  const int64_t chunks = (p.rows + chunk - 1) / chunk, stride = 2 * p.n;
  const bool partial = g_weight || g_bias;
  const std::unique_ptr<T[]> sums(partial ? new T[chunks * stride] : nullptr);
  runtime::parallel_for(chunks, 1, [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; i++) {
      T* s = sums.get() + (partial ? i * stride : 0);
      rows(p, g, x, gx, g_weight ? s : nullptr, g_bias ? s + p.n : nullptr, i * chunk,
           std::min(p.rows, (i + 1) * chunk));
    }
  });
  runtime::parallel_for(p.n, std::max<int64_t>(64, grain_of(chunks)), [&](int64_t b, int64_t e) {
    if (g_weight) sum(sums.get() + b, chunks, stride, e - b, g_weight + b);
    if (g_bias) sum(sums.get() + p.n + b, chunks, stride, e - b, g_bias + b);
  });
}

}  // namespace

template <class T>
void layer_norm(const RowNorm<T>& p, const T* x, T* y) {
  forward<T, Kind::Layer>(p, x, y);
}
template <class T>
void rms_norm(const RowNorm<T>& p, const T* x, T* y) {
  forward<T, Kind::Rms>(p, x, y);
}
template <class T>
void layer_norm_backward(const RowNorm<T>& p, const T* g, const T* x, T* gx, T* g_weight,
                         T* g_bias) {
  backward<T, Kind::Layer>(p, g, x, gx, g_weight, g_bias);
}
template <class T>
void rms_norm_backward(const RowNorm<T>& p, const T* g, const T* x, T* gx, T* g_weight) {
  backward<T, Kind::Rms>(p, g, x, gx, g_weight, nullptr);
}

#define GOTORCH_INSTANTIATE(T)                                                          \
  template void layer_norm(const RowNorm<T>&, const T*, T*);                            \
  template void rms_norm(const RowNorm<T>&, const T*, T*);                              \
  template void layer_norm_backward(const RowNorm<T>&, const T*, const T*, T*, T*, T*); \
  template void rms_norm_backward(const RowNorm<T>&, const T*, const T*, T*, T*);
GOTORCH_INSTANTIATE(float)
GOTORCH_INSTANTIATE(double)

}  // namespace gotorch::kernels
