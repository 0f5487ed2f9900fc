// Reductions that keep where the extreme is: its value, and the index of its first occurrence.
#include <algorithm>
#include <array>
#include <limits>

#include "tensor/kernels/reduce.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

// Whether b, which comes later, takes a's place. NaN is beyond everything; of equals the first stays.
struct Later {
  template <class T>
  static bool max(T a, T b) {
    return (b > a) | ((b != b) & (a == a));
  }
  template <class T>
  static bool min(T a, T b) {
    return (b < a) | ((b != b) & (a == a));
  }
};
struct Max {
  template <class T>
  static bool beats(T b, T a) {
    return Later::max(a, b);
  }
  template <class T>
  static T join(T a, T b) {
    return (a > b) | (a != a) ? a : b;
  }
};
struct Min {
  template <class T>
  static bool beats(T b, T a) {
    return Later::min(a, b);
  }
  template <class T>
  static T join(T a, T b) {
    return (a < b) | (a != a) ? a : b;
  }
};

template <class T>
inline constexpr int kLane = 64 / sizeof(T);

template <class T>
int64_t* indices_of(void* state, int64_t room) {
  return reinterpret_cast<int64_t*>(static_cast<T*>(state) + room);
}

// The first of n > 0 elements that is v, or NaN if v is.
template <class T>
inline int64_t first_of(const T* __restrict x, int64_t n, T v) {
  constexpr int N = kLane<T>;
  int64_t i = 0;
  for (; i + N <= n; i += N) {
    int hit = 0;
    for (int l = 0; l < N; l++) hit |= (x[i + l] == v) | ((x[i + l] != x[i + l]) & (v != v));
    if (hit) break;
  }
  while (!((x[i] == v) | ((x[i] != x[i]) & (v != v)))) i++;
  return i;
}

template <class F, class T>
inline T best_of(const T* __restrict x, int64_t n) {
  constexpr int N = 4 * kLane<T>;
  T best = x[0];
  int64_t i = 0;
  if (n >= N) {
    T lane[N];
    for (int l = 0; l < N; l++) lane[l] = x[l];
    for (i = N; i + N <= n; i += N)
      for (int l = 0; l < N; l++) lane[l] = F::join(lane[l], x[i + l]);
    for (int half = N / 2; half > 0; half /= 2)
      for (int l = 0; l < half; l++) lane[l] = F::join(lane[l], lane[l + half]);
    best = lane[0];
  }
  for (; i < n; i++) best = F::join(best, x[i]);
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

// Places within the panel are integers as wide as T, so one vector holds as many of them as of values.
template <class F, class T, int N>
inline void strip(const T* __restrict x, int64_t rows, int64_t stride, int64_t first,
                  T* __restrict value, int64_t* __restrict index) {
  using Place = typename IntOf<sizeof(T)>::type;
  T best[N];
  Place place[N];
  for (int l = 0; l < N; l++) {
    best[l] = x[l];
    place[l] = 0;
  }
  for (int64_t r = 1; r < rows; r++)
    for (int l = 0; l < N; l++) {
      const T b = x[r * stride + l];
      const bool take = F::beats(b, best[l]);
      best[l] = take ? b : best[l];
      place[l] = take ? static_cast<Place>(r) : place[l];
    }
  for (int l = 0; l < N; l++) {
    value[l] = best[l];
    index[l] = first + place[l];
  }
}

template <class F, class T>
inline void panel(const void* x_, int64_t rows, int64_t cols, int64_t stride, int64_t first,
                  void* state, int64_t room) {
  const T* x = static_cast<const T*>(x_);
  T* value = static_cast<T*>(state);
  int64_t* index = indices_of<T>(state, room);
  int64_t c = 0;
  for (; c + kLane<T> <= cols; c += kLane<T>)
    strip<F, T, kLane<T>>(x + c, rows, stride, first, value + c, index + c);
  for (; c < cols; c++) strip<F, T, 1>(x + c, rows, stride, first, value + c, index + c);
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
