// Convolution of 3 x 3 taps by Winograd's filtering. A task has a range of tiles and a part of the output channels. It multiplies and
// transforms some of these at a time, while their products are in the cache. If it has all of them, it transforms the inputs itself.
#include <algorithm>
#include <atomic>

#include "runtime/parallel.h"
#include "tensor/kernels/conv_taps.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_plan.h"
#include "tensor/kernels/winograd.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kTiles = 96;     // of a task: three panels
constexpr int64_t kChannels = 64;  // output channels at a time
constexpr int64_t kFewTasks = 8;
constexpr int64_t kLeastChannels = 16, kLeastTiles = 64;  // that pay for the transforms
constexpr double kWorth = 0.75;                           // of the products
constexpr double kTaskFlops = 2e6;
constexpr int64_t kKernels = 64, kInputs = 16;  // transformed at a time

// Three neighbours, in one order or the other.
bool is_triple(const std::vector<int64_t>& taps) {
  return taps.size() == 3 && taps[1] - taps[0] == taps[2] - taps[1] &&
         std::abs(taps[1] - taps[0]) == 1;
}

template <class T>
class WinogradRunner {
 public:
  explicit WinogradRunner(const TapConv<T>& conv)
      : c_(conv),
        kernels_(micro_kernels<T>()),
        depth_(c_.in_channels * static_cast<int64_t>(c_.taps[0].size())),
        u_row_(round_up(depth_, 16) + 16),
        u_place_(c_.groups * c_.out_channels * u_row_ + 16),
        grid_(c_.batch, c_.in, c_.out, c_.stride[0], c_.taps[0],
              std::min(c_.taps[1][0], c_.taps[1][2]), std::min(c_.taps[2][0], c_.taps[2][2]),
              kTiles),
        tile_parts_(ceil_div(grid_.tiles(), kTiles)),
        v_panel_(depth_ * kTilePanel + 16),
        v_place_(kTiles / kTilePanel * v_panel_) {
    while (c_.groups * tile_parts_ * channel_parts_ < kFewTasks &&
           c_.out_channels >= 2 * kChannels * channel_parts_)
      channel_parts_ *= 2;
  }

