// Distributions drawn by the inverse of their distribution function, in double.
#include <cmath>
#include <limits>
#include <numbers>

#include "tensor/kernels/random_fill.h"
#include "tensor/kernels/random_unit.h"
#include "tensor/kernels/random_words.h"

namespace gotorch {
namespace {

// out[i] = inverse(u_i) for u uniform in [0, 1).
template <class T, class Inverse>
void fill_inverse(T* out, int64_t n, const Generator& generator, Inverse inverse) {
  RandomStream stream(generator);
  for_random_words(stream, n, 2, [&](const uint32_t* w, int64_t begin, int64_t count) {
    for (int64_t i = 0; i < count; i++) put(out[begin + i], inverse(unit_double(w + 2 * i)));
  });
}

}  // namespace

template <class T>
void fill_exponential(T* out, int64_t n, double rate, const Generator& generator) {
  fill_inverse(out, n, generator, [=](double u) { return -1.0 / rate * std::log1p(-u); });
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

#define GOTORCH_FLOATING(T)                                                  \
  template void fill_exponential(T*, int64_t, double, const Generator&);     \
  template void fill_cauchy(T*, int64_t, double, double, const Generator&);  \
  template void fill_geometric(T*, int64_t, double, const Generator&);
#define GOTORCH_INTEGER(T) template void fill_geometric(T*, int64_t, double, const Generator&);
GOTORCH_FLOATING(Half)
GOTORCH_FLOATING(BFloat16)
GOTORCH_FLOATING(float)
GOTORCH_FLOATING(double)
GOTORCH_INTEGER(uint8_t)
GOTORCH_INTEGER(int8_t)
GOTORCH_INTEGER(int16_t)
GOTORCH_INTEGER(int32_t)
GOTORCH_INTEGER(int64_t)
#undef GOTORCH_FLOATING
#undef GOTORCH_INTEGER

}  // namespace gotorch
