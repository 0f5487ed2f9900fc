#include "tensor/kernels/scan.h"

#include "tests/tensor/kernels/testing.h"

namespace gotorch::kernels {
namespace {

template <class F>
void for_axes(F f) {
  for (int64_t n : kSizes) {
    f(Axis{3, n, 1});
    f(Axis{2, n, 3});
  }
  f(Axis{1, 3, 700});
}

// Calls f(flat positions of a row, in order).
template <class F>
void for_rows(Axis a, F f) {
  for (int64_t r = 0; r < a.rows(); r++) {
    std::vector<int64_t> at(a.n);
    for (int64_t k = 0; k < a.n; k++) at[k] = (r / a.inner * a.n + k) * a.inner + r % a.inner;
    f(at);
  }
}

template <class T>
class Scan : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Scan, Types);

TYPED_TEST(Scan, SumsProductsAndLogSumsAreCloseToTheDefinition) {
  using T = TypeParam;
  for_axes([](Axis a) {
    const auto x = uniform<T>(a.size(), -1.5, 1.6);
    std::vector<T> s(a.size()), p(a.size()), l(a.size());
    cumsum(x.data(), s.data(), a);
    cumprod(x.data(), p.data(), a);
    logcumsumexp(x.data(), l.data(), a);
    for_rows(a, [&](const auto& row) {
      long double sum = 0, product = 1, exps = 0;
      double size = 0;
      // A float result is that of double, rounded once.
      const double step = std::is_same_v<T, float> ? 0 : eps<T>;
      for (size_t k = 0; k < row.size(); k++) {
        const int64_t i = row[k];
        sum += x[i], product *= x[i], exps += std::exp(static_cast<long double>(x[i]));
        size += std::abs(static_cast<double>(x[i]));
        const auto bound = [&](long double want, double steps) {
          return 1.01 * eps<T> * std::abs(static_cast<double>(want)) + step * steps + 1e-40;
        };
        ASSERT_TRUE(near(s[i], sum, bound(sum, size * (k + 1)) + 1e-13));
        ASSERT_TRUE(
            near(p[i], product, bound(product, std::abs(static_cast<double>(product)) * k)));
        ASSERT_TRUE(near(l[i], std::log(exps), bound(std::log(exps), 4 * (k + 1)) + 1e-12));
      }
    });
  });
}

TEST(Scan, IntegersWrapAround) {
  for (int64_t inner : {1, 2}) {
    std::vector<int64_t> x(20 * inner, INT64_MAX), y(x.size());
    cumsum(x.data(), y.data(), {1, 20, inner});
    for (int64_t k = 0; k < 20; k++)
      EXPECT_EQ(y[k * inner], static_cast<int64_t>(static_cast<uint64_t>(INT64_MAX) * (k + 1)));
    cumprod(x.data(), y.data(), {1, 20, inner});
    EXPECT_EQ(y[inner], 1);
    EXPECT_EQ(y[2 * inner], INT64_MAX);
  }
}

TYPED_TEST(Scan, SpecialValuesFollowTheDefinition) {
  using T = TypeParam;
  const T inf = std::numeric_limits<T>::infinity();
  for (int64_t inner : {1, 2}) {
    std::vector<T> x = {-inf, -inf, 0, 800, inf, inf, 1}, wide, y(7 * inner);
    for (T v : x) wide.insert(wide.end(), inner, v);
    const Axis a{1, 7, inner};
    logcumsumexp(wide.data(), y.data(), a);
    for (int k = 0; k < 7; k++)
      EXPECT_EQ(y[k * inner], (std::vector<T>{-inf, -inf, 0, 800, inf, inf, inf})[k]);
    wide[3 * inner] = std::nan("");
    logcumsumexp(wide.data(), y.data(), a);
    EXPECT_EQ(y[2 * inner], 0);
    for (int k = 3; k < 7; k++) EXPECT_TRUE(std::isnan(y[k * inner]));
    wide[inner] = 1e30f;
    cumsum(wide.data() + inner, y.data(), {1, 5, inner});
    EXPECT_EQ(y[inner], T(1e30f));
    for (int k = 2; k < 5; k++) EXPECT_TRUE(std::isnan(y[k * inner]));
  }
}

template <class T>
class Extreme : public ::testing::Test {};
using Numbers = ::testing::Types<uint8_t, int8_t, int16_t, int32_t, int64_t, float, double>;
TYPED_TEST_SUITE(Extreme, Numbers);

TYPED_TEST(Extreme, KeepsTheLastOfEqualsAndNan) {
  using T = TypeParam;
  for_axes([](Axis a) {
    auto x = uniform<T>(a.size(), 0, 100);
    if constexpr (std::is_floating_point_v<T>)
      for (int64_t i = 20; i < a.size(); i += 37) x[i] = static_cast<T>(NAN);
    std::vector<T> y(a.size()), z(a.size());
    std::vector<int64_t> at(a.size()), zat(a.size());
    cummax(x.data(), y.data(), at.data(), a);
    cummin(x.data(), z.data(), zat.data(), a);
    for_rows(a, [&](const auto& row) {
      int64_t hi = 0, lo = 0;
      for (int64_t k = 0; k < a.n; k++) {
        const T v = x[row[k]], h = x[row[hi]], l = x[row[lo]];
        if (v != v || v >= h) hi = k;
        if (v != v || v <= l) lo = k;
        ASSERT_EQ(at[row[k]], hi);
        ASSERT_EQ(zat[row[k]], lo);
        ASSERT_EQ(0, std::memcmp(&y[row[k]], &x[row[hi]], sizeof(T)));
        ASSERT_EQ(0, std::memcmp(&z[row[k]], &x[row[lo]], sizeof(T)));
      }
    });
  });
}

TYPED_TEST(Scan, BitsDependOnTheInputOnly) {
  using T = TypeParam;
  expect_same_bits_everywhere([] {
    std::string all;
    for (Axis a : {Axis{40, 3000, 1}, Axis{2, 100, 700}}) {
      const auto x = uniform<T>(a.size(), -1.5, 1.5);
      std::vector<T> s(a.size()), p(a.size()), l(a.size());
      cumsum(x.data(), s.data(), a);
      cumprod(x.data(), p.data(), a);
      logcumsumexp(x.data(), l.data(), a);
      all += bytes(s, p, l);
    }
    return all;
  });
}

}  // namespace
}  // namespace gotorch::kernels
