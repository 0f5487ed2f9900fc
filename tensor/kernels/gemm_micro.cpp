#include "tensor/kernels/gemm_micro.h"

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

template <class T, class Kernel, class Layout>
void run_tiles(const Kernel* kernels, int mr, const T* const* a, int64_t rows, int64_t k,
               const T* panel, Layout layout, TileOut<T> out) {
  const int64_t tiles = (rows + mr - 1) / mr;
  int64_t begin = 0;
  for (int64_t t = 1; t <= tiles; t++) {
    // Even tiles: 7 rows are 3 and 4, since a tile of one row takes as long as one of four.
    const int64_t end = t * rows / tiles, size = end - begin;
    kernels[size - 1](k, a + begin, panel, layout, out);
    out.c += size * out.c_rs;
    if (out.bias_row) out.bias_row += size;
    begin = end;
  }
}

}  // namespace

template <class T>
void run_panel(const MicroKernels<T>& kernels, const T* const* a, int64_t rows, int64_t k,
               const T* panel, int64_t b_rs, TileOut<T> out) {
  const int vectors = (out.cols + kernels.lanes - 1) / kernels.lanes;
  run_tiles(kernels.run[vectors - 1], kernels.mr, a, rows, k, panel, b_rs, out);
}

template <class T>
void run_panel(const MicroKernels<T>& kernels, const T* const* a, int64_t rows, int64_t k,
               const T* panel, const int64_t* offsets, TileOut<T> out) {
  const int vectors = (out.cols + kernels.lanes - 1) / kernels.lanes;
  run_tiles(kernels.gather[vectors - 1], kernels.mr, a, rows, k, panel, offsets, out);
}

template <>
const MicroKernels<float>& micro_kernels() {
  static const MicroKernels<float>* const sets[] = {&kMicroFloatV2, &kMicroFloatV3, &kMicroFloatV4};
  return *sets[static_cast<int>(active_isa())];
}

template <>
const MicroKernels<double>& micro_kernels() {
  static const MicroKernels<double>* const sets[] = {&kMicroDoubleV2, &kMicroDoubleV3,
                                                     &kMicroDoubleV4};
  return *sets[static_cast<int>(active_isa())];
}

template void run_panel(const MicroKernels<double>&, const double* const*, int64_t, int64_t,
                        const double*, int64_t, TileOut<double>);
template void run_panel(const MicroKernels<float>&, const float* const*, int64_t, int64_t,
                        const float*, int64_t, TileOut<float>);
template void run_panel(const MicroKernels<double>&, const double* const*, int64_t, int64_t,
                        const double*, const int64_t*, TileOut<double>);
template void run_panel(const MicroKernels<float>&, const float* const*, int64_t, int64_t,
                        const float*, const int64_t*, TileOut<float>);
template void finish_tile(const float*, int64_t, int, const TileOut<float>&);
template void finish_tile(const double*, int64_t, int, const TileOut<double>&);

}  // namespace gotorch::kernels
