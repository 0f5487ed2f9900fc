#pragma once
// Matrix product: C = act(alpha * A B + beta * C + bias), for a batch of matrices.
//
//   Gemm<float> g{.m = 2, .n = 3, .k = 4, .a = x, .a_rs = 4, .b = w, .b_rs = 3, .c = y, .c_rs = 3};
//   gemm(g);
//
// Thread-safe. Each element is summed in an order that follows from k alone, in a cut of the work
// that follows from the sizes and strides alone, so the bits are the same for any number of
// workers. float rounds as float and double as double; products and sums are fused where the
// processor can.
#include <cstddef>
#include <cstdint>

#include "tensor/half.h"

namespace gotorch::kernels {

// Converts n elements of x[0] to those at y (tensor/kernels/cast.h has such loops).
using Convert = void (*)(void* y, void* const* x, int64_t n);

template <class T>
struct Gemm {
  int64_t m = 0, n = 0, k = 0;
  // Element (i, j) of A is a[i * a_rs + j * a_cs], and so on: a transposed operand has its strides
  // swapped. Strides of A and B may be zero or negative; elements of C must be distinct.
  const T* a = nullptr;
  int64_t a_rs = 0, a_cs = 1;
  const T* b = nullptr;
  int64_t b_rs = 0, b_cs = 1;
  T* c = nullptr;
  int64_t c_rs = 0, c_cs = 1;
  // Matrix z of the batch starts at a + z * a_bs; a stride of 0 shares one matrix.
  int64_t batch = 1;
  int64_t a_bs = 0, b_bs = 0, c_bs = 0;
  T alpha = 1;
  T beta = 0;                   // 0: C is not read, so it may hold anything
  const T* bias_row = nullptr;  // m values, added to every column; shared by the batch
  const T* bias_col = nullptr;  // n values, added to every row; shared by the batch
  bool relu = false;            // max(0, .); NaN stays NaN
  // C as elements of another type, of `item` bytes: where C would start is `out`, and `c` is not used. Each finished block
  // goes there from the cache, so the whole of C never is in memory as T. beta must be 0, and rows or columns of C contiguous.
  Convert convert = nullptr;
  std::byte* out = nullptr;
  int64_t item = 0;
};

template <class T>
void gemm(const Gemm<T>& g);

// C = A B + bias_col (of n floats, or null) with sums in float, rounded once, by the processor's own instruction.
// Computes nothing and returns false where there is none, or the product is too thin to gain by it.
bool gemm_bfloat16(const Gemm<BFloat16>& g, const float* bias_col);

// c[i * n + j] = element (i, j) of A B, modulo 2^32. `c` of g and the batch are not used.
void gemm_int8(const Gemm<int8_t>& g, int32_t* c);

extern template void gemm(const Gemm<float>&);
extern template void gemm(const Gemm<double>&);

}  // namespace gotorch::kernels
