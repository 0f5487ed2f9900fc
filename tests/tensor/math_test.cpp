// Every elementary function against libm: float against double, double against long double.
// The exhaustive runs over all floats are disabled; --gtest_also_run_disabled_tests takes minutes a function.
#include "tensor/simd/math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfloat>
#include <cmath>
#include <random>
#include <vector>

#include "tensor/simd/isa.h"
#include "tensor/simd/math_normal.h"

namespace gotorch {
namespace {

template <class T>
using Loop = void (*)(const T* x, T* y, int64_t n);

// One function: its loops per instruction set, its reference and its error bounds.
struct Row {
  const char* name;
  Loop<float> v2, v3;
  double (*reference)(double);
  double ulp;
  Loop<double> v2_double, v3_double;
  long double (*reference_double)(long double);
  double ulp_double;
};

void PrintTo(const Row& row, std::ostream* os) { *os << row.name; }

#define GOTORCH_LOOP(f)                                              \
  template <class T>                                                 \
  void f##_loop(const T* __restrict x, T* __restrict y, int64_t n) { \
    for (int64_t i = 0; i < n; i++) y[i] = math::f(x[i]);            \
  }
// The reference is an expression in x, which is a double or a long double.
#define GOTORCH_ROW(f, ulp, ulp_double, expression)                                                \
  Row {                                                                                            \
    #f, &Variants<&f##_loop<float>>::v2, &Variants<&f##_loop<float>>::v3,                          \
        [](double x) -> double { return expression; }, ulp, &Variants<&f##_loop<double>>::v2,      \
        &Variants<&f##_loop<double>>::v3, [](long double x) -> long double { return expression; }, \
        ulp_double                                                                                 \
  }
#define GOTORCH_FLOAT_ROW(f, ulp, expression)                                            \
  Row {                                                                                  \
    #f, &Variants<&f##_loop<float>>::v2, &Variants<&f##_loop<float>>::v3,                \
        [](double x) -> double { return expression; }, ulp, nullptr, nullptr, nullptr, 0 \
  }

GOTORCH_LOOP(exp)
GOTORCH_LOOP(exp2)
GOTORCH_LOOP(expm1)
GOTORCH_LOOP(sigmoid)
GOTORCH_LOOP(log)
GOTORCH_LOOP(log2)
GOTORCH_LOOP(log10)
GOTORCH_LOOP(log1p)
GOTORCH_LOOP(log_sigmoid)
GOTORCH_LOOP(softplus)
GOTORCH_LOOP(sinh)
GOTORCH_LOOP(cosh)
GOTORCH_LOOP(tanh)
GOTORCH_LOOP(asinh)
GOTORCH_LOOP(acosh)
GOTORCH_LOOP(atanh)
GOTORCH_LOOP(asin)
GOTORCH_LOOP(acos)
GOTORCH_LOOP(atan)
GOTORCH_LOOP(erf)
GOTORCH_LOOP(erfc)
GOTORCH_LOOP(erfinv)
GOTORCH_LOOP(normal_cdf)
GOTORCH_LOOP(sqrt)
GOTORCH_LOOP(rsqrt)
GOTORCH_LOOP(lgamma)
GOTORCH_LOOP(digamma)
using math::cos_loop, math::sin_loop, math::tan_loop;

// Newton's method on erf, or on erfc where that has more digits, from wherever double leads.
template <class T>
T erfinv_reference(T x) {
  if (!(std::fabs(x) < 1)) return std::fabs(x) == 1 ? std::copysign(T(INFINITY), x) : T(NAN);
  const long double a = std::fabs(x);
  long double y = math::erfinv(static_cast<double>(a));
  for (int i = 0; i < 3; i++) {
    const long double excess = a < 0.5L ? erfl(y) - a : (1 - a) - erfcl(y);
    y -= excess * 0.886226925452758013649083741670572591L * expl(y * y);
  }
  return std::copysign(static_cast<T>(y), x);
}

// The recurrence up to 30, then the asymptotic series.
template <class T>
T digamma_reference(T x) {
  if (x == 0) return -std::copysign(T(INFINITY), x);
  if (std::isinf(x)) return x > 0 ? x : T(NAN);
  if (x < 0 && x == std::floor(x)) return T(NAN);
  const long double pi = 3.14159265358979323846264338327950288L;
  long double a = x < 0 ? 1 - static_cast<long double>(x) : static_cast<long double>(x), y = 0;
  if (x < 0) y = -pi / tanl(pi * (x - std::nearbyint(static_cast<long double>(x))));
  for (; a < 30; a += 1) y -= 1 / a;
  const long double z = 1 / (a * a);
  y += logl(a) - 0.5L / a;
  y -= z * (1 / 12.0L - z * (1 / 120.0L - z * (1 / 252.0L - z * (1 / 240.0L - z * (1 / 132.0L)))));
  return static_cast<T>(y);
}

template <class T>
T log_sigmoid_reference(T x) {
  return x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x));
}

