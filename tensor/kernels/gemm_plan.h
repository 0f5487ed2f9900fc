#pragma once
// How a matrix product is cut up. Everything here follows from sizes, strides and the instruction
// set, never from the number of workers.
#include <cstdint>

#include "tensor/kernels/gemm.h"
#include "tensor/kernels/gemm_micro.h"

namespace gotorch::kernels {

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// Part i of n things cut into `parts` even runs of whole `unit`s (the last one may be shorter).
struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};
inline Range even_part(int64_t n, int64_t unit, int64_t parts, int64_t i) {
  const int64_t units = ceil_div(n, unit);
  const int64_t begin = i * units / parts * unit, end = (i + 1) * units / parts * unit;
  return {begin < n ? begin : n, end < n ? end : n};
}

// A task computes one (row part) x (column part) block of C over the whole depth, in `depth_parts`
// steps. It packs what it needs itself, so tasks share nothing but the packed B where that pays.
struct GemmPlan {
  int64_t row_parts = 1, col_parts = 1, depth_parts = 1;
  bool pack_a = false;   // else rows of A are read in place
  bool pack_b = false;   // else full panels of B are read in place
  bool share_b = false;  // pack B once, before the tasks
};

// C^T = B^T A^T.
template <class T>
Gemm<T> transposed(const Gemm<T>& g);

// The same product, cheaper to compute: batches folded into rows or columns, and C or C^T,
// whichever needs less packing.
template <class T>
Gemm<T> normalized(const Gemm<T>& g, const MicroKernels<T>& kernels);

template <class T>
GemmPlan plan_gemm(const Gemm<T>& g, const MicroKernels<T>& kernels);

// Depth of one step: its panel of B fits the L1 cache beside the rows of A.
int64_t depth_parts(int64_t k);

}  // namespace gotorch::kernels
