#include <cmath>

#include "runtime/parallel.h"
#include "tensor/buffer.h"
#include "tensor/kernels/columns.h"
#include "tensor/kernels/moments.h"
#include "tensor/kernels/norm.h"
#include "tensor/simd/isa.h"

// Two layouts. Planes of 16 elements or more are rows for the lanes; with smaller ones (s == 1 for
// BatchNorm1d), x is taken as [n, c * s] and the columns of a channel are added up afterwards.
// Either way the batch is cut into parts by shape, whose statistics are combined in order.
namespace gotorch::kernels {
namespace {

constexpr int64_t kPlane = 16;

// Batch elements per part: about 8192 elements of a plane, few enough that plain sums are accurate
// and a second pass finds them in cache; 128 rows of columns.
template <class T>
int64_t part_of(const BatchNorm<T>& p) {
  return p.s < kPlane ? 128 : std::max<int64_t>(1, 8192 / p.s);
}

// Statistics per part and column, where a channel is one column if its planes are rows.
struct Parts {
  int64_t part, count, columns;
  Buffer<double> first, second;  // [count, columns]
  template <class T>
  explicit Parts(const BatchNorm<T>& p)
      : part(part_of(p)),
        count((p.n + part - 1) / part),
        columns(p.s < kPlane ? p.c * p.s : p.c),
        first(count * columns),
        second(count * columns) {}
};

// fold(first, second, column, part) for every part and column of a channel, in order.
template <class F>
void for_channel(const Parts& parts, int64_t channels, int64_t c, F fold) {
  const int64_t per = parts.columns / channels;
  for (int64_t i = 0; i < parts.count; i++)
    for (int64_t k = i * parts.columns + c * per; k < i * parts.columns + (c + 1) * per; k++)
      fold(parts.first[k], parts.second[k], i);
}

template <class T>
struct Batch {
  const T *x, *g, *mean;  // g and mean are for backward
  int64_t n, c, s;
};

// Columns per task.
constexpr int64_t kTile = 256;

// Mean and sum of squared deviations of column j ... j + w - 1 over rows [b, e). Deviations are from
// the first row: over a part of 128 rows that costs at most a factor of 128 in rounding errors, when
// the first row is an outlier.
template <class T>
void column_moments(const Batch<T>& a, int64_t b, int64_t e, int64_t j, int64_t w, double* mean,
                    double* m2) {
  const int64_t stride = a.c * a.s;
  const double n = static_cast<double>(e - b);
  const T* about = a.x + b * stride + j;
  ColumnSums<T, 2> sums(w);
  sums.add(b, e, [&](auto at, int64_t i) {
    const auto d = at(a.x + i * stride + j) - at(about);
    return terms(d, d * d);
  });
  const double *d = sums.totals(0), *d2 = sums.totals(1);
  for (int64_t k = 0; k < w; k++) {
    mean[k] = static_cast<double>(about[k]) + d[k] / n;
    m2[k] = d2[k] - d[k] * d[k] / n;
  }
}

// Sums of g and g * (x - mean) of columns over rows [b, e).
template <class T>
void column_gradients(const Batch<T>& a, int64_t b, int64_t e, int64_t j, int64_t w, double* sum_g,
                      double* sum_gd) {
  const int64_t stride = a.c * a.s;
  T mean[kTile];
  for (int64_t k = 0; k < w; k++) mean[k] = a.mean[(j + k) / a.s];
  ColumnSums<T, 2> sums(w);
  sums.add(b, e, [&](auto at, int64_t i) {
    const auto g = at(a.g + i * stride + j);
    return terms(g, g * (at(a.x + i * stride + j) - at(mean)));
  });
  std::copy_n(sums.totals(0), w, sum_g);
  std::copy_n(sums.totals(1), w, sum_gd);
}

// The same for planes: one channel over batch elements [b, e).
template <class T>
void plane_moments(const Batch<T>& a, int64_t b, int64_t e, int64_t c, int64_t, double* mean,
                   double* m2) {
  const T* x = a.x + (b * a.c + c) * a.s;
  const Moments m = e - b == 1 ? moments_of(x, a.s) : moments_of(x, e - b, a.c * a.s, a.s);
  *mean = m.mean;
  *m2 = m.m2;
}

template <class T>
void plane_gradients(const Batch<T>& a, int64_t b, int64_t e, int64_t c, int64_t, double* sum_g,
                     double* sum_gd) {
  const T mean = a.mean[c];
  const auto term = [&](const T* g, const T* x) {
    return [=](auto at) { return terms(at(g), at(g) * (at(x) - mean)); };
  };
  const T *g = a.g + (b * a.c + c) * a.s, *x = a.x + (b * a.c + c) * a.s;
  if (e - b == 1) {
    const auto sums = sum_row<T, 2>(a.s, term(g, x));
    *sum_g = sums[0], *sum_gd = sums[1];
    return;
  }
  LaneSums<T, 2> sums;
  for (int64_t i = 0; i < e - b; i++, g += a.c * a.s, x += a.c * a.s) sums.add(a.s, term(g, x));
  *sum_g = static_cast<double>(sums.fold(0)), *sum_gd = static_cast<double>(sums.fold(1));
}

// Runs one of the four functions above over all parts.
template <class T, class F>
void fill(Parts& parts, const Batch<T>& a, F planes, F columns) {
  const bool wide = a.s >= kPlane;
  const int64_t tile = wide ? 1 : kTile;
  const int64_t per_part = (parts.columns + tile - 1) / tile;
  const int64_t cost = 4 * std::min(parts.part, a.n) * (wide ? a.s : std::min(tile, parts.columns));
  runtime::parallel_for(parts.count * per_part, grain_of(cost), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      const int64_t i = t / per_part, j = t % per_part * tile, at = i * parts.columns + j;
      (wide ? planes : columns)(a, i * parts.part, std::min(a.n, (i + 1) * parts.part), j,
                                std::min(tile, parts.columns - j), &parts.first[at],
                                &parts.second[at]);
    }
  });
}