const Row kRows[] = {
    GOTORCH_ROW(exp, 1.0, 1.0, std::exp(x)),
    GOTORCH_ROW(exp2, 1.0, 1.05, std::exp2(x)),
    GOTORCH_ROW(expm1, 1.0, 1.05, std::expm1(x)),
    GOTORCH_ROW(sigmoid, 2.41, 2.4, 1 / (1 + std::exp(-x))),
    GOTORCH_ROW(log, 1.0, 1.0, std::log(x)),
    GOTORCH_ROW(log2, 1.21, 1.1, std::log2(x)),
    GOTORCH_ROW(log10, 1.1, 1.0, std::log10(x)),
    GOTORCH_ROW(log1p, 1.0, 1.0, std::log1p(x)),
    GOTORCH_ROW(log_sigmoid, 1.65, 1.6, log_sigmoid_reference(x)),
    GOTORCH_ROW(softplus, 1.65, 1.6, -log_sigmoid_reference(-x)),
    GOTORCH_ROW(sinh, 1.7, 1.7, std::sinh(x)),
    GOTORCH_ROW(cosh, 1.5, 1.5, std::cosh(x)),
    GOTORCH_ROW(tanh, 1.0, 1.1, std::tanh(x)),
    GOTORCH_ROW(asinh, 0.51, 1.9, std::asinh(x)),
    GOTORCH_ROW(acosh, 0.51, 2.0, std::acosh(x)),
    GOTORCH_ROW(atanh, 0.51, 2.0, std::atanh(x)),
    GOTORCH_ROW(asin, 1.7, 1.75, std::asin(x)),
    GOTORCH_ROW(acos, 1.2, 1.2, std::acos(x)),
    GOTORCH_ROW(atan, 1.6, 1.7, std::atan(x)),
    GOTORCH_ROW(sin, 0.51, 0.85, std::sin(x)),
    GOTORCH_ROW(cos, 0.51, 0.85, std::cos(x)),
    GOTORCH_ROW(tan, 0.51, 2.2, std::tan(x)),
    GOTORCH_ROW(erf, 1.0, 1.6, std::erf(x)),
    GOTORCH_ROW(erfc, 0.51, 4.0, std::erfc(x)),
    GOTORCH_ROW(erfinv, 0.6, 3.0, erfinv_reference(x)),
    GOTORCH_FLOAT_ROW(normal_cdf, 6.3,
                      x < -13.2f ? 0.0 : 0.5 * std::erfc(x * -0.70710678118654752440)),
    GOTORCH_ROW(sqrt, 0.5, 0.5, std::sqrt(x)),
    GOTORCH_ROW(rsqrt, 1.5, 1.5, 1 / std::sqrt(x)),
    GOTORCH_FLOAT_ROW(lgamma, 0.6, std::lgamma(x)),
    GOTORCH_FLOAT_ROW(digamma, 0.6, digamma_reference(x)),
};