  bool run() const {
    const CallMemory<T> u(kTilePlaces * u_place_);
    runtime::parallel_for(c_.groups * c_.out_channels, std::max<int64_t>(1, (1 << 12) / depth_),
                          [&](int64_t begin, int64_t end) {
                            for (int64_t k = begin; k < end; k++)
                              transform_kernels_of(k, u.get() + k * u_row_);
                          });
    const bool shared = channel_parts_ > 1;
    const CallMemory<T> v(shared ? c_.groups * tile_parts_ * kTilePlaces * v_place_ : 0);
    if (shared) transform_all_inputs(v.get());
    const int64_t tasks = c_.groups * channel_parts_ * tile_parts_;
    const double flops = 2.0 * kTilePlaces * static_cast<double>(c_.groups * c_.out_channels) *
                         static_cast<double>(depth_) * static_cast<double>(grid_.tiles());
    const int64_t grain =
        std::max<int64_t>(1, static_cast<int64_t>(kTaskFlops * static_cast<double>(tasks) / flops));
    std::atomic<bool> finite{true};
    runtime::parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end && finite.load(std::memory_order_relaxed); task++)
        if (!run_task(task, u.get(), shared ? v.get() : nullptr))
          finite.store(false, std::memory_order_relaxed);
    });
    return finite;
  }

 private:
  // An odd number of lines between rows, and between places, keeps them in different sets of the cache.
  static constexpr int64_t kRow = kTiles + 16, kProducts = kChannels * kRow + 16;

  Range tiles_of(int64_t part) const {
    return even_part(grid_.tiles(), kTilePanel, tile_parts_, part);
  }

  void transform_inputs(int64_t group, Range channels, const std::vector<TileRun>& runs,
                        T* v) const {
    const typename TileGrid::Inputs<T> from{c_.input, c_.groups * c_.in_channels,
                                            group * c_.in_channels + channels.begin,
                                            channels.size()};
    const auto z_taps = static_cast<int64_t>(c_.taps[0].size());
    grid_.transform_inputs(
        from, runs,
        typename TileGrid::Transformed<T>{v + channels.begin * z_taps * kTilePanel, v_place_,
                                          v_panel_, kTilePanel});
  }

  void transform_all_inputs(T* v) const {
    const int64_t blocks = ceil_div(c_.in_channels, kInputs);
    runtime::parallel_for(c_.groups * tile_parts_ * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const int64_t block = i % blocks * kInputs, part = i / blocks;
        transform_inputs(part / tile_parts_, {block, std::min(c_.in_channels, block + kInputs)},
                         grid_.runs(tiles_of(part % tile_parts_)),
                         v + part * kTilePlaces * v_place_);
      }
    });
  }

  // Those of output channel k, for all input channels.
  void transform_kernels_of(int64_t k, T* u) const {
    T by_tap[9 * kKernels] = {};
    int order[9];
    for (int i = 0; i < 9; i++) {
      const int y = c_.taps[1][0] < c_.taps[1][2] ? i / 3 : 2 - i / 3,
                x = c_.taps[2][0] < c_.taps[2][2] ? i % 3 : 2 - i % 3;
      order[y * 3 + x] = i;
    }
    for (int64_t d = 0; d < depth_; d += kKernels) {
      const int64_t n = std::min(kKernels, depth_ - d);
      pack(by_tap, kKernels, n, 9, n, c_.weight + (k * depth_ + d) * 9, 1, 9);
      transform_kernels(by_tap, kKernels, order, n, u + d, u_place_);
    }
  }

  // `v`: the transformed inputs, unless the task is to make them.
  bool run_task(int64_t task, const T* u, const T* v) const {
    const int64_t tile_part = task % tile_parts_, part = task / tile_parts_ % channel_parts_,
                  group = task / (tile_parts_ * channel_parts_);
    const Range tiles = tiles_of(tile_part),
                channels = even_part(c_.out_channels, kernels_.mr, channel_parts_, part);
    const std::vector<TileRun> runs = grid_.runs(tiles);
    if (v) {
      v += (group * tile_parts_ + tile_part) * kTilePlaces * v_place_;
    } else {
      T* own = scratch<T>(Scratch::A, kTilePlaces * v_place_);
      transform_inputs(group, {0, c_.in_channels}, runs, own);
      v = own;
    }
    T* m = scratch<T>(Scratch::B, kTilePlaces * kProducts);
    bool finite = true;
    for (int64_t k = channels.begin; k < channels.end; k += kChannels) {
      const int64_t first = group * c_.out_channels + k, n = std::min(kChannels, channels.end - k);
      for (int64_t place = 0; place < kTilePlaces; place++)
        multiply(u + place * u_place_ + first * u_row_, n, v + place * v_place_, tiles.size(),
                 m + place * kProducts);
      for (int64_t i = 0; i < n; i++)
        for (const TileRun& r : runs) finite &= write(r, first + i, m + i * kRow + r.at);
    }
    return finite;
  }

  // m[n, tiles] = u[n, depth] v[depth, tiles].
  void multiply(const T* u, int64_t n, const T* v, int64_t tiles, T* m) const {
    const T* row[kChannels];
    const int64_t steps = depth_parts(depth_);
    for (int64_t step = 0; step < steps; step++) {
      const Range d = even_part(depth_, 1, steps, step);
      for (int64_t i = 0; i < n; i++) row[i] = u + i * u_row_ + d.begin;
      for (int64_t j = 0; j < tiles; j += kernels_.nr()) {
        const int64_t cols = std::min<int64_t>(kernels_.nr(), round_up(tiles - j, kernels_.lanes));
        run_panel(kernels_, row, n, d.size(),
                  v + j / kTilePanel * v_panel_ + d.begin * kTilePanel + j % kTilePanel, kTilePanel,
                  TileOut<T>{.c = m + j,
                             .c_rs = kRow,
                             .cols = static_cast<int>(cols),
                             .alpha = 1,
                             .beta = step == 0 ? T(0) : T(1)});
      }
    }
  }

  bool write(const TileRun& r, int64_t channel, const T* m) const {
    const int64_t image = r.plane / c_.out[0], y = 2 * r.row, x = 2 * r.column;
    return transform_outputs(TileOutputs<T>{
        .from = m,
        .step = kProducts,
        .to = c_.output + image * c_.image_stride + channel * c_.channel_stride +
              r.plane % c_.out[0] * c_.position_stride[0] + y * c_.position_stride[1] + x,
        .pitch = c_.position_stride[1],
        .rows = std::min<int64_t>(2, c_.out[1] - y),
        .columns = std::min(2 * r.count, c_.out[2] - x),
        .bias = c_.bias ? c_.bias[channel] : T(0)});
  }

  const TapConv<T>& c_;
  const MicroKernels<T>& kernels_;
  const int64_t depth_, u_row_, u_place_;
  const TileGrid grid_;
  const int64_t tile_parts_, v_panel_, v_place_;
  int64_t channel_parts_ = 1;
};

}  // namespace

template <class T>
bool suits_winograd(const TapConv<T>& c) {
  if (!is_triple(c.taps[1]) || !is_triple(c.taps[2]) || c.stride[1] != 1 || c.stride[2] != 1 ||
      c.position_stride[2] != 1)
    return false;
  const int64_t tiles = c.batch * c.out[0] * ceil_div(c.out[1], 2) * ceil_div(c.out[2], 2);
  return c.in_channels * static_cast<int64_t>(c.taps[0].size()) >= kLeastChannels &&
         c.out_channels >= kLeastChannels && tiles >= kLeastTiles &&
         static_cast<double>(kTilePlaces * tiles) <
             kWorth * static_cast<double>(9 * c.batch * c.out[0] * c.out[1] * c.out[2]);
}

template <class T>
bool run_winograd(const TapConv<T>& conv) {
  return WinogradRunner<T>(conv).run();
}

template bool suits_winograd(const TapConv<float>&);
template bool suits_winograd(const TapConv<double>&);
template bool run_winograd(const TapConv<float>&);
template bool run_winograd(const TapConv<double>&);

}  // namespace gotorch::kernels
