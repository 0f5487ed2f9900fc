// Sums, products and quotients.
#include "tensor/ops.h"

namespace gotorch::ops {

const Op add{{
    .sig = "add(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor",
    .doc = "input + alpha * other.",
    .dtypes = kAll,
    .kernel = pointwise<kAll>([](auto x, auto y, auto a) { return x + a * y; }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); }),
             wrt("other", "", [](auto& s) { return mul(s.g(), s.scalar(2)); })},
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), 2.5}, {in(-1, 1, {3, 1}), in(-1, 1, {4})}},
}};

const Op mul{{
    .sig = "mul(Tensor input, Operand other) -> Tensor",
    .doc = "input * other.",
    .dtypes = kAll,
    .kernel = pointwise<kAll>([](auto x, auto y) { return x * y; }),
    .grad = {wrt("input", "other", [](auto& s) { return mul(s.g(), s.value(1)); }),
             wrt("other", "input", [](auto& s) { return mul(s.g(), s[0]); })},
    .aliases = "multiply",
    .samples = {{in(-2, 2), in(-2, 2)}, {in(-2, 2), 3}, {in(-1, 1, {3, 1}), in(-1, 1, {4})}},
}};

}  // namespace gotorch::ops
