// The gradient of the weight is a product whose depth is all positions of all images:
//   dw[o][c, t] = sum over p of dy[o][p] * in[c][p * stride + t]
// Computed transposed: a row is a (c, t), whose inputs are fetched where they lie in the padded image,
// and panels of dy are packed by transposing. The batch is cut into a number of parts that follows
// from the shape; their results are summed in order.
#include "tensor/kernels/conv_weight.h"

#include <algorithm>
#include <atomic>

#include "runtime/parallel.h"
#include "tensor/kernels/conv_slab.h"
#include "tensor/kernels/gemm.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_plan.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kPositions = 384;  // depth of a packed panel of dy
constexpr int64_t kMaxRows = 1024;   // of (channel, tap) in a task
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
    const int64_t plane = s.out[1] * s.out[2];
    y_parts_ = std::min(s.out[1], ceil_div(plane, kPositions));
    block_rows_ = ceil_div(s.out[1], y_parts_);
    y_parts_ = ceil_div(s.out[1], block_rows_);
    // Small planes are joined.
    blocks_ = s.batch * s.out[0] * y_parts_;
    joined_ = y_parts_ > 1 || out_ == 1 ? 1 : std::clamp<int64_t>(kPositions / plane, 1, blocks_);
    in_parts_ = ceil_div(in_, std::max<int64_t>(1, kMaxRows / taps_));
    out_parts_ = ceil_div(out_, kMaxColumns);
    const int64_t tasks = s.groups * in_parts_ * out_parts_;
    const int64_t parts = std::min(
        {ceil_div(kTasks, tasks), ceil_div(blocks_, joined_), kPartialElements / weights()});
    parts_ = std::max<int64_t>(1, parts);
  }

  void run(T* dw) const {
    // A partial result is [groups][in, taps][out], as the product gives it.
    const CallMemory<T> partial((parts_ + 1) * weights());
    if (!suits_winograd(s_) || !run_winograd(partial.get())) run_direct(partial.get());
    finish(partial.get(), dw);
  }

 private:
  bool run_winograd(T* partial) const {
    const int64_t tasks = s_.groups * in_parts_ * out_parts_;
    std::atomic<bool> finite{true};
    runtime::parallel_for(parts_ * tasks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end && finite.load(std::memory_order_relaxed); task++) {
        const WeightBlock b = block_of(task % tasks);
        if (!winograd_weight_task(s_, x_, dy_, b, {task / tasks, parts_},
                                  start(b, partial + task / tasks * weights()), out_))
          finite.store(false, std::memory_order_relaxed);
      }
    });
    return finite;
  }

  void run_direct(T* partial) const {
    const PaddedLayout layout(s_.in, s_.out, s_.stride, tap_, block_rows_,
                              out_ == 1 ? PaddedLayout::Read::Copy : PaddedLayout::Read::All);
    const int64_t tasks = s_.groups * in_parts_ * out_parts_;
    runtime::parallel_for(parts_ * tasks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; task++) {
        T* c = partial + task / tasks * weights();
        if (out_ == 1) {
          dot_task(task % tasks, task / tasks, layout, c);
        } else {
          run_task(task % tasks, task / tasks, layout, c);
        }
      }
    });
  }

  // The sum of the partial results, behind them if there are several, becomes [out][in, taps].
  void finish(T* partial, T* dw) const {
    T* total = partial;
    if (parts_ > 1) {
      total += parts_ * weights();
      const T one = 1;
      gemm(Gemm<T>{.m = 1,
                   .n = weights(),
                   .k = parts_,
                   .a = &one,
                   .a_rs = 0,
                   .a_cs = 0,
                   .b = partial,
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

  int64_t weights() const { return s_.out_channels * in_ * taps_; }

  WeightBlock block_of(int64_t task) const {
    const int64_t in = task % in_parts_, out = task / in_parts_ % out_parts_;
    return {task / (in_parts_ * out_parts_), even_part(in_, 1, in_parts_, in),
            even_part(out_, kernels_.nr(), out_parts_, out)};
  }
  // Where a block starts in a partial result.
  T* start(const WeightBlock& b, T* partial) const {
    return partial + (b.group * in_ + b.in.begin) * taps_ * out_ + b.out.begin;
  }

  // Of one task: its channels, and what is computed for each of its pieces of the depth.
  struct Task : WeightBlock {
    std::vector<const T*> row;     // where the inputs of each (channel, tap) start
    std::vector<int64_t> offsets;  // how far behind that those of each position do
  };

  void run_task(int64_t index, int64_t part, const PaddedLayout& layout, T* partial) const {
    Task t{block_of(index), {}, {}};
    T* c = start(t, partial);
    const Range blocks = even_part(blocks_, 1, parts_, part);
    for (int64_t at = blocks.begin; at < blocks.end; at += joined_) {
      const Range piece{at, std::min(blocks.end, at + joined_)};
      find_inputs(t, piece, layout);
      for (int64_t j = t.out.begin; j < t.out.end; j += kernels_.nr()) {
        const Range cols{j, std::min(t.out.end, j + kernels_.nr())};
        multiply(t, piece, cols, at == blocks.begin, c + j - t.out.begin);
      }
    }
  }

  // With one output channel a vector of columns would be mostly empty. Each (channel, tap) is a dot product instead.
  void dot_task(int64_t index, int64_t part, const PaddedLayout& layout, T* partial) const {
    constexpr int L = kDotLanes<T>;
    const Range in = even_part(in_, 1, in_parts_, index % in_parts_);
    const int64_t group = index / in_parts_, size = volume(s_.in), rows = in.size() * taps_;
    const int64_t filled = in.size() * layout.channel_size(),
                  room = filled + SlabLayout::kSlack + s_.stride[2] * kDotSlack;
    T* slab = scratch<T>(Scratch::A, room);
    std::fill(slab + filled, slab + room, T(0));
    T* sums = scratch<T>(Scratch::B, rows * L);
    std::fill_n(sums, rows * L, T(0));
    const Range blocks = even_part(blocks_, 1, parts_, part);
    for (int64_t block = blocks.begin; block < blocks.end; block++) {
      const Place p = place_of(block);
      layout.fill(slab, x_ + (p.image * s_.in_channels + group * in_ + in.begin) * size,
                  x_ + s_.batch * s_.in_channels * size, in.size(), p.z, p.row, p.rows);
      const T* dy = dy_ + (p.image * s_.out_channels + group) * volume(s_.out) +
                    (p.z * s_.out[1] + p.row) * s_.out[2];
      for (int64_t channel = 0; channel < in.size(); channel++)
        depthwise_dots(RowDots<T>{.input = slab + channel * layout.channel_size(),
                                  .input_step = layout.position(1, 0),
                                  .offset = layout.offsets().data(),
                                  .taps = taps_,
                                  .dy = dy,
                                  .width = s_.out[2],
                                  .stride = s_.stride[2]},
                       p.rows, sums + channel * taps_ * L);
    }
    T* result = partial + (group * in_ + in.begin) * taps_;
    for (int64_t i = 0; i < rows; i++) {
      for (int half = L / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) sums[i * L + l] += sums[i * L + l + half];
      result[i] = sums[i * L];
    }
  }

  // Blocks of rows are counted through planes and images.
  struct Place {
    int64_t image, z, row, rows;
  };
  Place place_of(int64_t block) const {
    const int64_t row = block % y_parts_ * block_rows_, plane = block / y_parts_;
    return {plane / s_.out[0], plane % s_.out[0], row, std::min(block_rows_, s_.out[1] - row)};
  }

  void find_inputs(Task& t, Range piece, const PaddedLayout& layout) const {
    const int64_t size = volume(s_.in), slab_size = t.in.size() * layout.channel_size();
    const T* first = nullptr;
    T* slab = layout.in_place()
                  ? nullptr
                  : scratch<T>(Scratch::A, piece.size() * slab_size + SlabLayout::kSlack);
    t.offsets.clear();
    for (int64_t block = piece.begin; block < piece.end; block++) {
      const Place p = place_of(block);
      const T* source = x_ + (p.image * s_.in_channels + t.group * in_ + t.in.begin) * size;
      const T* start = source + layout.start(p.z, p.row);
      if (slab) {
        T* target = slab + (block - piece.begin) * slab_size;
        layout.fill(target, source, x_ + s_.batch * s_.in_channels * size, t.in.size(), p.z, p.row,
                    p.rows);
        start = target;
      }
      if (!first) first = start;
      for (int64_t y = 0; y < p.rows; y++) {
        for (int64_t x = 0; x < s_.out[2]; x++)
          t.offsets.push_back(start - first + layout.position(y, x));
      }
    }
    t.row.clear();
    for (int64_t channel = 0; channel < t.in.size(); channel++) {
      for (int64_t offset : layout.offsets())
        t.row.push_back(first + channel * layout.channel_size() + offset);
    }
  }

  // c[(channel, tap)][o] (+)= inputs times dy of the piece, transposed.
  void multiply(const Task& t, Range piece, Range cols, bool first, T* c) const {
    const int64_t ld = round_up(cols.size(), kernels_.lanes);
    const auto depth = static_cast<int64_t>(t.offsets.size());
    T* panel = scratch<T>(Scratch::B, depth * ld);
    T* target = panel;
    for (int64_t block = piece.begin; block < piece.end; block++) {
      const Place p = place_of(block);
      const int64_t positions = p.rows * s_.out[2];
      pack(target, ld, ld, positions, cols.size(),
           dy_ + (p.image * s_.out_channels + t.group * out_ + cols.begin) * volume(s_.out) +
               (p.z * s_.out[1] + p.row) * s_.out[2],
           1, volume(s_.out));
      target += positions * ld;
    }
    run_panel(kernels_, t.row.data(), t.offsets.data(), static_cast<int64_t>(t.row.size()), depth,
              panel,
              TileOut<T>{.c = c,
                         .c_rs = out_,
                         .cols = static_cast<int>(cols.size()),
                         .alpha = 1,
                         .beta = first ? T(0) : T(1)});
  }

  const ConvShape& s_;
  const T* x_;
  const T* dy_;
  const MicroKernels<T>& kernels_;
  int64_t in_, out_, taps_;  // channels of a group
  std::vector<int64_t> tap_[3];
  int64_t y_parts_, block_rows_, blocks_, joined_, in_parts_, out_parts_, parts_;
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
