#pragma once
// Exponentials of a row, and their sum.
#include "tensor/kernels/lanes.h"
#include "tensor/simd/math.h"

namespace gotorch::kernels {

// What an exponential costs, in plain element operations.
inline constexpr int64_t kExpCost = 4;

// y[i] = exp(f(i)) for a row; y may be an input. The last lanes are padded: scalar exp is dear.
template <class T, class F>
void exp_row(T* y, int64_t n, F f) {
  constexpr int L = kLanes<T>;
  T t[L] = {};
  for (int64_t i = 0; i < n; i += L) {
    const bool full = n - i >= L;
    if (full) {
      const Vec<T> a = f(VecAt<T>{i}), b = f(VecAt<T>{i + kWidth<T>});
      std::memcpy(t, &a, sizeof a);
      std::memcpy(t + kWidth<T>, &b, sizeof b);
    } else {
      for_tail(i, n, [&](int64_t e) { t[e - i] = f(ScalarAt<T>{e}); });
    }
    for (int j = 0; j < L; j++) t[j] = math::exp(t[j]);
    if (full) {
      std::memcpy(y + i, t, sizeof t);
    } else {
      for_tail(i, n, [&](int64_t e) { y[e] = t[e - i]; });
    }
  }
}

// Exponentials are summed in blocks that stay in the first-level cache.
inline constexpr int64_t kExpBlock = 512;

// The sum of exp(x - shift); writes the terms to y unless it is null.
template <class T>
T exp_sum(const T* x, T shift, T* y, int64_t n) {
  T buffer[kExpBlock];
  double total = 0;
  for (int64_t b = 0; b < n; b += kExpBlock) {
    const int64_t len = std::min(kExpBlock, n - b);
    T* e = y ? y + b : buffer;
    exp_row(e, len, [&](auto at) { return at(x + b) - shift; });
    LaneSums<T, 1> sum;
    sum.add(len, [&](auto at) { return terms(at(e)); });
    total += static_cast<double>(sum.fold(0));
  }
  return static_cast<T>(total);
}

}  // namespace gotorch::kernels
