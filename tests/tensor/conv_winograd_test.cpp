// Convolutions that are computed by Winograd's filtering: 3 x 3 taps, at least 16 channels and 64 tiles.
#include <gtest/gtest.h>

#include "runtime/parallel.h"
#include "tests/tensor/conv_case.h"

namespace gotorch::kernels {
namespace {

constexpr std::array<int64_t, 2> kOne{1, 1}, kThree{3, 3};

template <class T>
class WinogradTest : public testing::Test {
 protected:
  void TearDown() override { runtime::set_num_workers(workers_); }
  const int workers_ = runtime::num_workers();
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(WinogradTest, Types);

TYPED_TEST(WinogradTest, sizes_at_the_edges_of_tiles_match_a_direct_loop) {
  ConvShape shapes[] = {
      flat(1, 1, 16, 16, {16, 16}, kThree, kOne, {1, 1}),
      flat(2, 1, 17, 33, {15, 13}, kThree, kOne, {1, 1}),
      flat(9, 1, 16, 40, {7, 7}, kThree, kOne, {1, 1}),
      flat(1, 1, 20, 65, {19, 18}, kThree),
      flat(2, 1, 16, 18, {11, 14}, kThree, kOne, {2, 3}),
      flat(1, 1, 16, 16, {3, 140}, kThree, kOne, {1, 1}),
      flat(1, 1, 16, 16, {140, 3}, kThree, kOne, {1, 1}),
      flat(17, 1, 16, 16, {4, 4}, kThree, kOne, {1, 1}),
      flat(2, 2, 40, 36, {13, 14}, kThree, kOne, {1, 1}),
      flat(1, 1, 350, 16, {14, 14}, kThree, kOne, {1, 1}),
      flat(1, 1, 16, 150, {16, 17}, kThree, kOne, {1, 1}),
      {.in_channels = 16,
       .out_channels = 17,
       .in = {4, 9, 10},
       .kernel = {3, 3, 3},
       .padding = {1, 1, 1}},
      {.batch = 2,
       .in_channels = 8,
       .out_channels = 16,
       .in = {7, 8, 8},
       .kernel = {2, 3, 3},
       .stride = {2, 1, 1},
       .padding = {1, 1, 1},
       .dilation = {2, 1, 1}},
  };
  for (ConvShape& s : shapes) {
    s.set_out();
    Case<TypeParam> c(s);
    c.run();
    c.check();
    if (this->HasFatalFailure())
      FAIL() << s.in_channels << " -> " << s.out_channels << " of " << s.in[1] << "x" << s.in[2];
  }
}

// The root of the mean square of what is wrong with `actual`, and with sums in T in the order of the definition.
template <class T>
void expect_no_worse(const std::vector<T>& actual, const std::vector<double>& exact,
                     const std::vector<T>& plain) {
  double error = 0, plain_error = 0;
  for (size_t i = 0; i < exact.size(); i++) {
    error += std::pow(actual[i] - exact[i], 2);
    plain_error += std::pow(plain[i] - exact[i], 2);
  }
  EXPECT_LE(std::sqrt(error), 1.5 * std::sqrt(plain_error));
}

TEST(WinogradError, is_about_that_of_plain_sums) {
  // Values that are all positive, as behind an activation, and such of both signs.
  for (double lowest : {-1.0, 0.0}) {
    Case<float> c(flat(1, 1, 64, 32, {16, 16}, kThree, kOne, {1, 1}));
    for (float& v : c.x) v = std::max<float>(v, lowest);
    c.run();
    std::vector<double> y(c.y.size()), dx(c.dx.size()), dw(c.dw.size());
    std::vector<float> plain_y(c.y.size()), plain_dx(c.dx.size()), plain_dw(c.dw.size());
    const auto add = [](auto& exact, auto& plain, int64_t i, float a, float b) {
      exact[i] += static_cast<double>(a) * b;
      plain[i] += a * b;
    };
    for (size_t i = 0; i < y.size(); i++) y[i] = plain_y[i] = c.bias[i / volume(c.s.out) % 32];
    for (size_t i = 0; i < dx.size(); i++)
      dx[i] = plain_dx[i] = c.data_bias[i / volume(c.s.in) % 64];
    each_product(c.s, [&](int64_t iy, int64_t ix, int64_t iw) {
      add(y, plain_y, iy, c.x[ix], c.w[iw]);
      add(dx, plain_dx, ix, c.dy[iy], c.w[iw]);
      add(dw, plain_dw, iw, c.x[ix], c.dy[iy]);
    });
    expect_no_worse(c.y, y, plain_y);
    expect_no_worse(c.dx, dx, plain_dx);
    expect_no_worse(c.dw, dw, plain_dw);
  }
}

TYPED_TEST(WinogradTest, an_output_depends_on_its_own_inputs_alone) {
  // What is far larger, infinite or NaN elsewhere leaves no trace, and infinite values give what plain sums give.
  using T = TypeParam;
  const ConvShape s = flat(1, 1, 16, 16, {17, 18}, kThree, kOne, {1, 1});
  Case<T> expected(s);
  expected.run();
  const int64_t bad = (3 * 17 + 8) * 18 + 9;
  for (T value :
       {T(1e20), std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()}) {
    Case<T> c(s);
    c.x[bad] = value;
    c.run();
    std::vector<T> weight(c.y.size());
    each_product(s, [&](int64_t y, int64_t x, int64_t w) {
      if (x == bad) weight[y] = c.w[w];
    });
    for (size_t i = 0; i < c.y.size(); i++) {
      if (weight[i] == 0) {
        ASSERT_NEAR(c.y[i], expected.y[i], 1e-4) << i;
      } else if (std::isinf(value)) {
        ASSERT_EQ(c.y[i], value * weight[i]) << i;
      } else {
        ASSERT_EQ(std::isnan(c.y[i]), std::isnan(value)) << i;
      }
    }
  }
}

TYPED_TEST(WinogradTest, infinite_gradients_are_what_plain_sums_give) {
  using T = TypeParam;
  Case<T> c(flat(1, 1, 16, 16, {16, 16}, kThree, kOne, {1, 1}));
  c.dy[5 * 256 + 16 * 7 + 7] = std::numeric_limits<T>::infinity();
  c.run();
  const auto reach = [](const std::vector<T>& v) {
    return std::pair{std::count_if(v.begin(), v.end(), [](T x) { return std::isinf(x); }),
                     std::count_if(v.begin(), v.end(), [](T x) { return std::isnan(x); })};
  };
  EXPECT_EQ(reach(c.dx), std::pair(16L * 9, 0L));
  EXPECT_EQ(reach(c.dw), std::pair(16L * 9, 0L));
}

TYPED_TEST(WinogradTest, bits_are_the_same_for_any_number_of_workers) {
  for (const ConvShape& s : {flat(3, 1, 16, 80, {16, 16}, kThree, kOne, {1, 1}),
                             flat(20, 1, 24, 40, {16, 16}, kThree, kOne, {1, 1}),
                             flat(8, 2, 64, 192, {7, 7}, kThree, kOne, {1, 1})}) {
    Case<TypeParam> expected(s);
    runtime::set_num_workers(1);
    expected.run();
    for (int workers : {2, 3, 8}) {
      runtime::set_num_workers(workers);
      Case<TypeParam> c(s);
      c.run();
      EXPECT_EQ(c.y, expected.y);
      EXPECT_EQ(c.dx, expected.dx);
      EXPECT_EQ(c.dw, expected.dw);
    }
  }
}

}  // namespace
}  // namespace gotorch::kernels
