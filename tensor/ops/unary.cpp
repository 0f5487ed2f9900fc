// Elementary functions of one argument.
#include "tensor/ops.h"
#include "tensor/simd/math.h"
#include "tensor/simd/wrapping.h"

namespace gotorch::ops {
namespace {

// Rounding leaves integers as they are.
template <auto F>
auto rounding() {
  return pointwise<kNumbers>([](auto x) {
    if constexpr (std::is_integral_v<decltype(x)>) return x;
    else return F(x);
  });
}

// The sum of (x + k)^-s over all k >= 0, s = n + 1, times (-1)^s n!: term by term up to x + k >= 10, then by the formula
// of Euler and Maclaurin.
double digamma_derivative(double n, double x) {
  const double s = n + 1, sign = __builtin_fmod(s, 2) == 0 ? 1 : -1;
  if (x <= 0 && x == math::floor(x)) return sign * __builtin_inf();
  double a = x, sum = 0;
  for (int k = 0; a < 10 && k < 10000; k++, a += 1) sum += __builtin_pow(a, -s);
  const double power = __builtin_pow(a, -s);
  sum += a * power / n + power / 2;
  // B[2j] / (2j)! for j = 1, 2, ...
  constexpr double factors[] = {
      0x1.5555555555555p-4,   -0x1.6c16c16c16c17p-10, 0x1.1566abc011567p-15,
      -0x1.bbd779334ef0bp-21, 0x1.66a8f2bf70ebep-26,  -0x1.22805d644267fp-31,
      0x1.d6db2c4e09162p-37,  -0x1.7da4e1f79955cp-42, 0x1.355871d652e9ep-47};
  double term = s * power / a, e = s;
  for (const double b : factors) {
    sum += b * term;
    term *= (e + 1) * (e + 2) / (a * a);
    e += 2;
  }
  return sign * __builtin_tgamma(s) * sum;
}

}  // namespace

const Op abs{{
    .sig = "abs(Tensor input) -> Tensor",
    .doc = "|input|. The gradient at 0 is 0.",
    .dtypes = kAll,
    .kernel = pointwise<kAll>([](auto x) {
      if constexpr (std::is_floating_point_v<decltype(x)>) return math::abs(x);
      else if constexpr (std::is_unsigned_v<decltype(x)>) return x;
      else return x < 0 ? math::negated(x) : x;
    }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() * sign(s[0]); })},
    .aliases = "absolute",
    .samples = {{in(-2, 2)}},
}};

const Op neg{{
    .sig = "neg(Tensor input) -> Tensor",
    .doc = "-input. Not defined for bool.",
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>([](auto x) { return math::negated(x); }),
    .grad = {wrt("input", "", [](auto& s) { return neg(s.g()); })},
    .aliases = "negative",
    .samples = {{in(-2, 2)}},
}};

const Op positive{{
    .sig = "positive(Tensor input) -> Tensor",
    .doc = "input itself. Not defined for bool.",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) { return a[0]; }),
    .samples = {{in(-2, 2)}},
    .untested = "out: the result is the input itself",
}};

const Op sign{{
    .sig = "sign(Tensor input) -> Tensor",
    .doc = "-1, 0 or 1 by the sign of input; NaN gives 0. The gradient is 0.",
    .dtypes = kAll,
    .kernel = pointwise<kAll>([](auto x) {
      using T = decltype(x);
      if constexpr (std::is_same_v<T, bool>) return x;
      else return static_cast<T>(static_cast<T>(x > T(0)) - static_cast<T>(x < T(0)));
    }),
    .grad = {wrt("input", "", [](auto& s) { return mul(s.g(), 0); })},
    .aliases = "sgn",
    .samples = {{in(-2, 2)}},
}};

const Op square{{
    .sig = "square(Tensor input) -> Tensor",
    .doc = "input * input.",
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>([](auto x) { return math::times(x, x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() * (s[0] * 2); })},
    .samples = {{in(-2, 2)}},
}};

const Op reciprocal{{
    .sig = "reciprocal(Tensor input) -> Tensor",
    .doc = "1 / input.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return 1 / x; }),
    .grad = {wrt("input", "result", [](auto& s) { return neg(s.g() * (s.y() * s.y())); })},
    .samples = {{in(0.5, 2)}},
}};

const Op sqrt{{
    .sig = "sqrt(Tensor input) -> Tensor",
    .doc = "Square root; NaN below 0. Correctly rounded.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::sqrt(x); }),
    .grad = {wrt("input", "result", [](auto& s) { return s.g() / (s.y() * 2); })},
    .samples = {{in(0.1, 4)}},
    .ulp = 1,
}};

