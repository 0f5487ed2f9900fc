// A window is reduced in two steps: down its columns, for all columns of the image at once, which is one contiguous loop
// per row; then along that row of column results, for several windows at once where they are alike.
#include <algorithm>
#include <atomic>
#include <limits>
#include <type_traits>

#include "runtime/parallel.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/pool_rows.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

// The number of a row within a window, and of a column within a row; as wide as an element, so that both fill the same
// number of vectors.
template <class T>
using Number = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

// The largest input of each column so far, and which row of the window it is in.
template <class T>
struct ColumnMax {
  using Row = Number<T>;
  static void start(T* __restrict best, Row* __restrict at, int64_t n, const T* __restrict x) {
    for (int64_t i = 0; i < n; i++) best[i] = x[i], at[i] = 0;
  }
  static void add(T* __restrict best, Row* __restrict at, int64_t n, const T* __restrict x,
                  Row row) {
    for (int64_t i = 0; i < n; i++) {
      const bool larger = (x[i] > best[i]) | (x[i] != x[i]);
      best[i] = larger ? x[i] : best[i];
      at[i] = larger ? row : at[i];
    }
  }
};

// Whether `value` in row `row` takes the place of `most`, which is in an earlier column and in row `at`: if it is larger,
// or equal and in an earlier row. NaN wins over numbers, and over a NaN that comes earlier in the window. Of scalars or
// vectors.
template <class V, class Row>
inline auto wins(V value, Row row, V most, Row at) {
  return (value > most) | ((value == most) & (row < at)) |
         ((value != value) & ((most == most) | (row >= at)));
}

constexpr int64_t kLong = 16;

template <class T>
struct Place {
  T value;
  Number<T> row, column;
};

// The result of a window of n >= kLong neighbouring columns: of each lane first.
template <class T>
inline Place<T> max_long(const T* best, const Number<T>* at, int64_t n) {
  using N = Number<T>;
  constexpr int W = kWidth<T>;
  Vec<T> most = VecAt<T>{0}(best);
  Vec<N> row = VecAt<N>{0}(at), column = {}, place = {};
  for (int l = 0; l < W; l++) column[l] = place[l] = static_cast<N>(l);
  int64_t k = W;
  for (; k + W <= n; k += W) {
    place += static_cast<N>(W);
    const Vec<T> value = VecAt<T>{k}(best);
    const Vec<N> value_row = VecAt<N>{k}(at);
    const auto better = wins(value, value_row, most, row);
    most = better ? value : most;
    row = better ? value_row : row;
    column = better ? place : column;
  }
  Place<T> top{most[0], row[0], column[0]};
  const auto meet = [&top](const Place<T>& p) {
    const bool later = p.column > top.column;
    const bool better = later ? bool(wins(p.value, p.row, top.value, top.row))
                              : !wins(top.value, top.row, p.value, p.row);
    if (better) top = p;
  };
  for (int l = 1; l < W; l++) meet({most[l], row[l], column[l]});
  for (; k < n; k++) meet({best[k], at[k], static_cast<N>(k)});
  return top;
}

// A row of outputs: its windows' columns are in `best` and `at`; row number r of a window starts at line[r] of the plane.
template <class T>
struct Along {
  const PoolWindow* window;
  const T* best;
  const Number<T>* at;
  const int64_t* line;
  T* y;
  int64_t* index;

  // Outputs [first, last), one by one.
  void each(int64_t first, int64_t last) const {
    static const auto longest = best_variant<&max_long<T>>();
    for (int64_t i = first; i < last; i++) {
      const PoolWindow& w = window[i];
      if (w.count == 0) {
        y[i] = -std::numeric_limits<T>::infinity();
        index[i] = 0;
        continue;
      }
      if (w.count >= kLong && w.step == 1 && w.count <= std::numeric_limits<int32_t>::max()) {
        const auto most = longest(best + w.begin, at + w.begin, w.count);
        y[i] = most.value;
        index[i] = line[most.row] + w.begin + most.column;
        continue;
      }
      // Selected with a mask: which input is larger is not predictable, so a branch would miss.
      int64_t top = w.begin;
      for (int64_t k = 1; k < w.count; k++) {
        const int64_t c = w.begin + k * w.step;
        const bool better = wins(best[c], at[c], best[top], at[top]);
        top += (c - top) & -static_cast<int64_t>(better);
      }
      y[i] = best[top];
      index[i] = line[at[top]] + top;
    }
  }
};

