#pragma once
// How a matrix product is cut up. Everything here follows from sizes, strides and the instruction
// set, never from the number of workers.
#include <cstdint>

#include "tensor/allocator.h"
#include "tensor/kernels/gemm.h"
#include "tensor/kernels/gemm_micro.h"

namespace gotorch::kernels {

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// Part i of n things cut into `parts` even runs of whole `unit`s (the last one may be shorter).
struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};
inline Range even_part(int64_t n, int64_t unit, int64_t parts, int64_t i) {
  if (parts == 1) return {0, n};  // divisions take as long as a small product
  const int64_t units = ceil_div(n, unit);
  const int64_t begin = i * units / parts * unit, end = (i + 1) * units / parts * unit;
  return {begin < n ? begin : n, end < n ? end : n};
}

// Memory of the tensor allocator for the time of a call.
template <class T>
class CallMemory {
 public:
  explicit CallMemory(int64_t count) : size_(count * sizeof(T)), data_(allocate(size_)) {}
  ~CallMemory() { deallocate(data_, size_); }
  CallMemory(const CallMemory&) = delete;
  CallMemory& operator=(const CallMemory&) = delete;
  T* get() const { return static_cast<T*>(data_); }

 private:
  size_t size_;
  void* data_;
};

// The micro-kernel reads rows of A, or, of a transposed one, its columns.
enum class ReadA { Rows, Columns };

// Most elements of a step of the depth.
constexpr int64_t kMaxDepth = 520;

// A task computes one (row part) x (column part) block of C over the whole depth, in `depth_parts`
// steps. It packs what it needs itself, so tasks share nothing but the packed B where that pays.
struct GemmPlan {
  int64_t row_parts = 1, col_parts = 1, depth_parts = 1;
  ReadA a = ReadA::Rows;
  bool copy_a = false;   // first, else A is read in place
  bool pack_b = false;   // else full panels of B are read in place
  bool share_b = false;  // pack B once, before the tasks
  bool keep_b = false;   // a thread keeps packed columns of B for its next block of other rows
};

// C^T = B^T A^T.
template <class T>
Gemm<T> transposed(const Gemm<T>& g);

// A batch that shares A or B, and lies in memory as one matrix, as one product.
template <class T>
Gemm<T> fold_batch(const Gemm<T>& g);

// C or C^T, whichever needs less packing.
template <class T>
Gemm<T> cheaper_side(const Gemm<T>& g, const MicroKernels<T>& kernels);

// 1, or into how many slices to cut the depth of a product that has too few blocks to share out.
template <class T>
int64_t depth_slices(const Gemm<T>& g, const MicroKernels<T>& kernels);

template <class T>
GemmPlan plan_gemm(const Gemm<T>& g, const MicroKernels<T>& kernels);

// The product by blocks, whatever its shape, with the given micro-kernels.
template <class T>
void gemm_blocks(const Gemm<T>& g, const MicroKernels<T>& kernels);

// Steps of the depth. A panel of B is read from the L2 cache, in order, as fast as it is needed.
int64_t depth_parts(int64_t k);

}  // namespace gotorch::kernels
