#include "tensor/kernels/scatter.h"

#include <limits>

#include "runtime/parallel.h"
#include "tensor/buffer.h"
#include "tensor/kernels/places.h"
#include "tensor/simd/isa.h"
#include "tensor/simd/wrapping.h"

namespace gotorch::kernels {
namespace {

using math::plus, math::times;  // integers wrap around

template <class T, ScatterOp op>
T combine(T a, T b) {
  if constexpr (op == ScatterOp::Prod) return times(a, b);
  else if constexpr (op == ScatterOp::Max) return a > b || a != a ? a : b;
  else if constexpr (op == ScatterOp::Min) return a < b || a != a ? a : b;
  else return plus(a, b);
}

template <class T, ScatterOp op>
constexpr T identity() {
  using Limits = std::numeric_limits<T>;
  if constexpr (op == ScatterOp::Prod) return 1;
  else if constexpr (op == ScatterOp::Max)
    return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  else if constexpr (op == ScatterOp::Min)
    return Limits::has_infinity ? Limits::infinity() : Limits::max();
  else return 0;
}

template <class T>
T mean_of(T sum, int64_t count) {
  if constexpr (std::is_integral_v<T>) {
    const int64_t s = static_cast<int64_t>(sum), q = s / count;
    return static_cast<T>(q - (s % count < 0));
  } else {
    return sum / static_cast<T>(count);
  }
}

template <class T, ScatterOp op>
void reduce(bool include_self, T* y, Axis a, const int64_t* index, int64_t m, const T* source) {
  Buffer<int64_t> count(op == ScatterOp::Mean ? a.size() : 0, include_self);
  Tiles({a.outer, m, a.inner}).for_each(kRandomAccess, [&](Tile t) {
    if (!include_self)
      for_places(t, a, index, m, [&](int64_t at, int64_t) { y[at] = identity<T, op>(); });
    for_places(t, a, index, m, [&](int64_t at, int64_t from) {
      y[at] = combine<T, op>(y[at], source[from]);
      if constexpr (op == ScatterOp::Mean) count[at]++;
    });
    if constexpr (op == ScatterOp::Mean) {
      for_places(t, a, index, m, [&](int64_t at, int64_t) {
        if (count[at] > 0) y[at] = mean_of(y[at], count[at]);
        count[at] = 0;  // done
      });
    }
  });
}

template <class T>
void add_row(T* y, const T* x, int64_t n, T alpha) {
  for (int64_t i = 0; i < n; i++) y[i] = plus(y[i], times(alpha, x[i]));
}

// Positions 0 ... m-1 grouped by the row they index: a bucket is `width` neighbouring rows, and the
// positions of bucket b are order[start[b]] ... order[start[b + 1] - 1], in order. One task per bucket
// has its rows to itself and adds to each in the order of positions.
struct Buckets {
  int64_t count, width;
  Buffer<int64_t> start, order;
  Buckets(const int64_t* index, int64_t m, int64_t rows)
      : count(std::min<int64_t>(rows, 256)),
        width((rows + count - 1) / count),
        start(count + 1),
        order(m) {
    for (int64_t j = 0; j < m; j++) start[index[j] / width + 1]++;
    for (int64_t b = 0; b < count; b++) start[b + 1] += start[b];
    Buffer<int64_t> next(start.begin(), start.end() - 1);
    for (int64_t j = 0; j < m; j++) order[next[index[j] / width]++] = j;
  }
  // Calls f(begin, end) in parallel for ranges of buckets.
  template <class F>
  void for_each(int64_t cost_per_row, F f) const {
    const int64_t rows = width + static_cast<int64_t>(order.size()) / count;
    runtime::parallel_for(count, grain_of(rows * cost_per_row), f);
  }
};

}  // namespace

template <class T>
std::optional<BadIndex> scatter_reduce(ScatterOp op, bool include_self, T* y, Axis a,
                                       const int64_t* index, int64_t m, const T* source) {
  if (const auto bad = find_bad_index(index, a.outer * m * a.inner, 0, a.n)) return bad;
  switch (op) {
    case ScatterOp::Sum: reduce<T, ScatterOp::Sum>(include_self, y, a, index, m, source); break;
    case ScatterOp::Prod: reduce<T, ScatterOp::Prod>(include_self, y, a, index, m, source); break;
    case ScatterOp::Mean: reduce<T, ScatterOp::Mean>(include_self, y, a, index, m, source); break;
    case ScatterOp::Max: reduce<T, ScatterOp::Max>(include_self, y, a, index, m, source); break;
    case ScatterOp::Min: reduce<T, ScatterOp::Min>(include_self, y, a, index, m, source); break;
  }
  return std::nullopt;
}

template <class T>
std::optional<BadIndex> index_add(T* y, Axis a, const int64_t* index, int64_t m, const T* source,
                                  T alpha) {
  if (const auto bad = find_bad_index(index, m, 0, a.n)) return bad;
  if (a.inner < 16) {
    Tiles({a.outer, m, a.inner}).for_each(kRandomAccess, [&](Tile t) {
      for (int64_t j = 0; j < m; j++)
        for (int64_t i = 0; i < a.inner; i++) {
          T& to = y[(t.outer * a.n + index[j]) * a.inner + i];
          to = plus(to, times(alpha, source[(t.outer * m + j) * a.inner + i]));
        }
    });
    return std::nullopt;
  }
  if (a.n == 0) return std::nullopt;
  static const auto add_to = best_variant<&add_row<T>>();
  const Buckets buckets(index, m, a.n);
  for (int64_t o = 0; o < a.outer; o++)
    buckets.for_each(a.inner, [&](int64_t b, int64_t e) {
      for (int64_t k = buckets.start[b]; k < buckets.start[e]; k++) {
        const int64_t j = buckets.order[k];
        add_to(y + (o * a.n + index[j]) * a.inner, source + (o * m + j) * a.inner, a.inner, alpha);
      }
    });
  return std::nullopt;
}

template <class T>
std::optional<BadIndex> embedding_backward(const T* g, const int64_t* index, int64_t m,
                                           int64_t rows, int64_t n, int64_t padding,
                                           bool by_frequency, T* g_table) {
  if (const auto bad = find_bad_index(index, m, 0, rows)) return bad;
  if (rows == 0) return std::nullopt;
  static const auto add_to = best_variant<&add_row<T>>();
  const Buckets buckets(index, m, rows);
  const int64_t width = buckets.width;
  buckets.for_each(n, [&](int64_t b, int64_t e) {
    std::fill(g_table + std::min(rows, b * width) * n, g_table + std::min(rows, e * width) * n,
              T(0));
    for (int64_t k = buckets.start[b]; k < buckets.start[e]; k++) {
      const int64_t j = buckets.order[k], row = index[j];
      if (row != padding) add_to(g_table + row * n, g + j * n, n, T(1));
    }
    if (!by_frequency) return;
    Buffer<int64_t> uses((e - b) * width);
    for (int64_t k = buckets.start[b]; k < buckets.start[e]; k++)
      uses[index[buckets.order[k]] - b * width]++;
    for (int64_t r = b * width; r < std::min(rows, e * width); r++)
      for (int64_t i = r * n; i < (r + 1) * n && uses[r - b * width] > 1; i++)
        g_table[i] /= static_cast<T>(uses[r - b * width]);
  });
  return std::nullopt;
}

#define GOTORCH_INSTANTIATE(T)                                                               \
  template std::optional<BadIndex> scatter_reduce(ScatterOp, bool, T*, Axis, const int64_t*, \
                                                  int64_t, const T*);                        \
  template std::optional<BadIndex> index_add(T*, Axis, const int64_t*, int64_t, const T*, T);
GOTORCH_INSTANTIATE(uint8_t)
GOTORCH_INSTANTIATE(int8_t)
GOTORCH_INSTANTIATE(int16_t)
GOTORCH_INSTANTIATE(int32_t)
GOTORCH_INSTANTIATE(int64_t)
GOTORCH_INSTANTIATE(float)
GOTORCH_INSTANTIATE(double)
template std::optional<BadIndex> embedding_backward(const float*, const int64_t*, int64_t, int64_t,
                                                    int64_t, int64_t, bool, float*);
template std::optional<BadIndex> embedding_backward(const double*, const int64_t*, int64_t, int64_t,
                                                    int64_t, int64_t, bool, double*);

}  // namespace gotorch::kernels