// `n` windows like w, Stride columns apart: results, and where they are, from w.begin on.
template <class T, int Stride>
inline void max_run(const PoolWindow& w, int64_t n, const T* best, const Number<T>* at, T* y,
                    Number<T>* row, Number<T>* column) {
  using N = Number<T>;
  constexpr int W = kWidth<T>;
  Vec<N> apart = {};
  for (int l = 0; l < W; l++) apart[l] = static_cast<N>(l * Stride);
  for (int64_t i = 0; i < n; i += W) {
    const T* b = best + w.begin + i * Stride;
    const N* a = at + w.begin + i * Stride;
    Vec<T> most = spaced<Stride>(b);
    Vec<N> r = spaced<Stride>(a), c = apart + static_cast<N>(i * Stride);
    for (int64_t k = 1; k < w.count; k++) {
      const Vec<T> value = spaced<Stride>(b + k * w.step);
      const Vec<N> value_row = spaced<Stride>(a + k * w.step);
      const Vec<N> place = apart + static_cast<N>(i * Stride + k * w.step);
      const auto better = wins(value, value_row, most, r);
      most = better ? value : most;
      r = better ? value_row : r;
      c = better ? place : c;
    }
    store_some(y, i, n, most);
    store_some(row, i, n, r);
    store_some(column, i, n, c);
  }
}

// Places in the plane, if rows of the window are `apart` inputs apart, the first from `first`.
template <class N>
inline void places(int64_t n, const N* __restrict row, const N* __restrict column, int64_t first,
                   int64_t apart, int64_t* __restrict index) {
  for (int64_t i = 0; i < n; i++) index[i] = first + row[i] * apart + column[i];
}

// The rows of outputs of one chunk.
template <class T>
class MaxRows {
  using N = Number<T>;

 public:
  explicit MaxRows(const PoolWindows& w) : w_(w), n_(w.run.last - w.run.first) {
    line_ = scratch<int64_t>(Scratch::C, most_inputs(w.window[0]) * most_inputs(w.window[1]));
    const int64_t room = w.in[2] + kBehind;
    best_ = scratch<T>(Scratch::A, room);
    at_ = scratch<N>(Scratch::B, room + 2 * n_);
    row_ = at_ + room;
    column_ = row_ + n_;
    // Column numbers have to fit.
    const bool vectors =
        w.window[2][w.run.first].count > 0 && room <= std::numeric_limits<int32_t>::max();
    run_ = vectors && w.run.stride == 1   ? best_variant<&max_run<T, 1>>()
           : vectors && w.run.stride == 2 ? best_variant<&max_run<T, 2>>()
                                          : nullptr;
  }

  // Row (z, y) of the outputs of plane x.
  void row(const T* x, int64_t z, int64_t yy, T* y, int64_t* index) {
    const PoolWindow &wz = w_.window[0][z], &wy = w_.window[1][yy];
    const int64_t width = w_.in[2], n = w_.out[2];
    N number = 0;
    for (int64_t kz = 0; kz < wz.count; kz++) {
      const int64_t depth = (wz.begin + kz * wz.step) * w_.in[1];
      for (int64_t ky = 0; ky < wy.count; ky++, number++) {
        line_[number] = (depth + wy.begin + ky * wy.step) * width;
        const T* source = x + line_[number];
        if (number == 0) start_(best_, at_, width, source);
        else add_(best_, at_, width, source, number);
      }
    }
    if (number == 0) {
      std::fill_n(y, n, -std::numeric_limits<T>::infinity());
      std::fill_n(index, n, int64_t{0});
      return;
    }
    const Along<T> along{w_.window[2].data(), best_, at_, line_, y, index};
    if (!run_) return along.each(0, n);
    along.each(0, w_.run.first);
    together(wz.count == 1, wy.step * width, y + w_.run.first, index + w_.run.first);
    along.each(w_.run.last, n);
  }

 private:
  void together(bool even, int64_t apart, T* y, int64_t* index) {
    const PoolWindow& first = w_.window[2][w_.run.first];
    run_(first, n_, best_, at_, y, row_, column_);
    if (even) return places_(n_, row_, column_, line_[0] + first.begin, apart, index);
    for (int64_t i = 0; i < n_; i++) index[i] = line_[row_[i]] + first.begin + column_[i];
  }

  const PoolWindows& w_;
  int64_t n_;
  T* best_;
  N *at_, *row_, *column_;
  int64_t* line_;  // where in the plane each row of the window starts
  static inline const auto start_ = best_variant<&ColumnMax<T>::start>();
  static inline const auto add_ = best_variant<&ColumnMax<T>::add>();
  static inline const auto places_ = best_variant<&places<N>>();
  void (*run_)(const PoolWindow&, int64_t, const T*, const N*, T*, N*, N*);
};

template <class T>
inline void max_with(T* __restrict best, const T* __restrict x, int64_t n) {
  for (int64_t i = 0; i < n; i++) best[i] = (x[i] > best[i]) | (x[i] != x[i]) ? x[i] : best[i];
}

