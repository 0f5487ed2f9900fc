#include "tensor/kernels/softmax.h"

#include "tests/tensor/kernels/testing.h"

namespace gotorch::kernels {
namespace {

constexpr auto kInf = std::numeric_limits<double>::infinity();

// Calls check(offset of the first element, stride, row number) for every row of the axis.
template <class F>
void for_rows(Axis a, F check) {
  for (int64_t o = 0; o < a.outer; o++)
    for (int64_t i = 0; i < a.inner; i++) check(o * a.n * a.inner + i, a.inner, o * a.inner + i);
}

template <class T>
struct Row {
  long double max = -kInf, sum = 0, magnitude = 0;
  Row(const std::vector<T>& x, int64_t n, int64_t at, int64_t stride) {
    for (int64_t i = 0; i < n; i++) max = std::max<long double>(max, x[at + i * stride]);
    for (int64_t i = 0; i < n; i++) sum += std::exp(x[at + i * stride] - max);
    for (int64_t i = 0; i < n; i++)
      magnitude = std::max(magnitude, std::abs(static_cast<long double>(x[at + i * stride])));
  }
};

template <class T>
void forward_is_close(Axis a) {
  const auto x = uniform<T>(a.size(), -20, 20);
  std::vector<T> y(a.size()), l(a.size()), s(a.rows());
  softmax(x.data(), y.data(), a);
  log_softmax(x.data(), l.data(), a);
  logsumexp(x.data(), s.data(), a);
  for_rows(a, [&](int64_t at, int64_t stride, int64_t row) {
    const Row<T> r(x, a.n, at, stride);
    for (int64_t i = at; i < at + a.n * stride; i += stride) {
      const long double want = std::exp(x[i] - r.max) / r.sum;
      ASSERT_TRUE(near(y[i], want, eps<T> * static_cast<double>((16 + r.max - x[i]) * want)));
      const long double log_want = x[i] - r.max - std::log(r.sum);
      ASSERT_TRUE(near(l[i], log_want, eps<T> * static_cast<double>(16 - 4 * log_want)));
    }
    const long double want = a.n == 0 ? -kInf : r.max + std::log(r.sum);
    ASSERT_TRUE(near(s[row], want, eps<T> * static_cast<double>(16 + 2 * r.magnitude)));
  });
}

template <class T>
void backward_is_close(Axis a) {
  const auto g = uniform<T>(a.size(), -1, 1, 3), y = uniform<T>(a.size(), 0, 1, 4);
  std::vector<T> gx(a.size()), gl(a.size());
  softmax_backward(g.data(), y.data(), gx.data(), a);
  log_softmax_backward(g.data(), y.data(), gl.data(), a);
  for_rows(a, [&](int64_t at, int64_t stride, int64_t) {
    long double dot = 0, sum = 0;
    for (int64_t i = at; i < at + a.n * stride; i += stride)
      dot += static_cast<long double>(g[i]) * y[i], sum += g[i];
    const double bound = eps<T> * static_cast<double>(16 + a.n);
    for (int64_t i = at; i < at + a.n * stride; i += stride) {
      ASSERT_TRUE(near(gx[i], y[i] * (g[i] - dot), bound));
      ASSERT_TRUE(near(gl[i], g[i] - std::exp(static_cast<long double>(y[i])) * sum, 4 * bound));
    }
  });
}

template <class T>
class Softmax : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Softmax, Types);

TYPED_TEST(Softmax, RowsOfEverySizeAreCloseToTheDefinition) {
  for (int64_t n : kSizes)
    forward_is_close<TypeParam>({5, n, 1}), backward_is_close<TypeParam>({5, n, 1});
  forward_is_close<TypeParam>({2, 5000, 1});
  backward_is_close<TypeParam>({2, 5000, 1});
}

TYPED_TEST(Softmax, ColumnsOfEverySizeAreCloseToTheDefinition) {
  for (int64_t inner : kSizes)
    for (int64_t n : {0, 1, 3, 130})
      forward_is_close<TypeParam>({2, n, inner}), backward_is_close<TypeParam>({2, n, inner});
}

TYPED_TEST(Softmax, SpecialValuesFollowTheDefinition) {
  using T = TypeParam;
  const T inf = kInf, nan = std::nan("");
  for (int64_t inner : {1, 2}) {
    for (int64_t n : {3, 17, 40}) {
      const Axis a{1, n, inner};
      std::vector<T> x(a.size(), T(1)), y(a.size()), s(a.rows());
      const auto run = [&](T value, bool everywhere) {
        std::fill(x.begin(), x.end(), everywhere ? value : T(1));
        x[inner] = value;
        softmax(x.data(), y.data(), a);
        logsumexp(x.data(), s.data(), a);
      };
      run(-inf, false);  // as if the element were absent
      EXPECT_EQ(y[inner], 0);
      EXPECT_TRUE(near(y[0], 1.0L / (n - 1), 1e-6));
      run(inf, false);
      EXPECT_TRUE(std::isnan(y[0]));
      EXPECT_EQ(s[0], inf);
      run(nan, false);
      EXPECT_TRUE(std::isnan(y[0]) && std::isnan(s[0]));
      run(-inf, true);
      EXPECT_TRUE(std::isnan(y[0]));
      EXPECT_EQ(s[0], -inf);
      run(T(1e30), false);
      EXPECT_EQ(y[inner], 1);
      EXPECT_EQ(s[0], T(1e30));
    }
  }
}

TYPED_TEST(Softmax, OutputMayBeTheInput) {
  using T = TypeParam;
  for (Axis a : {Axis{3, 37, 1}, Axis{2, 5, 37}}) {
    const auto x = uniform<T>(a.size());
    std::vector<T> y(a.size()), in_place = x;
    softmax(x.data(), y.data(), a);
    softmax(in_place.data(), in_place.data(), a);
    EXPECT_EQ(in_place, y);
    std::vector<T> g = x, gx(a.size());
    softmax_backward(x.data(), y.data(), gx.data(), a);
    softmax_backward(g.data(), y.data(), g.data(), a);
    EXPECT_EQ(g, gx);
  }
}

TYPED_TEST(Softmax, BitsDependOnTheInputOnly) {
  using T = TypeParam;
  expect_same_bits_everywhere([] {
    std::string all;
    for (Axis a : {Axis{300, 217, 1}, Axis{3, 65, 700}}) {
      const auto x = uniform<T>(a.size()), g = uniform<T>(a.size(), -1, 1, 3);
      std::vector<T> y(a.size()), gx(a.size()), l(a.size()), s(a.rows());
      softmax(x.data(), y.data(), a);
      softmax_backward(g.data(), y.data(), gx.data(), a);
      logsumexp(x.data(), s.data(), a);
      log_softmax(x.data(), l.data(), a);
      all += bytes(y, gx, l, s);
      log_softmax_backward(g.data(), l.data(), gx.data(), a);
      all += bytes(gx);
    }
    return all;
  });
}

}  // namespace
}  // namespace gotorch::kernels
