// Comparisons, logic and selection.
#include <cmath>

#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/simd/math.h"

namespace gotorch::ops {
namespace {

template <class T>
T larger(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return math::max(a, b);
  else return a > b ? a : b;
}
template <class T>
T smaller(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return math::min(a, b);
  else return a < b ? a : b;
}

// The number as one of dtype d, which it takes whatever its own.
Scalar fill_value(Scalar s, Dtype d) {
  check_fits(s, d);
  if (d == Dtype::Bool) return s.to<bool>();
  return is_floating(d) ? s : Scalar(s.to<int64_t>());
}

}  // namespace

const Op eq{{
    .sig = "eq(Tensor input, Operand other) -> Tensor",
    .doc = "input == other.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x, auto y) { return x == y; }),
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), 0.5}, {in(-1, 1, {3, 1}), in(-1, 1, {4})}},
}};

const Op ne{{
    .sig = "ne(Tensor input, Operand other) -> Tensor",
    .doc = "input != other.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x, auto y) { return x != y; }),
    .aliases = "not_equal",
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), 0.5}},
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

const Op logical_and{{
    .sig = "logical_and(Tensor input, Operand other) -> Tensor",
    .doc = "True where both are non-zero.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>(
        [](auto x, auto y) { return (x != decltype(x)(0)) & (y != decltype(y)(0)); }),
    .samples = {{bools({3, 5}), bools({3, 5})}, {in(-1, 1), in(-1, 1)}},
}};

const Op logical_or{{
    .sig = "logical_or(Tensor input, Operand other) -> Tensor",
    .doc = "True where one is non-zero.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>(
        [](auto x, auto y) { return (x != decltype(x)(0)) | (y != decltype(y)(0)); }),
    .samples = {{bools({3, 5}), bools({3, 5})}, {in(-1, 1), in(-1, 1)}},
}};

const Op logical_xor{{
    .sig = "logical_xor(Tensor input, Operand other) -> Tensor",
    .doc = "True where exactly one is non-zero.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>(
        [](auto x, auto y) { return (x != decltype(x)(0)) != (y != decltype(y)(0)); }),
    .samples = {{bools({3, 5}), bools({3, 5})}, {in(-1, 1), in(-1, 1)}},
}};

const Op bitwise_and{{
    .sig = "bitwise_and(Tensor input, Operand other) -> Tensor",
    .doc = "input & other, for integers and bool.",
    .dtypes = kInts | kBool,
    .kernel = pointwise<kInts | kBool>([](auto x, auto y) { return x & y; }),
    .samples = {{indices(-9, 9, {3, 5}), indices(-9, 9, {3, 5})}, {bools({7}), bools({7})}},
}};

const Op bitwise_or{{
    .sig = "bitwise_or(Tensor input, Operand other) -> Tensor",
    .doc = "input | other, for integers and bool.",
    .dtypes = kInts | kBool,
    .kernel = pointwise<kInts | kBool>([](auto x, auto y) { return x | y; }),
    .samples = {{indices(-9, 9, {3, 5}), indices(-9, 9, {3, 5})}, {bools({7}), bools({7})}},
}};

const Op bitwise_xor{{
    .sig = "bitwise_xor(Tensor input, Operand other) -> Tensor",
    .doc = "input ^ other, for integers and bool.",
    .dtypes = kInts | kBool,
    .kernel = pointwise<kInts | kBool>([](auto x, auto y) { return x ^ y; }),
    .samples = {{indices(-9, 9, {3, 5}), indices(-9, 9, {3, 5})}, {bools({7}), bools({7})}},
}};

const Op bitwise_left_shift{{
    .sig = "bitwise_left_shift(Tensor input, Operand other) -> Tensor",
    .doc = "input * 2^other, as bits are shifted; 0 where other is negative or not below the "
           "number of bits.",
    .dtypes = kInts,
    .kernel = pointwise<kInts>([](auto x, auto y) {
      using T = decltype(x);
      using U = std::make_unsigned_t<T>;
      const bool inside = (y >= T(0)) & (y < T(8 * sizeof(T)));
      return inside ? static_cast<T>(static_cast<U>(x) << (inside ? y : T(0))) : T(0);
    }),
    .samples = {{indices(-9, 9, {3, 5}), indices(0, 5, {3, 5})}, {indices(-9, 9, {3, 5}), 2}},
}};