template <class T, int Stride>
inline void value_run(const PoolWindow& w, int64_t n, const T* best, T* y) {
  for (int64_t i = 0; i < n; i += kWidth<T>) {
    const T* b = best + w.begin + i * Stride;
    Vec<T> most = spaced<Stride>(b);
    for (int64_t k = 1; k < w.count; k++) {
      const Vec<T> value = spaced<Stride>(b + k * w.step);
      most = (value > most) | (value != value) ? value : most;
    }
    store_some(y, i, n, most);
  }
}

// As MaxRows, without places.
template <class T>
class ValueRows {
 public:
  explicit ValueRows(const PoolWindows& w)
      : w_(w), best_(scratch<T>(Scratch::A, w.in[2] + kBehind)) {
    const bool any = w.window[2][w.run.first].count > 0;
    run_ = any && w.run.stride == 1   ? best_variant<&value_run<T, 1>>()
           : any && w.run.stride == 2 ? best_variant<&value_run<T, 2>>()
                                      : nullptr;
  }

  void row(const T* x, int64_t z, int64_t yy, T* y) {
    const PoolWindow &wz = w_.window[0][z], &wy = w_.window[1][yy];
    const auto [first, last, stride] = w_.run;
    const int64_t width = w_.in[2], n = w_.out[2];
    bool started = false;
    for (int64_t kz = 0; kz < wz.count; kz++)
      for (int64_t ky = 0; ky < wy.count; ky++, started = true) {
        const T* source =
            x + ((wz.begin + kz * wz.step) * w_.in[1] + wy.begin + ky * wy.step) * width;
        if (started) max_(best_, source, width);
        else std::copy_n(source, width, best_);
      }
    if (!started) return std::fill_n(y, n, -std::numeric_limits<T>::infinity()), void();
    if (!run_) return each(0, n, y);
    each(0, first, y);
    run_(w_.window[2][first], last - first, best_, y + first);
    each(last, n, y);
  }

 private:
  void each(int64_t first, int64_t last, T* y) const {
    for (int64_t i = first; i < last; i++) {
      const PoolWindow& w = w_.window[2][i];
      T most = -std::numeric_limits<T>::infinity();
      for (int64_t k = 0; k < w.count; k++) {
        const T value = best_[w.begin + k * w.step];
        most = (value > most) | (value != value) ? value : most;
      }
      y[i] = most;
    }
  }

  const PoolWindows& w_;
  T* best_;
  void (*run_)(const PoolWindow&, int64_t, const T*, T*);
  static inline const auto max_ = best_variant<&max_with<T>>();
};

}  // namespace

template <class T>
void max_pool(int64_t planes, const PoolWindows& w, const T* x, T* y, int64_t* index) {
  const int64_t n = w.out[2], size = volume(w.in);
  for_rows(
      planes, w, [&] { return MaxRows<T>(w); },
      [=](auto& chunk, int64_t r, int64_t plane, int64_t oz, int64_t oy) {
        chunk.row(x + plane * size, oz, oy, y + r * n, index + r * n);
      });
}

template <class T>
void max_pool_values(int64_t planes, const PoolWindows& w, const T* x, T* y) {
  const int64_t n = w.out[2], size = volume(w.in);
  for_rows(
      planes, w, [&] { return ValueRows<T>(w); },
      [=](auto& chunk, int64_t r, int64_t plane, int64_t oz, int64_t oy) {
        chunk.row(x + plane * size, oz, oy, y + r * n);
      });
}

template <class T>
std::optional<BadIndex> max_pool_backward(int64_t planes, int64_t in, int64_t out, const T* dy,
                                          const int64_t* index, T* dx) {
  const int64_t grain = std::max<int64_t>(1, kPoolGrain / (in + out + 1));
  std::atomic<bool> good{true};
  runtime::parallel_for(planes, grain, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; plane++) {
      T* target = dx + plane * in;
      const int64_t* places = index + plane * out;
      std::fill_n(target, in, T(0));
      if (any_bad_index(places, out, 0, in)) return good.store(false, std::memory_order_relaxed);
      for (int64_t i = 0; i < out; i++) target[places[i]] += dy[plane * out + i];
    }
  });
  if (good) return {};
  return find_bad_index(index, planes * out, 0, in);
}

#define GOTORCH_MAX_POOL(T)                                                               \
  template void max_pool(int64_t, const PoolWindows&, const T*, T*, int64_t*);            \
  template void max_pool_values(int64_t, const PoolWindows&, const T*, T*);               \
  template std::optional<BadIndex> max_pool_backward(int64_t, int64_t, int64_t, const T*, \
                                                     const int64_t*, T*);
GOTORCH_MAX_POOL(float)
GOTORCH_MAX_POOL(double)
#undef GOTORCH_MAX_POOL

}  // namespace gotorch::kernels
