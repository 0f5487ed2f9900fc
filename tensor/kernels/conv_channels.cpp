// Convolution with output channels along the vectors: panels of the weight, packed once, meet rows
// of positions whose inputs are fetched where they lie. A position has no row of its own in memory;
// the micro-kernel adds the same offsets, one per (channel, tap), to the start of each.
#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/kernels/conv_slab.h"
#include "tensor/kernels/conv_taps.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_plan.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kDepth = 384;             // of a packed panel, as in a matrix product
constexpr int64_t kBlockElements = 1 << 16;  // sums of a task: 256 KiB of the L2 cache
constexpr int64_t kMinPositions = 96, kMaxPositions = 384;
constexpr int64_t kEnoughPositions = 256;  // to pay for packing the weight
constexpr int64_t kFewTasks = 8;
constexpr double kTaskFlops = 2e6;
constexpr int64_t kPackElements = 1 << 16;

template <class T>
class ChannelRunner {
 public:
  explicit ChannelRunner(const TapConv<T>& conv)
      : c_(conv),
        kernels_(micro_kernels<T>()),
        taps_(c_.tap_count()),
        width_(round_up(c_.out_channels, kernels_.lanes)),
        planes_(c_.batch * c_.out[0]),
        plan_(plan()),
        layout_(c_.in, c_.out, c_.stride, c_.taps, plan_.block_rows) {}

