#pragma once
// Lists for explicit instantiation: GOTORCH_FOR_FLOATS(M) writes M(T) for each floating element type.
#include "tensor/half.h"

#define GOTORCH_FOR_FLOATS(M) M(Half) M(BFloat16) M(float) M(double)
#define GOTORCH_FOR_INTEGERS(M) M(uint8_t) M(int8_t) M(int16_t) M(int32_t) M(int64_t)
#define GOTORCH_FOR_NUMBERS(M) GOTORCH_FOR_INTEGERS(M) GOTORCH_FOR_FLOATS(M)