// out = (x - centre) * slope + base, plus g * gain if there is a g; constants are per column.
template <class T>
struct Affine {
  Buffer<T> centre, slope, base, gain;
  explicit Affine(int64_t c) : centre(c), slope(c), base(c), gain(c) {}
  // Repeats the constants of each channel for its s columns.
  void spread(int64_t s) {
    for (auto* v : {&centre, &slope, &base, &gain}) {
      Buffer<T> wide;
      wide.reserve(v->size() * s);
      for (T value : *v) wide.insert(wide.end(), s, value);
      v->swap(wide);
    }
  }
};

template <class T, bool with_g>
void apply_planes(const Batch<T>& a, const Affine<T>& f, T* out, int64_t b, int64_t e) {
  for (int64_t i = b; i < e; i++) {
    const T *x = a.x + i * a.s, *g = a.g + (with_g ? i * a.s : 0);
    const int64_t c = i % a.c;
    const T centre = f.centre[c], slope = f.slope[c], base = f.base[c], gain = f.gain[c];
    map_row(out + i * a.s, a.s, [&](auto at) {
      const auto y = (at(x) - centre) * slope + base;
      if constexpr (with_g) return at(g) * gain + y;
      else return y;
    });
  }
}

template <class T, bool with_g>
void apply_columns(const Batch<T>& a, const Affine<T>& f, T* out, int64_t b, int64_t e) {
  const int64_t row = a.c * a.s;
  const T *centre = f.centre.data(), *slope = f.slope.data(), *base = f.base.data();
  const T* gain = f.gain.data();
  for (int64_t i = b; i < e; i++) {
    const T *x = a.x + i * row, *g = a.g + (with_g ? i * row : 0);
    map_row(out + i * row, row, [&](auto at) {
      const auto y = (at(x) - at(centre)) * at(slope) + at(base);
      if constexpr (with_g) return at(g) * at(gain) + y;
      else return y;
    });
  }
}

template <class T, bool with_g>
void apply(const Batch<T>& a, Affine<T>& f, T* out) {
  static const auto planes = best_variant<&apply_planes<T, with_g>>();
  static const auto columns = best_variant<&apply_columns<T, with_g>>();
  const bool wide = a.s >= kPlane;
  if (!wide) f.spread(a.s);
  const int64_t row = wide ? a.s : a.c * a.s;
  runtime::parallel_for(wide ? a.n * a.c : a.n, grain_of(row),
                        [&](int64_t b, int64_t e) { (wide ? planes : columns)(a, f, out, b, e); });
}