const Op rsqrt{{
    .sig = "rsqrt(Tensor input) -> Tensor",
    .doc = "1 / sqrt(input).",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::rsqrt(x); }),
    .grad = {wrt("input", "result",
                 [](auto& s) { return s.g() * (s.y() * s.y() * s.y() * -0.5); })},
    .samples = {{in(0.1, 4)}},
}};

const Op exp{{
    .sig = "exp(Tensor input) -> Tensor",
    .doc = "e to the power of input.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::exp(x); }),
    .grad = {wrt("input", "result", [](auto& s) { return s.g() * s.y(); })},
    .samples = {{in(-4, 4)}},
}};

const Op expm1{{
    .sig = "expm1(Tensor input) -> Tensor",
    .doc = "exp(input) - 1, accurate near 0.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::expm1(x); }),
    .grad = {wrt("input", "result", [](auto& s) { return s.g() * (s.y() + 1); })},
    .samples = {{in(-4, 4)}},
}};

const Op log{{
    .sig = "log(Tensor input) -> Tensor",
    .doc = "Natural logarithm; NaN below 0, -inf at 0.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::log(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() / s[0]; })},
    .samples = {{in(0.1, 4)}},
}};

const Op log1p{{
    .sig = "log1p(Tensor input) -> Tensor",
    .doc = "log(1 + input), accurate near 0.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::log1p(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() / (s[0] + 1); })},
    .samples = {{in(-0.9, 4)}},
}};

const Op erf{{
    .sig = "erf(Tensor input) -> Tensor",
    .doc = "The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to input.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::erf(x); }),
    .grad = {wrt("input", "input",
                 [](auto& s) { return s.g() * (exp(neg(square(s[0]))) * 1.1283791670955126); })},
    .samples = {{in(-2, 2)}},
}};

const Op exp2{{
    .sig = "exp2(Tensor input) -> Tensor",
    .doc = "2 to the power of input.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::exp2(x); }),
    .grad = {wrt("input", "result", [](auto& s) { return s.g() * (s.y() * 0.6931471805599453); })},
    .samples = {{in(-4, 4)}},
}};

const Op log2{{
    .sig = "log2(Tensor input) -> Tensor",
    .doc = "Logarithm to base 2.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::log2(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() / (s[0] * 0.6931471805599453); })},
    .samples = {{in(0.1, 4)}},
}};

const Op log10{{
    .sig = "log10(Tensor input) -> Tensor",
    .doc = "Logarithm to base 10.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::log10(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() / (s[0] * 2.302585092994046); })},
    .samples = {{in(0.1, 4)}},
}};

const Op erfc{{
    .sig = "erfc(Tensor input) -> Tensor",
    .doc = "1 - erf(input), accurate for large input.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::erfc(x); }),
    .grad = {wrt("input", "input",
                 [](auto& s) { return s.g() * (exp(neg(square(s[0]))) * -1.1283791670955126); })},
    .samples = {{in(-2, 2)}},
}};

const Op erfinv{{
    .sig = "erfinv(Tensor input) -> Tensor",
    .doc = "The inverse of erf; infinite at -1 and 1.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::erfinv(x); }),
    .grad = {wrt("input", "result",
                 [](auto& s) { return s.g() * (exp(square(s.y())) * 0.8862269254527580); })},
    .samples = {{in(-0.9, 0.9)}},
}};

const Op lgamma{{
    .sig = "lgamma(Tensor input) -> Tensor",
    .doc = "log |gamma(input)|.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::lgamma(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() * digamma(s[0]); })},
    .samples = {{in(0.5, 4)}},
}};

const Op digamma{{
    .sig = "digamma(Tensor input) -> Tensor",
    .doc = "The derivative of lgamma. Near its negative zeros the error is absolute.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::digamma(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() * polygamma(1, s[0]); })},
    .samples = {{in(0.5, 1.2)}, {in(2, 4)}},
    .ulp = 16,  // PyTorch's error in float64; tests/tensor/math_test.cpp has the bound of ours
}};

const Op polygamma_kernel{{
    .sig = "_polygamma(int n, Tensor input) -> Tensor",
    .doc = "The n-th derivative of digamma, n > 0.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>(
        [](auto n, auto x) { return static_cast<decltype(x)>(digamma_derivative(n, x)); }),
    .grad = {wrt("input", "input",
                 [](auto& s) { return s.g() * polygamma_kernel(s.integer(0) + 1, s[1]); })},
    .samples = {{1, in(0.5, 4)}, {4, in(0.5, 4)}},
    .ulp = 8,
}};

