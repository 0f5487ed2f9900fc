#pragma once
// Exponentials of a row, and their sum.
#include "tensor/kernels/lanes.h"
#include "tensor/simd/math.h"

namespace gotorch::kernels {

// What an exponential costs, in plain element operations.
inline constexpr int64_t kExpCost = 4;

// Rows of n that are worked on together: each step of a row waits for the one before, so the steps of several rows
// overlap. No more than stay in the first-level cache.
inline constexpr int64_t kRows = 16;
inline int64_t row_group(int64_t n) {
  return std::clamp<int64_t>(4096 / std::max<int64_t>(n, 1), 1, kRows);
}

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

// All lanes of a row in one vector, which is two where the machine has no wider ones: half as many instructions wait for
// each other, and of them a processor looks at some 60 at a time.
template <class T>
struct WideOf {
  typedef T type __attribute__((vector_size(64)));
};
template <class T>
using Wide = typename WideOf<T>::type;
template <class T>
struct WideAt {
  int64_t i;
  using Value = Wide<T>;
  Wide<T> operator()(const T* p) const {
    Wide<T> v;
    std::memcpy(&v, p + i, sizeof v);
    return v;
  }
};

template <class T>
inline void exp_wide(Wide<T>& v) {
  T t[kLanes<T>];
  std::memcpy(t, &v, sizeof v);
  for (int j = 0; j < kLanes<T>; j++) t[j] = exp_down(t[j]);
  std::memcpy(&v, t, sizeof v);
}

// Calls put(i, v) with exp(f(i)) ... exp(f(i + kLanes - 1)), for a row of f(i) <= 0.
// The last lanes are padded with zeros, since scalar exp is dear; put gets no more than they.
template <class T, class F, class Put>
void for_exps(int64_t n, F f, Put put) {
  constexpr int L = kLanes<T>;
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    Wide<T> v = f(WideAt<T>{i});
    exp_wide<T>(v);
    put(i, v);
  }
  if (i == n) return;
  T t[L];
  std::fill_n(t, L, -std::numeric_limits<T>::infinity());
  for_tail(i, n, [&](int64_t e) { t[e - i] = f(ScalarAt<T>{e}); });
  Wide<T> v = WideAt<T>{0}(t);
  exp_wide<T>(v);
  put(i, v);
}

// Stores finish(position, exponential) for up to kLanes elements of a row of n, from i on.
template <class T, class G>
void put_lanes(T* y, int64_t i, int64_t n, const Wide<T>& e, G finish) {
  if (i + kLanes<T> <= n) {
    const Wide<T> v = finish(WideAt<T>{i}, e);
    std::memcpy(y + i, &v, sizeof v);
    return;
  }
  T t[kLanes<T>];
  std::memcpy(t, &e, sizeof e);
  for_tail(i, n, [&](int64_t k) { y[k] = finish(ScalarAt<T>{k}, t[k - i]); });
}

constexpr auto as_it_is = [](auto, auto e) { return e; };

// y[i] = finish(i, exp(f(i))) for a row of f(i) <= 0; y may be an input.
//   exp_row(gx, n, [&](auto at) { return at(y); }, [&](auto at, auto e) { return at(g) - e * sum; });
template <class T, class F, class G = decltype(as_it_is)>
void exp_row(T* y, int64_t n, F f, G finish = as_it_is) {
  for_exps<T>(n, f, [&](int64_t i, const Wide<T>& e) { put_lanes(y, i, n, e, finish); });
}

// The sum of exp(f(i)) for a row of f(i) <= 0; `store` writes the terms to y, which may be an input.
template <bool store, class T, class F>
T exp_sum(T* y, int64_t n, F f) {
  double total = 0;
  for (int64_t block = 0; block < n; block += kBlock) {
    const int64_t len = std::min(kBlock, n - block);
    Wide<T> sum = {};
    const auto shifted = [&](auto at) {
      at.i += block;
      return f(at);
    };
    for_exps<T>(len, shifted, [&](int64_t i, const Wide<T>& e) {
      sum += e;
      if constexpr (store) put_lanes(y + block, i, len, e, as_it_is);
    });
    LaneSums<T, 1> lanes;
    std::memcpy(lanes.lo, &sum, sizeof(Vec<T>));
    std::memcpy(lanes.hi, reinterpret_cast<const std::byte*>(&sum) + sizeof(Vec<T>),
                sizeof(Vec<T>));
    total += static_cast<double>(lanes.fold(0));
  }
  return static_cast<T>(total);
}

}  // namespace gotorch::kernels