template <class T>
void normalise(const BatchNorm<T>& p, const T* x, T* y, const Buffer<double>& means) {
  Affine<T> f(p.c);
  for (int64_t c = 0; c < p.c; c++) {
    const SplitMean<T> mean(means[c]);
    f.centre[c] = p.mean[c] = mean.hi;
    f.slope[c] = p.weight ? p.rstd[c] * p.weight[c] : p.rstd[c];
    f.base[c] = (p.bias ? p.bias[c] : T(0)) - mean.lo * f.slope[c];
  }
  apply<T, false>({x, nullptr, nullptr, p.n, p.c, p.s}, f, y);
}

}  // namespace

template <class T>
void batch_norm_train(const BatchNorm<T>& p, const T* x, T* y, T* running_mean, T* running_var,
                      double momentum) {
  static const auto planes = best_variant<&plane_moments<T>>();
  static const auto columns = best_variant<&column_moments<T>>();
  Parts parts(p);
  fill<T>(parts, {x, nullptr, nullptr, p.n, p.c, p.s}, planes, columns);
  const int64_t per_column = p.s < kPlane ? 1 : p.s;
  Buffer<double> means(p.c);
  for (int64_t c = 0; c < p.c; c++) {
    Moments m;
    for_channel(parts, p.c, c, [&](double mean, double m2, int64_t i) {
      const int64_t rows = std::min(parts.part, p.n - i * parts.part);
      m.merge({static_cast<double>(rows * per_column), mean, m2});
    });
    means[c] = m.mean;
    p.rstd[c] = static_cast<T>(1 / std::sqrt(m.m2 / m.count + p.eps));
    const auto move = [&](T* running, double to) {
      if (running)
        running[c] =
            static_cast<T>((1 - momentum) * static_cast<double>(running[c]) + momentum * to);
    };
    move(running_mean, m.mean);
    move(running_var, m.m2 / (m.count - 1));
  }
  normalise(p, x, y, means);
}

template <class T>
void batch_norm_eval(const BatchNorm<T>& p, const T* x, T* y, const T* running_mean,
                     const T* running_var) {
  for (int64_t c = 0; c < p.c; c++)
    p.rstd[c] = static_cast<T>(1 / std::sqrt(static_cast<double>(running_var[c]) + p.eps));
  normalise(p, x, y, Buffer<double>(running_mean, running_mean + p.c));
}

template <class T>
void batch_norm_backward(const BatchNorm<T>& p, bool training, const T* g, const T* x, T* gx,
                         T* g_weight, T* g_bias) {
  static const auto planes = best_variant<&plane_gradients<T>>();
  static const auto columns = best_variant<&column_gradients<T>>();
  const Batch<T> a{x, g, p.mean, p.n, p.c, p.s};
  Parts parts(p);
  if (training || g_weight || g_bias) fill<T>(parts, a, planes, columns);
  const double count = static_cast<double>(p.n * p.s);
  Affine<T> f(p.c);
  for (int64_t c = 0; c < p.c; c++) {
    double sum_g = 0, sum_gd = 0;
    for_channel(parts, p.c, c, [&](double s, double sd, int64_t) { sum_g += s, sum_gd += sd; });
    const double rstd = static_cast<double>(p.rstd[c]);
    if (g_bias) g_bias[c] = static_cast<T>(sum_g);
    if (g_weight) g_weight[c] = static_cast<T>(sum_gd * rstd);
    // gx = gain * (g - mean(g) - (x - mean) * rstd^2 * mean(g * (x - mean)))
    const double gain = rstd * (p.weight ? static_cast<double>(p.weight[c]) : 1);
    f.gain[c] = static_cast<T>(gain);
    if (!training) continue;
    f.centre[c] = p.mean[c];
    f.slope[c] = static_cast<T>(-gain * rstd * rstd * sum_gd / count);
    f.base[c] = static_cast<T>(-gain * sum_g / count);
  }
  if (gx) apply<T, true>(a, f, gx);
}

#define GOTORCH_INSTANTIATE(T)                                                          \
  template void batch_norm_train(const BatchNorm<T>&, const T*, T*, T*, T*, double);    \
  template void batch_norm_eval(const BatchNorm<T>&, const T*, T*, const T*, const T*); \
  template void batch_norm_backward(const BatchNorm<T>&, bool, const T*, const T*, T*, T*, T*);
GOTORCH_INSTANTIATE(float)
GOTORCH_INSTANTIATE(double)

}  // namespace gotorch::kernels