const Op polygamma{{
    .sig = "polygamma(int n, Tensor input) -> Tensor",
    .doc = "The n-th derivative of digamma.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) -> Tensor {
      check(a.integer(0) >= 0, "polygamma(n, x) does not support negative n.");
      return a.integer(0) == 0 ? digamma(a[1]) : polygamma_kernel(a.integer(0), a[1]);
    }),
    // Not n = 1, of which PyTorch has ten digits: tests/python/test_functions.py.
    .samples = {{0, in(2, 4)}, {2, in(0.5, 4)}, {3, in(-1.9, -1.1)}},
    .errors = {{{-1, in(1, 2)}, "polygamma(n, x) does not support negative n."}},
    .ulp = 32,
}};

const Op floor{{
    .sig = "floor(Tensor input) -> Tensor",
    .doc = "The largest integer not above input. The gradient is 0.",
    .dtypes = kNumbers,
    .kernel = rounding<[](auto x) { return math::floor(x); }>(),
    .grad = {wrt("input", "", [](auto& s) { return mul(s.g(), 0); })},
    .samples = {{in(-4, 4)}},
}};

const Op ceil{{
    .sig = "ceil(Tensor input) -> Tensor",
    .doc = "The smallest integer not below input. The gradient is 0.",
    .dtypes = kNumbers,
    .kernel = rounding<[](auto x) { return math::ceil(x); }>(),
    .grad = {wrt("input", "", [](auto& s) { return mul(s.g(), 0); })},
    .samples = {{in(-4, 4)}},
}};

const Op trunc{{
    .sig = "trunc(Tensor input) -> Tensor",
    .doc = "input without its fraction. The gradient is 0.",
    .dtypes = kNumbers,
    .kernel = rounding<[](auto x) { return math::trunc(x); }>(),
    .grad = {wrt("input", "", [](auto& s) { return mul(s.g(), 0); })},
    .aliases = "fix",
    .samples = {{in(-4, 4)}},
}};

const Op frac{{
    .sig = "frac(Tensor input) -> Tensor",
    .doc = "input - trunc(input).",
    .kernel = pointwise<kFloats>([](auto x) { return x - math::trunc(x); }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); })},
    .samples = {{in(-4, 4)}},
}};

const Op round_even{{
    .sig = "_round(Tensor input) -> Tensor",
    .doc = "The nearest integer, ties to even. The gradient is 0.",
    .scope = Scope::Internal,
    .dtypes = kNumbers,
    .kernel = rounding<[](auto x) { return math::round(x); }>(),
    .grad = {wrt("input", "", [](auto& s) { return mul(s.g(), 0); })},
    .samples = {{in(-4, 4)}},
}};

const Op round{{
    .sig = "round(Tensor input, *, int decimals=0) -> Tensor",
    .doc = "The nearest number with `decimals` digits behind the point, ties to even. The gradient "
           "is 0.",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) -> Tensor {
      const int64_t decimals = a.integer(1);
      if (decimals == 0) return round_even(a[0]);
      const double scale = __builtin_pow(10.0, __builtin_fabs(static_cast<double>(decimals)));
      return decimals > 0 ? round_even(a[0] * scale) / scale : round_even(a[0] / scale) * scale;
    }),
    .inplace = true,
    .samples = {{in(-4, 4)}},
}};

const Op isnan{{
    .sig = "isnan(Tensor input) -> Tensor",
    .doc = "True where input is NaN.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x) { return x != x; }),
    .samples = {{in(-4, 4)}},
}};

const Op isinf{{
    .sig = "isinf(Tensor input) -> Tensor",
    .doc = "True where input is infinite.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x) {
      if constexpr (std::is_floating_point_v<decltype(x)>) return math::isinf(x);
      else return x != x;
    }),
    .samples = {{in(-4, 4)}},
}};

const Op isfinite{{
    .sig = "isfinite(Tensor input) -> Tensor",
    .doc = "True where input is neither infinite nor NaN.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x) {
      if constexpr (std::is_floating_point_v<decltype(x)>) return math::isfinite(x);
      else return x == x;
    }),
    .samples = {{in(-4, 4)}},
}};

const Op isposinf{{
    .sig = "isposinf(Tensor input) -> Tensor",
    .doc = "True where input is positive infinity.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return logical_and(isinf(a[0]), gt(a[0], 0)); }),
    .samples = {{in(-4, 4)}},
}};

const Op isneginf{{
    .sig = "isneginf(Tensor input) -> Tensor",
    .doc = "True where input is negative infinity.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return logical_and(isinf(a[0]), lt(a[0], 0)); }),
    .samples = {{in(-4, 4)}},
}};

