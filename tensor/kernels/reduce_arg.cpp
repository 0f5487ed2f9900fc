// Reductions that keep where the extreme is: its value, and the index of its first occurrence.
#include <algorithm>
#include <array>
#include <cstring>

#include "tensor/kernels/lanes.h"
#include "tensor/kernels/reduce.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

template <int Bytes>
struct IntOf;
template <>
struct IntOf<1> {
  using type = int8_t;
};
template <>
struct IntOf<2> {
  using type = int16_t;
};
template <>
struct IntOf<4> {
  using type = int32_t;
};
template <>
struct IntOf<8> {
  using type = int64_t;
};
template <class T>
using Place = typename IntOf<sizeof(T)>::type;

template <class T>
inline Vec<T> load(const T* x) {
  return VecAt<T>{0}(x);
}
template <class V>
inline bool any(V v) {
  int64_t part[4];
  std::memcpy(part, &v, sizeof v);
  return (part[0] | part[1]) | (part[2] | part[3]);
}

// For scalars and vectors: whether b, which comes later, takes a's place. NaN is beyond everything;
// of equals the first stays.
struct Max {
  template <class V>
  static auto beats(V b, V a) {
    return (b > a) | ((b != b) & (a == a));
  }
};
struct Min {
  template <class V>
  static auto beats(V b, V a) {
    return (b < a) | ((b != b) & (a == a));
  }
};
template <class F, class V>
inline V better(V b, V a) {
  return F::beats(b, a) ? b : a;
}
template <class V>
inline auto is_same(V x, V v) {
  return (x == v) | ((x != x) & (v != v));
}

template <class T>
int64_t* indices_of(void* state, int64_t room) {
  return reinterpret_cast<int64_t*>(static_cast<T*>(state) + room);
}

// The first of n > 0 elements that is v, or NaN if v is.
template <class T>
inline int64_t first_of(const T* x, int64_t n, T v) {
  constexpr int W = kWidth<T>;
  const Vec<T> wanted = Vec<T>{} + v;
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W)
    if (any(is_same(load(x + i), wanted) | is_same(load(x + i + W), wanted))) break;
  while (!is_same(x[i], v)) i++;
  return i;
}

template <class F, class T>
inline T best_of(const T* x, int64_t n) {
  constexpr int W = kWidth<T>;
  T best = x[0];
  int64_t i = 0;
  if (n >= 4 * W) {
    Vec<T> a = load(x), b = load(x + W), c = load(x + 2 * W), d = load(x + 3 * W);
    for (i = 4 * W; i + 4 * W <= n; i += 4 * W) {
      a = better<F>(load(x + i), a);
      b = better<F>(load(x + i + W), b);
      c = better<F>(load(x + i + 2 * W), c);
      d = better<F>(load(x + i + 3 * W), d);
    }
    a = better<F>(better<F>(d, c), better<F>(b, a));
    for (int l = 0; l < W; l++) best = better<F>(static_cast<T>(a[l]), best);
  }
  for (; i < n; i++) best = better<F>(x[i], best);
  return best;
}

template <class F, class T>
inline void rows(const void* x_, int64_t count, int64_t n, int64_t first, void* state,
                 int64_t room) {
  const T* x = static_cast<const T*>(x_);
  T* value = static_cast<T*>(state);
  int64_t* index = indices_of<T>(state, room);
  for (int64_t r = 0; r < count; r++, x += n) {
    value[r] = best_of<F>(x, n);
    index[r] = first + first_of(x, n, value[r]);
  }
}

// Two vectors of columns. Places within a panel are integers as wide as T, so one vector holds as
// many of them as of values.
template <class F, class T>
inline void strip(const T* x, int64_t rows, int64_t stride, int64_t first, T* value,
                  int64_t* index) {
  constexpr int W = kWidth<T>;
  using Places = Vec<Place<T>>;
  Vec<T> a = load(x), b = load(x + W);
  Places i = {}, j = {};
  for (int64_t r = 1; r < rows; r++) {
    const Vec<T> p = load(x + r * stride), q = load(x + r * stride + W);
    const Places here = Places{} + static_cast<Place<T>>(r);
    const auto take_p = F::beats(p, a), take_q = F::beats(q, b);
    a = take_p ? p : a;
    b = take_q ? q : b;
    i = take_p ? here : i;
    j = take_q ? here : j;
  }
  std::memcpy(value, &a, sizeof a);
  std::memcpy(value + W, &b, sizeof b);
  for (int l = 0; l < W; l++) {
    index[l] = first + i[l];
    index[l + W] = first + j[l];
  }
}

template <class F, class T>
inline void panel(const void* x_, int64_t rows, int64_t cols, int64_t stride, int64_t first,
                  void* state, int64_t room) {
  constexpr int N = 2 * kWidth<T>;
  const T* x = static_cast<const T*>(x_);
  T* value = static_cast<T*>(state);
  int64_t* index = indices_of<T>(state, room);
  int64_t c = 0;
  for (; c + N <= cols; c += N) strip<F>(x + c, rows, stride, first, value + c, index + c);
  for (; c < cols; c++) {
    value[c] = x[c];
    index[c] = first;
    for (int64_t r = 1; r < rows; r++) {
      if (!F::beats(x[c + r * stride], value[c])) continue;
      value[c] = x[c + r * stride];
      index[c] = first + r;
    }
  }
}

template <class F, class T>
inline void merge(void* a, const void* b, int64_t cols, int64_t room, double, double) {
  T* __restrict va = static_cast<T*>(a);
  const T* __restrict vb = static_cast<const T*>(b);
  int64_t* __restrict ia = indices_of<T>(a, room);
  const int64_t* __restrict ib = indices_of<T>(const_cast<void*>(b), room);
  for (int64_t c = 0; c < cols; c++) {
    const bool take = F::beats(vb[c], va[c]);
    va[c] = take ? vb[c] : va[c];
    ia[c] = take ? ib[c] : ia[c];
  }
}

template <class T>
void finish(const void* state, int64_t cols, int64_t room, double, double, void* y0, void* y1) {
  std::copy_n(static_cast<const T*>(state), cols, static_cast<T*>(y0));
  std::copy_n(indices_of<T>(const_cast<void*>(state), room), cols, static_cast<int64_t*>(y1));
}

template <class F>
const ReduceKernel& kernel(Dtype d) {
  static const std::array<ReduceKernel, kDtypes> table = [] {
    std::array<ReduceKernel, kDtypes> t;
    for (int i = 0; i < kDtypes; i++)
      t[i] = dispatch(static_cast<Dtype>(i), [&]<class S>() -> ReduceKernel {
        using T = std::conditional_t<std::is_same_v<S, bool>, uint8_t, Compute<S>>;
        const Dtype dtype = std::is_same_v<S, bool> ? Dtype::Bool : dtype_of<T>();
        return {dtype,
                dtype,
                sizeof(T) + sizeof(int64_t),
                true,
                best_variant<&rows<F, T>>(),
                best_variant<&panel<F, T>>(),
                best_variant<&merge<F, T>>(),
                nullptr,
                &finish<T>};
      });
    return t;
  }();
  return table[static_cast<int>(d)];
}

}  // namespace

const ReduceKernel& argmax_kernel(Dtype d) { return kernel<Max>(d); }
const ReduceKernel& argmin_kernel(Dtype d) { return kernel<Min>(d); }

}  // namespace gotorch::kernels
