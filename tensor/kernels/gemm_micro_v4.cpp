// Micro-kernels for x86-64-v4: 32 vector registers of 512 bits: 16 hold the tile of C.
#include "tensor/kernels/gemm_micro_body.h"

namespace gotorch::kernels {
namespace {

template <class T, int M, int N>
struct Target {
  using Step = MultiplyAdd<T, 64 / sizeof(T)>;
  GOTORCH_TARGET_V4 static void run(int64_t k, const T* const* a, const T* b, int64_t b_rs,
                                    const TileOut<T>& out) {
    micro_run<Step, M, N>(k, a, b, b_rs, out);
  }
  GOTORCH_TARGET_V4 static void gather_b(int64_t k, const T* const* a, const T* b,
                                         const int64_t* offsets, const TileOut<T>& out) {
    micro_gather_b<Step, M, N>(k, a, b, offsets, out);
  }
  GOTORCH_TARGET_V4 static void gather_a(int64_t k, const T* const* a, const int64_t* offsets,
                                         const T* b, const TileOut<T>& out) {
    micro_gather_a<Step, M, N>(k, a, offsets, b, out);
  }
};

using Rows = std::make_integer_sequence<int, 8>;

}  // namespace

const MicroKernels<float> kMicroFloatV4 = micro_table<float, Target>(64 / 4, Rows{});
const MicroKernels<double> kMicroDoubleV4 = micro_table<double, Target>(64 / 8, Rows{});

}  // namespace gotorch::kernels
