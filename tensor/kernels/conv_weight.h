#pragma once
// Parts of the gradient of a convolution's weight.
#include "tensor/kernels/conv.h"
#include "tensor/kernels/gemm_plan.h"

namespace gotorch::kernels {

// Channels of x and of dy in one group.
struct WeightBlock {
  int64_t group;
  Range in, out;
};

// Kernels of 3 x 3 taps by fewer products, see winograd.h: what part part.begin of part.end of the tiles gives to a block of
// dw[(channel, tap)][out], whose rows are `ld` apart. Returns false if not all is finite: then infinite values may have become NaN.
bool suits_winograd(const ConvShape& s);
template <class T>
bool winograd_weight_task(const ConvShape& s, const T* x, const T* dy, const WeightBlock& block,
                          Range part, T* dw, int64_t ld);

}  // namespace gotorch::kernels
