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

// Vector by vector: a loop over both would be compiled to wider ones, and a wide load of what two narrow stores have
// just written waits until they are in the cache.
template <class T>
inline void exp_lanes(Vec<T>& v) {
  T t[kWidth<T>];
  std::memcpy(t, &v, sizeof v);
  for (int j = 0; j < kWidth<T>; j++) t[j] = exp_down(t[j]);
  std::memcpy(&v, t, sizeof v);
}

// Calls put(i, a, b) with exp(f(i)) ... exp(f(i + kLanes - 1)) in two vectors, for a row of f(i) <= 0.
// The last lanes are padded with zeros, since scalar exp is dear; put gets no more than they.
template <class T, class F, class Put>
void for_exps(int64_t n, F f, Put put) {
  constexpr int W = kWidth<T>, L = kLanes<T>;
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    Vec<T> a = f(VecAt<T>{i}), b = f(VecAt<T>{i + W});
    exp_lanes<T>(a);
    exp_lanes<T>(b);
    put(i, a, b);
  }
  if (i == n) return;
  T t[L];
  std::fill_n(t, L, -std::numeric_limits<T>::infinity());
  for_tail(i, n, [&](int64_t e) { t[e - i] = f(ScalarAt<T>{e}); });
  Vec<T> a = VecAt<T>{0}(t), b = VecAt<T>{W}(t);
  exp_lanes<T>(a);
  exp_lanes<T>(b);
  put(i, a, b);
}

// Stores finish(position, exponential) for up to kLanes elements of a row of n, from i on.
template <class T, class G>
void put_lanes(T* y, int64_t i, int64_t n, const Vec<T>& a, const Vec<T>& b, G finish) {
  constexpr int W = kWidth<T>;
  if (i + kLanes<T> <= n) {
    const Vec<T> u = finish(VecAt<T>{i}, a), v = finish(VecAt<T>{i + W}, b);
    std::memcpy(y + i, &u, sizeof u);
    std::memcpy(y + i + W, &v, sizeof v);
    return;
  }
  T t[kLanes<T>];
  std::memcpy(t, &a, sizeof a);
  std::memcpy(t + W, &b, sizeof b);
  for_tail(i, n, [&](int64_t e) { y[e] = finish(ScalarAt<T>{e}, t[e - i]); });
}

constexpr auto as_it_is = [](auto, auto e) { return e; };

// y[i] = finish(i, exp(f(i))) for a row of f(i) <= 0; y may be an input.
//   exp_row(gx, n, [&](auto at) { return at(y); }, [&](auto at, auto e) { return at(g) - e * sum; });
template <class T, class F, class G = decltype(as_it_is)>
void exp_row(T* y, int64_t n, F f, G finish = as_it_is) {
  for_exps<T>(
      n, f, [&](int64_t i, const Vec<T>& a, const Vec<T>& b) { put_lanes(y, i, n, a, b, finish); });
}

// The sum of exp(f(i)) for a row of f(i) <= 0; `store` writes the terms to y, which may be an input.
template <bool store, class T, class F>
T exp_sum(T* y, int64_t n, F f) {
  double total = 0;
  for (int64_t block = 0; block < n; block += kBlock) {
    const int64_t len = std::min(kBlock, n - block);
    LaneSums<T, 1> sum;
    const auto shifted = [&](auto at) {
      at.i += block;
      return f(at);
    };
    for_exps<T>(len, shifted, [&](int64_t i, const Vec<T>& a, const Vec<T>& b) {
      sum.lo[0] += a;
      sum.hi[0] += b;
      if constexpr (store) put_lanes(y + block, i, len, a, b, as_it_is);
    });
    total += static_cast<double>(sum.fold(0));
  }
  return static_cast<T>(total);
}

}  // namespace gotorch::kernels
