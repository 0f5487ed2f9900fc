#pragma once
// Mean and variance of one row. The mean is taken first; deviations from its rounded value give
// both the variance and the rest of the mean, so the variance is right even at mean / deviation =
// 1e6, where a sum of squares has lost every digit.
#include "tensor/kernels/lanes.h"

namespace gotorch::kernels {

struct Moments {
  double count = 0, mean = 0, m2 = 0;  // m2: the sum of squared deviations

  // Chan, Golub and LeVeque (1979): the moments of two samples together.
  void merge(const Moments& b) {
    const double total = count + b.count, d = b.mean - mean;
    mean += d * (b.count / total);
    m2 += b.m2 + d * d * (count * b.count / total);
    count = total;
  }
};

// Moments of `segments` pieces of `len` elements each, `stride` apart. Lanes run on over the
// pieces, so short pieces cost no folding; together they should have no more than a few thousand
// elements.
template <class T>
Moments moments_of(const T* x, int64_t segments, int64_t stride, int64_t len) {
  const double count = static_cast<double>(segments * len);
  LaneSums<T, 1> sum;
  for (int64_t s = 0; s < segments; s++)
    sum.add(len, [&](auto at) { return terms(at(x + s * stride)); });
  const T about = static_cast<T>(static_cast<double>(sum.fold(0)) / count);
  LaneSums<T, 2> deviation;
  for (int64_t s = 0; s < segments; s++)
    deviation.add(len, [&](auto at) {
      const auto d = at(x + s * stride) - about;
      return terms(d, d * d);
    });
  const double d = static_cast<double>(deviation.fold(0)),
               d2 = static_cast<double>(deviation.fold(1));
  return {count, static_cast<double>(about) + d / count, d2 - d * d / count};
}

// Moments of a row of any length n > 0, block by block, so a long row is read from memory once.
template <class T>
Moments moments_of(const T* x, int64_t n) {
  Moments all = moments_of(x, 1, 0, std::min(kBlock, n));
  for (int64_t b = kBlock; b < n; b += kBlock)
    all.merge(moments_of(x + b, 1, 0, std::min(kBlock, n - b)));
  return all;
}

// A mean as the sum of two T: x - hi is exact for x near the mean, lo is what rounding cut off.
template <class T>
struct SplitMean {
  T hi, lo;
  explicit SplitMean(double mean)
      : hi(static_cast<T>(mean)), lo(static_cast<T>(mean - static_cast<double>(hi))) {}
};

}  // namespace gotorch::kernels
