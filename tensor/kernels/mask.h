#pragma once
// Selecting by a mask of bytes, true where not 0. The positions of true elements are counted chunk
// by chunk first, so that chunks can be written in parallel to their final places.
#include <cstdint>

#include "tensor/buffer.h"

namespace gotorch::kernels {

// offset[k] is the number of true elements before chunk k, the last one is the total.
struct MaskOffsets {
  static constexpr int64_t kChunk = 32768;
  Buffer<int64_t> offset;
  int64_t total() const { return offset.back(); }
};
MaskOffsets mask_offsets(const uint8_t* mask, int64_t n);

// y[0], ..., y[total - 1] = the elements of x where mask is true; elements have `size` 1, 2, 4 or 8
// bytes.
void masked_select(const void* x, const uint8_t* mask, int64_t n, const MaskOffsets& offsets,
                   void* y, int64_t size);

// The elements of y where mask is true become source[0], source[1], ... in order.
void masked_scatter(void* y, const uint8_t* mask, int64_t n, const MaskOffsets& offsets,
                    const void* source, int64_t size);

// y [total, rank] = the coordinates of true elements of a mask of shape `sizes`. For rank 1 these
// are the flat positions.
void nonzero(const uint8_t* mask, const int64_t* sizes, int rank, const MaskOffsets& offsets,
             int64_t* y);

}  // namespace gotorch::kernels
