#pragma once
// The innermost loop of every matrix product: one tile of at most mr x nr elements of C, held in
// registers while the whole depth is summed.
//
// Assumptions, which the loops above it establish:
//   - a[i] points to row i of A, whose k elements are contiguous;
//   - row p of B starts at b + p * b_rs and may be read for nr elements, also beyond `cols`;
//   - rows of C are contiguous. A full-width tile is stored straight from registers, a narrower one
//     goes through a buffer.
// Each element is summed in the order p = 0, 1, ..., with one fused multiply-add per step where the
// instruction set has one, so the result depends on nothing but k and the operands.
#include <cstdint>

namespace gotorch::kernels {

// Where a tile goes and what happens to it on the way: C = act(alpha * sum + beta * C + bias).
template <class T>
struct TileOut {
  T* c;
  int64_t c_rs;
  int cols;  // valid columns, at most nr
  T alpha;
  T beta;             // 0: C is not read
  bool relu;          // NaN stays NaN
  const T* bias_row;  // one per row of the tile, or null
  const T* bias_col;  // one per column of the tile, or null
};

template <class T>
using MicroKernel = void (*)(int64_t k, const T* const* a, const T* b, int64_t b_rs,
                             const TileOut<T>& out);

// The same where row p of B starts at b + offsets[p].
template <class T>
using GatherBKernel = void (*)(int64_t k, const T* const* a, const T* b, const int64_t* offsets,
                               const TileOut<T>& out);

// The same where element p of row i of A is a[i][offsets[p]], and rows of B are a panel's, packed.
template <class T>
using GatherAKernel = void (*)(int64_t k, const T* const* a, const int64_t* offsets, const T* b,
                               const TileOut<T>& out);

// The micro-kernels of one instruction set. run[nv - 1][rows - 1] computes `rows` rows of nv
// vectors.
template <class T>
struct MicroKernels {
  static constexpr int kMaxRows = 8;
  static constexpr int kVectors = 2;
  int mr;     // most rows of a tile
  int lanes;  // elements of a vector
  MicroKernel<T> run[kVectors][kMaxRows];
  GatherBKernel<T> gather_b[kVectors][kMaxRows];
  GatherAKernel<T> gather_a[kVectors][kMaxRows];
  int nr() const { return kVectors * lanes; }
};

extern const MicroKernels<float> kMicroFloatV2, kMicroFloatV3, kMicroFloatV4;
extern const MicroKernels<double> kMicroDoubleV2, kMicroDoubleV3, kMicroDoubleV4;
// Elements of A and B are words of two bfloat16, neighbours along the depth.
extern const MicroKernels<float> kMicroBFloat16;
// Words of four int8, those of A without a sign.
extern const MicroKernels<int32_t> kMicroInt8;

// Writes a tile that lies in a buffer of row stride `ld`: the path for narrow tiles.
template <class T>
void finish_tile(const T* tile, int64_t ld, int rows, const TileOut<T>& out);

// The set for the instruction set in use.
template <class T>
const MicroKernels<T>& micro_kernels();
// The same for a small matrix, of n rows or columns at most: narrower vectors are not half empty. Both
// round alike.
template <class T>
const MicroKernels<T>& micro_kernels(int64_t n);

// `rows` rows of A times one panel: the tiles of a column of C. `out` describes the first of them.
template <class T>
void run_panel(const MicroKernels<T>& kernels, const T* const* a, int64_t rows, int64_t k,
               const T* panel, int64_t b_rs, TileOut<T> out);
template <class T>
void run_panel(const MicroKernels<T>& kernels, const T* const* a, int64_t rows, int64_t k,
               const T* panel, const int64_t* offsets, TileOut<T> out);
template <class T>
void run_panel(const MicroKernels<T>& kernels, const T* const* a, const int64_t* offsets,
               int64_t rows, int64_t k, const T* panel, TileOut<T> out);

}  // namespace gotorch::kernels
