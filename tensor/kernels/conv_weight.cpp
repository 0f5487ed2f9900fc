// The gradient of the weight is a product whose depth is all positions of all images:
//   dw[o][c, t] = sum over p of dy[o][p] * in[c][p * stride + t]
// Computed transposed: the slab has every (c, t) as a contiguous row, so it is read in place, and
// panels of dy are packed by transposing. The batch is cut into a number of parts that follows from
// the shape; their results are summed in order.
#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/kernels/conv_slab.h"
#include "tensor/kernels/gemm.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_plan.h"
#include "tensor/kernels/gemm_thin.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kPositions = 320;  // depth of a packed panel of dy
constexpr int64_t kMaxRows = 288;    // of (channel, tap) multiplied at a time
constexpr int64_t kMaxColumns = 64;  // output channels in a task
constexpr int64_t kTasks = 16;       // wanted, for the workers
constexpr int64_t kPartialElements = 1 << 22;
constexpr int64_t kTransposeGrain = 1 << 15;

int64_t volume(const Spatial& s) { return s[0] * s[1] * s[2]; }

template <class T>
class WeightGradient {
 public:
  WeightGradient(const ConvShape& s, const T* x, const T* dy)
      : s_(s),
        x_(x),
        dy_(dy),
        kernels_(micro_kernels<T>()),
        in_(s.in_channels / s.groups),
        out_(s.out_channels / s.groups),
        taps_(volume(s.kernel)) {
    for (int d = 0; d < 3; d++) {
      for (int64_t k = 0; k < s.kernel[d]; k++) tap_[d].push_back(k * s.dilation[d] - s.padding[d]);
    }
    y_parts_ = std::min(s.out[1], ceil_div(s.out[1] * s.out[2], kPositions));
    block_rows_ = ceil_div(s.out[1], y_parts_);
    y_parts_ = ceil_div(s.out[1], block_rows_);
    in_parts_ = ceil_div(in_, std::max<int64_t>(1, kMaxRows / taps_));
    out_parts_ = ceil_div(out_, kMaxColumns);
    const int64_t blocks = s.groups * in_parts_ * out_parts_,
                  planes = s.batch * s.out[0] * y_parts_;
    const int64_t parts =
        std::min({ceil_div(kTasks, blocks), planes, kPartialElements / weights()});
    parts_ = std::max<int64_t>(1, parts);
    in_place_ = taps_ == 1 && volume(s.stride) == 1 && s.in == s.out && s.padding == Spatial{};
  }

