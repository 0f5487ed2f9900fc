#pragma once
// Moving elements by index, for any element of 1, 2, 4 or 8 bytes (`size`). Arrays are contiguous
// [outer, n, inner]; all indices are checked against [0, n) before anything is written.
#include <optional>

#include "tensor/kernels/axis.h"
#include "tensor/kernels/bad_index.h"

namespace gotorch::kernels {

// y[o, j, i] = x[o, index[j], i] with index [m]; y is [outer, m, inner].
[[nodiscard]] std::optional<BadIndex> index_select(const void* x, Axis axis, const int64_t* index,
                                                   int64_t m, void* y, int64_t size);

// y[o, index[j], i] = source[o, j, i] with index [m]; the last of equal indices wins.
[[nodiscard]] std::optional<BadIndex> index_copy(void* y, Axis axis, const int64_t* index,
                                                 int64_t m, const void* source, int64_t size);

// y[o, j, i] = x[o, index[o, j, i], i] with index and y [outer, m, inner].
[[nodiscard]] std::optional<BadIndex> gather(const void* x, Axis axis, const int64_t* index,
                                             int64_t m, void* y, int64_t size);

// y[o, index[o, j, i], i] = source[o, j, i] with index and source [outer, m, inner]; the last of
// equal indices wins. A one_value source is a single element for all.
[[nodiscard]] std::optional<BadIndex> scatter(void* y, Axis axis, const int64_t* index, int64_t m,
                                              const void* source, bool one_value, int64_t size);

// y[j] = x[index[j]] with x of n elements; negative indices count from its end.
[[nodiscard]] std::optional<BadIndex> take(const void* x, int64_t n, const int64_t* index,
                                           int64_t m, void* y, int64_t size);

}  // namespace gotorch::kernels
