// Arithmetic of two operands and comparisons.
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/promote.h"
#include "tensor/simd/math.h"
#include "tensor/simd/wrapping.h"

namespace gotorch::ops {
namespace {

// By squaring; wraps like the machine. A negative exponent leaves what 1 / x truncates to.
template <class T>
T integer_power(T x, T y) {
  using U = std::make_unsigned_t<T>;
  U power = 1, base = static_cast<U>(x);
  for (U e = y < T(0) ? U(0) : static_cast<U>(y); e; e = static_cast<U>(e >> 1)) {
    if (e & 1) power = static_cast<U>(power * base);
    base = static_cast<U>(base * base);
  }
  const T one_or_minus = (y & 1) && x == static_cast<T>(-1) ? static_cast<T>(-1) : T(1);
  const T inverse = x == T(1) || x == static_cast<T>(-1) ? one_or_minus : T(0);
  return y < T(0) ? inverse : static_cast<T>(power);
}

// By Euclid's algorithm, on magnitudes; wraps for the smallest integer.
template <class T>
T common_divisor(T x, T y) {
  using U = std::make_unsigned_t<T>;
  U a = x < T(0) ? static_cast<U>(U(0) - static_cast<U>(x)) : static_cast<U>(x);
  U b = y < T(0) ? static_cast<U>(U(0) - static_cast<U>(y)) : static_cast<U>(y);
  while (b != 0) {
    const U r = static_cast<U>(a % b);
    a = b;
    b = r;
  }
  return static_cast<T>(a);
}

// A formula of a quotient, by `Whole` of two integers and by `Real` of two floats and C's remainder, in loops that are
// vectorised but for elements whose quotient is large.
template <class Real, class T>
inline void divide_loop(void* y, void* const* x, int64_t n) {
  math::guarded_loop(
      static_cast<T*>(y), n, [](T a, T b) { return math::detail::fmod_is_near(a, b); },
      [](T a, T b) { return Real{}(a, b, math::detail::fmod_near(a, b)); },
      [](T a, T b) { return Real{}(a, b, math::fmod(a, b)); }, static_cast<const T*>(x[0]),
      static_cast<const T*>(x[1]));
}
template <class Whole, class Real>
PointwiseKernel pointwise_division(Whole whole, Real) {
  PointwiseKernel k = pointwise<kInts>(whole);
  k.loops[static_cast<int>(Dtype::Float)] = best_variant<&divide_loop<Real, float>>();
  k.loops[static_cast<int>(Dtype::Double)] = best_variant<&divide_loop<Real, double>>();
  return k;
}

// What integers are divided by, so that no division traps: 0, which was refused, and -1, for INT_MIN / -1.
template <class T>
T safe_divisor(T y) {
  return (y == T(0)) | (y == T(-1) && std::is_signed_v<T>) ? T(1) : y;
}

// A remainder with the sign of x moved to the sign of y.
template <class T>
T with_sign_of_divisor(T r, T y) {
  return (r != T(0)) & ((r < T(0)) != (y < T(0))) ? static_cast<T>(r + y) : r;
}

Operand operand(const Value& v) {
  return v.is_tensor() ? Operand(v.tensor()) : Operand(v.scalar());
}

// Quotients and remainders of integers run at once: they may fail.
void check_no_integer_zero(const Args& a) {
  Promotion p;
  for (size_t i : {0, 1}) p.add(operand(a.value(i)));
  check<NotImplementedError>(p.result() != Dtype::Bool, "not implemented for bool");
  if (is_floating(p.result())) return;
  const Value& divisor = a.value(1);
  if (!divisor.is_tensor()) return check(divisor.scalar().to<bool>(), "ZeroDivisionError");
  const Tensor d = packed(divisor.tensor());
  dispatch(d.dtype(), [&]<class T>() {
    const T* x = d.data<T>();
    for (int64_t i = 0; i < d.numel(); i++) check(x[i] != T(0), "ZeroDivisionError");
  });
}

Operand minus_one(const Operand& o) {
  if (o.tensor.defined()) return o.tensor - 1;
  return o.scalar.is_floating() ? Operand(o.scalar.to<double>() - 1)
                                : Operand(o.scalar.to<int64_t>() - 1);
}

// The number as a 0-d tensor of `like`'s dtype.
Tensor as_tensor(const Value& v, const Tensor& like) {
  return v.is_tensor() ? v.tensor() : gotorch::scalar_tensor(v.scalar(), like.dtype());
}

}  // namespace

const Op add{{
    .sig = "add(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor",
    .doc = "input + alpha * other.",
    .dtypes = kAll,
    .kernel =
        pointwise<kAll>([](auto x, auto y, auto a) { return math::plus(x, math::times(a, y)); }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); }),
             wrt("other", "", [](auto& s) { return mul(s.g(), s.scalar(2)); })},
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), 2.5}, {in(-1, 1, {3, 1}), in(-1, 1, {4})}},
}};

