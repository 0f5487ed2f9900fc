#pragma once
// Elementary functions for float and double in namespace gotorch::math: scalar, branch-free, without
// libm, so that a loop in a best_variant function becomes vector code.
//   void exp_loop(const float* x, float* y, int64_t n) { for (...) y[i] = math::exp(x[i]); }
// Beside each function stand its valid range and its largest error in ULP, for float measured over all
// arguments, for double over some millions. Infinities, NaN, signed zeros and subnormal numbers are as in C99.
// No FMA: the bits are the same in every instruction set.
#include "tensor/simd/math_arc.h"
#include "tensor/simd/math_base.h"
#include "tensor/simd/math_erf.h"
#include "tensor/simd/math_exp.h"
#include "tensor/simd/math_gamma.h"
#include "tensor/simd/math_hyperbolic.h"
#include "tensor/simd/math_log.h"
#include "tensor/simd/math_mod.h"
#include "tensor/simd/math_pow.h"
#include "tensor/simd/math_trig.h"
