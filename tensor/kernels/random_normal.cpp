#include <algorithm>
#include <cmath>
#include <numbers>
#include <type_traits>

#include "tensor/half.h"
#include "tensor/kernels/box_muller.h"
#include "tensor/kernels/instantiate.h"
#include "tensor/kernels/random_fill.h"
#include "tensor/kernels/random_unit.h"
#include "tensor/kernels/random_words.h"
#include "tensor/simd/isa.h"

namespace gotorch {
namespace {

constexpr int kBlock = 16;  // numbers made together: 8 pairs, the cosines before the sines

// One block of floats from 16 words.
inline void normal_block(const uint32_t* __restrict w, float* __restrict y, float mean, float std) {
  constexpr float kTwoPi = 2.0f * std::numbers::pi_v<float>;
  for (int j = 0; j < kBlock / 2; j++) {
    const float u = 1.0f - unit_float(w[j]);  // in (0, 1]: the logarithm is finite
    const float r = std::sqrt(-2.0f * cephes_log(u));
    const SinCos s = cephes_sincos(kTwoPi * unit_float(w[j + kBlock / 2]));
    y[j] = std::fma(r * s.cos, std, mean);
    y[j + kBlock / 2] = std::fma(r * s.sin, std, mean);
  }
}

template <class T>
void normal_blocks(const uint32_t* __restrict w, T* __restrict y, int64_t blocks, double mean,
                   double std) {
  const float m = static_cast<float>(mean), s = static_cast<float>(std);
  if constexpr (std::is_same_v<T, float>) {
    for (int64_t b = 0; b < blocks; b++) normal_block(w + b * kBlock, y + b * kBlock, m, s);
  } else {
    constexpr int64_t kBatch = 16;  // converted together, in one long loop
    float batch[kBatch * kBlock];
    for (int64_t b = 0; b < blocks; b += kBatch, w += kBatch * kBlock, y += kBatch * kBlock) {
      const int64_t count = std::min(kBatch, blocks - b);
      for (int64_t i = 0; i < count; i++) normal_block(w + i * kBlock, batch + i * kBlock, m, s);
      for (int64_t i = 0; i < count * kBlock; i++) put(y[i], batch[i]);
    }
  }
}

template <>
void normal_blocks(const uint32_t* __restrict w, double* __restrict y, int64_t blocks, double mean,
                   double std) {
  constexpr int kHalf = kBlock / 2;
  for (int64_t b = 0; b < blocks; b++, w += 2 * kBlock, y += kBlock) {
    for (int j = 0; j < kHalf; j++) {
      const double u = 1.0 - unit_double(w + 2 * j);
      const double r = std::sqrt(-2.0 * std::log(u));
      const double angle = 2.0 * std::numbers::pi * unit_double(w + 2 * (j + kHalf));
      y[j] = std::fma(r * std::cos(angle), std, mean);
      y[j + kHalf] = std::fma(r * std::sin(angle), std, mean);
    }
  }
}

// The two normal numbers of four words.
struct Pair {
  double first, second;
};
Pair normal_pair(const uint32_t* w) {
  const double r = std::sqrt(-2.0 * std::log1p(-unit_double(w + 2)));
  const double angle = 2.0 * std::numbers::pi * unit_double(w);
  return {r * std::cos(angle), r * std::sin(angle)};
}

// out[i] = convert(z_i) for standard normal z, drawn in pairs.
template <class T, class Convert>
void fill_pairs(T* out, int64_t n, const Generator& generator, Convert convert) {
  RandomStream stream(generator);
  auto& spare = stream.spare_normal();
  if (n > 0 && spare) {
    *out++ = convert(*spare);
    spare.reset();
    n--;
  }
  for_random_words_in_parallel(stream, n / 2, 4,
                               [&](const uint32_t* w, int64_t begin, int64_t count) {
                                 for (int64_t i = 0; i < count; i++) {
                                   const Pair z = normal_pair(w + 4 * i);
                                   out[2 * (begin + i)] = convert(z.first);
                                   out[2 * (begin + i) + 1] = convert(z.second);
                                 }
                               });
  if (n % 2) {
    uint32_t w[4];
    stream.words(w, 4);
    const Pair z = normal_pair(w);
    out[n - 1] = convert(z.first);
    spare = z.second;
  }
}

}  // namespace

template <class T>
void fill_normal_scalar(T* out, int64_t n, double mean, double std, const Generator& generator) {
  fill_pairs(out, n, generator, [=](double z) { return static_cast<T>(std::fma(z, std, mean)); });
}

template <class T>
void fill_log_normal(T* out, int64_t n, double mean, double std, const Generator& generator) {
  fill_pairs(out, n, generator,
             [=](double z) { return static_cast<T>(std::exp(std::fma(z, std, mean))); });
}

template <class T>
void fill_normal(T* out, int64_t n, double mean, double std, const Generator& generator) {
  if (n < kBlock) return fill_normal_scalar(out, n, mean, std, generator);
  static const auto kernel = best_variant<&normal_blocks<T>>();
  constexpr int kWords = std::is_same_v<T, double> ? 2 : 1;
  RandomStream stream(generator);
  for_random_words_in_parallel(stream, n / kBlock, kBlock * kWords,
                               [&](const uint32_t* w, int64_t begin, int64_t count) {
                                 kernel(w, out + begin * kBlock, count, mean, std);
                               });
  if (n % kBlock == 0) return;
  // The last 16 numbers are made afresh. float and double have by then drawn a word for each number
  // of the incomplete block; the 16-bit types have not.
  uint32_t w[kBlock * kWords];
  if constexpr (sizeof(T) > 2) stream.words(w, n % kBlock * kWords);
  stream.words(w, kBlock * kWords);
  kernel(w, out + n - kBlock, 1, mean, std);
}

#define GOTORCH_INSTANTIATE(T)                                                     \
  template void fill_normal(T*, int64_t, double, double, const Generator&);        \
  template void fill_normal_scalar(T*, int64_t, double, double, const Generator&); \
  template void fill_log_normal(T*, int64_t, double, double, const Generator&);
GOTORCH_FOR_FLOATS(GOTORCH_INSTANTIATE)
#undef GOTORCH_INSTANTIATE

}  // namespace gotorch
