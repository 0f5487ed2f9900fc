#pragma once
#include "tensor/kernels/sort_key.h"

namespace gotorch::kernels {

// Sorts n items with keys of `key_bits` bits, whose positions ascend. `scratch` has room for n items;
// the result is in `a` or in `scratch`: the returned pointer. Parallel if asked.
Narrow* radix_sort(Narrow* a, Narrow* scratch, int64_t n, int key_bits, bool parallel);

// A row longer than this is sorted by all workers, in chunks.
inline constexpr int64_t kParallelRow = 1 << 17;
inline constexpr int64_t kSortChunk = 1 << 16;

// The stable order of a row of less than 2^32 elements: position_of the i-th item returned is the
// position of the i-th smallest element. If their keys span less than 2^32, an item's key plus *base
// is the key of the element; else *exact is false. a and scratch have room for n items.
template <class T>
Narrow* sort_row(const Row<T>& row, Narrow* a, Narrow* scratch, Key<T>* base, bool* exact);

}  // namespace gotorch::kernels
