#pragma once
// Exponentials of a row, and their sum.
#include "tensor/kernels/lanes.h"
#include "tensor/simd/math.h"

namespace gotorch::kernels {

// What an exponential costs, in plain element operations.
inline constexpr int64_t kExpCost = 4;

// exp(x) for x <= 0 or NaN. Results below the smallest normal number are zero: beside a maximum of
// 1 they do not count, and a range without overflow and subnormals takes a third off the time.
template <class T>
inline T exp_down(T x) {
  constexpr T lowest = std::is_same_v<T, float> ? T(-87.33) : T(-708.39);
  const T y = math::detail::exp_normal(x < lowest ? lowest : x);
  return x < lowest ? T(0) : y;
}

template <class T>
inline void exp_lanes(Vec<T>& a, Vec<T>& b) {
  T t[kLanes<T>];
  std::memcpy(t, &a, sizeof a);
  std::memcpy(t + kWidth<T>, &b, sizeof b);
  for (int j = 0; j < kLanes<T>; j++) t[j] = exp_down(t[j]);
  std::memcpy(&a, t, sizeof a);
  std::memcpy(&b, t + kWidth<T>, sizeof b);
}

// y[i] = exp(f(i)) for a row of f(i) <= 0; y may be an input. The last lanes are padded: scalar exp
// is dear.
template <class T, class F>
void exp_row(T* y, int64_t n, F f) {
  constexpr int W = kWidth<T>, L = kLanes<T>;
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    Vec<T> a = f(VecAt<T>{i}), b = f(VecAt<T>{i + W});
    exp_lanes<T>(a, b);
    std::memcpy(y + i, &a, sizeof a);
    std::memcpy(y + i + W, &b, sizeof b);
  }
  if (i == n) return;
  T t[L] = {};
  for_tail(i, n, [&](int64_t e) { t[e - i] = f(ScalarAt<T>{e}); });
  Vec<T> a = VecAt<T>{0}(t), b = VecAt<T>{W}(t);
  exp_lanes<T>(a, b);
  std::memcpy(t, &a, sizeof a);
  std::memcpy(t + W, &b, sizeof b);
  for_tail(i, n, [&](int64_t e) { y[e] = t[e - i]; });
}

// Exponentials are summed in blocks that stay in the first-level cache.
inline constexpr int64_t kExpBlock = 512;

// The sum of exp(f(i)) for a row of f(i) <= 0; writes the terms to y unless it is null.
template <class T, class F>
T exp_sum(T* y, int64_t n, F f) {
  T buffer[kExpBlock];
  double total = 0;
  for (int64_t b = 0; b < n; b += kExpBlock) {
    const int64_t len = std::min(kExpBlock, n - b);
    T* e = y ? y + b : buffer;
    exp_row(e, len, [&](auto at) {
      at.i += b;
      return f(at);
    });
    LaneSums<T, 1> sum;
    sum.add(len, [&](auto at) { return terms(at(e)); });
    total += static_cast<double>(sum.fold(0));
  }
  return static_cast<T>(total);
}

}  // namespace gotorch::kernels
