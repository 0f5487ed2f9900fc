// Compiled with -ffp-contract=fast, see gemm_micro_body.h.
#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/kernels/conv_slab.h"
#include "tensor/kernels/conv_taps.h"
#include "tensor/kernels/conv_weight.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_plan.h"
#include "tensor/kernels/gemm_vec.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kPositions = 1024;  // of a block of rows
constexpr int64_t kChunkProducts = 1 << 18;
constexpr int64_t kSlack = 64;  // elements that a vector may read too many

// Rows of one channel. Position x of a row meets the inputs at offset[t] + x * S.
template <class T>
struct RowSums {
  const T* input;
  int64_t input_step;  // from row to row
  const int64_t* offset;
  const T* weight;
  int64_t taps;
  T bias;
  T* out;
  int64_t out_step, out_stride;  // from row to row, from position to position
  int64_t width, stride;
};

// p[0], p[S], p[2 S], ...; S = 0 stands for any `stride`.
template <class T, int S, int L>
inline typename VecOf<T, L>::Type load_every(const T* p, int64_t stride) {
  using V = VecOf<T, L>;
  if constexpr (S == 1) {
    return V::load(p);
  } else if constexpr (S == 2) {
    const typename V::Type low = V::load(p), high = V::load(p + L);
    if constexpr (L == 8) return __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
    else return __builtin_shufflevector(low, high, 0, 2, 4, 6);
  } else {
    typename V::Type v;
    for (int l = 0; l < L; l++) v[l] = p[l * stride];
    return v;
  }
}

// Writes up to n sums of a row, `stride` apart in the output. `more`: others follow, so that what lies between these is the row's.
template <class T, int L>
inline void put_sums(T* out, int64_t stride, typename VecOf<T, L>::Type sum, int64_t n, bool more) {
  using V = VecOf<T, L>;
  if (n == L && stride == 1) return V::store(out, sum);
  if (n == L && stride == 2 && more) {
    const typename V::Type low = V::load(out), high = V::load(out + L);
    if constexpr (L == 8) {
      V::store(out, __builtin_shufflevector(sum, low, 0, 9, 1, 11, 2, 13, 3, 15));
      V::store(out + L, __builtin_shufflevector(sum, high, 4, 9, 5, 11, 6, 13, 7, 15));
    } else {
      V::store(out, __builtin_shufflevector(sum, low, 0, 5, 1, 7));
      V::store(out + L, __builtin_shufflevector(sum, high, 2, 5, 3, 7));
    }
    return;
  }
  T value[L];
  V::store(value, sum);
  for (int64_t l = 0; l < n; l++) out[l * stride] = value[l];
}

// R rows side by side, as one sum waits for its last product. The last vector of a row overlaps the one before it.
template <class T, int S, int R>
inline void sum_some(const RowSums<T>& s, int64_t row) {
  constexpr int L = 32 / sizeof(T);
  for (int64_t begin = 0; begin < s.width; begin += L) {
    const int64_t x = s.width < L ? 0 : std::min(begin, s.width - L);
    typename VecOf<T, L>::Type sum[R] = {};
    const T* from = s.input + row * s.input_step + x * s.stride;
    for (int64_t t = 0; t < s.taps; t++) {
#pragma GCC unroll 4
      for (int r = 0; r < R; r++)
        sum[r] +=
            s.weight[t] * load_every<T, S, L>(from + r * s.input_step + s.offset[t], s.stride);
    }
    const int64_t n = std::min<int64_t>(L, s.width);
#pragma GCC unroll 4
    for (int r = 0; r < R; r++)
      put_sums<T, L>(s.out + (row + r) * s.out_step + x * s.out_stride, s.out_stride,
                     sum[r] + s.bias, n, x + L < s.width);
  }
}

// The last rows are computed together with some before them.
template <class T, int S>
inline void sum_all(const RowSums<T>& s, int64_t rows) {
  constexpr int64_t R = 4;
  if (rows < R)
    for (int64_t row = 0; row < rows; row++) sum_some<T, S, 1>(s, row);
  else
    for (int64_t row = 0; row < rows; row += R) sum_some<T, S, R>(s, std::min(row, rows - R));
}

template <class T>
void sum_rows(const RowSums<T>& s, int64_t rows) {
  if (s.stride == 1) return sum_all<T, 1>(s, rows);
  if (s.stride == 2) return sum_all<T, 2>(s, rows);
  sum_all<T, 0>(s, rows);
}