bool has_v3() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

// |got - expected| in units in the last place of T at `expected`; infinite where a special value
// (NaN, infinity, the sign of zero) differs.
template <class T, class Wide>
double ulp_error(T got, Wide expected) {
  const T rounded = static_cast<T>(expected);
  if (std::isnan(rounded) || std::isnan(got))
    return std::isnan(rounded) && std::isnan(got) ? 0.0 : INFINITY;
  if (std::isinf(rounded) || std::isinf(got)) return rounded == got ? 0.0 : INFINITY;
  if (rounded == T(0) && std::signbit(rounded) != std::signbit(got)) return INFINITY;
  const int digits = std::numeric_limits<T>::digits;
  int exponent = std::numeric_limits<T>::min_exponent;
  if (expected != Wide(0)) std::frexp(expected, &exponent);
  exponent = std::max(exponent, std::numeric_limits<T>::min_exponent);
  return static_cast<double>(std::ldexp(std::fabs(Wide(got) - expected), digits - exponent));
}

template <class T>
struct Worst {
  double error = -1;
  T x = 0, got = 0;
};

template <class T, class Reference>
void measure(Loop<T> loop, Reference reference, const std::vector<T>& x, Worst<T>& worst) {
  std::vector<T> y(x.size());
  loop(x.data(), y.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); i++) {
    const double error = ulp_error(y[i], reference(x[i]));
    if (error > worst.error) worst = {error, x[i], y[i]};
  }
}

Worst<float> measure_floats(const Row& row, uint64_t stride) {
  Worst<float> worst;
  std::vector<float> x;
  for (uint64_t u = 0; u < (uint64_t{1} << 32); u += stride) {
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(u)));
    if (x.size() < 4096 && u + stride < (uint64_t{1} << 32)) continue;
    measure(has_v3() ? row.v3 : row.v2, row.reference, x, worst);
    x.clear();
  }
  return worst;
}

template <class T>
std::vector<T> special_points() {
  using L = std::numeric_limits<T>;
  std::vector<T> points;
  for (T x :
       {T(0), L::denorm_min(), L::min(), L::epsilon(), L::epsilon() / 2, T(0.25), T(0.5), T(1),
        T(1.5), T(2), T(3), T(4), T(10), T(89), T(104), T(710), T(746), L::max(), L::infinity()})
    for (T y : {x, std::nextafter(x, T(0)), std::nextafter(x, L::infinity())}) {
      points.push_back(y);
      points.push_back(-y);
    }
  points.push_back(L::quiet_NaN());
  return points;
}

// Random doubles: uniform near zero and in the middle range, random exponents, random bits.
std::vector<double> random_doubles() {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> unit(-1, 1);
  std::vector<double> x = special_points<double>();
  for (int i = 0; i < 20000; i++) {
    const double u = unit(random);
    const double magnitude = std::ldexp(u, static_cast<int>(random() % 64) - 52);
    for (double v : {u, 8 * u, 800 * u, magnitude, std::bit_cast<double>(random())}) x.push_back(v);
  }
  return x;
}

class UnaryMath : public testing::TestWithParam<Row> {};

TEST_P(UnaryMath, StaysWithinItsBoundOnASampleOfAllFloats) {
  const auto worst = measure_floats(GetParam(), 10007);
  EXPECT_LE(worst.error, GetParam().ulp) << "at " << worst.x << ", got " << worst.got;
}

TEST_P(UnaryMath, DISABLED_StaysWithinItsBoundOnAllFloats) {
  const auto worst = measure_floats(GetParam(), 1);
  EXPECT_LE(worst.error, GetParam().ulp) << "at " << worst.x << ", got " << worst.got;
  printf("%s: %.4f ULP at %.9g\n", GetParam().name, worst.error, worst.x);
}