const Op sub{{
    .sig = "sub(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor",
    .doc = "input - alpha * other. Not defined for bool.",
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>(
        [](auto x, auto y, auto a) { return math::minus(x, math::times(a, y)); }),
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
    .kernel = pointwise<kAll>([](auto x, auto y) { return math::times(x, y); }),
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

const Op floor_divide{{
    .sig = "floor_divide(Tensor input, Operand other) -> Tensor",
    .doc = "floor(input / other). Integer division by zero raises.",
    .dtypes = kNumbers,
    .kernel = pointwise_division(
        [](auto x, auto y) {
          using T = decltype(x);
          const T d = safe_divisor(y), q = static_cast<T>(x / d);
          const bool above = (static_cast<T>(q * d) != x) & ((x < T(0)) != (d < T(0)));
          const T down = above ? static_cast<T>(q - 1) : q;
          return (y == T(-1)) & std::is_signed_v<T> ? math::negated(x) : down;
        },
        // Through the remainder, so that the quotient is exact where it is representable.
        [](auto x, auto y, auto r) {
          using T = decltype(x);
          T q = (x - r) / y;
          q = (r != T(0)) & ((y < T(0)) != (r < T(0))) ? q - T(1) : q;
          const T f = math::floor(q);
          const T rounded = q - f > T(0.5) ? f + T(1) : f;
          const T signed_zero = math::copysign(T(0), x / y);
          return y == T(0) ? x / y : q != T(0) ? rounded : signed_zero;
        }),
    .grad = {wrt("input", "", [](auto& s) { return mul(s.g(), 0); }),
             wrt("other", "", [](auto& s) { return mul(s.g(), 0); })},
    .validate = check_no_integer_zero,
    .samples = {{in(-9, 9), in(0.5, 2)}, {in(-9, 9), 3}},
    .errors = {{{indices(1, 9, {4}), 0}, "ZeroDivisionError"}},
    .untested = "torch_grad: PyTorch refuses backward, but not that of div(rounding_mode='floor')",
}};

const Op trunc_divide{{
    .sig = "_trunc_divide(Tensor input, Operand other) -> Tensor",
    .doc = "trunc(input / other). Integer division by zero raises.",
    .scope = Scope::Internal,
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>([](auto x, auto y) {
      using T = decltype(x);
      if constexpr (std::is_integral_v<T>) {
        const T q = static_cast<T>(x / safe_divisor(y));
        return (y == T(-1)) & std::is_signed_v<T> ? math::negated(x) : q;
      } else {
        return math::trunc(x / y);
      }
    }),
    .grad = {wrt("input", "", [](auto& s) { return mul(s.g(), 0); }),
             wrt("other", "", [](auto& s) { return mul(s.g(), 0); })},
    .validate = check_no_integer_zero,
    .samples = {{in(-9, 9), in(0.5, 2)}, {in(-9, 9), 3}},
}};

const Op remainder{{
    .sig = "remainder(Tensor input, Operand other) -> Tensor",
    .doc =
        "input - other * floor(input / other): the sign of other. Integer division by zero raises.",
    .dtypes = kNumbers,
    .kernel = pointwise_division(
        [](auto x, auto y) {
          const auto d = safe_divisor(y);
          return with_sign_of_divisor(static_cast<decltype(x)>(x % d), d);
        },
        [](auto, auto y, auto r) { return with_sign_of_divisor(r, y); }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); }),
             wrt("other", "input other",
                 [](auto& s) { return neg(s.g() * floor_divide(s[0], s.value(1))); })},
    .validate = check_no_integer_zero,
    .samples = {{in(-9, 9), in(0.5, 2)}, {in(-9, 9), 3}},
}};