const Op bitwise_right_shift{{
    .sig = "bitwise_right_shift(Tensor input, Operand other) -> Tensor",
    .doc = "input / 2^other, rounded down; where other is negative or not below the number of "
           "bits, what no bits of "
           "the number leave: 0 or -1.",
    .dtypes = kInts,
    .kernel = pointwise<kInts>([](auto x, auto y) {
      using T = decltype(x);
      constexpr T kMost = T(8 * sizeof(T) - 1);
      const bool inside = (y >= T(0)) & (y <= kMost);
      // A signed number has its sign left after the largest shift, an unsigned one needs one more.
      return inside                ? static_cast<T>(x >> (inside ? y : T(0)))
             : std::is_signed_v<T> ? static_cast<T>(x >> kMost)
                                   : T(0);
    }),
    .samples = {{indices(-9, 9, {3, 5}), indices(0, 5, {3, 5})}, {indices(-9, 9, {3, 5}), 2}},
}};

const Op where{{
    .sig = "where(Tensor condition, Operand input, Operand other) -> Tensor",
    .doc = "input where condition, else other. The condition must be bool.",
    .dtypes = kAll,
    .kernel =
        pointwise<kAll, ResultType::Same, 1>([](bool c, auto x, auto y) { return c ? x : y; }),
    .grad = {wrt("input", "condition", [](auto& s) { return where(s[0], s.g(), 0); }),
             wrt("other", "condition", [](auto& s) { return where(s[0], 0, s.g()); })},
    .samples = {{bools({3, 5}), in(-1, 1), in(-1, 1)},
                {bools({3, 1}), in(-1, 1, {4}), 2.0},
                {bools({4}), 1.0, in(-1, 1, {3, 1})}},
    .untested = "signature: PyTorch calls a number `self`",
}};

const Op masked_fill{{
    .sig = "masked_fill(Tensor input, Tensor mask, Operand value) -> Tensor",
    .doc = "value where mask, else input; keeps input's dtype. The mask must be bool.",
    .scope = Scope::Torch,
    .dtypes = kAll,
    .kernel = compose([](auto& a) -> Tensor {
      const Dtype d = a[0].dtype();
      const Value& v = a.value(2);
      check(!v.is_tensor() || v.tensor().dim() == 0,
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
            v.is_tensor() ? v.tensor().dim() : 0, " dimension(s).");
      const Scalar scalar =
          v.is_tensor() && !v.tensor().requires_grad() ? v.tensor().item_scalar() : Scalar(0);
      if (v.is_tensor() && v.tensor().requires_grad()) return where(a[1], v, a[0]);
      return where(a[1], fill_value(v.is_tensor() ? scalar : v.scalar(), d), a[0]);
    }),
    .inplace = true,
    .samples = {{in(-1, 1), bools({3, 5}), 2.0}, {in(-1, 1, {3, 4}), bools({4}), -1.0}},
}};

const Op maximum{{
    .sig = "maximum(Tensor input, Tensor other) -> Tensor",
    .doc = "The larger of the two; NaN if either is. Equal values share the gradient.",
    .dtypes = kAll,
    .kernel = pointwise<kAll>([](auto x, auto y) { return larger(x, y); }),
    .grad = {wrt("input", "input other",
                 [](auto& s) {
                   return where(eq(s[0], s[1]), s.g() * 0.5, where(gt(s[0], s[1]), s.g(), 0));
                 }),
             wrt("other", "input other",
                 [](auto& s) {
                   return where(eq(s[0], s[1]), s.g() * 0.5, where(gt(s[0], s[1]), 0, s.g()));
                 })},
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1, {3, 1}), in(-1, 1, {4})}},
}};

const Op fmax{{
    .sig = "fmax(Tensor input, Tensor other) -> Tensor",
    .doc = "The larger of the two; a number where the other is NaN.",
    .dtypes = kAll,
    .kernel = pointwise<kAll>([](auto x, auto y) { return y != y   ? x
                                                          : x >= y ? x
                                                                   : y; }),
    .grad = {wrt("input", "input other",
                 [](auto& s) {
                   return masked_fill(s.g(), logical_not(logical_or(ge(s[0], s[1]), isnan(s[1]))),
                                      0);
                 }),
             wrt("other", "input other",
                 [](auto& s) {
                   return masked_fill(s.g(), logical_or(ge(s[0], s[1]), isnan(s[1])), 0);
                 })},
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1, {3, 1}), in(-1, 1, {4})}},
}};