TEST_P(UnaryMath, HandlesSpecialFloats) {
  Worst<float> worst;
  measure(GetParam().v2, GetParam().reference, special_points<float>(), worst);
  EXPECT_LE(worst.error, GetParam().ulp) << "at " << worst.x << ", got " << worst.got;
}

TEST_P(UnaryMath, StaysWithinItsBoundOnDoubles) {
  const Row& row = GetParam();
  if (!row.v2_double) GTEST_SKIP() << "float only";
  Worst<double> worst;
  measure(has_v3() ? row.v3_double : row.v2_double, row.reference_double, random_doubles(), worst);
  EXPECT_LE(worst.error, row.ulp_double) << "at " << worst.x << ", got " << worst.got;
}

// Bits, not values: NaN has to be NaN only.
template <class T>
void expect_same_bits(Loop<T> a, Loop<T> b, const std::vector<T>& x) {
  std::vector<T> ya(x.size()), yb(x.size());
  a(x.data(), ya.data(), static_cast<int64_t>(x.size()));
  b(x.data(), yb.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); i++)
    if (!std::isnan(ya[i]) || !std::isnan(yb[i])) {
      ASSERT_EQ(math::to_bits(ya[i]), math::to_bits(yb[i])) << "at " << x[i];
    }
}

TEST_P(UnaryMath, GivesTheSameBitsInEveryInstructionSet) {
  if (!has_v3()) GTEST_SKIP() << "needs AVX2";
  std::vector<float> x = special_points<float>();
  for (uint64_t u = 0; u < (uint64_t{1} << 32); u += 100003)
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(u)));
  expect_same_bits(GetParam().v2, GetParam().v3, x);
  if (GetParam().v2_double)
    expect_same_bits(GetParam().v2_double, GetParam().v3_double, random_doubles());
}

INSTANTIATE_TEST_SUITE_P(Functions, UnaryMath, testing::ValuesIn(kRows),
                         [](const auto& info) { return std::string(info.param.name); });

template <class T>
using Loop2 = void (*)(const T* x, const T* y, T* out, int64_t n);

struct BinaryRow {
  const char* name;
  Loop2<float> v2, v3;
  double (*reference)(double, double);
  double ulp;
  Loop2<double> v2_double, v3_double;
  long double (*reference_double)(long double, long double);
  double ulp_double;
};

void PrintTo(const BinaryRow& row, std::ostream* os) { *os << row.name; }

#define GOTORCH_LOOP2(f)                                                \
  template <class T>                                                    \
  void f##_loop(const T* x, const T* y, T* __restrict out, int64_t n) { \
    for (int64_t i = 0; i < n; i++) out[i] = math::f(x[i], y[i]);       \
  }
#define GOTORCH_ROW2(f, ulp, ulp_double, expression)                                       \
  BinaryRow {                                                                              \
    #f, &Variants<&f##_loop<float>>::v2, &Variants<&f##_loop<float>>::v3,                  \
        [](double x, double y) -> double { return expression; }, ulp,                      \
        &Variants<&f##_loop<double>>::v2, &Variants<&f##_loop<double>>::v3,                \
        [](long double x, long double y) -> long double { return expression; }, ulp_double \
  }

GOTORCH_LOOP2(pow)
GOTORCH_LOOP2(atan2)
GOTORCH_LOOP2(hypot)
using math::fmod_loop, math::remainder_loop;

