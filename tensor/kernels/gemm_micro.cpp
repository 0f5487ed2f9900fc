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

template void finish_tile(const float*, int64_t, int, const TileOut<float>&);
template void finish_tile(const double*, int64_t, int, const TileOut<double>&);

}  // namespace gotorch::kernels
