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

const Op asin{{
    .sig = "asin(Tensor input) -> Tensor",
    .doc = "Inverse sine, in [-pi/2, pi/2]; NaN beyond -1 and 1.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::asin(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() * rsqrt(1 - square(s[0])); })},
    .aliases = "arcsin",
    .samples = {{in(-0.9, 0.9)}},
}};

const Op acos{{
    .sig = "acos(Tensor input) -> Tensor",
    .doc = "Inverse cosine, in [0, pi]; NaN beyond -1 and 1.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::acos(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return neg(s.g() * rsqrt(1 - square(s[0]))); })},
    .aliases = "arccos",
    .samples = {{in(-0.9, 0.9)}},
}};

const Op atan{{
    .sig = "atan(Tensor input) -> Tensor",
    .doc = "Inverse tangent, in [-pi/2, pi/2].",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::atan(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() / (square(s[0]) + 1); })},
    .aliases = "arctan",
    .samples = {{in(-4, 4)}},
}};

const Op sinh{{
    .sig = "sinh(Tensor input) -> Tensor",
    .doc = "Hyperbolic sine.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::sinh(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() * cosh(s[0]); })},
    .samples = {{in(-4, 4)}},
}};

const Op cosh{{
    .sig = "cosh(Tensor input) -> Tensor",
    .doc = "Hyperbolic cosine.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::cosh(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() * sinh(s[0]); })},
    .samples = {{in(-4, 4)}},
}};

const Op asinh{{
    .sig = "asinh(Tensor input) -> Tensor",
    .doc = "Inverse hyperbolic sine.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::asinh(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() * rsqrt(square(s[0]) + 1); })},
    .aliases = "arcsinh",
    .samples = {{in(-4, 4)}},
}};

const Op acosh{{
    .sig = "acosh(Tensor input) -> Tensor",
    .doc = "Inverse hyperbolic cosine; NaN below 1.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::acosh(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() * rsqrt(square(s[0]) - 1); })},
    .aliases = "arccosh",
    .samples = {{in(1.1, 4)}},
}};

const Op atanh{{
    .sig = "atanh(Tensor input) -> Tensor",
    .doc = "Inverse hyperbolic tangent; NaN beyond -1 and 1.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::atanh(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() / (1 - square(s[0])); })},
    .aliases = "arctanh",
    .samples = {{in(-0.9, 0.9)}},
}};

const Op atan2{{
    .sig = "atan2(Tensor input, Tensor other) -> Tensor",
    .doc = "The angle of the point (other, input), in [-pi, pi].",
    .dtypes = kAll,
    .kernel =
        pointwise<kFloats, ResultType::Float>([](auto y, auto x) { return math::atan2(y, x); }),
    .grad = {wrt("input", "input other",
                 [](auto& s) { return s.g() * (s[1] / (square(s[0]) + square(s[1]))); }),
             wrt("other", "input other",
                 [](auto& s) { return s.g() * (neg(s[0]) / (square(s[0]) + square(s[1]))); })},
    .aliases = "arctan2",
    .samples = {{in(-2, 2), in(0.5, 2)}},
}};

const Op hypot{{
    .sig = "hypot(Tensor input, Tensor other) -> Tensor",
    .doc = "sqrt(input^2 + other^2), without overflow on the way.",
    .kernel = pointwise<kFloats>([](auto x, auto y) { return math::hypot(x, y); }),
    .grad = {wrt("input", "input result", [](auto& s) { return s.g() * (s[0] / s.y()); }),
             wrt("other", "other result", [](auto& s) { return s.g() * (s[1] / s.y()); })},
    .samples = {{in(0.5, 2), in(0.5, 2)}},
}};

}  // namespace gotorch::ops
