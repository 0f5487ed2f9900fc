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

namespace gotorch {
namespace {

template <class T>
using Loop = void (*)(const T* x, T* y, int64_t n);

// One function: its loops per instruction set, its reference, its error bounds and where they hold.
struct Row {
  const char* name;
  Loop<float> v2, v3;
  double (*reference)(double);
  double ulp;
  Loop<double> v2_double, v3_double;
  long double (*reference_double)(long double);
  double ulp_double;
  double limit = INFINITY;  // the bound holds for |x| up to here (both types), and at infinity
};

void PrintTo(const Row& row, std::ostream* os) { *os << row.name; }

#define GOTORCH_LOOP(f)                                                                    \
  template <class T>                                                                       \
  void f##_loop(const T* __restrict x, T* __restrict y, int64_t n) {                       \
    for (int64_t i = 0; i < n; i++) y[i] = math::f(x[i]);                                  \
  }
// The reference is an expression in x, which is a double or a long double.
#define GOTORCH_ROW(f, ulp, ulp_double, expression, ...)                                   \
  Row {                                                                                    \
    #f, &Variants<&f##_loop<float>>::v2, &Variants<&f##_loop<float>>::v3,                  \
        [](double x) -> double { return expression; }, ulp,                                \
        &Variants<&f##_loop<double>>::v2, &Variants<&f##_loop<double>>::v3,                \
        [](long double x) -> long double { return expression; }, ulp_double, __VA_ARGS__   \
  }
#define GOTORCH_FLOAT_ROW(f, ulp, expression, ...)                                         \
  Row {                                                                                    \
    #f, &Variants<&f##_loop<float>>::v2, &Variants<&f##_loop<float>>::v3,                  \
        [](double x) -> double { return expression; }, ulp, nullptr, nullptr, nullptr, 0,  \
        __VA_ARGS__                                                                        \
  }

GOTORCH_LOOP(exp)
GOTORCH_LOOP(expm1)
GOTORCH_LOOP(tanh)
GOTORCH_LOOP(sigmoid)
GOTORCH_LOOP(log)
GOTORCH_LOOP(log1p)
GOTORCH_LOOP(erf)
GOTORCH_LOOP(sqrt)
GOTORCH_LOOP(rsqrt)
GOTORCH_LOOP(sin)
GOTORCH_LOOP(cos)
GOTORCH_LOOP(tan)

const Row kRows[] = {
    GOTORCH_ROW(exp, 1.0, 1.0, std::exp(x)),
    GOTORCH_ROW(expm1, 1.05, 1.05, std::expm1(x)),
    GOTORCH_ROW(tanh, 1.0, 1.1, std::tanh(x)),
    GOTORCH_ROW(sigmoid, 1.0, 1.0, 1 / (1 + std::exp(-x))),
    GOTORCH_ROW(log, 1.0, 1.0, std::log(x)),
    GOTORCH_ROW(log1p, 1.0, 1.0, std::log1p(x)),
    GOTORCH_ROW(erf, 1.1, 1.5, std::erf(x)),
    GOTORCH_ROW(sqrt, 0.5, 0.5, std::sqrt(x)),
    GOTORCH_ROW(rsqrt, 1.5, 1.5, 1 / std::sqrt(x)),
    GOTORCH_FLOAT_ROW(sin, 0.6, std::sin(x), 0x1p25),
    GOTORCH_FLOAT_ROW(cos, 0.6, std::cos(x), 0x1p25),
    GOTORCH_FLOAT_ROW(tan, 0.6, std::tan(x), 0x1p25),
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

// Runs `loop` over x and updates the worst error where |x| <= limit or x is not finite.
template <class T, class Reference>
void measure(Loop<T> loop, Reference reference, const std::vector<T>& x, double limit,
             Worst<T>& worst) {
  std::vector<T> y(x.size());
  loop(x.data(), y.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); i++) {
    if (std::fabs(x[i]) > T(limit) && std::isfinite(x[i])) continue;
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
    measure(has_v3() ? row.v3 : row.v2, row.reference, x, row.limit, worst);
    x.clear();
  }
  return worst;
}

template <class T>
std::vector<T> special_points() {
  using L = std::numeric_limits<T>;
  std::vector<T> points;
  for (T x : {T(0), L::denorm_min(), L::min(), L::epsilon(), L::epsilon() / 2, T(0.25), T(0.5), T(1),
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
  measure(GetParam().v2, GetParam().reference, special_points<float>(), GetParam().limit, worst);
  EXPECT_LE(worst.error, GetParam().ulp) << "at " << worst.x << ", got " << worst.got;
}

TEST_P(UnaryMath, StaysWithinItsBoundOnDoubles) {
  const Row& row = GetParam();
  if (!row.v2_double) GTEST_SKIP() << "float only";
  Worst<double> worst;
  measure(has_v3() ? row.v3_double : row.v2_double, row.reference_double, random_doubles(), row.limit,
          worst);
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

}  // namespace
}  // namespace gotorch
