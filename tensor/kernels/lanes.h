#pragma once
// Reductions over one contiguous row with a fixed number of partial results: which lane an
// element goes to depends on its place in the row, and lanes are folded in a fixed order. So the
// bits do not depend on the width of the machine's vectors.
//
// The lanes are two GCC vectors of 32 bytes, because accumulators in plain arrays are spilled or
// reordered by the vectoriser as soon as there are two sums. Anything more than a few arithmetic
// operations per term (exp: see exp_row.h) goes through a buffer filled by a plain loop first.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>

namespace gotorch::kernels {

template <class T>
struct VecOf {
  typedef T type __attribute__((vector_size(32)));
};
template <class T>
using Vec = typename VecOf<T>::type;
template <class T>
inline constexpr int kWidth = 32 / sizeof(T);
template <class T>
inline constexpr int kLanes = 2 * kWidth<T>;

// Runs f(i) for the last few elements of a row. The asm and the pragma keep the compiler from
// vectorising and peeling loops that run less than kLanes times: that would double the code.
template <class F>
void for_tail(int64_t i, int64_t n, F f) {
#pragma GCC unroll 1
  for (; i < n; i++) {
    asm volatile("");
    f(i);
  }
}

// Reads the current element(s) of an array in a generic term: a Vec in the body, one T in the tail.
template <class T>
struct VecAt {
  int64_t i;
  using Value = Vec<T>;
  Vec<T> operator()(const T* p) const {
    Vec<T> v;
    std::memcpy(&v, p + i, sizeof v);
    return v;
  }
};
template <class T>
struct ScalarAt {
  int64_t i;
  using Value = T;
  T operator()(const T* p) const { return p[i]; }
};

// K running sums. `add(n, f)` adds the terms of elements 0 ... n-1; f maps a position to K terms:
//   sums.add(n, [&](auto at) { auto d = at(x) - m; return terms(d, d * d); });
template <class T, int K>
struct LaneSums {
  static constexpr int W = kWidth<T>;
  Vec<T> lo[K] = {}, hi[K] = {};

  template <class F>
  void add(int64_t n, F f) {
    Vec<T> a[K], b[K];
    for (int k = 0; k < K; k++) a[k] = lo[k], b[k] = hi[k];
    int64_t i = 0;
    for (; i + 2 * W <= n; i += 2 * W) {
      const auto s = f(VecAt<T>{i}), t = f(VecAt<T>{i + W});
      for (int k = 0; k < K; k++) a[k] += s[k], b[k] += t[k];
    }
    if (i + W <= n) {
      const auto s = f(VecAt<T>{i});
      for (int k = 0; k < K; k++) a[k] += s[k];
      i += W;
    }
    for_tail(i, n, [&](int64_t e) {
      const auto s = f(ScalarAt<T>{e});
      for (int k = 0; k < K; k++) b[k][e - i] += s[k];
    });
    for (int k = 0; k < K; k++) lo[k] = a[k], hi[k] = b[k];
  }

  T fold(int k) const {
    const Vec<T> v = lo[k] + hi[k];
    T lane[W];
    std::memcpy(lane, &v, sizeof v);
    if constexpr (W == 8)
      return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
             ((lane[1] + lane[5]) + (lane[3] + lane[7]));
    else return (lane[0] + lane[2]) + (lane[1] + lane[3]);
  }
};

template <class V, class... Vs>
std::array<V, 1 + sizeof...(Vs)> terms(V first, Vs... rest) {
  return {first, rest...};
}

// y[i] = f(i) for a row. Loads come before the store of each vector, so y may be one of the inputs.
template <class T, class F>
void map_row(T* y, int64_t n, F f) {
  int64_t i = 0;
  for (; i + kWidth<T> <= n; i += kWidth<T>) {
    const Vec<T> v = f(VecAt<T>{i});
    std::memcpy(y + i, &v, sizeof v);
  }
  for_tail(i, n, [&](int64_t e) { y[e] = f(ScalarAt<T>{e}); });
}

// Elements per block of a long sum: lanes sum a block, blocks are added in double.
inline constexpr int64_t kBlock = 2048;

// K sums over a row of any length, to about the accuracy of pairwise summation.
template <class T, int K, class F>
std::array<double, K> sum_row(int64_t n, F f) {
  std::array<double, K> total = {};
  for (int64_t b = 0; b < n; b += kBlock) {
    LaneSums<T, K> sums;
    sums.add(std::min(kBlock, n - b), [&](auto at) {
      at.i += b;
      return f(at);
    });
    for (int k = 0; k < K; k++) total[k] += static_cast<double>(sums.fold(k));
  }
  return total;
}

// The largest element, or -inf for none. NaN is skipped: whoever subtracts the maximum meets it
// again.
template <class T>
T max_row(const T* x, int64_t n) {
  constexpr int W = kWidth<T>;
  const T lowest = -std::numeric_limits<T>::infinity();
  Vec<T> a = Vec<T>{} + lowest, b = a;
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    const Vec<T> s = VecAt<T>{i}(x), t = VecAt<T>{i + W}(x);
    a = s > a ? s : a;
    b = t > b ? t : b;
  }
  a = b > a ? b : a;
  T lane[W];
  std::memcpy(lane, &a, sizeof a);
#pragma GCC unroll 4
  for (int half = W / 2; half > 0; half /= 2)
    for (int j = 0; j < half; j++) lane[j] = lane[j + half] > lane[j] ? lane[j + half] : lane[j];
  T m = lane[0];
  for_tail(i, n, [&](int64_t e) { m = x[e] > m ? x[e] : m; });
  return m;
}

}  // namespace gotorch::kernels