template <class T>
T python_remainder(T x, T y) {
  const T r = std::fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

const BinaryRow kBinaryRows[] = {
    GOTORCH_ROW2(pow, 0.51, 1.3, std::pow(x, y)),
    GOTORCH_ROW2(atan2, 1.5, 1.9, std::atan2(x, y)),
    GOTORCH_ROW2(hypot, 0.51, 1.2, std::hypot(x, y)),
    GOTORCH_ROW2(fmod, 0, 0, std::fmod(x, y)),
    GOTORCH_ROW2(remainder, 0.5, 0.5, python_remainder(x, y)),
};

// Every pair of special points, and random pairs: of one size, of any sizes, of any bits.
template <class T>
void pairs(std::vector<T>& x, std::vector<T>& y) {
  const auto points = special_points<T>();
  for (T a : points)
    for (T b : points) x.push_back(a), y.push_back(b);
  std::mt19937_64 random(2);
  std::uniform_real_distribution<T> unit(-1, 1);
  for (int i = 0; i < 50000; i++) {
    const auto any = [&] { return std::bit_cast<T>(static_cast<math::Bits<T>>(random())); };
    const T u = unit(random), v = unit(random),
            size = std::ldexp(T(1), static_cast<int>(random() % 40) - 10);
    x.insert(x.end(), {u, 10 * u, size * u, std::abs(u) + T(0.5), any(), any()});
    y.insert(y.end(), {v, 10 * v, v, size * v, v, any()});
  }
}

class BinaryMath : public testing::TestWithParam<BinaryRow> {};

template <class T, class Reference>
void expect_within(Loop2<T> loop, Reference reference, double ulp) {
  std::vector<T> x, y;
  pairs(x, y);
  std::vector<T> out(x.size());
  loop(x.data(), y.data(), out.data(), static_cast<int64_t>(x.size()));
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < x.size(); i++) {
    const double error = ulp_error(out[i], reference(x[i], y[i]));
    if (error > worst) worst = error, at = i;
  }
  EXPECT_LE(worst, ulp) << "at " << x[at] << ", " << y[at] << ", got " << out[at] << ", expected "
                        << reference(x[at], y[at]);
}

TEST_P(BinaryMath, StaysWithinItsBoundOnFloats) {
  expect_within(has_v3() ? GetParam().v3 : GetParam().v2, GetParam().reference, GetParam().ulp);
}

TEST_P(BinaryMath, StaysWithinItsBoundOnDoubles) {
  expect_within(has_v3() ? GetParam().v3_double : GetParam().v2_double, GetParam().reference_double,
                GetParam().ulp_double);
}

template <class T>
void expect_same_bits(Loop2<T> a, Loop2<T> b) {
  std::vector<T> x, y;
  pairs(x, y);
  std::vector<T> za(x.size()), zb(x.size());
  a(x.data(), y.data(), za.data(), static_cast<int64_t>(x.size()));
  b(x.data(), y.data(), zb.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); i++)
    if (!std::isnan(za[i]) || !std::isnan(zb[i])) {
      ASSERT_EQ(math::to_bits(za[i]), math::to_bits(zb[i])) << "at " << x[i] << ", " << y[i];
    }
}

TEST_P(BinaryMath, GivesTheSameBitsInEveryInstructionSet) {
  if (!has_v3()) GTEST_SKIP() << "needs AVX2";
  expect_same_bits(GetParam().v2, GetParam().v3);
  expect_same_bits(GetParam().v2_double, GetParam().v3_double);
}

INSTANTIATE_TEST_SUITE_P(Functions, BinaryMath, testing::ValuesIn(kBinaryRows),
                         [](const auto& info) { return std::string(info.param.name); });

void pow_constant_loop(const float* __restrict x, float* __restrict y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = math::pow(x[i], 2.5f);
}

TEST(Pow, TakesAConstantExponent) {
  const auto x = special_points<float>();
  std::vector<float> y(x.size());
  best_variant<&pow_constant_loop>()(x.data(), y.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); i++)
    EXPECT_LE(ulp_error(y[i], std::pow(static_cast<double>(x[i]), 2.5)), 0.51) << x[i];
}

// lgamma and digamma have zeros where only an absolute error can be promised.
TEST(Gamma, LgammaOfDoublesIsPreciseForPositiveNumbersAndAbsolutelySoForNegativeOnes) {
  for (double x : random_doubles()) {
    const long double expected = std::lgamma(static_cast<long double>(x));
    const double got = math::lgamma(x);
    if (x > 0) EXPECT_LE(ulp_error(got, expected), 5) << x;
    else if (!std::isfinite(static_cast<double>(expected)))
      EXPECT_EQ(ulp_error(got, expected), 0) << x;
    else EXPECT_LE(std::fabs(got - expected), 1e-15 * (5 + std::fabs(expected))) << x;
  }
}

