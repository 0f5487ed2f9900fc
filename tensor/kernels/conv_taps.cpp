// Implicit matrix product: rows of the weight times panels of positions, packed from a slab or read
// in it.
#include "tensor/kernels/conv_taps.h"

#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/kernels/conv_slab.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_plan.h"
#include "tensor/kernels/gemm_vec.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kDepth = 320;      // of a packed panel, as in a matrix product
constexpr int64_t kPositions = 384;  // of a task: its slab stays in the L2 cache
constexpr double kTaskFlops = 2e6, kMinTaskFlops = 4e5;
constexpr int64_t kFewTasks = 8;
constexpr int kMaxPanel = 64;
constexpr int64_t kGatherTiles = 6;  // a panel that is used less often is not packed

// Positions [begin, end) of a panel lie in one plane, where the slab holds them from `source` on.
template <class T>
struct Segment {
  int64_t begin, end;
  const T* source;
};

// dst[p * L * N + j] = position j of the source at offsets[p]. Segments are copied a whole panel
// wide, in ascending order: what one writes too much, the next one overwrites.
template <class T, int L, int N>
inline void pack_panel(T* dst, int64_t depth, const int64_t* offsets, const Segment<T>* segments,
                       int64_t count) {
  using V = VecOf<T, L>;
  for (int64_t p = 0; p < depth; p++, dst += L * N) {
    for (int64_t s = 0; s < count; s++) {
      const T* source = segments[s].source + offsets[p];
      for (int v = 0; v < N; v++)
        V::store(dst + segments[s].begin + v * L, V::load(source + v * L));
    }
  }
}

template <class T>
void pack_positions(T* dst, int64_t width, int64_t depth, const int64_t* offsets,
                    const Segment<T>* segments, int64_t count) {
  constexpr int L = 16 / sizeof(T);
  if (width == L) return pack_panel<T, L, 1>(dst, depth, offsets, segments, count);
  if (width == 2 * L) return pack_panel<T, 2 * L, 1>(dst, depth, offsets, segments, count);
  if (width == 4 * L) return pack_panel<T, 2 * L, 2>(dst, depth, offsets, segments, count);
  if (width == 8 * L) return pack_panel<T, 2 * L, 4>(dst, depth, offsets, segments, count);
}

template <class T>
class Runner {
 public:
  explicit Runner(const TapConv<T>& conv)
      : c_(conv),
        kernels_(micro_kernels<T>()),
        plane_positions_(c_.out[1] * c_.out[2]),
        planes_(c_.batch * c_.out[0]) {
    y_parts_ = ceil_div(plane_positions_, kPositions);
    y_parts_ = std::min(y_parts_, c_.out[1]);
    block_rows_ = ceil_div(c_.out[1], y_parts_);
    y_parts_ = ceil_div(c_.out[1], block_rows_);
    // Small planes are joined, so that few panels are partial.
    const int64_t joined = y_parts_ > 1 ? 1 : std::max<int64_t>(1, kPositions / plane_positions_);
    plane_parts_ = ceil_div(planes_, joined);
    m_parts_ = 1;
    const double flops = 2.0 * c_.groups * c_.out_channels * c_.in_channels * c_.tap_count() *
                         planes_ * plane_positions_;
    while (tasks() < kFewTasks && c_.out_channels >= 4 * kernels_.mr * m_parts_ &&
           flops > 2 * kMinTaskFlops * tasks()) {
      m_parts_ *= 2;
    }
    grain_ = std::max<int64_t>(1, static_cast<int64_t>(kTaskFlops * tasks() / (flops + 1)));
  }

