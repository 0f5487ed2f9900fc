#include "tensor/kernels/gemm_micro.h"

#include <limits>

#include "tensor/simd/isa.h"

namespace gotorch::kernels {

template <class T>
void finish_tile(const T* tile, int64_t ld, int rows, const TileOut<T>& out) {
  for (int i = 0; i < rows; i++) {
    T* c = out.c + i * out.c_rs;
    for (int j = 0; j < out.cols; j++) {
      T v = tile[i * ld + j] * out.alpha;
      if (out.beta != T(0)) v += c[j] * out.beta;
      if (out.bias_row) v += out.bias_row[i];
      if (out.bias_col) v += out.bias_col[j];
      c[j] = out.relu && v < T(0) ? T(0) : v;
    }
  }
}

namespace {

// tile(rows, a, out) computes one tile.
template <class T, class Tile>
void run_tiles(int mr, const T* const* a, int64_t rows, TileOut<T> out, Tile tile) {
  const int64_t tiles = (rows + mr - 1) / mr;
  int64_t begin = 0;
  for (int64_t t = 1; t <= tiles; t++) {
    // Even tiles: 7 rows are 3 and 4, since a tile of one row takes as long as one of four.
    const int64_t end = t == tiles ? rows : t * rows / tiles, size = end - begin;
    tile(size, a + begin, out);
    out.c += size * out.c_rs;
    if (out.bias_row) out.bias_row += size;
    begin = end;
  }
}

template <class T>
struct MicroSets;
template <>
struct MicroSets<float> {
  static constexpr const MicroKernels<float>&v2 = kMicroFloatV2, &v3 = kMicroFloatV3,
                         &v4 = kMicroFloatV4;
};
template <>
struct MicroSets<double> {
  static constexpr const MicroKernels<double>&v2 = kMicroDoubleV2, &v3 = kMicroDoubleV3,
                         &v4 = kMicroDoubleV4;
};

template <class T>
int vectors(const MicroKernels<T>& kernels, const TileOut<T>& out) {
  return (out.cols + kernels.lanes - 1) / kernels.lanes;
}

}  // namespace

template <class T>
void run_panel(const MicroKernels<T>& kernels, const T* const* a, int64_t rows, int64_t k,
               const T* panel, int64_t b_rs, TileOut<T> out) {
  const auto* run = kernels.run[vectors(kernels, out) - 1];
  run_tiles(kernels.mr, a, rows, out, [&](int64_t size, const T* const* row, const TileOut<T>& to) {
    run[size - 1](k, row, panel, b_rs, to);
  });
}

template <class T>
void run_panel(const MicroKernels<T>& kernels, const T* const* a, int64_t rows, int64_t k,
               const T* panel, const int64_t* offsets, TileOut<T> out) {
  const auto* run = kernels.gather_b[vectors(kernels, out) - 1];
  run_tiles(kernels.mr, a, rows, out, [&](int64_t size, const T* const* row, const TileOut<T>& to) {
    run[size - 1](k, row, panel, offsets, to);
  });
}

template <class T>
void run_panel(const MicroKernels<T>& kernels, const T* const* a, const int64_t* offsets,
               int64_t rows, int64_t k, const T* panel, TileOut<T> out) {
  const auto* run = kernels.gather_a[vectors(kernels, out) - 1];
  run_tiles(kernels.mr, a, rows, out, [&](int64_t size, const T* const* row, const TileOut<T>& to) {
    run[size - 1](k, row, offsets, panel, to);
  });
}

template <class T>
const MicroKernels<T>& micro_kernels(int64_t n) {
  static const MicroKernels<T>* const sets[] = {&MicroSets<T>::v2, &MicroSets<T>::v3,
                                                &MicroSets<T>::v4};
  auto isa = static_cast<int>(active_isa());
  if (isa == static_cast<int>(Isa::V4) && n <= MicroSets<T>::v3.lanes) isa--;
  return *sets[isa];
}

template <class T>
const MicroKernels<T>& micro_kernels() {
  return micro_kernels<T>(std::numeric_limits<int64_t>::max());
}

template const MicroKernels<float>& micro_kernels(int64_t);
template const MicroKernels<double>& micro_kernels(int64_t);
template const MicroKernels<float>& micro_kernels();
template const MicroKernels<double>& micro_kernels();
template void run_panel(const MicroKernels<double>&, const double* const*, int64_t, int64_t,
                        const double*, int64_t, TileOut<double>);
template void run_panel(const MicroKernels<float>&, const float* const*, int64_t, int64_t,
                        const float*, int64_t, TileOut<float>);
template void run_panel(const MicroKernels<int32_t>&, const int32_t* const*, int64_t, int64_t,
                        const int32_t*, int64_t, TileOut<int32_t>);
template void run_panel(const MicroKernels<double>&, const double* const*, int64_t, int64_t,
                        const double*, const int64_t*, TileOut<double>);
template void run_panel(const MicroKernels<float>&, const float* const*, int64_t, int64_t,
                        const float*, const int64_t*, TileOut<float>);
template void run_panel(const MicroKernels<double>&, const double* const*, const int64_t*, int64_t,
                        int64_t, const double*, TileOut<double>);
template void run_panel(const MicroKernels<float>&, const float* const*, const int64_t*, int64_t,
                        int64_t, const float*, TileOut<float>);
template void run_panel(const MicroKernels<int32_t>&, const int32_t* const*, const int64_t*,
                        int64_t, int64_t, const int32_t*, TileOut<int32_t>);
template void finish_tile(const float*, int64_t, int, const TileOut<float>&);
template void finish_tile(const int32_t*, int64_t, int, const TileOut<int32_t>&);
template void finish_tile(const double*, int64_t, int, const TileOut<double>&);

}  // namespace gotorch::kernels
