#pragma once
// Sums, means and maxima of rows of a table, bag by bag.
#include <cstdint>

#include "tensor/kernels/bad_index.h"

namespace gotorch::kernels {

enum class BagMode : uint8_t { Sum, Mean, Max };

// Bag b has the rows index[start[b]] ... index[start[b + 1] - 1] of table [rows, n]; those that are `padding` (-1: none) do
// not count. y is [bags, n]; a bag without rows gives zeros. Rows are added in their order.
template <class T>
struct EmbeddingBag {
  BagMode mode;
  const T* table;
  int64_t rows, n, bags;
  const int64_t *index, *start;
  const T* scale;  // of each index, or null; of Sum only
  int64_t padding;
  T* y;
  int64_t* from;  // of Max: which row each element of y is from, or -1
};

// T is Half, BFloat16, float or double; 16-bit floats are summed in float.
template <class T>
[[nodiscard]] std::optional<BadIndex> embedding_bag(const EmbeddingBag<T>& p);

}  // namespace gotorch::kernels
