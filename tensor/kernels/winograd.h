#pragma once
// Winograd's minimal filtering for kernels of 3 x 3 taps, on tiles of 4 x 4 inputs (Lavin and Gray 2015). With
//   v = B^T d B for a tile d of the input,   u = G w G^T for a kernel w,   y = A^T (u * v) A
// 16 products give the 2 x 2 outputs of a tile instead of 36; the products of all channels and tiles are 16 matrix products, one for
// each place of the transformed tile. A gradient of the weight is a filter of 3 x 3 outputs whose kernel is a tile of 2 x 2 of dy.
//
// An output is made of no other inputs than without it, but sums of inputs and weights are rounded: the error against double is up to
// 1.6 times that of the plain sum of products. Tiles of 6 x 6 would need a quarter of the products, not 4/9, and have 3 to 5 times
// the error. Where an input is infinite, infinities may cancel: finite() tells.
#include <vector>

#include "tensor/kernels/conv_slab.h"
#include "tensor/kernels/conv_taps.h"
#include "tensor/kernels/gemm_plan.h"

namespace gotorch::kernels {

inline constexpr int64_t kTilePlaces = 16;

inline constexpr int64_t kTilePanel =
    32;  // tiles side by side in a panel of a product: a multiple of every nr

// Neighbours in a row of tiles that lie in one panel; the first is number `at` of a range.
struct TileRun {
  int64_t plane, row, column, count, at;
};

// The tiles of all planes of outputs, counted through planes (of all images), rows and columns.
class TileGrid {
 public:
  // As in TapConv: outputs [batch][out], whose first tap of y and x is at `first`; planes of the kernel have the taps `z_taps`.
  TileGrid(int64_t batch, const Spatial& in, const Spatial& out, int64_t z_stride,
           const std::vector<int64_t>& z_taps, int64_t first_y, int64_t first_x,
           int64_t most_tiles);

  int64_t tiles() const { return planes_ * rows_ * columns_; }
  std::vector<TileRun> runs(Range tiles) const;

  // What of an input transform_inputs() reads: of channels [first, first + channels) of `all` in each image.
  template <class T>
  struct Inputs {
    const T* data;
    int64_t all, first, channels;
  };
  // data[place * place + p * panel + (c * z_taps + z) * row + i] = the transformed tile i of panel p of a range.
  template <class T>
  struct Transformed {
    T* data;
    int64_t place, panel, row;
  };
  template <class T>
  void transform_inputs(const Inputs<T>& from, const std::vector<TileRun>& runs,
                        const Transformed<T>& to) const;

 private:
  int64_t planes_, rows_, columns_, batch_, depth_;
  Spatial in_;
  int64_t z_taps_;
  PaddedLayout layout_;
};

// u[place * step + j] = kernel j transformed: its taps, row by row, are at w[order[tap] * ld + j]. Up to 8 elements behind w's and
// u's are touched.
template <class T>
void transform_kernels(const T* w, int64_t ld, const int (&order)[9], int64_t n, T* u,
                       int64_t step);

// The gradients dy of a tile of 2 x 2 outputs as kernels: those of position p of row y and of kTilePanel channels are at
// dy[y][p * kTilePanel], and u[place * step + i * kTilePanel] is tile i.
template <class T>
void transform_gradients(const T* const (&dy)[2], int64_t tiles, T* u, int64_t step);

// dw[tap * dw_step + j] of n channels from the sums of products at m[place * m_step + j]. Returns whether all are finite.
template <class T>
bool transform_weights(const T* m, int64_t m_step, int64_t n, T* dw, int64_t dw_step);

// The outputs of a run of tiles, of one channel.
template <class T>
struct TileOutputs {
  const T* from;  // place 0 of the first tile
  int64_t step;   // to the next place
  T* to;
  int64_t pitch;          // of rows of outputs
  int64_t rows, columns;  // outputs: of 2 rows and of 2 columns a tile those that exist
  T bias;
};
// Returns whether all are finite.
template <class T>
bool transform_outputs(const TileOutputs<T>& out);

}  // namespace gotorch::kernels
