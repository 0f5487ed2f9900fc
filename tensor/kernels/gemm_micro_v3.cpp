// Micro-kernels for x86-64-v3: 16 vector registers of 256 bits: 12 hold the tile of C.
#include "tensor/kernels/gemm_micro_body.h"

namespace gotorch::kernels {
namespace {

template <class T, int M, int N>
struct Target {
  using Step = MultiplyAdd<T, 32 / sizeof(T)>;
  GOTORCH_TARGET_V3 static void run(int64_t k, const T* const* a, const T* b, int64_t b_rs,
                                    const TileOut<T>& out) {
    micro_run<Step, M, N>(k, a, b, b_rs, out);
  }
  GOTORCH_TARGET_V3 static void gather_b(int64_t k, const T* const* a, const T* b,
                                         const int64_t* offsets, const TileOut<T>& out) {
    micro_gather_b<Step, M, N>(k, a, b, offsets, out);
  }
  GOTORCH_TARGET_V3 static void gather_a(int64_t k, const T* const* a, const int64_t* offsets,
                                         const T* b, const TileOut<T>& out) {
    micro_gather_a<Step, M, N>(k, a, offsets, b, out);
  }
};

using Rows = std::make_integer_sequence<int, 6>;

}  // namespace

const MicroKernels<float> kMicroFloatV3 = micro_table<float, Target>(32 / 4, Rows{});
const MicroKernels<double> kMicroDoubleV3 = micro_table<double, Target>(32 / 8, Rows{});

}  // namespace gotorch::kernels
