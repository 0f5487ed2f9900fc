// Reductions whose state is one number and whose step is one operation: sum, product, maximum, minimum.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "tensor/kernels/plane.h"
#include "tensor/kernels/reduce.h"
#include "tensor/simd/isa.h"
#include "tensor/simd/math_base.h"
#include "tensor/simd/wrapping.h"

namespace gotorch::kernels {
namespace {

using math::plus, math::times;  // integers wrap around

struct Sum {
  template <class T>
  static constexpr T start() {
    return T(0);
  }
  template <class T>
  static T map(T x) {
    return x;
  }
  template <class T>
  static T join(T a, T b) {
    return plus(a, b);
  }
};
struct SumOfSquares : Sum {
  template <class T>
  static T map(T x) {
    return x * x;
  }
};
struct Product {
  template <class T>
  static constexpr T start() {
    return T(1);
  }
  template <class T>
  static T map(T x) {
    return x;
  }
  template <class T>
  static T join(T a, T b) {
    return times(a, b);
  }
};
// NaN wins: no comparison with it is true, and only it differs from itself. Long loops `pick`, which is one instruction
// and loses NaN, and watch for it aside.
struct Max {
  template <class T>
  static T pick(T a, T b) {
    return a > b ? a : b;
  }
  template <class T>
  static constexpr T start() {
    return std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity()
                                       : std::numeric_limits<T>::lowest();
  }
  template <class T>
  static T map(T x) {
    return x;
  }
  template <class T>
  static T join(T a, T b) {
    return (a > b) | (a != a) ? a : b;
  }
};
struct Min {
  template <class T>
  static T pick(T a, T b) {
    return a < b ? a : b;
  }
  template <class T>
  static constexpr T start() {
    return std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity()
                                       : std::numeric_limits<T>::max();
  }
  template <class T>
  static T map(T x) {
    return x;
  }
  template <class T>
  static T join(T a, T b) {
    return (a < b) | (a != a) ? a : b;
  }
};

// Partial results per row: four vectors of 64 bytes keep the adders busy. Short rows use one. T is the type of the
// elements, A of the state.
template <class A>
inline constexpr int kLane = 64 / sizeof(A);
template <class A>
inline constexpr int kMany = 4 * kLane<A>;

// Folds partial results in halves. Each half is an array of its own, which stays in registers; what is no whole vector
// any more is read back number by number, as gcc would take a vector apart by many shuffles.
template <class A, int N, class Join>
inline A fold(const A (&lane)[N], Join join) {
  if constexpr (N == 1) {
    return lane[0];
  } else {
    A half[N / 2];
    for (int i = 0; i < N / 2; i++) half[i] = join(lane[i], lane[i + N / 2]);
    if constexpr (N * sizeof(A) == 64) asm volatile("" : "+m"(half));
    return fold(half, join);
  }
}

// One result per lane, of elements that come N at a time, or fewer.
template <class F, class A, int N>
struct Lanes {
  A lane[N];
  Lanes() {
    for (int l = 0; l < N; l++) lane[l] = F::template start<A>();
  }
  template <class T>
  void add(const T* __restrict x) {
    for (int l = 0; l < N; l++) lane[l] = F::join(lane[l], F::map(static_cast<A>(x[l])));
  }
  template <class T>
  void add(const T* __restrict x, int64_t n) {
    for (int l = 0; l < N; l++) {
      const A v = l < n ? F::map(static_cast<A>(x[l])) : F::template start<A>();
      lane[l] = F::join(lane[l], v);
    }
  }
  A of_lane(int l) const { return lane[l]; }
  A of_all() const {
    return fold(lane, [](A a, A b) { return F::join(a, b); });
  }
};
template <class F>
concept Picks = requires(float x) { F::pick(x, x); };
template <class F, class A, int N>
  requires(Picks<F> && std::is_floating_point_v<A>)
struct Lanes<F, A, N> {
  using Bits = math::Bits<A>;
  A lane[N];
  Bits size[N] = {};  // the largest without its sign: above infinity is NaN
  Lanes() {
    for (int l = 0; l < N; l++) lane[l] = F::template start<A>();
  }
  static Bits larger(Bits a, Bits b) { return a > b ? a : b; }
  static A watched(A value, Bits size) {
    return size > math::to_bits(math::Layout<A>::kInf) ? math::Layout<A>::kNan : value;
  }
  void add(const A* __restrict x, int64_t n = N) {
    for (int l = 0; l < N; l++) {
      const A v = l < n ? x[l] : F::template start<A>();
      lane[l] = F::pick(lane[l], v);
      size[l] = larger(size[l], math::to_bits(math::abs(v)));
    }
  }
  A of_lane(int l) const { return watched(lane[l], size[l]); }
  A of_all() const {
    return watched(fold(lane, [](A a, A b) { return F::pick(a, b); }), fold(size, &larger));
  }
};

// Elements that fill no row of N lanes go to the first of fewer, those that fill no kLane of these to the first.
template <class F, class T, class A, int N>
inline A row(const T* __restrict x, int64_t n) {
  Lanes<F, A, N> lanes;
  int64_t i = 0;
  for (; i + N <= n; i += N) lanes.add(x + i);
  if (i == n) return lanes.of_all();
  Lanes<F, A, kLane<A>> rest;
  for (; i + kLane<A> <= n; i += kLane<A>) rest.add(x + i);
  if (i < n) rest.add(x + i, n - i);
  return F::join(lanes.of_all(), rest.of_all());
}

template <class F, class T, class A, int N>
inline void strip(const T* __restrict x, int64_t rows, int64_t stride, A* __restrict y) {
  Lanes<F, A, N> lanes;
  for (int64_t r = 0; r < rows; r++) lanes.add(x + r * stride);
  for (int l = 0; l < N; l++) y[l] = lanes.of_lane(l);
}

// Rows of fewer elements than lanes, as columns.
template <class F, class T, class A>
inline void short_rows(const T* x, int64_t count, int64_t n, A* y) {
  constexpr int W = kMany<A>;
  T columns[kLane<A> * W];
  const auto strips = [&]<int N>() {
    for (; count >= N; count -= N, x += N * n, y += N) {
      copy_plane({columns, x, N, n, 1, N, n, 1}, sizeof(T));
      strip<F, T, A, N>(columns, n, N, y);
    }
  };
  strips.template operator()<W>();
  strips.template operator()<kLane<A>>();
  for (; count > 0; count--, x += n) {
    A a = F::template start<A>();
    for (int64_t i = 0; i < n; i++) a = F::join(a, F::map(static_cast<A>(x[i])));
    *y++ = a;
  }
}

template <class F, class T, class A>
inline void rows(const void* x_, int64_t count, int64_t n, int64_t, void* state, int64_t) {
  const T* x = static_cast<const T*>(x_);
  A* y = static_cast<A*>(state);
  if (n < kLane<A>) {
    short_rows<F>(x, count, n, y);
  } else if (n < kMany<A>) {
    for (int64_t r = 0; r < count; r++) y[r] = row<F, T, A, kLane<A>>(x + r * n, n);
  } else {
    for (int64_t r = 0; r < count; r++) y[r] = row<F, T, A, kMany<A>>(x + r * n, n);
  }
}

// The states of columns, one row after the other: in the order of memory, which is what the processor fetches ahead.
template <class F, class T, class A>
struct Columns {
  A* y;
  Columns(A* y, int64_t cols) : y(y) { std::fill_n(y, cols, F::template start<A>()); }
  void add(const T* __restrict row, int64_t cols) {
    A* __restrict to = y;
    for (int64_t c = 0; c < cols; c++) to[c] = F::join(to[c], F::map(static_cast<A>(row[c])));
  }
  void finish(int64_t) {}
};
template <class F, class T, class A>
  requires(Picks<F> && std::is_floating_point_v<A>)
struct Columns<F, T, A> {
  using One = Lanes<F, A, 1>;
  A* y;
  math::Bits<A> size[kOrderedCols];
  Columns(A* y, int64_t cols) : y(y) {
    std::fill_n(y, cols, F::template start<A>());
    std::fill_n(size, cols, math::Bits<A>(0));
  }
  void add(const T* __restrict row, int64_t cols) {
    A* __restrict to = y;
    for (int64_t c = 0; c < cols; c++) {
      to[c] = F::pick(to[c], row[c]);
      size[c] = One::larger(size[c], math::to_bits(math::abs(row[c])));
    }
  }
  void finish(int64_t cols) {
    for (int64_t c = 0; c < cols; c++) y[c] = One::watched(y[c], size[c]);
  }
};

template <class F, class T, class A>
inline void panel(const void* x_, int64_t rows, int64_t cols, int64_t stride, int64_t, void* state,
                  int64_t) {
  const T* x = static_cast<const T*>(x_);
  Columns<F, T, A> columns(static_cast<A*>(state), cols);
  for (int64_t r = 0; r < rows; r++) columns.add(x + r * stride, cols);
  columns.finish(cols);
}

template <class F, class T>
inline void merge(void* a_, const void* b_, int64_t cols, int64_t, double, double) {
  T* __restrict a = static_cast<T*>(a_);
  const T* __restrict b = static_cast<const T*>(b_);
  for (int64_t c = 0; c < cols; c++) a[c] = F::join(a[c], b[c]);
}

template <class F, class T>
void empty(void* state, int64_t cols, int64_t) {
  std::fill_n(static_cast<T*>(state), cols, F::template start<T>());
}

template <class T>
void as_is(const void* state, int64_t cols, int64_t, double, double, void* y, void*) {
  std::copy_n(static_cast<const T*>(state), cols, static_cast<T*>(y));
}
template <class T>
void divided(const void* state, int64_t cols, int64_t, double n, double, void* y, void*) {
  for (int64_t c = 0; c < cols; c++)
    static_cast<T*>(y)[c] = static_cast<const T*>(state)[c] / static_cast<T>(n);
}
template <class T>
void root(const void* state, int64_t cols, int64_t, double, double, void* y, void*) {
  for (int64_t c = 0; c < cols; c++)
    static_cast<T*>(y)[c] = static_cast<T>(std::sqrt(static_cast<const double*>(state)[c]));
}

template <class F, class T, class A = T>
ReduceKernel make(decltype(ReduceKernel::finish) finish, bool of_nothing = true) {
  return {dtype_of<T>(),
          dtype_of<T>(),
          sizeof(A),
          false,
          best_variant<&rows<F, T, A>>(),
          best_variant<&panel<F, T, A>>(),
          best_variant<&merge<F, A>>(),
          of_nothing ? &empty<F, A> : nullptr,
          finish,
          kOrderedCols};
}

template <class F>
ReduceKernel make_extreme(Dtype d) {
  return dispatch(d, [&]<class T>() -> ReduceKernel {
    if constexpr (std::is_same_v<T, bool>) {
      // As bytes of 0 and 1. Of nothing: any() is false, all() is true.
      ReduceKernel k = make<F, uint8_t>(&as_is<uint8_t>);
      k.empty = [](void* state, int64_t cols, int64_t) {
        std::fill_n(static_cast<uint8_t*>(state), cols, std::is_same_v<F, Min>);
      };
      k.reads = k.result = Dtype::Bool;
      return k;
    } else {
      return make<F, Compute<T>>(&as_is<Compute<T>>, false);
    }
  });
}

template <class F>
const ReduceKernel& extreme(Dtype d) {
  static const std::array<ReduceKernel, kDtypes> table = [] {
    std::array<ReduceKernel, kDtypes> t;
    for (int i = 0; i < kDtypes; i++) t[i] = make_extreme<F>(static_cast<Dtype>(i));
    return t;
  }();
  return table[static_cast<int>(d)];
}

}  // namespace

const ReduceKernel& sum_kernel(Dtype d) {
  static const ReduceKernel f = make<Sum, float>(&as_is<float>),
                            g = make<Sum, double>(&as_is<double>),
                            i = make<Sum, int64_t>(&as_is<int64_t>);
  return d == Dtype::Float ? f : d == Dtype::Double ? g : i;
}
const ReduceKernel& mean_kernel(Dtype d) {
  static const ReduceKernel f = make<Sum, float>(&divided<float>),
                            g = make<Sum, double>(&divided<double>);
  return d == Dtype::Float ? f : g;
}
const ReduceKernel& prod_kernel(Dtype d) {
  static const ReduceKernel f = make<Product, float>(&as_is<float>),
                            g = make<Product, double>(&as_is<double>),
                            i = make<Product, int64_t>(&as_is<int64_t>);
  return d == Dtype::Float ? f : d == Dtype::Double ? g : i;
}
const ReduceKernel& norm2_kernel(Dtype d) {
  // In double, where the squares of all floats have room.
  static const ReduceKernel f = make<SumOfSquares, float, double>(&root<float>),
                            g = make<SumOfSquares, double>(&root<double>);
  return d == Dtype::Float ? f : g;
}
const ReduceKernel& max_kernel(Dtype d) { return extreme<Max>(d); }
const ReduceKernel& min_kernel(Dtype d) { return extreme<Min>(d); }

}  // namespace gotorch::kernels
