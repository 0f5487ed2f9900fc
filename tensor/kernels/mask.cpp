#include "tensor/kernels/mask.h"

#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/kernels/element.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

int64_t count_true(const uint8_t* mask, int64_t n) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++) count += mask[i] != 0;
  return count;
}

// Calls found(k, i) for the k-th true element, at position i.
template <class F>
void for_true(const uint8_t* mask, int64_t n, const MaskOffsets& offsets, F found) {
  runtime::parallel_for(n, MaskOffsets::kChunk, [&](int64_t b, int64_t e) {
    for (int64_t c = b; c < e; c += MaskOffsets::kChunk) {
      // Written without a branch on the mask; the end bounds k, so that no chunk writes past its
      // part.
      int64_t k = offsets.offset[c / MaskOffsets::kChunk];
      const int64_t end = offsets.offset[c / MaskOffsets::kChunk + 1];
      for (int64_t i = c; k < end; i++) {
        found(k, i);
        k += mask[i] != 0;
      }
    }
  });
}

}  // namespace

MaskOffsets mask_offsets(const uint8_t* mask, int64_t n) {
  static const auto count = best_variant<&count_true>();
  MaskOffsets offsets;
  offsets.offset.resize((n + MaskOffsets::kChunk - 1) / MaskOffsets::kChunk + 1);
  runtime::parallel_for(n, MaskOffsets::kChunk, [&](int64_t b, int64_t e) {
    for (int64_t c = b; c < e; c += MaskOffsets::kChunk)
      offsets.offset[c / MaskOffsets::kChunk + 1] =
          count(mask + c, std::min(e - c, MaskOffsets::kChunk));
  });
  for (size_t k = 1; k < offsets.offset.size(); k++) offsets.offset[k] += offsets.offset[k - 1];
  return offsets;
}

void masked_select(const void* x, const uint8_t* mask, int64_t n, const MaskOffsets& offsets,
                   void* y, int64_t size) {
  with_element(size, [&]<class U>(U*) {
    for_true(mask, n, offsets,
             [&](int64_t k, int64_t i) { static_cast<U*>(y)[k] = static_cast<const U*>(x)[i]; });
  });
}

void masked_scatter(void* y, const uint8_t* mask, int64_t n, const MaskOffsets& offsets,
                    const void* source, int64_t size) {
  with_element(size, [&]<class U>(U*) {
    for_true(mask, n, offsets, [&](int64_t k, int64_t i) {
      if (mask[i]) static_cast<U*>(y)[i] = static_cast<const U*>(source)[k];
    });
  });
}

void nonzero(const uint8_t* mask, const int64_t* sizes, int rank, const MaskOffsets& offsets,
             int64_t* y) {
  int64_t n = 1;
  for (int d = 0; d < rank; d++) n *= sizes[d];
  for_true(mask, n, offsets, [&](int64_t k, int64_t i) {
    if (rank == 1) {
      y[k] = i;
      return;
    }
    if (!mask[i]) return;
    for (int d = rank - 1; d >= 0; d--) {
      y[k * rank + d] = i % sizes[d];
      i /= sizes[d];
    }
  });
}

}  // namespace gotorch::kernels
