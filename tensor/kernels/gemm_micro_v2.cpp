// Micro-kernels for x86-64-v2: 16 vector registers of 128 bits, no fused multiply-add.
#include "tensor/kernels/gemm_micro_body.h"

namespace gotorch::kernels {
namespace {

template <class T, int M, int N>
struct Target {
  using Step = MultiplyAdd<T, 16 / sizeof(T)>;
  GOTORCH_TARGET_V2 static void run(int64_t k, const T* const* a, const T* b, int64_t b_rs,
                                    const TileOut<T>& out) {
    micro_run<Step, M, N>(k, a, b, b_rs, out);
  }
  GOTORCH_TARGET_V2 static void gather_b(int64_t k, const T* const* a, const T* b,
                                         const int64_t* offsets, const TileOut<T>& out) {
    micro_gather_b<Step, M, N>(k, a, b, offsets, out);
  }
  GOTORCH_TARGET_V2 static void gather_a(int64_t k, const T* const* a, const int64_t* offsets,
                                         const T* b, const TileOut<T>& out) {
    micro_gather_a<Step, M, N>(k, a, offsets, b, out);
  }
};

using Rows = std::make_integer_sequence<int, 6>;

}  // namespace

const MicroKernels<float> kMicroFloatV2 = micro_table<float, Target>(16 / 4, Rows{});
const MicroKernels<double> kMicroDoubleV2 = micro_table<double, Target>(16 / 8, Rows{});

}  // namespace gotorch::kernels
