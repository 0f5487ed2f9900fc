#pragma once
// Accumulating by index. T is any integer type, float or double; y is a contiguous [outer, n,
// inner]. Values meet an element of y in the order of the source, at any number of workers. All
// indices are checked against [0, n) before anything is written.
#include <optional>

#include "tensor/kernels/axis.h"
#include "tensor/kernels/bad_index.h"

namespace gotorch::kernels {

enum class ScatterOp { Sum, Prod, Mean, Max, Min };

// y[o, index[o, j, i], i] op= source[o, j, i] with index and source [outer, m, inner]. Without
// include_self, elements of y that are met lose their former value. Max and Min keep NaN; Mean of
// integers rounds down.
template <class T>
[[nodiscard]] std::optional<BadIndex> scatter_reduce(ScatterOp op, bool include_self, T* y,
                                                     Axis axis, const int64_t* index, int64_t m,
                                                     const T* source);

// y[o, index[j], i] += alpha * source[o, j, i] with index [m].
template <class T>
[[nodiscard]] std::optional<BadIndex> index_add(T* y, Axis axis, const int64_t* index, int64_t m,
                                                const T* source, T alpha);

// Gradient of a table [rows, n] from which rows index[0], ..., index[m-1] were taken: g_table is
// overwritten with the sums of the g [m, n] that belong to each row. Positions whose index is
// padding (-1: none) do not count; by_frequency divides a row's sum by the number of its positions.
template <class T>
[[nodiscard]] std::optional<BadIndex> embedding_backward(const T* g, const int64_t* index,
                                                         int64_t m, int64_t rows, int64_t n,
                                                         int64_t padding, bool by_frequency,
                                                         T* g_table);

}  // namespace gotorch::kernels
