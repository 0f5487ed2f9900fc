// Micro-kernels for processors that multiply bfloat16 or int8: an element is a word of two or four of them,
// neighbours along the depth, and a step adds all their products. That of bfloat16 takes tiny inputs for
// zero; that of int8 takes those of A without a sign.
#include <immintrin.h>

#include <type_traits>

#include "tensor/kernels/gemm_micro_body.h"

#define GOTORCH_TARGET_WORDS                                                               \
  __attribute__((                                                                          \
      target("avx512bf16,avx512vnni,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma," \
             "f16c,bmi,bmi2,lzcnt,prefer-vector-width=512")))

namespace gotorch::kernels {
namespace {

struct AddPairs {
  using T = float;
  static constexpr int L = 16;
  using Vector = typename VecOf<T, L>::Type;
  GOTORCH_TARGET_WORDS static void add(Vector& acc, T a, Vector b) {
    acc = _mm512_dpbf16_ps(acc, reinterpret_cast<__m512bh>(_mm512_set1_ps(a)),
                           reinterpret_cast<__m512bh>(b));
  }
};

struct AddQuads {
  using T = int32_t;
  static constexpr int L = 16;
  using Vector = typename VecOf<T, L>::Type;
  GOTORCH_TARGET_WORDS static void add(Vector& acc, T a, Vector b) {
    acc = reinterpret_cast<Vector>(_mm512_dpbusd_epi32(
        reinterpret_cast<__m512i>(acc), _mm512_set1_epi32(a), reinterpret_cast<__m512i>(b)));
  }
};

template <class T>
using StepOf = std::conditional_t<std::is_same_v<T, float>, AddPairs, AddQuads>;

template <class T, int M, int N>
struct Target {
  using Step = StepOf<T>;
  GOTORCH_TARGET_WORDS __attribute__((flatten)) static void run(int64_t k, const T* const* a,
                                                                const T* b, int64_t b_rs,
                                                                const TileOut<T>& out) {
    micro_run<Step, M, N>(k, a, b, b_rs, out);
  }
  GOTORCH_TARGET_WORDS __attribute__((flatten)) static void gather_b(int64_t k, const T* const* a,
                                                                     const T* b,
                                                                     const int64_t* offsets,
                                                                     const TileOut<T>& out) {
    micro_gather_b<Step, M, N>(k, a, b, offsets, out);
  }
  GOTORCH_TARGET_WORDS __attribute__((flatten)) static void gather_a(int64_t k, const T* const* a,
                                                                     const int64_t* offsets,
                                                                     const T* b,
                                                                     const TileOut<T>& out) {
    micro_gather_a<Step, M, N>(k, a, offsets, b, out);
  }
};

using Rows = std::make_integer_sequence<int, 8>;

}  // namespace

const MicroKernels<float> kMicroBFloat16 = micro_table<float, Target>(AddPairs::L, Rows{});
const MicroKernels<int32_t> kMicroInt8 = micro_table<int32_t, Target>(AddQuads::L, Rows{});

}  // namespace gotorch::kernels