// sums of R taps from t on.
template <class T, int S, int R>
inline void dot_taps(const RowDots<T>& d, int64_t rows, int64_t t, T* sums) {
  constexpr int L = kDotLanes<T>;
  using V = VecOf<T, L>;
  typename V::Type sum[R] = {};
  const auto add = [&](int64_t row, int64_t x, typename V::Type g, auto wanted) {
    const T* from = d.input + row * d.input_step + x * d.stride;
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
      sum[r] += g * wanted(load_every<T, S, L>(from + d.offset[t + r], d.stride));
  };
  // The last vector of a row overlaps the one before it, if there is one; its lanes inside count once.
  const int64_t whole = d.width / L * L, rest = d.width - whole;
  const int64_t last = std::max<int64_t>(0, d.width - L);
  typename V::Type number = {};
  for (int l = 0; l < L; l++) number[l] = static_cast<T>(l);
  const auto inside =
      whole > 0 ? number >= static_cast<T>(L - rest) : number < static_cast<T>(rest);
  // What the others hold may be infinite or NaN.
  const auto masked = [&](auto v) { return inside ? v : typename V::Type{}; };
  for (int64_t row = 0; row < rows; row++) {
    const T* dy = d.dy + row * d.width;
    for (int64_t x = 0; x < whole; x += L) add(row, x, V::load(dy + x), [](auto v) { return v; });
    if (rest == 0) continue;
    typename V::Type g = {};
    if (whole > 0) {
      g = masked(V::load(dy + last));
    } else {
      for (int l = 0; l < L; l++) g[l] = l < rest ? dy[l] : T(0);
    }
    add(row, last, g, masked);
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) V::store(sums + r * L, V::load(sums + r * L) + sum[r]);
}

template <class T, int S, int R>
inline void dot_some(const RowDots<T>& d, int64_t rows, int64_t t, int64_t n, T* sums) {
  if (n == R) return dot_taps<T, S, R>(d, rows, t, sums);
  if constexpr (R > 1) dot_some<T, S, R - 1>(d, rows, t, n, sums);
}

template <class T>
void dot_rows(const RowDots<T>& d, int64_t rows, T* sums) {
  constexpr int kMost = 8;  // taps whose sums stay in registers
  const int64_t parts = ceil_div(d.taps, kMost);
  for (int64_t i = 0; i < parts; i++) {
    const Range taps = even_part(d.taps, 1, parts, i);
    T* sum = sums + taps.begin * kDotLanes<T>;
    if (d.stride == 1) dot_some<T, 1, kMost>(d, rows, taps.begin, taps.size(), sum);
    else if (d.stride == 2) dot_some<T, 2, kMost>(d, rows, taps.begin, taps.size(), sum);
    else dot_some<T, 0, kMost>(d, rows, taps.begin, taps.size(), sum);
  }
}

}  // namespace

template <class T>
void depthwise_dots(const RowDots<T>& d, int64_t rows, T* sums) {
  static const auto kernel = best_variant<&dot_rows<T>>();
  kernel(d, rows, sums);
}

template <class T>
void run_depthwise(const TapConv<T>& c) {
  static const auto kernel = best_variant<&sum_rows<T>>();
  const int64_t y_parts = std::min(c.out[1], ceil_div(c.out[1] * c.out[2], kPositions));
  const int64_t block_rows = ceil_div(c.out[1], y_parts);
  const PaddedLayout layout(c.in, c.out, c.stride, c.taps, block_rows, PaddedLayout::Read::Copy);
  const int64_t taps = c.tap_count(), size = c.in[0] * c.in[1] * c.in[2];
  const int64_t grain = std::max<int64_t>(1, kChunkProducts / (block_rows * c.out[2] * (taps + 4)));
  // A task is a block of rows of one plane of one channel of one image.
  const int64_t tasks = c.batch * c.groups * c.out[0] * y_parts;
  runtime::parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
    const int64_t room = layout.channel_size() + SlabLayout::kSlack + c.stride[2] * kSlack;
    T* slab = scratch<T>(Scratch::A, room);
    std::fill(slab + layout.channel_size(), slab + room, T(0));
    for (int64_t task = begin; task < end; task++) {
      const int64_t y = task % y_parts, z = task / y_parts % c.out[0];
      const int64_t channel = task / (y_parts * c.out[0]), g = channel % c.groups;
      const int64_t row = y * block_rows, rows = std::min(block_rows, c.out[1] - row);
      if (rows <= 0) continue;
      layout.fill(slab, c.input + channel * size, c.input + c.batch * c.groups * size, 1, z, row,
                  rows);
      kernel({.input = slab,
              .input_step = layout.position(1, 0),
              .offset = layout.offsets().data(),
              .weight = c.weight + g * taps,
              .taps = taps,
              .bias = c.bias ? c.bias[g] : T(0),
              .out = c.output + channel / c.groups * c.image_stride + g * c.channel_stride +
                     z * c.position_stride[0] + row * c.position_stride[1],
              .out_step = c.position_stride[1],
              .out_stride = c.position_stride[2],
              .width = c.out[2],
              .stride = c.stride[2]},
             rows);
    }
  });
}

template void depthwise_dots(const RowDots<float>&, int64_t, float*);
template void depthwise_dots(const RowDots<double>&, int64_t, double*);
template void run_depthwise(const TapConv<float>&);
template void run_depthwise(const TapConv<double>&);

}  // namespace gotorch::kernels
