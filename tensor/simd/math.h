#pragma once
#include "tensor/simd/math_base.h"
#include "tensor/simd/math_erf.h"
#include "tensor/simd/math_exp.h"
#include "tensor/simd/math_log.h"
#include "tensor/simd/math_pow.h"
#include "tensor/simd/math_trig.h"