const Op fmod{{
    .sig = "fmod(Tensor input, Operand other) -> Tensor",
    .doc =
        "input - other * trunc(input / other): the sign of input. Integer division by zero raises.",
    .dtypes = kNumbers,
    .kernel = pointwise_division(
        [](auto x, auto y) { return static_cast<decltype(x)>(x % safe_divisor(y)); },
        [](auto, auto, auto r) { return r; }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); }),
             wrt("other", "input other",
                 [](auto& s) { return neg(s.g() * trunc_divide(s[0], s.value(1))); })},
    .validate = check_no_integer_zero,
    .samples = {{in(-9, 9), in(0.5, 2)}, {in(-9, 9), 3}},
}};

const Op div{{
    .sig = "div(Tensor input, Operand other, *, str? rounding_mode=None) -> Tensor",
    .doc =
        "input / other; rounding_mode 'trunc' or 'floor' rounds the quotient and keeps integers.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) -> Tensor {
      if (!a.given(2)) return true_divide(a[0], a.value(1));
      if (a.str(2) == "floor") return floor_divide(a[0], a.value(1));
      check(a.str(2) == "trunc",
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '",
            a.str(2), "'");
      return trunc_divide(a[0], a.value(1));
    }),
    .inplace = true,
    .aliases = "divide",
    .samples =
        {{in(-2, 2), in(0.5, 2)}, {in(-2, 2), 3}, {in(-9, 9), 2, "floor"}, {in(-9, 9), 2, "trunc"}},
}};

const Op pow_elements{{
    .sig = "_pow(Tensor input, Operand exponent) -> Tensor",
    .doc = "input to the power of exponent, element by element.",
    .scope = Scope::Internal,
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>([](auto x, auto y) {
      using T = decltype(x);
      if constexpr (std::is_integral_v<T>) return integer_power(x, y);
      else return math::pow(x, y);
    }),
    .grad = {wrt("input", "input exponent",
                 [](auto& s) {
                   const Operand e = operand(s.value(1));
                   if (!e.tensor.defined()) return s.g() * (pow(s[0], minus_one(e)) * e);
                   return where(eq(e.tensor, 0), 0, s.g() * (pow(s[0], minus_one(e)) * e));
                 }),
             wrt("exponent", "input exponent result",
                 [](auto& s) {
                   const Tensor defined_zero = logical_and(eq(s[0], 0), ge(s[1], 0));
                   return where(defined_zero, 0, s.g() * (s.y() * log(s[0])));
                 })},
    .samples = {{in(0.5, 2), in(-2, 2)}, {in(0.5, 2), 2.5}},
}};

const Op pow{{
    .sig = "pow(Tensor input, Operand exponent) -> Tensor",
    .doc = "input to the power of exponent. Integers to negative integer numbers raise.",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) -> Tensor {
      const Value& e = a.value(1);
      if (!e.is_number()) return pow_elements(a[0], e);
      const double n = e.scalar().template to<double>();
      const bool whole = a[0].is_floating() || !e.scalar().is_floating();
      check(a[0].is_floating() || e.scalar().is_floating() || n >= 0,
            "Integers to negative integer powers are not allowed.");
      if (whole && n == 2) return square(a[0]);
      if (whole && n == 3) return a[0] * square(a[0]);
      if (a[0].is_floating() && n == 0.5) return sqrt(a[0]);
      if (a[0].is_floating() && n == -1) return reciprocal(a[0]);
      if (a[0].is_floating() && n == -0.5) return rsqrt(a[0]);
      return pow_elements(a[0], e);
    }),
    .inplace = true,
    .samples = {{in(0.5, 2), in(-2, 2)}, {in(0.5, 2), 2.5}, {in(-2, 2), 2}, {in(-2, 2), 3}},
}};

