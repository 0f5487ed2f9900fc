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

// out[j] = bias + sum over taps of w[t] * slab[offset[t] + j]. Writes whole vectors.
template <class T>
void sum_taps(T* out, int64_t n, const T* slab, const int64_t* offset, const T* w, int64_t taps,
              T bias) {
  constexpr int L = 32 / sizeof(T);
  using V = VecOf<T, L>;
  for (int64_t j = 0; j < n; j += 4 * L) {
    typename V::Type sum[4] = {};
    for (int64_t t = 0; t < taps; t++) {
      const T* source = slab + offset[t] + j;
      for (int v = 0; v < 4; v++) sum[v] += w[t] * V::load(source + v * L);
    }
    for (int v = 0; v < 4; v++) V::store(out + j + v * L, sum[v] + bias);
  }
}

}  // namespace

template <class T>
void run_depthwise(const TapConv<T>& c) {
  static const auto kernel = best_variant<&sum_taps<T>>();
  const int64_t y_parts = std::min(c.out[1], ceil_div(c.out[1] * c.out[2], kPositions));
  const int64_t block_rows = ceil_div(c.out[1], y_parts);
  const SlabLayout layout(c.in, c.out, c.stride, c.taps, block_rows);
  const int64_t taps = c.tap_count(), size = c.in[0] * c.in[1] * c.in[2];
  const int64_t grain = std::max<int64_t>(1, kChunkProducts / (block_rows * c.out[2] * (taps + 4)));
  // A task is a block of rows of one plane of one channel of one image.
  const int64_t tasks = c.batch * c.groups * c.out[0] * y_parts;
  runtime::parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
    const int64_t positions = block_rows * c.out[2];
    T* slab = scratch<T>(Scratch::A, layout.channel_size() + 2 * SlabLayout::kSlack);
    T* sums = scratch<T>(Scratch::C, positions + SlabLayout::kSlack);
    for (int64_t task = begin; task < end; task++) {
      const int64_t y = task % y_parts, z = task / y_parts % c.out[0];
      const int64_t channel = task / (y_parts * c.out[0]), g = channel % c.groups;
      const int64_t row = y * block_rows, rows = std::min(block_rows, c.out[1] - row);
      if (rows <= 0) continue;
      layout.fill(slab, c.input + channel * size, c.input + c.batch * c.groups * size, 1, z, row,
                  rows);
      kernel(sums, rows * c.out[2], slab, layout.offsets().data(), c.weight + g * taps, taps,
             c.bias ? c.bias[g] : T(0));
      T* out = c.output + channel / c.groups * c.image_stride + g * c.channel_stride +
               z * c.position_stride[0] + row * c.position_stride[1];
      unpack(out, c.position_stride[1], c.position_stride[2], rows, c.out[2], sums, c.out[2]);
    }
  });
}

template void run_depthwise(const TapConv<float>&);
template void run_depthwise(const TapConv<double>&);

}  // namespace gotorch::kernels