const Op signbit{{
    .sig = "signbit(Tensor input) -> Tensor",
    .doc = "True where the sign bit is set, also for -0.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x) {
      if constexpr (std::is_floating_point_v<decltype(x)>) return math::signbit(x);
      else return x < decltype(x)(0);
    }),
    .samples = {{in(-4, 4)}},
}};

const Op logical_not{{
    .sig = "logical_not(Tensor input) -> Tensor",
    .doc = "True where input is zero.",
    .dtypes = kAll,
    .kernel = pointwise<kAll, ResultType::Bool>([](auto x) { return x == decltype(x)(0); }),
    .samples = {{in(-4, 4)}, {bools({7})}},
}};

const Op bitwise_not{{
    .sig = "bitwise_not(Tensor input) -> Tensor",
    .doc = "All bits of integers turned; logical not of bools.",
    .dtypes = kInts | kBool,
    .kernel = pointwise<kInts | kBool>([](auto x) {
      if constexpr (std::is_same_v<decltype(x), bool>) return !x;
      else return static_cast<decltype(x)>(~x);
    }),
    .samples = {{indices(-9, 9, {3, 5})}, {bools({7})}},
}};

const Op finite{{
    .sig = "_finite(Tensor input, Scalar nan, Scalar posinf, Scalar neginf) -> Tensor",
    .doc = "NaN and infinities replaced.",
    .scope = Scope::Internal,
    .kernel = pointwise<kFloats>([](auto x, auto nan, auto above, auto below) {
      using T = decltype(x);
      constexpr T inf = math::Layout<T>::kInf;
      const T y = x == inf ? above : x == -inf ? below : x;
      return x != x ? nan : y;
    }),
    .grad = {wrt("input", "input", [](auto& s) { return where(isfinite(s[0]), s.g(), 0); })},
    .samples = {{in(-4, 4), 1.0, 2.0, 3.0}},
}};

const Op nan_to_num{{
    .sig = "nan_to_num(Tensor input, float? nan=None, float? posinf=None, float? neginf=None) -> "
           "Tensor",
    .doc = "NaN and infinities replaced: by 0 and the largest finite numbers of the dtype unless "
           "given.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) -> Tensor {
      if (!a[0].is_floating()) return clone(a[0]);
      const double largest = a[0].dtype() == Dtype::Double     ? 0x1.fffffffffffffp1023
                             : a[0].dtype() == Dtype::Float    ? 0x1.fffffep127
                             : a[0].dtype() == Dtype::BFloat16 ? 0x1.fep127
                                                               : 65504.0;
      return finite(a[0], a.given(1) ? a.number(1) : 0.0, a.given(2) ? a.number(2) : largest,
                    a.given(3) ? a.number(3) : -largest);
    }),
    .inplace = true,
    .samples = {{in(-4, 4)}},
}};

const Op deg2rad{{
    .sig = "deg2rad(Tensor input) -> Tensor",
    .doc = "input * pi / 180.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>(
        [](auto x) { return x * decltype(x)(0.017453292519943295); }),
    .grad = {wrt("input", "", [](auto& s) { return deg2rad(s.g()); })},
    .samples = {{in(-180, 180)}},
}};

const Op rad2deg{{
    .sig = "rad2deg(Tensor input) -> Tensor",
    .doc = "input * 180 / pi.",
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>(
        [](auto x) { return x * decltype(x)(57.29577951308232); }),
    .grad = {wrt("input", "", [](auto& s) { return rad2deg(s.g()); })},
    .samples = {{in(-4, 4)}},
}};

const Op logit{{
    .sig = "logit(Tensor input, float? eps=None) -> Tensor",
    .doc = "log(input / (1 - input)); with eps, input is first clamped to [eps, 1 - eps].",
    .kernel = compose([](auto& a) {
      const Tensor x = a.given(1) ? clamp(a[0], a.number(1), 1 - a.number(1)) : a[0];
      return log(x / (1 - x));
    }),
    .inplace = true,
    .samples = {{in(0.1, 0.9)}, {in(-0.5, 1.5), 0.1}},
}};

const Op sinc{{
    .sig = "sinc(Tensor input) -> Tensor",
    .doc = "sin(pi * input) / (pi * input), and 1 at 0.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const Tensor zero = eq(a[0], 0);
      const Tensor x = where(zero, 1.0, a[0]) * 3.141592653589793;
      return where(zero, 1.0, sin(x) / x);
    }),
    .inplace = true,
    .samples = {{in(0.2, 4)}, {in(-4, -0.2)}},
}};

}  // namespace gotorch::ops
