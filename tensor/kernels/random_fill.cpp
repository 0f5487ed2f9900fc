#include "tensor/kernels/random_fill.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "tensor/dtype.h"
#include "tensor/kernels/instantiate.h"
#include "tensor/kernels/invariant_division.h"
#include "tensor/kernels/random_unit.h"
#include "tensor/kernels/random_words.h"
#include "tensor/simd/isa.h"

namespace gotorch {
namespace {

// Bits of the significand of a floating type, of the value of an integer type.
template <class T>
constexpr int kDigits = std::numeric_limits<T>::digits;
template <>
constexpr int kDigits<Half> = 11;
template <>
constexpr int kDigits<BFloat16> = 8;

// Rounding can reach hi, which does not belong to the interval: lo takes its place.
template <class T>
void uniform(const uint32_t* __restrict w, T* __restrict y, int64_t n, double lo, double hi) {
  using C = Compute<T>;
  const C from = static_cast<C>(lo), range = static_cast<C>(hi) - from;
  const C first = static_cast<T>(from), last = static_cast<T>(static_cast<C>(hi));
  for (int64_t i = 0; i < n; i++) {
    C u;
    if constexpr (std::is_same_v<T, double>) u = unit_double(w + 2 * i);
    else u = unit_float(w[i]);
    const C x = static_cast<T>(std::fma(u, range, from));
    put(y[i], x == last ? first : x);
  }
}

template <class T>
void integers32(const uint32_t* __restrict w, T* __restrict y, int64_t n, int64_t from,
                Divisor<uint32_t> range) {
  for (int64_t i = 0; i < n; i++) put(y[i], from + range.remainder(w[i]));
}

// The same where all sums fit 32 bits: their conversion to float exists as a vector instruction.
template <class T>
void narrow_integers32(const uint32_t* __restrict w, T* __restrict y, int64_t n, int32_t from,
                       Divisor<uint32_t> range) {
  for (int64_t i = 0; i < n; i++) {
    put(y[i], from + static_cast<int32_t>(range.remainder(w[i])));
  }
}

template <class T>
void integers64(const uint32_t* __restrict w, T* __restrict y, int64_t n, int64_t from,
                Divisor<uint64_t> range) {
  for (int64_t i = 0; i < n; i++) {
    const uint64_t x = static_cast<uint64_t>(w[2 * i]) << 32 | w[2 * i + 1];
    put(y[i], static_cast<int64_t>(static_cast<uint64_t>(from) + range.remainder(x)));
  }
}

template <class T>
void bernoulli(const uint32_t* __restrict w, T* __restrict y, int64_t n, uint64_t below) {
  for (int64_t i = 0; i < n; i++) put(y[i], bits53(w + 2 * i) < below ? 1 : 0);
}

template <class T, class P>
void bernoulli_each(const uint32_t* __restrict w, T* __restrict y, int64_t n,
                    const P* __restrict p) {
  for (int64_t i = 0; i < n; i++) {
    bool one;
    if constexpr (std::is_same_v<P, double>) one = unit_double(w + 2 * i) < p[i];
    else one = unit_float(w[i]) < static_cast<float>(p[i]);
    put(y[i], one ? 1 : 0);
  }
}

// Draws items of `per_item` words and calls kernel(words, out, count, arguments...) on slices.
template <class T, class Kernel, class... A>
void fill(T* out, int64_t n, int per_item, const Generator& generator, Kernel kernel, A... a) {
  RandomStream stream(generator);
  for_random_words(stream, n, per_item, [&](const uint32_t* w, int64_t begin, int64_t count) {
    kernel(w, out + begin, count, a...);
  });
}

template <class T>
void fill_integers32(T* out, int64_t n, int64_t from, uint32_t range, const Generator& generator) {
  if (is_floating(dtype_of<T>()) && from >= INT32_MIN && from <= INT32_MAX - int64_t{range}) {
    static const auto narrow = best_variant<&narrow_integers32<T>>();
    fill(out, n, 1, generator, narrow, static_cast<int32_t>(from), Divisor<uint32_t>(range));
    return;
  }
  static const auto kernel = best_variant<&integers32<T>>();
  fill(out, n, 1, generator, kernel, from, Divisor<uint32_t>(range));
}

template <class T>
void fill_integers64(T* out, int64_t n, int64_t from, uint64_t range, const Generator& generator) {
  static const auto kernel = best_variant<&integers64<T>>();
  fill(out, n, 2, generator, kernel, from, Divisor<uint64_t>(range));
}

}  // namespace

template <class T>
void fill_uniform(T* out, int64_t n, double lo, double hi, const Generator& generator) {
  static const auto kernel = best_variant<&uniform<T>>();
  fill(out, n, std::is_same_v<T, double> ? 2 : 1, generator, kernel, lo, hi);
}

template <class T>
void fill_integers(T* out, int64_t n, int64_t from, uint64_t range, const Generator& generator) {
  // Remainders of one word would from 2^28 on differ in probability by a sixteenth and more.
  const bool one_word = range != 0 && range < uint64_t{1} << 28;
  if (one_word) fill_integers32(out, n, from, static_cast<uint32_t>(range), generator);
  else fill_integers64(out, n, range != 0 ? from : 0, range, generator);
}

template <class T>
void fill_integers(T* out, int64_t n, const Generator& generator) {
  // A floating type counts to 2^digits without gaps, an integer type to its maximum.
  constexpr uint64_t range = (uint64_t{1} << kDigits<T>)+is_floating(dtype_of<T>());
  if constexpr (kDigits<T> < 32)
    fill_integers32(out, n, 0, static_cast<uint32_t>(range), generator);
  else fill_integers64(out, n, 0, range, generator);
}

template <class T>
void fill_bernoulli(T* out, int64_t n, double p, const Generator& generator) {
  static const auto kernel = best_variant<&bernoulli<T>>();
  // u < p for the fraction u of 53 bits, as a comparison of integers.
  const uint64_t below = static_cast<uint64_t>(std::ceil(std::clamp(p, 0.0, 1.0) * 0x1p53));
  fill(out, n, 2, generator, kernel, below);
}

template <class T, class P>
void fill_bernoulli(T* out, const P* p, int64_t n, const Generator& generator) {
  static const auto kernel = best_variant<&bernoulli_each<T, P>>();
  RandomStream stream(generator);
  for_random_words(stream, n, std::is_same_v<P, double> ? 2 : 1,
                   [&](const uint32_t* w, int64_t begin, int64_t count) {
                     kernel(w, out + begin, count, p + begin);
                   });
}

template <class T>
IntegerRange representable_range(int64_t from, int64_t to) {
  if constexpr (is_floating(dtype_of<T>())) {
    // The number of type T nearest to x. What rounds to 2^63 counts as in range.
    const auto nearest = [](int64_t x, int64_t otherwise) {
      const double y = static_cast<double>(static_cast<T>(x));
      return std::abs(y) < 0x1p63 ? static_cast<int64_t>(y) : otherwise;
    };
    // The spacing of T's numbers around x.
    const auto gap = [](int64_t x) {
      const uint64_t magnitude = x < 0 ? 0 - static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
      return int64_t{1} << std::max(static_cast<int>(std::bit_width(magnitude)) - kDigits<T>, 0);
    };
    const int64_t first = nearest(from + 1, from), last = nearest(to - 1, to - 1);
    if (first < from) from = first + gap(from + 1);
    if (last >= to) to = last - gap(to - 1);
  }
  return {from, to};
}

#define GOTORCH_ANY(T)                                                           \
  template void fill_integers(T*, int64_t, int64_t, uint64_t, const Generator&); \
  template void fill_integers(T*, int64_t, const Generator&);                    \
  template void fill_bernoulli(T*, int64_t, double, const Generator&);           \
  template void fill_bernoulli(T*, const Half*, int64_t, const Generator&);      \
  template void fill_bernoulli(T*, const BFloat16*, int64_t, const Generator&);  \
  template void fill_bernoulli(T*, const float*, int64_t, const Generator&);     \
  template void fill_bernoulli(T*, const double*, int64_t, const Generator&);    \
  template IntegerRange representable_range<T>(int64_t, int64_t);
#define GOTORCH_FLOATING(T) \
  template void fill_uniform(T*, int64_t, double, double, const Generator&);
GOTORCH_ANY(bool)
GOTORCH_FOR_NUMBERS(GOTORCH_ANY)
GOTORCH_FOR_FLOATS(GOTORCH_FLOATING)
#undef GOTORCH_ANY
#undef GOTORCH_FLOATING

}  // namespace gotorch
