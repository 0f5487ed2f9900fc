// Compiled with -ffp-contract=fast, see gemm_micro_body.h.
#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/kernels/conv_slab.h"
#include "tensor/kernels/conv_taps.h"
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

// R rows side by side, as one sum waits for its last product.
template <class T, int S, int R>
inline void sum_some(const RowSums<T>& s, int64_t row) {
  constexpr int L = 32 / sizeof(T);
  using V = VecOf<T, L>;
  for (int64_t x = 0; x < s.width; x += L) {
    typename V::Type sum[R] = {};
    const T* from = s.input + row * s.input_step + x * s.stride;
    for (int64_t t = 0; t < s.taps; t++) {
#pragma GCC unroll 4
      for (int r = 0; r < R; r++)
        sum[r] +=
            s.weight[t] * load_every<T, S, L>(from + r * s.input_step + s.offset[t], s.stride);
    }
    const int64_t n = std::min<int64_t>(L, s.width - x);
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
      T* out = s.out + (row + r) * s.out_step + x * s.out_stride;
      sum[r] = sum[r] + s.bias;
      if (n == L && s.out_stride == 1) {
        V::store(out, sum[r]);
      } else {
        T value[L];
        V::store(value, sum[r]);
        for (int64_t l = 0; l < n; l++) out[l * s.out_stride] = value[l];
      }
    }
  }
}

template <class T, int S>
inline void sum_all(const RowSums<T>& s, int64_t rows) {
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4) sum_some<T, S, 4>(s, row);
  for (; row < rows; row++) sum_some<T, S, 1>(s, row);
}

template <class T>
void sum_rows(const RowSums<T>& s, int64_t rows) {
  if (s.stride == 1) return sum_all<T, 1>(s, rows);
  if (s.stride == 2) return sum_all<T, 2>(s, rows);
  sum_all<T, 0>(s, rows);
}

}  // namespace

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

template void run_depthwise(const TapConv<float>&);
template void run_depthwise(const TapConv<double>&);

}  // namespace gotorch::kernels