const Op pow_number{{
    .sig = "pow.Scalar(Scalar self, Tensor exponent) -> Tensor",
    .doc = "self to the power of exponent.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = compose([](auto& a) -> Tensor {
      const Scalar x = a.scalar(0);
      const Dtype d = a[1].is_floating() ? a[1].dtype()
                      : x.is_floating()  ? default_dtype()
                                         : Dtype::Int64;
      return pow_elements(gotorch::scalar_tensor(x, d), a[1]);
    }),
    .samples = {{2.5, in(-2, 2)}, {3, in(-2, 2)}},
    .untested = "method: a number has no methods",
}};

const Op lerp{{
    .sig = "lerp(Tensor input, Tensor end, Operand weight) -> Tensor",
    .doc = "input + weight * (end - input).",
    // From the nearer end, so that weight 1 gives `end` exactly.
    .kernel = pointwise<kFloats>([](auto x, auto y, auto w) {
      const auto d = y - x;
      return math::abs(w) < decltype(w)(0.5) ? x + w * d : y - d * (1 - w);
    }),
    .grad = {wrt("input", "weight",
                 [](auto& s) { return s.g() * (1 - as_tensor(s.value(2), s.g())); }),
             wrt("end", "weight", [](auto& s) { return mul(s.g(), s.value(2)); }),
             wrt("weight", "input end", [](auto& s) { return s.g() * (s[1] - s[0]); })},
    .validate =
        [](const Args& a) {
          check<NotImplementedError>(a[0].is_floating(), "not implemented for ", a[0].dtype());
        },
    .samples = {{in(-2, 2), in(-2, 2), 0.3}, {in(-2, 2), in(-2, 2), in(0, 1)}},
}};

const Op addcmul{{
    .sig = "addcmul(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
    .doc = "input + value * tensor1 * tensor2.",
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>([](auto x, auto a, auto b, auto v) {
      return math::plus(x, math::times(math::times(v, a), b));
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); }),
             wrt("tensor1", "tensor2", [](auto& s) { return s.g() * (s[2] * s.scalar(3)); }),
             wrt("tensor2", "tensor1", [](auto& s) { return s.g() * (s[1] * s.scalar(3)); })},
    .samples = {{in(-2, 2), in(-2, 2), in(-2, 2)}, {in(-2, 2), in(-2, 2), in(-2, 2), 0.5}},
}};

const Op addcdiv{{
    .sig = "addcdiv(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
    .doc = "input + value * tensor1 / tensor2.",
    .kernel = pointwise<kFloats>([](auto x, auto a, auto b, auto v) { return x + v * (a / b); }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); }),
             wrt("tensor1", "tensor2", [](auto& s) { return s.g() * (s.scalar(3) / s[2]); }),
             wrt("tensor2", "tensor1 tensor2",
                 [](auto& s) { return neg(s.g() * (s[1] * s.scalar(3) / square(s[2]))); })},
    .samples = {{in(-2, 2), in(-2, 2), in(0.5, 2)}, {in(-2, 2), in(-2, 2), in(0.5, 2), 0.5}},
}};

const Op logaddexp{{
    .sig = "logaddexp(Tensor input, Tensor other) -> Tensor",
    .doc = "log(exp(input) + exp(other)). The larger is taken out, so exp cannot overflow.",
    .kernel = pointwise<kFloats>([](auto x, auto y) {
      const auto m = math::max(x, y);
      const auto sum = m + math::log1p(math::exp(-math::abs(x - y)));
      return math::isinf(m) & (x == y) ? x : sum;
    }),
    .grad = {wrt("input", "input other", [](auto& s) { return s.g() * sigmoid(s[0] - s[1]); }),
             wrt("other", "input other", [](auto& s) { return s.g() * sigmoid(s[1] - s[0]); })},
    .samples = {{in(-4, 4), in(-4, 4)}},
}};

