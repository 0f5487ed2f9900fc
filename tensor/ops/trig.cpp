// Trigonometric and hyperbolic functions.
#include "tensor/ops.h"
#include "tensor/simd/math.h"

namespace gotorch::ops {

const Op sin{{
    .sig = "sin(Tensor input) -> Tensor",
    .doc = "Sine of input in radians.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::sin(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() * cos(s[0]); })},
    .samples = {{in(-4, 4)}},
}};

const Op cos{{
    .sig = "cos(Tensor input) -> Tensor",
    .doc = "Cosine of input in radians.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::cos(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return neg(s.g() * sin(s[0])); })},
    .samples = {{in(-4, 4)}},
}};

const Op tan{{
    .sig = "tan(Tensor input) -> Tensor",
    .doc = "Tangent of input in radians.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::tan(x); }),
    .grad = {wrt("input", "result", [](auto& s) { return s.g() * (square(s.y()) + 1); })},
    .samples = {{in(-1.2, 1.2)}},
}};

const Op tanh{{
    .sig = "tanh(Tensor input) -> Tensor",
    .doc = "Hyperbolic tangent.",
    .scope = Scope::TorchNn,
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::tanh(x); }),
    .grad = {wrt("input", "result", [](auto& s) { return s.g() * (1 - square(s.y())); })},
    .samples = {{in(-4, 4)}},
}};

}  // namespace gotorch::ops
