// Elementary functions of one argument.
#include "tensor/ops.h"

namespace gotorch::ops {

const Op exp{{
    .sig = "exp(Tensor input) -> Tensor",
    .doc = "e to the power of input.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return x; }),
    .grad = {wrt("input", "result", [](auto& s) { return mul(s.g(), s.y()); })},
    .samples = {{in(-4, 4)}},
}};

const Op tanh{{
    .sig = "tanh(Tensor input) -> Tensor",
    .doc = "Hyperbolic tangent.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return x; }),
    .grad = {wrt("input", "result", [](auto& s) { return s.g() * (1 - s.y() * s.y()); })},
    .samples = {{in(-4, 4)}},
}};

}  // namespace gotorch::ops