TEST(Gamma, DigammaOfDoublesIsPreciseForPositiveNumbersAndAbsolutelySoForNegativeOnes) {
  std::vector<double> points = random_doubles();
  for (double x = 1.4; x < 1.5; x += 0.0001) points.push_back(x);  // around the positive zero
  for (double x : points) {
    const long double expected = digamma_reference<long double>(x);
    const double got = math::digamma(x), rounded = static_cast<double>(expected);
    if (!std::isfinite(rounded)) EXPECT_EQ(ulp_error(got, expected), 0) << x;
    // 1e-18: the error of the reference.
    else if (x > 0)
      EXPECT_LE(std::fabs(got - expected), 4 * 0x1p-52 * std::fabs(expected) + 1e-18) << x;
    else EXPECT_LE(std::fabs(got - expected), 2e-15 * (1 + std::fabs(expected))) << x;
  }
}

TEST(TrigLoops, MixNearAndHugeArgumentsAtAnyPlaceAndWorkInPlace) {
  for (int64_t n : {0, 1, 7, 8, 511, 512, 513, 1025})
    for (int64_t huge : {int64_t{-1}, int64_t{0}, n / 2, n - 1}) {
      std::vector<double> x(static_cast<size_t>(n));
      for (int64_t i = 0; i < n; i++) x[i] = i == huge ? 1e22 : 0.1 * static_cast<double>(i);
      std::vector<double> y = x;
      best_variant<&sin_loop<double>>()(y.data(), y.data(), n);
      for (int64_t i = 0; i < n; i++)
        ASSERT_LE(ulp_error(y[i], sinl(x[i])), 0.85)
            << "n " << n << ", huge " << huge << ", i " << i;
    }
}

template <class T>
void check_selections() {
  const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
  EXPECT_EQ(math::max(T(1), T(2)), T(2));
  EXPECT_EQ(math::min(T(1), T(2)), T(1));
  for (T x : {T(1), inf, nan}) {
    EXPECT_TRUE(std::isnan(math::max(nan, x)));
    EXPECT_TRUE(std::isnan(math::max(x, nan)));
    EXPECT_TRUE(std::isnan(math::min(nan, x)));
    EXPECT_TRUE(std::isnan(math::min(x, nan)));
  }
  EXPECT_TRUE(std::isnan(math::clamp(nan, T(0), T(1))));
  EXPECT_EQ(math::clamp(T(-3), T(0), T(1)), T(0));
  EXPECT_EQ(math::sign(T(-2)), T(-1));
  EXPECT_EQ(math::sign(T(-0.0)), T(0));
  EXPECT_EQ(math::sign(nan), T(0));
  EXPECT_TRUE(math::isinf(-inf) && math::isnan(nan) && !math::isfinite(inf) &&
              !math::isfinite(nan));
  EXPECT_EQ(math::round(T(0.5)), T(0));
  EXPECT_EQ(math::round(T(1.5)), T(2));
  EXPECT_EQ(math::round(T(-2.5)), T(-2));
  EXPECT_TRUE(std::signbit(math::round(T(-0.4))));
  EXPECT_EQ(math::floor(T(-1.5)), T(-2));
  EXPECT_EQ(math::ceil(T(-1.5)), T(-1));
  EXPECT_EQ(math::trunc(T(-1.5)), T(-1));
  EXPECT_EQ(math::where(true, T(1), T(2)), T(1));
}

TEST(Selections, PropagateNanAndRoundHalvesToEven) {
  check_selections<float>();
  check_selections<double>();
}

}  // namespace
}  // namespace gotorch
