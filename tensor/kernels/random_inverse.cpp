// Distributions drawn by the inverse of their distribution function, in double.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <type_traits>

#include "tensor/kernels/instantiate.h"
#include "tensor/kernels/random_fill.h"
#include "tensor/kernels/random_unit.h"
#include "tensor/kernels/random_words.h"
#include "tensor/simd/isa.h"
#include "tensor/simd/math.h"

namespace gotorch {
namespace {

// out[i] = inverse(u_i) for u uniform in [0, 1).
template <class T, class Inverse>
void fill_inverse(T* out, int64_t n, const Generator& generator, Inverse inverse) {
  RandomStream stream(generator);
  for_random_words_in_parallel(stream, n, 2, [&](const uint32_t* w, int64_t begin, int64_t count) {
    for (int64_t i = 0; i < count; i++) put(out[begin + i], inverse(unit_double(w + 2 * i)));
  });
}

// -log1p(-u) / rate in double, as the C library computes it. 1 - u is exact, so log1p(-u) = log(1 - u).
inline double exponential(double u, double minus_mean) { return minus_mean * std::log1p(-u); }

// The same rounded to float, with our own logarithm. Both are within a few units of the 53rd bit of
// the exact value, so they round alike unless they lie that close to the middle between two floats.
// False if one does, or is zero (whose sign would differ).
template <class T>
bool exponential_rounds_alike(const uint32_t* __restrict w, T* __restrict y, int n,
                              double minus_mean) {
  constexpr uint64_t kDropped = (1u << 29) - 1, kMiddle = 1u << 28, kNear = 64;
  uint64_t doubtful = 0;
  for (int i = 0; i < n; i++) {
    const double x = minus_mean * math::log(1.0 - unit_double(w + 2 * i));
    const uint64_t dropped = std::bit_cast<uint64_t>(x) & kDropped;
    doubtful |= dropped - (kMiddle - kNear) < 2 * kNear ? 1 : 0;
    doubtful |= x == 0 ? 1 : 0;
    put(y[i], static_cast<float>(x));
  }
  return doubtful == 0;
}

template <class T>
void exponentials(const uint32_t* w, T* y, int64_t n, double minus_mean) {
  constexpr int64_t kBatch = 256;
  // Within these bounds no result is subnormal or infinite in float.
  const bool in_range = std::abs(minus_mean) > 1e-20 && std::abs(minus_mean) < 1e20;
  for (int64_t begin = 0; begin < n; begin += kBatch, w += 2 * kBatch, y += kBatch) {
    const int count = static_cast<int>(std::min(kBatch, n - begin));
    if constexpr (!std::is_same_v<T, double>) {
      if (in_range && exponential_rounds_alike(w, y, count, minus_mean)) continue;
    }
    for (int i = 0; i < count; i++) put(y[i], exponential(unit_double(w + 2 * i), minus_mean));
  }
}

}  // namespace

template <class T>
void fill_exponential(T* out, int64_t n, double rate, const Generator& generator) {
  static const auto kernel = best_variant<&exponentials<T>>();
  RandomStream stream(generator);
  for_random_words_in_parallel(stream, n, 2, [&](const uint32_t* w, int64_t begin, int64_t count) {
    kernel(w, out + begin, count, -1.0 / rate);
  });
}

template <class T>
void fill_cauchy(T* out, int64_t n, double median, double scale, const Generator& generator) {
  fill_inverse(out, n, generator, [=](double u) {
    return std::fma(scale, std::tan(std::numbers::pi * (u - 0.5)), median);
  });
}

template <class T>
void fill_geometric(T* out, int64_t n, double p, const Generator& generator) {
  const double log_q = std::log1p(-p);
  fill_inverse(out, n, generator, [=](double u) { return std::ceil(std::log(u) / log_q); });
}

#define GOTORCH_FLOATING(T)                                                 \
  template void fill_exponential(T*, int64_t, double, const Generator&);    \
  template void fill_cauchy(T*, int64_t, double, double, const Generator&); \
  template void fill_geometric(T*, int64_t, double, const Generator&);
#define GOTORCH_INTEGER(T) template void fill_geometric(T*, int64_t, double, const Generator&);
GOTORCH_FOR_FLOATS(GOTORCH_FLOATING)
GOTORCH_FOR_INTEGERS(GOTORCH_INTEGER)
#undef GOTORCH_FLOATING
#undef GOTORCH_INTEGER

}  // namespace gotorch
