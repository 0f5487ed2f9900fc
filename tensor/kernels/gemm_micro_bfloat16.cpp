// Micro-kernels for processors that multiply bfloat16: an element is a word of two of them, neighbours
// along the depth, and a step adds both products to a float. The instruction takes tiny inputs for zero.
#include <immintrin.h>

#include "tensor/kernels/gemm_micro_body.h"

#define GOTORCH_TARGET_BFLOAT16                                                      \
  __attribute__((                                                                    \
      target("avx512bf16,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,f16c," \
             "bmi,bmi2,lzcnt,prefer-vector-width=512")))

namespace gotorch::kernels {
namespace {

struct AddPairs {
  using T = float;
  static constexpr int L = 16;
  using Vector = typename VecOf<T, L>::Type;
  GOTORCH_TARGET_BFLOAT16 static void add(Vector& acc, T a, Vector b) {
    acc = _mm512_dpbf16_ps(acc, reinterpret_cast<__m512bh>(_mm512_set1_ps(a)),
                           reinterpret_cast<__m512bh>(b));
  }
};

template <class T, int M, int N>
struct Target {
  GOTORCH_TARGET_BFLOAT16 __attribute__((flatten)) static void run(int64_t k, const T* const* a,
                                                                   const T* b, int64_t b_rs,
                                                                   const TileOut<T>& out) {
    micro_run<AddPairs, M, N>(k, a, b, b_rs, out);
  }
  GOTORCH_TARGET_BFLOAT16 __attribute__((flatten)) static void gather_b(
      int64_t k, const T* const* a, const T* b, const int64_t* offsets, const TileOut<T>& out) {
    micro_gather_b<AddPairs, M, N>(k, a, b, offsets, out);
  }
  GOTORCH_TARGET_BFLOAT16 __attribute__((flatten)) static void gather_a(
      int64_t k, const T* const* a, const int64_t* offsets, const T* b, const TileOut<T>& out) {
    micro_gather_a<AddPairs, M, N>(k, a, offsets, b, out);
  }
};

}  // namespace

const MicroKernels<float> kMicroBFloat16 =
    micro_table<float, Target>(AddPairs::L, std::make_integer_sequence<int, 8>{});

}  // namespace gotorch::kernels