const Op fmin{{
    .sig = "fmin(Tensor input, Tensor other) -> Tensor",
    .doc = "The smaller of the two; a number where the other is NaN.",
    .dtypes = kAll,
    .kernel = pointwise<kAll>([](auto x, auto y) { return y != y   ? x
                                                          : x <= y ? x
                                                                   : y; }),
    .grad = {wrt("input", "input other",
                 [](auto& s) {
                   return masked_fill(s.g(), logical_not(logical_or(le(s[0], s[1]), isnan(s[1]))),
                                      0);
                 }),
             wrt("other", "input other",
                 [](auto& s) {
                   return masked_fill(s.g(), logical_or(le(s[0], s[1]), isnan(s[1])), 0);
                 })},
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1, {3, 1}), in(-1, 1, {4})}},
}};

const Op minimum{{
    .sig = "minimum(Tensor input, Tensor other) -> Tensor",
    .doc = "The smaller of the two; NaN if either is. Equal values share the gradient.",
    .dtypes = kAll,
    .kernel = pointwise<kAll>([](auto x, auto y) { return smaller(x, y); }),
    .grad = {wrt("input", "input other",
                 [](auto& s) {
                   return where(eq(s[0], s[1]), s.g() * 0.5, where(lt(s[0], s[1]), s.g(), 0));
                 }),
             wrt("other", "input other",
                 [](auto& s) {
                   return where(eq(s[0], s[1]), s.g() * 0.5, where(lt(s[0], s[1]), 0, s.g()));
                 })},
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1, {3, 1}), in(-1, 1, {4})}},
}};

const Op clamp_min{{
    .sig = "clamp_min(Tensor input, Operand min) -> Tensor",
    .doc = "input, but at least min.",
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>([](auto x, auto lo) { return larger(x, lo); }),
    .grad = {wrt("input", "input min",
                 [](auto& s) { return where(ge(s[0], s.value(1)), s.g(), 0); }),
             wrt("min", "input min",
                 [](auto& s) { return where(ge(s[0], s.value(1)), 0, s.g()); })},
    .samples = {{in(-1, 1), 0.25}, {in(-1, 1), in(-1, 1)}},
}};

const Op clamp_max{{
    .sig = "clamp_max(Tensor input, Operand max) -> Tensor",
    .doc = "input, but at most max.",
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>([](auto x, auto hi) { return smaller(x, hi); }),
    .grad = {wrt("input", "input max",
                 [](auto& s) { return where(le(s[0], s.value(1)), s.g(), 0); }),
             wrt("max", "input max",
                 [](auto& s) { return where(le(s[0], s.value(1)), 0, s.g()); })},
    .samples = {{in(-1, 1), 0.25}, {in(-1, 1), in(-1, 1)}},
}};

const Op clamp_between{{
    .sig = "_clamp_between(Tensor input, Operand min, Operand max) -> Tensor",
    .doc = "input limited to [min, max], which are not NaN; where min > max, the result is max.",
    .scope = Scope::Internal,
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>(
        [](auto x, auto lo, auto hi) {
          const auto y = x < lo ? lo : x;
          return y > hi ? hi : y;
        }),
    .grad = {wrt("input", "input",
                 [](auto& s) {
                   const Tensor inside = logical_and(ge(s[0], s.value(1)), le(s[0], s.value(2)));
                   return where(inside, s.g(), 0);
                 })},
    .samples = {{in(-1, 1), -0.5, 0.5}},
}};

const Op clamp{{
    .sig = "clamp(Tensor input, Operand? min=None, Operand? max=None) -> Tensor",
    .doc = "input limited to [min, max]; where min > max, the result is max.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) -> Tensor {
      check(a.given(1) || a.given(2), "At least one of 'min' or 'max' must not be None");
      const auto plain = [&](size_t i) {
        return a.value(i).is_number() && !std::isnan(a.number(i));
      };
      if (plain(1) && plain(2))
        return clamp_between(a[0], a.value(1), a.value(2));
      const Tensor low = a.given(1) ? clamp_min(a[0], a.value(1)) : a[0];
      return a.given(2) ? clamp_max(low, a.value(2)) : low;
    }),
    .inplace = true,
    .aliases = "clip",
    .samples = {{in(-1, 1), -0.5, 0.5}, {in(-1, 1), none, 0.25}, {in(-1, 1), in(-1, 0), in(0, 1)}},
}};

}  // namespace gotorch::ops