  void run() const {
    const int64_t steps = ceil_div(c_.in_channels, plan_.step_channels);
    const int64_t depth = c_.in_channels * taps_, nr = kernels_.nr();
    const CallMemory<T> weight(c_.groups * width_ * depth);
    const int64_t panels = ceil_div(c_.out_channels, nr);
    runtime::parallel_for(
        c_.groups * steps * panels,
        std::max<int64_t>(1, kPackElements / (nr * plan_.step_channels * taps_)),
        [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; i++) {
            const int64_t j = i % panels * nr, s = i / panels % steps, g = i / (panels * steps);
            pack_panel(weight.get() + g * width_ * depth, g, j, channels_of(s));
          }
        });
    std::vector<T> bias(c_.groups * width_);
    for (int64_t i = 0; c_.bias && i < c_.groups * c_.out_channels; i++)
      bias[i / c_.out_channels * width_ + i % c_.out_channels] = c_.bias[i];
    std::vector<int64_t> offsets;
    for (int64_t c = 0; c < plan_.step_channels; c++) {
      for (int64_t offset : layout_.offsets())
        offsets.push_back(c * layout_.channel_size() + offset);
    }
    const double flops = 2.0 * c_.groups * c_.out_channels * depth * planes_ * c_.out[1] * c_.out[2];
    const int64_t grain =
        std::max<int64_t>(1, static_cast<int64_t>(kTaskFlops * tasks() / flops));
    runtime::parallel_for(tasks(), grain, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; task++) {
        const Block b = block_of(task);
        run_block(b, weight.get() + b.group * width_ * depth, bias.data() + b.group * width_,
                  offsets.data());
      }
    });
  }

 private:
  struct Plan {
    int64_t block_rows, y_parts, plane_parts, channel_parts, step_channels;
  };
  struct Block {
    int64_t group;
    Range channels, planes, rows;
  };

  Plan plan() const {
    Plan p{};
    const int64_t positions =
        std::clamp(kBlockElements / width_, kMinPositions, kMaxPositions);
    const int64_t plane = c_.out[1] * c_.out[2];
    p.y_parts = std::min(c_.out[1], ceil_div(plane, positions));
    p.block_rows = ceil_div(c_.out[1], p.y_parts);
    p.y_parts = ceil_div(c_.out[1], p.block_rows);
    p.plane_parts = p.y_parts > 1 ? planes_ : ceil_div(planes_, std::max<int64_t>(1, positions / plane));
    p.channel_parts = 1;
    while (c_.groups * p.y_parts * p.plane_parts * p.channel_parts < kFewTasks &&
           c_.out_channels >= 2 * kernels_.nr() * p.channel_parts) {
      p.channel_parts *= 2;
    }
    const int64_t steps = ceil_div(c_.in_channels * taps_, kDepth);
    p.step_channels = std::max<int64_t>(1, ceil_div(c_.in_channels, steps));
    return p;
  }

  int64_t tasks() const {
    return c_.groups * plan_.channel_parts * plan_.plane_parts * plan_.y_parts;
  }

  Block block_of(int64_t task) const {
    Block b;
    const int64_t y = task % plan_.y_parts;
    task /= plan_.y_parts;
    b.rows = {y * plan_.block_rows, std::min(c_.out[1], (y + 1) * plan_.block_rows)};
    b.planes = even_part(planes_, 1, plan_.plane_parts, task % plan_.plane_parts);
    task /= plan_.plane_parts;
    b.channels =
        even_part(c_.out_channels, kernels_.nr(), plan_.channel_parts, task % plan_.channel_parts);
    b.group = task / plan_.channel_parts;
    return b;
  }

  // Input channels of a step.
  Range channels_of(int64_t step) const {
    const int64_t first = step * plan_.step_channels;
    return {first, std::min(c_.in_channels, first + plan_.step_channels)};
  }

  // Where the packed panel of output channels from j on is, for some input channels.
  int64_t panel_at(int64_t j, Range in) const {
    return in.begin * taps_ * width_ + j * in.size() * taps_;
  }

  void pack_panel(T* weight, int64_t group, int64_t j, Range in) const {
    const int64_t cols = std::min<int64_t>(kernels_.nr(), c_.out_channels - j);
    const int64_t ld = round_up(cols, kernels_.lanes), depth = c_.in_channels * taps_;
    pack(weight + panel_at(j, in), ld, ld, in.size() * taps_, cols,
         c_.weight + (group * c_.out_channels + j) * depth + in.begin * taps_, 1, depth);
  }

  void run_block(const Block& b, const T* weight, const T* bias, const int64_t* offsets) const {
    const int64_t per_plane = b.rows.size() * c_.out[2], positions = b.planes.size() * per_plane;
    const int64_t ld = round_up(b.channels.size(), kernels_.lanes);
    T* sums = scratch<T>(Scratch::C, positions * ld);
    std::vector<const T*> row(positions);
    for (int64_t step = 0; step * plan_.step_channels < c_.in_channels; step++) {
      const Range in = channels_of(step);
      find_rows(row.data(), b, in);
      for (int64_t j = 0; j < b.channels.size(); j += kernels_.nr()) {
        const int64_t cols = std::min<int64_t>(kernels_.nr(), ld - j), at = b.channels.begin + j;
        const bool last = in.end == c_.in_channels;
        run_panel(kernels_, row.data(), offsets, positions, in.size() * taps_,
                  weight + panel_at(at, in),
                  TileOut<T>{.c = sums + j,
                             .c_rs = ld,
                             .cols = static_cast<int>(cols),
                             .alpha = 1,
                             .beta = step == 0 ? T(0) : T(1),
                             .bias_col = last && c_.bias ? bias + at : nullptr});
      }
    }
    write(b, sums, ld);
  }

  // row[p] = where the inputs of the block's position p start.
  void find_rows(const T** row, const Block& b, Range in) const {
    const int64_t all = c_.groups * c_.in_channels, size = c_.in[0] * c_.in[1] * c_.in[2];
    const int64_t slab_size = in.size() * layout_.channel_size();
    T* slab = layout_.in_place() ? nullptr
                                 : scratch<T>(Scratch::A, b.planes.size() * slab_size + SlabLayout::kSlack);
    for (int64_t plane = b.planes.begin; plane < b.planes.end; plane++) {
      const int64_t image = plane / c_.out[0], z = plane % c_.out[0];
      const T* source = c_.input + (image * all + b.group * c_.in_channels + in.begin) * size;
      const T* start = source + layout_.start(z, b.rows.begin);
      if (slab) {
        layout_.fill(slab, source, c_.input + c_.batch * all * size, in.size(), z, b.rows.begin,
                     b.rows.size());
        start = slab;
        slab += slab_size;
      }
      for (int64_t y = 0; y < b.rows.size(); y++) {
        for (int64_t x = 0; x < c_.out[2]; x++) *row++ = start + layout_.position(y, x);
      }
    }
  }

  void write(const Block& b, const T* sums, int64_t ld) const {
    const bool dense = c_.position_stride[2] == 1 && c_.position_stride[1] == c_.out[2];
    const int64_t runs = dense ? 1 : b.rows.size();
    const int64_t length = dense ? b.rows.size() * c_.out[2] : c_.out[2];
    for (int64_t plane = b.planes.begin; plane < b.planes.end; plane++) {
      T* out = c_.output + plane / c_.out[0] * c_.image_stride +
               (b.group * c_.out_channels + b.channels.begin) * c_.channel_stride +
               plane % c_.out[0] * c_.position_stride[0];
      for (int64_t r = 0; r < runs; r++) {
        unpack(out + (b.rows.begin + r) * c_.position_stride[1], c_.position_stride[2],
               c_.channel_stride, length, b.channels.size(), sums, ld);
        sums += length * ld;
      }
    }
  }

  const TapConv<T>& c_;
  const MicroKernels<T>& kernels_;
  const int64_t taps_, width_, planes_;
  const Plan plan_;
  const PaddedLayout layout_;
};

}  // namespace

template <class T>
bool suits_channels(const TapConv<T>& c) {
  const int64_t positions = c.batch * c.out[0] * c.out[1] * c.out[2];
  return c.in_channels * c.tap_count() > 0 && positions >= kEnoughPositions &&
         c.out_channels >= micro_kernels<T>().lanes;
}

template <class T>
void run_channels(const TapConv<T>& conv) {
  ChannelRunner<T>(conv).run();
}

template bool suits_channels(const TapConv<float>&);
template bool suits_channels(const TapConv<double>&);
template void run_channels(const TapConv<float>&);
template void run_channels(const TapConv<double>&);

}  // namespace gotorch::kernels
