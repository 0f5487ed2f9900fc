// The gradient of a weight of 3 x 3 taps by Winograd's filtering: for some channels of x and dy, the products of all tiles are summed,
// and transformed at the end.
#include <algorithm>

#include "tensor/kernels/conv_weight.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/winograd.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kTiles = 2 * kTilePanel;                // at a time: the depth of a product
constexpr int64_t kRow = kTiles + 16;                     // an odd number of lines
constexpr int64_t kLeastChannels = 16, kLeastTiles = 64;  // that pay for the transforms
constexpr double kWorth = 0.75;                           // of the products

TileGrid grid_of(const ConvShape& s) {
  std::vector<int64_t> z_taps;
  for (int64_t k = 0; k < s.kernel[0]; k++) z_taps.push_back(k * s.dilation[0] - s.padding[0]);
  return {s.batch, s.in, s.out, s.stride[0], z_taps, -s.padding[1], -s.padding[2], kTiles};
}

// A task's working memory and sums: of channels `in` (times planes of the kernel) and `out` of a group.
template <class T>
class WinogradTask {
 public:
  WinogradTask(const ConvShape& s, const T* x, const T* dy, const WeightBlock& block)
      : s_(s),
        x_(x),
        dy_(dy),
        block_(block),
        kernels_(micro_kernels<T>()),
        rows_(block.in.size() * s.kernel[0]),
        columns_(round_up(block.out.size(), kTilePanel)),
        v_place_(rows_ * kRow + 16),
        m_place_(rows_ * columns_ + 16),
        v_(scratch<T>(Scratch::A, kTilePlaces * v_place_)),
        memory_(kTilePlaces * m_place_ + kTilePlaces * kGradients + 2 * kPositions),
        m_(memory_.get()),
        u_(m_ + kTilePlaces * m_place_),
        positions_(u_ + kTilePlaces * kGradients) {
    std::fill_n(m_, kTilePlaces * m_place_, T(0));
  }

  void add(const TileGrid& grid, Range tiles) {
    const std::vector<TileRun> runs = grid.runs(tiles);
    const int64_t in = s_.in_channels / s_.groups;
    grid.transform_inputs(
        typename TileGrid::Inputs<T>{x_, s_.in_channels, block_.group * in + block_.in.begin,
                                     block_.in.size()},
        runs, typename TileGrid::Transformed<T>{v_, v_place_, kTilePanel, kRow});
    std::vector<const T*> row(rows_);
    for (int64_t j = 0; j < block_.out.size(); j += kTilePanel) {
      gather(runs,
             {block_.out.begin + j, std::min(block_.out.end, block_.out.begin + j + kTilePanel)});
      transform_gradients<T>({positions_, positions_ + kPositions}, tiles.size(), u_, kGradients);
      for (int64_t place = 0; place < kTilePlaces; place++) {
        for (int64_t i = 0; i < rows_; i++) row[i] = v_ + place * v_place_ + i * kRow;
        for (int64_t c = 0; c < kTilePanel; c += kernels_.nr())
          run_panel(kernels_, row.data(), rows_, tiles.size(), u_ + place * kGradients + c,
                    kTilePanel,
                    TileOut<T>{.c = m_ + place * m_place_ + j + c,
                               .c_rs = columns_,
                               .cols = kernels_.nr(),
                               .alpha = 1,
                               .beta = 1});
      }
    }
  }

  // dw[(c, tap)][o], rows `ld` apart.
  bool finish(T* dw, int64_t ld) const {
    bool finite = true;
    for (int64_t i = 0; i < rows_; i++)
      finite &=
          transform_weights(m_ + i * columns_, m_place_, block_.out.size(), dw + i * 9 * ld, ld);
    return finite;
  }

 private:
  // Of kTilePanel channels: a row of transformed tiles, one of positions.
  static constexpr int64_t kGradients = kTiles * kTilePanel + 16,
                           kPositions = 2 * kTiles * kTilePanel;

  // positions_[y][p][o] = dy of the tiles' positions p in their row y; zero beyond the borders.
  void gather(const std::vector<TileRun>& runs, Range channels) {
    const int64_t size = s_.out[0] * s_.out[1] * s_.out[2], out = s_.out_channels / s_.groups;
    for (const TileRun& r : runs) {
      const int64_t image = r.plane / s_.out[0], z = r.plane % s_.out[0], x = 2 * r.column;
      const int64_t columns = std::min(2 * r.count, s_.out[2] - x);
      const T* plane = dy_ +
                       (image * s_.out_channels + block_.group * out + channels.begin) * size +
                       z * s_.out[1] * s_.out[2];
      for (int64_t i = 0; i < 2; i++) {
        const int64_t y = 2 * r.row + i, n = y < s_.out[1] ? columns : 0;
        T* to = positions_ + i * kPositions + 2 * r.at * kTilePanel;
        pack(to, kTilePanel, kTilePanel, n, channels.size(),
             plane + (n > 0 ? y * s_.out[2] + x : 0), 1, size);
        std::fill(to + n * kTilePanel, to + 2 * r.count * kTilePanel, T(0));
      }
    }
  }

  const ConvShape& s_;
  const T *x_, *dy_;
  const WeightBlock block_;
  const MicroKernels<T>& kernels_;
  const int64_t rows_, columns_, v_place_, m_place_;
  T* v_;
  CallMemory<T> memory_;
  T *m_, *u_, *positions_;
};

}  // namespace

bool suits_winograd(const ConvShape& s) {
  for (int d = 1; d < 3; d++)
    if (s.kernel[d] != 3 || s.stride[d] != 1 || s.dilation[d] != 1) return false;
  const int64_t tiles = s.batch * s.out[0] * ceil_div(s.out[1], 2) * ceil_div(s.out[2], 2);
  return s.in_channels / s.groups >= kLeastChannels &&
         s.out_channels / s.groups >= kLeastChannels && tiles >= kLeastTiles &&
         static_cast<double>(kTilePlaces * tiles) <
             kWorth * static_cast<double>(9 * s.batch * s.out[0] * s.out[1] * s.out[2]);
}

template <class T>
bool winograd_weight_task(const ConvShape& s, const T* x, const T* dy, const WeightBlock& block,
                          Range part, T* dw, int64_t ld) {
  const TileGrid grid = grid_of(s);
  const Range tiles = even_part(grid.tiles(), kTilePanel, part.end, part.begin);
  WinogradTask<T> task(s, x, dy, block);
  for (int64_t i = tiles.begin; i < tiles.end; i += kTiles)
    task.add(grid, {i, std::min(tiles.end, i + kTiles)});
  return task.finish(dw, ld);
}

template bool winograd_weight_task(const ConvShape&, const float*, const float*, const WeightBlock&,
                                   Range, float*, int64_t);
template bool winograd_weight_task(const ConvShape&, const double*, const double*,
                                   const WeightBlock&, Range, double*, int64_t);

}  // namespace gotorch::kernels
