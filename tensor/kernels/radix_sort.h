#pragma once
#include "tensor/kernels/sort_key.h"

namespace gotorch::kernels {

// Sorts n items by their keys of `key_bits` bits. Positions must ascend at the start. `scratch` has
// room for n items; the result is in `a` or in `scratch`: the returned pointer. Parallel if asked.
template <class Item>
Item* sort_items(Item* a, Item* scratch, int64_t n, int key_bits, bool parallel);

}  // namespace gotorch::kernels