  void run(T* dw) const {
    // A partial result is [groups][in, taps][out], as the product gives it.
    const CallMemory<T> partial((parts_ + 1) * weights());
    const SlabLayout layout(s_.in, s_.out, s_.stride, tap_, block_rows_);
    const int64_t blocks = s_.groups * in_parts_ * out_parts_;
    runtime::parallel_for(parts_ * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; task++) {
        run_task(task % blocks, task / blocks, layout, partial.get() + task / blocks * weights());
      }
    });
    T* total = partial.get();
    if (parts_ > 1) {
      total += parts_ * weights();
      const T one = 1;
      gemm(Gemm<T>{.m = 1,
                   .n = weights(),
                   .k = parts_,
                   .a = &one,
                   .a_rs = 0,
                   .a_cs = 0,
                   .b = partial.get(),
                   .b_rs = weights(),
                   .c = total,
                   .c_rs = weights()});
    }
    const int64_t rows = in_ * taps_, grain = std::max<int64_t>(1, kTransposeGrain / rows);
    runtime::parallel_for(s_.out_channels, grain, [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end;) {
        const int64_t g = o / out_, n = std::min(end, (g + 1) * out_) - o;
        pack(dw + o * rows, rows, rows, n, rows, total + g * rows * out_ + o % out_, 1, out_);
        o += n;
      }
    });
  }

 private:
  int64_t weights() const { return s_.out_channels * in_ * taps_; }

  void run_task(int64_t block, int64_t part, const SlabLayout& layout, T* partial) const {
    const Range in = even_part(in_, 1, in_parts_, block % in_parts_);
    block /= in_parts_;
    const Range out = even_part(out_, kernels_.nr(), out_parts_, block % out_parts_);
    const int64_t g = block / out_parts_;
    const T* row[kMaxRows];
    T* c = partial + (g * in_ + in.begin) * taps_ * out_ + out.begin;
    const Range planes = even_part(s_.batch * s_.out[0] * y_parts_, 1, parts_, part);
    const int64_t size = volume(s_.in), positions = volume(s_.out);
    for (int64_t at = planes.begin; at < planes.end; at++) {
      const int64_t y = at % y_parts_, z = at / y_parts_ % s_.out[0];
      const int64_t image = at / (y_parts_ * s_.out[0]);
      const int64_t first = y * block_rows_, rows = std::min(block_rows_, s_.out[1] - first);
      const T* x = x_ + (image * s_.in_channels + g * in_ + in.begin) * size;
      const T* dy = dy_ + (image * s_.out_channels + g * out_) * positions +
                    (z * s_.out[1] + first) * s_.out[2];
      Inputs inputs{.channel = x + (z * s_.in[1] + first) * s_.in[2],
                    .channel_size = size,
                    .offsets = &layout.offsets()};
      if (!in_place_) {
        T* slab = scratch<T>(Scratch::A, in.size() * layout.channel_size() + SlabLayout::kSlack);
        layout.fill(slab, x, x_ + s_.batch * s_.in_channels * size, in.size(), z, first, rows);
        inputs.channel = slab;
        inputs.channel_size = layout.channel_size();
      }
      multiply(row, inputs, in, out, dy, rows * s_.out[2], at == planes.begin, c);
    }
  }

  // Where the inputs of tap t of a channel start, for the positions at hand: in a slab, or in the
  // image if the kernel has one tap that visits every position.
  struct Inputs {
    const T* channel;
    int64_t channel_size;
    const std::vector<int64_t>* offsets;
  };

  // c[(channel, tap)][o] (+)= slab rows times dy of `depth` positions, transposed.
  void multiply(const T** row, const Inputs& inputs, Range in, Range out, const T* dy,
                int64_t depth, bool first, T* c) const {
    int64_t rows = 0;
    auto flush = [&] {
      for (int64_t j = out.begin; j < out.end; j += kernels_.nr()) {
        const int64_t cols = std::min<int64_t>(kernels_.nr(), out.end - j);
        multiply_columns(row, rows, dy + j * volume(s_.out), cols, depth, first, c + j - out.begin);
      }
      c += rows * out_;
      rows = 0;
    };
    for (int64_t channel = 0; channel < in.size(); channel++) {
      for (int64_t offset : *inputs.offsets) {
        if (rows == kMaxRows) flush();
        row[rows++] = inputs.channel + channel * inputs.channel_size + offset;
      }
    }
    flush();
  }

  void multiply_columns(const T* const* row, int64_t rows, const T* dy, int64_t cols, int64_t depth,
                        bool first, T* c) const {
    if (cols == 1) {
      T sum[kMaxRows];
      row_dots(row, rows, dy, depth, sum);
      for (int64_t i = 0; i < rows; i++) c[i * out_] = first ? sum[i] : c[i * out_] + sum[i];
      return;
    }
    const int64_t ld = round_up(cols, kernels_.lanes);
    T* panel = scratch<T>(Scratch::B, depth * ld);
    pack(panel, ld, ld, depth, cols, dy, 1, volume(s_.out));
    const TileOut<T> target{.c = c,
                            .c_rs = out_,
                            .cols = static_cast<int>(cols),
                            .alpha = 1,
                            .beta = first ? T(0) : T(1)};
    run_panel(kernels_, row, rows, depth, panel, ld, target);
  }

  const ConvShape& s_;
  const T* x_;
  const T* dy_;
  const MicroKernels<T>& kernels_;
  int64_t in_, out_, taps_;  // channels of a group
  std::vector<int64_t> tap_[3];
  int64_t y_parts_, block_rows_, in_parts_, out_parts_, parts_;
  bool in_place_;
};

}  // namespace

template <class T>
void conv_backward_weight(const ConvShape& s, const T* x, const T* dy, T* dw) {
  const int64_t weights = s.out_channels * (s.in_channels / s.groups) * volume(s.kernel);
  if (weights == 0) return;
  if (s.batch == 0 || volume(s.out) == 0) {
    std::fill(dw, dw + weights, T(0));
    return;
  }
  WeightGradient<T>(s, x, dy).run(dw);
}

template <class T>
void conv_backward_bias(const ConvShape& s, const T* dy, T* db) {
  const int64_t positions = volume(s.out);
  const int64_t grain = std::max<int64_t>(1, (1 << 16) / (s.batch * positions + 1));
  runtime::parallel_for(s.out_channels, grain, [&](int64_t begin, int64_t end) {
    for (int64_t channel = begin; channel < end; channel++) {
      T total = 0;
      for (int64_t image = 0; image < s.batch; image++) {
        const T* p = dy + (image * s.out_channels + channel) * positions;
        T lane[16] = {};
        int64_t i = 0;
        for (; i + 16 <= positions; i += 16) {
          for (int l = 0; l < 16; l++) lane[l] += p[i + l];
        }
        for (; i < positions; i++) lane[i % 16] += p[i];
        for (int half = 8; half > 0; half /= 2) {
          for (int l = 0; l < half; l++) lane[l] += lane[l + half];
        }
        total += lane[0];
      }
      db[channel] = total;
    }
  });
}

template void conv_backward_weight(const ConvShape&, const float*, const float*, float*);
template void conv_backward_weight(const ConvShape&, const double*, const double*, double*);
template void conv_backward_bias(const ConvShape&, const float*, float*);
template void conv_backward_bias(const ConvShape&, const double*, double*);

}  // namespace gotorch::kernels
