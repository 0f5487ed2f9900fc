#pragma once
#include "tensor/pointwise.h"

namespace gotorch {

// The loop that converts `from` to `to`: 16-bit floats round to nearest even, floats to integers
// truncate, anything non-zero is true.
Loop cast_loop(Dtype from, Dtype to);

}  // namespace gotorch