  void run() const {
    const SlabLayout layout(c_.in, c_.out, c_.stride, c_.taps, block_rows_);
    const int64_t taps = c_.tap_count();
    const int64_t per_step = std::max<int64_t>(1, kDepth / std::max<int64_t>(1, taps));
    const int64_t steps = std::max<int64_t>(1, ceil_div(c_.in_channels, per_step));
    // Without channels there is still one step, which writes the bias.
    const int64_t step_channels = std::max<int64_t>(1, ceil_div(c_.in_channels, steps));
    std::vector<int64_t> offsets;
    for (int64_t c = 0; c < step_channels; c++) {
      for (int64_t offset : layout.offsets()) offsets.push_back(c * layout.channel_size() + offset);
    }
    runtime::parallel_for(tasks(), grain_, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; task++) run_task(task, layout, offsets, step_channels);
    });
  }

 private:
  struct Block {
    int64_t group;
    Range channels, planes, rows;
  };

  int64_t tasks() const { return c_.groups * m_parts_ * plane_parts_ * y_parts_; }

  Block block_of(int64_t task) const {
    Block b;
    const int64_t y = task % y_parts_;
    task /= y_parts_;
    b.rows = {y * block_rows_, std::min(c_.out[1], (y + 1) * block_rows_)};
    b.planes = even_part(planes_, 1, plane_parts_, task % plane_parts_);
    task /= plane_parts_;
    b.channels = even_part(c_.out_channels, kernels_.mr, m_parts_, task % m_parts_);
    b.group = task / m_parts_;
    return b;
  }

  void run_task(int64_t task, const SlabLayout& layout, const std::vector<int64_t>& offsets,
                int64_t step_channels) const {
    const Block b = block_of(task);
    const int64_t slab_size = step_channels * layout.channel_size();
    T* slab = scratch<T>(Scratch::A, b.planes.size() * slab_size + SlabLayout::kSlack);
    const int64_t taps = c_.tap_count(), depth_all = c_.in_channels * taps;
    std::vector<const T*> row(b.channels.size());
    for (int64_t first = 0; first == 0 || first < c_.in_channels; first += step_channels) {
      const int64_t channels = std::min(step_channels, c_.in_channels - first);
      fill_slab(slab, slab_size, layout, b, first, channels);
      for (int64_t i = 0; i < b.channels.size(); i++) {
        const int64_t channel = b.group * c_.out_channels + b.channels.begin + i;
        row[i] = c_.weight + channel * depth_all + first * taps;
      }
      const Step step{.first = first == 0,
                      .last = first + channels >= c_.in_channels,
                      .depth = channels * taps,
                      .slab = slab,
                      .slab_size = slab_size,
                      .offsets = offsets.data(),
                      .row = row.data()};
      const int64_t positions = b.planes.size() * b.rows.size() * c_.out[2];
      for (int64_t j = 0; j < positions; j += kernels_.nr()) {
        run_positions(b, step, {j, std::min(positions, j + kernels_.nr())});
      }
    }
  }

  void fill_slab(T* slab, int64_t slab_size, const SlabLayout& layout, const Block& b,
                 int64_t first, int64_t channels) const {
    const int64_t channel = c_.in[0] * c_.in[1] * c_.in[2], all = c_.groups * c_.in_channels;
    const T* end = c_.input + c_.batch * all * channel;
    for (int64_t plane = b.planes.begin; plane < b.planes.end; plane++) {
      const int64_t image = plane / c_.out[0], z = plane % c_.out[0];
      const T* source = c_.input + (image * all + b.group * c_.in_channels + first) * channel;
      layout.fill(slab + (plane - b.planes.begin) * slab_size, source, end, channels, z,
                  b.rows.begin, b.rows.size());
    }
  }

  struct Step {
    bool first, last;
    int64_t depth;
    const T* slab;
    int64_t slab_size;
    const int64_t* offsets;
    const T* const* row;
  };

  // One panel: the block's positions [p.begin, p.end), counted through its planes.
  void run_positions(const Block& b, const Step& step, Range p) const {
    const int64_t plane_size = b.rows.size() * c_.out[2];
    const int64_t ld = round_up(p.size(), kernels_.lanes);
    Segment<T> segments[kMaxPanel];
    int64_t count = 0;
    for (int64_t at = p.begin; at < p.end;) {
      const int64_t plane = at / plane_size, inside = at % plane_size;
      const int64_t n = std::min(p.end - at, plane_size - inside);
      segments[count++] = {at - p.begin, at - p.begin + n,
                           step.slab + plane * step.slab_size + inside};
      at += n;
    }
    const bool dense = c_.position_stride[2] == 1 && c_.position_stride[1] == c_.out[2];
    TileOut<T> out{
        .cols = static_cast<int>(p.size()), .alpha = 1, .beta = step.first ? T(0) : T(1)};
    if (step.last && c_.bias) out.bias_row = c_.bias + b.group * c_.out_channels + b.channels.begin;
    if (dense && count == 1) {
      out.c = output_at(b, p.begin);
      out.c_rs = c_.channel_stride;
      multiply(step, segments, count, ld, b.channels.size(), out);
      return;
    }
    // Positions that are not contiguous in the output are computed aside and spread.
    T* address[kMaxPanel];
    for (int64_t j = 0; j < p.size(); j++) address[j] = output_at(b, p.begin + j);
    T* aside = scratch<T>(Scratch::C, b.channels.size() * ld);
    out.c = aside;
    out.c_rs = ld;
    if (!step.first) {
      for (int64_t i = 0; i < b.channels.size(); i++) {
        for (int64_t j = 0; j < p.size(); j++)
          aside[i * ld + j] = address[j][i * c_.channel_stride];
      }
    }
    multiply(step, segments, count, ld, b.channels.size(), out);
    for (int64_t i = 0; i < b.channels.size(); i++) {
      for (int64_t j = 0; j < p.size(); j++) address[j][i * c_.channel_stride] = aside[i * ld + j];
    }
  }

  void multiply(const Step& step, const Segment<T>* segments, int64_t count, int64_t ld,
                int64_t rows, const TileOut<T>& out) const {
    if (count == 1 && rows <= kGatherTiles * kernels_.mr) {
      run_panel(kernels_, step.row, rows, step.depth, segments[0].source, step.offsets, out);
      return;
    }
    static const auto pack = best_variant<&pack_positions<T>>();
    T* panel = scratch<T>(Scratch::B, step.depth * ld + kMaxPanel);
    pack(panel, ld, step.depth, step.offsets, segments, count);
    run_panel(kernels_, step.row, rows, step.depth, panel, ld, out);
  }

  // Where the block's position p of its first channel goes.
  T* output_at(const Block& b, int64_t p) const {
    const int64_t plane_size = b.rows.size() * c_.out[2];
    const int64_t plane = b.planes.begin + p / plane_size, inside = p % plane_size;
    return c_.output + plane / c_.out[0] * c_.image_stride +
           (b.group * c_.out_channels + b.channels.begin) * c_.channel_stride +
           plane % c_.out[0] * c_.position_stride[0] +
           (b.rows.begin + inside / c_.out[2]) * c_.position_stride[1] +
           inside % c_.out[2] * c_.position_stride[2];
  }

  const TapConv<T>& c_;
  const MicroKernels<T>& kernels_;
  int64_t plane_positions_, planes_;
  int64_t y_parts_, block_rows_, plane_parts_, m_parts_, grain_;
};

}  // namespace

template <class T>
void run_tap_conv(const TapConv<T>& conv) {
  if (conv.batch == 0 || conv.groups == 0 || conv.out_channels == 0) return;
  if (conv.out[0] == 0 || conv.out[1] == 0 || conv.out[2] == 0) return;
  if (conv.out_channels == 1 && conv.in_channels == 1) return run_depthwise(conv);
  if (suits_winograd(conv) && run_winograd(conv)) return;
  if (suits_channels(conv)) return run_channels(conv);
  Runner<T>(conv).run();
}

template void run_tap_conv(const TapConv<float>&);
template void run_tap_conv(const TapConv<double>&);

}  // namespace gotorch::kernels