const Op logaddexp2{{
    .sig = "logaddexp2(Tensor input, Tensor other) -> Tensor",
    .doc = "log2(2^input + 2^other). The larger is taken out, so the power cannot overflow.",
    .kernel = pointwise<kFloats>([](auto x, auto y) {
      using T = decltype(x);
      constexpr T kLog2E = T(1.4426950408889634);
      const T m = math::max(x, y);
      const T sum = m + math::log1p(math::exp2(-math::abs(x - y))) * kLog2E;
      return math::isinf(m) & (x == y) ? x : sum;
    }),
    .grad = {wrt("input", "input other",
                 [](auto& s) { return s.g() * sigmoid((s[0] - s[1]) * 0.6931471805599453); }),
             wrt("other", "input other",
                 [](auto& s) { return s.g() * sigmoid((s[1] - s[0]) * 0.6931471805599453); })},
    .samples = {{in(-4, 4), in(-4, 4)}},
}};

const Op copysign{{
    .sig = "copysign(Tensor input, Operand other) -> Tensor",
    .doc = "|input| with the sign of other, also of -0.",
    .dtypes = kAll,
    .kernel =
        pointwise<kFloats, ResultType::Float>([](auto x, auto y) { return math::copysign(x, y); }),
    .grad = {wrt("input", "input result",
                 [](auto& s) { return where(eq(s[0], 0), 0, s.g() * (sign(s[0]) * sign(s.y()))); }),
             wrt("other", "", [](auto& s) { return s.g() * 0; })},
    .samples = {{in(-2, 2), in(-2, 2)}, {in(-2, 2), -3}},
}};

const Op heaviside{{
    .sig = "heaviside(Tensor input, Tensor values) -> Tensor",
    .doc = "0 where input is negative, 1 where positive, `values` where zero.",
    .dtypes = kAll,
    .kernel = pointwise<kAll>([](auto x, auto v) {
      using T = decltype(x);
      return x == T(0) ? v : x < T(0) ? T(0) : T(1);
    }),
    .samples = {{in(-2, 2), in(-2, 2)}, {indices(-1, 2, {3, 5}), indices(3, 5, {5})}},
}};

const Op gcd{{
    .sig = "gcd(Tensor input, Tensor other) -> Tensor",
    .doc = "The greatest common divisor, not negative.",
    .dtypes = kInts,
    .kernel = pointwise<kInts>([](auto x, auto y) { return common_divisor(x, y); }),
    .samples = {{indices(-30, 30, {3, 5}), indices(-30, 30, {3, 5})}},
}};

const Op lcm{{
    .sig = "lcm(Tensor input, Tensor other) -> Tensor",
    .doc = "The least common multiple, not negative; 0 where either is 0.",
    .dtypes = kInts,
    .kernel = pointwise<kInts>([](auto x, auto y) {
      using T = decltype(x);
      using U = std::make_unsigned_t<T>;
      const T d = common_divisor(x, y);
      const U multiple =
          static_cast<U>(static_cast<U>(x / (d == T(0) ? T(1) : d)) * static_cast<U>(y));
      const T signed_multiple = static_cast<T>(multiple);
      return signed_multiple < T(0) ? static_cast<T>(U(0) - multiple) : signed_multiple;
    }),
    .samples = {{indices(-30, 30, {3, 5}), indices(-30, 30, {3, 5})}},
}};

const Op float_power{{
    .sig = "float_power(Tensor input, Operand exponent) -> Tensor",
    .doc = "input to the power of exponent, in float64.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const Tensor x = _to_dtype(a[0], Dtype::Double);
      return a.value(1).is_tensor() ? pow(x, _to_dtype(a[1], Dtype::Double)) : pow(x, a.number(1));
    }),
    .samples = {{in(0.5, 2), in(-2, 2)}, {in(0.5, 2), 2.5}},
}};

const Op ldexp{{
    .sig = "ldexp(Tensor input, Tensor other) -> Tensor",
    .doc = "input * 2^other.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return mul(a[0], exp2(a[1])); }),
    .inplace = true,
    .samples = {{in(-2, 2), in(-2, 2)}},
}};

}  // namespace gotorch::ops
