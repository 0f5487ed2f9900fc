// Arithmetic of two operands and comparisons.
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

const Op sub{{
    .sig = "sub(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor",
    .doc = "input - alpha * other. Not defined for bool.",
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>([](auto x, auto y, auto a) { return x - a * y; }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); }),
             wrt("other", "", [](auto& s) { return neg(mul(s.g(), s.scalar(2))); })},
    .aliases = "subtract",
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), 2.5}, {in(-1, 1, {3, 1}), in(-1, 1, {4})}},
}};

const Op rsub{{
    .sig = "rsub(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor",
    .doc = "other - alpha * input. Not defined for bool.",
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>([](auto x, auto y, auto a) { return y - a * x; }),
    .grad = {wrt("input", "", [](auto& s) { return neg(mul(s.g(), s.scalar(2))); }),
             wrt("other", "", [](auto& s) { return s.g(); })},
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), 2.5}},
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

const Op true_divide{{
    .sig = "true_divide(Tensor input, Operand other) -> Tensor",
    .doc = "input / other, in floating point.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x, auto y) { return x / y; }),
    .grad = {wrt("input", "other", [](auto& s) { return true_divide(s.g(), s.value(1)); }),
             wrt("other", "other result",
                 [](auto& s) { return neg(mul(s.g(), true_divide(s.y(), s.value(1)))); })},
    .samples = {{in(-2, 2), in(0.5, 2)}, {in(-2, 2), 3}, {in(-1, 1, {3, 1}), in(1, 2, {4})}},
}};

const Op div{{
    .sig = "div(Tensor input, Operand other, *, str? rounding_mode=None) -> Tensor",
    .doc = "input / other; rounding_mode 'trunc' or 'floor' rounds the quotient and keeps integers.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return true_divide(a[0], a.value(1)); }),
    .aliases = "divide",
    .samples = {{in(-2, 2), in(0.5, 2)}, {in(-2, 2), 3}},
}};

const Op neg{{
    .sig = "neg(Tensor input) -> Tensor",
    .doc = "-input. Not defined for bool.",
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>([](auto x) { return -x; }),
    .grad = {wrt("input", "", [](auto& s) { return neg(s.g()); })},
    .aliases = "negative",
    .samples = {{in(-2, 2)}},
}};

const Op reciprocal{{
    .sig = "reciprocal(Tensor input) -> Tensor",
    .doc = "1 / input.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return 1 / x; }),
    .grad = {wrt("input", "result", [](auto& s) { return neg(mul(s.g(), mul(s.y(), s.y()))); })},
    .samples = {{in(0.5, 2)}},
}};

const Op gt{{
    .sig = "gt(Tensor input, Operand other) -> Tensor",
    .doc = "input > other.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x, auto y) { return x > y; }),
    .aliases = "greater",
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), 0.5}},
}};

const Op ge{{
    .sig = "ge(Tensor input, Operand other) -> Tensor",
    .doc = "input >= other.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x, auto y) { return x >= y; }),
    .aliases = "greater_equal",
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), 0.5}},
}};

const Op lt{{
    .sig = "lt(Tensor input, Operand other) -> Tensor",
    .doc = "input < other.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x, auto y) { return x < y; }),
    .aliases = "less",
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), 0.5}},
}};

const Op le{{
    .sig = "le(Tensor input, Operand other) -> Tensor",
    .doc = "input <= other.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x, auto y) { return x <= y; }),
    .aliases = "less_equal",
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), 0.5}},
}};

const Op eq{{
    .sig = "eq(Tensor input, Operand other) -> Tensor",
    .doc = "input == other.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x, auto y) { return x == y; }),
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), 0.5}},
}};

const Op ne{{
    .sig = "ne(Tensor input, Operand other) -> Tensor",
    .doc = "input != other.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x, auto y) { return x != y; }),
    .aliases = "not_equal",
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), 0.5}},
}};

}  // namespace gotorch::ops
