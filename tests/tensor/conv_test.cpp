#include "tensor/kernels/conv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "runtime/parallel.h"

namespace gotorch::kernels {
namespace {

int64_t volume(const Spatial& s) { return s[0] * s[1] * s[2]; }

// Calls visit(y index, x index, w index) for every product of the convolution.
template <class F>
void each_product(const ConvShape& s, F&& visit) {
  const int64_t in = s.in_channels / s.groups, out = s.out_channels / s.groups;
  for (int64_t n = 0; n < s.batch; n++)
    for (int64_t o = 0; o < s.out_channels; o++)
      for (int64_t c = 0; c < in; c++)
        for (int64_t z = 0; z < s.out[0]; z++)
          for (int64_t y = 0; y < s.out[1]; y++)
            for (int64_t x = 0; x < s.out[2]; x++)
              for (int64_t kz = 0; kz < s.kernel[0]; kz++)
                for (int64_t ky = 0; ky < s.kernel[1]; ky++)
                  for (int64_t kx = 0; kx < s.kernel[2]; kx++) {
                    const int64_t iz = z * s.stride[0] + kz * s.dilation[0] - s.padding[0];
                    const int64_t iy = y * s.stride[1] + ky * s.dilation[1] - s.padding[1];
                    const int64_t ix = x * s.stride[2] + kx * s.dilation[2] - s.padding[2];
                    if (iz < 0 || iy < 0 || ix < 0) continue;
                    if (iz >= s.in[0] || iy >= s.in[1] || ix >= s.in[2]) continue;
                    const int64_t channel = n * s.in_channels + o / out * in + c;
                    visit(
                        (((n * s.out_channels + o) * s.out[0] + z) * s.out[1] + y) * s.out[2] + x,
                        ((channel * s.in[0] + iz) * s.in[1] + iy) * s.in[2] + ix,
                        (((o * in + c) * s.kernel[0] + kz) * s.kernel[1] + ky) * s.kernel[2] + kx);
                  }
}

// A sum in double, and the size of its terms for the error bound.
struct Sums {
  std::vector<double> value, size;
  std::vector<int64_t> terms;
  explicit Sums(int64_t n) : value(n), size(n), terms(n) {}
  void add(int64_t i, double term) {
    value[i] += term;
    size[i] += std::abs(term);
    terms[i]++;
  }
  template <class T>
  void expect_near(const std::vector<T>& actual, const char* what) const {
    ASSERT_EQ(actual.size(), value.size());
    for (size_t i = 0; i < value.size(); i++) {
      const double bound = size[i] * (terms[i] + 4) * std::numeric_limits<T>::epsilon();
      ASSERT_LE(std::abs(actual[i] - value[i]), bound) << what << " at " << i;
    }
  }
};

template <class T>
std::vector<T> random_values(int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<T> uniform(-1, 1);
  std::vector<T> values(n);
  for (T& v : values) v = uniform(random);
  return values;
}

template <class T>
struct Case {
  ConvShape s;
  std::vector<T> x, w, dy, bias, data_bias, y, dx, dw, db;
  explicit Case(const ConvShape& shape) : s(shape) {
    x = random_values<T>(s.batch * s.in_channels * volume(s.in), 1);
    w = random_values<T>(s.out_channels * (s.in_channels / s.groups) * volume(s.kernel), 2);
    dy = random_values<T>(s.batch * s.out_channels * volume(s.out), 3);
    bias = random_values<T>(s.out_channels, 4);
    data_bias = random_values<T>(s.in_channels, 5);
    const T nan = std::numeric_limits<T>::quiet_NaN();
    y.assign(dy.size(), nan);
    dx.assign(x.size(), nan);
    dw.assign(w.size(), nan);
    db.assign(bias.size(), nan);
  }
  void run() {
    conv_forward(s, x.data(), w.data(), bias.data(), y.data());
    conv_backward_data(s, dy.data(), w.data(), data_bias.data(), dx.data());
    conv_backward_weight(s, x.data(), dy.data(), dw.data());
    conv_backward_bias(s, dy.data(), db.data());
  }
  void check() const {
    Sums sy(y.size()), sx(x.size()), sw(w.size()), sb(db.size());
    for (size_t i = 0; i < y.size(); i++) {
      const int64_t channel = i / volume(s.out) % s.out_channels;
      sy.add(i, bias[channel]);
      sb.add(channel, dy[i]);
    }
    for (size_t i = 0; i < x.size(); i++) sx.add(i, data_bias[i / volume(s.in) % s.in_channels]);
    each_product(s, [&](int64_t iy, int64_t ix, int64_t iw) {
      sy.add(iy, static_cast<double>(x[ix]) * w[iw]);
      sx.add(ix, static_cast<double>(dy[iy]) * w[iw]);
      sw.add(iw, static_cast<double>(x[ix]) * dy[iy]);
    });
    sy.expect_near(y, "y");
    sx.expect_near(dx, "dx");
    sw.expect_near(dw, "dw");
    sb.expect_near(db, "db");
  }
};

ConvShape flat(int64_t batch, int64_t groups, int64_t in, int64_t out, std::array<int64_t, 2> size,
               std::array<int64_t, 2> kernel, std::array<int64_t, 2> stride = {1, 1},
               std::array<int64_t, 2> padding = {0, 0}, std::array<int64_t, 2> dilation = {1, 1}) {
  ConvShape s{.batch = batch,
              .groups = groups,
              .in_channels = in,
              .out_channels = out,
              .in = {1, size[0], size[1]},
              .kernel = {1, kernel[0], kernel[1]},
              .stride = {1, stride[0], stride[1]},
              .padding = {0, padding[0], padding[1]},
              .dilation = {1, dilation[0], dilation[1]}};
  s.set_out();
  return s;
}

template <class T>
class ConvTest : public testing::Test {
 protected:
  void check(const ConvShape& s) {
    Case<T> c(s);
    c.run();
    c.check();
    if (testing::Test::HasFatalFailure()) {
      FAIL() << "batch " << s.batch << " groups " << s.groups << " channels " << s.in_channels
             << " -> " << s.out_channels << " size " << s.in[0] << "x" << s.in[1] << "x" << s.in[2]
             << " kernel " << s.kernel[1] << "x" << s.kernel[2] << " stride " << s.stride[1] << "x"
             << s.stride[2] << " padding " << s.padding[1] << "x" << s.padding[2] << " dilation "
             << s.dilation[1] << "x" << s.dilation[2];
    }
  }
  void TearDown() override { runtime::set_num_workers(workers_); }
  const int workers_ = runtime::num_workers();
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(ConvTest, Types);

TYPED_TEST(ConvTest, two_dimensional_shapes_match_a_direct_loop) {
  const ConvShape shapes[] = {
      flat(3, 1, 1, 6, {28, 28}, {5, 5}, {1, 1}, {2, 2}),
      flat(3, 1, 6, 16, {14, 14}, {5, 5}),
      flat(2, 1, 3, 8, {17, 13}, {3, 3}, {1, 1}, {1, 1}),
      flat(2, 1, 3, 8, {17, 13}, {3, 3}, {2, 2}, {1, 1}),
      flat(2, 1, 4, 7, {16, 19}, {3, 5}, {3, 2}, {0, 4}),
      flat(2, 1, 4, 5, {15, 16}, {3, 3}, {1, 1}, {2, 2}, {2, 2}),
      flat(1, 1, 2, 3, {20, 21}, {3, 2}, {2, 3}, {3, 1}, {2, 5}),
      flat(2, 1, 5, 4, {9, 9}, {1, 1}),
      flat(2, 1, 5, 13, {12, 12}, {1, 1}),
      flat(2, 1, 5, 4, {9, 10}, {1, 1}, {2, 2}),
      flat(2, 1, 5, 4, {9, 10}, {1, 1}, {3, 3}, {1, 1}),
      flat(2, 1, 3, 4, {4, 4}, {4, 4}),
      flat(2, 1, 3, 4, {3, 3}, {5, 5}, {1, 1}, {1, 1}),
      flat(2, 1, 2, 3, {2, 3}, {3, 3}, {1, 1}, {5, 4}),
      flat(1, 1, 1, 1, {1, 1}, {1, 1}),
      flat(4, 1, 1, 1, {33, 31}, {3, 3}, {1, 1}, {1, 1}),
      flat(2, 1, 3, 2, {5, 70}, {1, 7}, {1, 1}, {0, 3}),
      flat(2, 1, 3, 2, {70, 5}, {7, 1}, {2, 1}, {3, 0}),
      flat(1, 1, 2, 3, {40, 60}, {3, 3}, {1, 1}, {1, 1}),
      flat(1, 1, 2, 3, {90, 17}, {7, 7}, {2, 2}, {3, 3}),
      flat(1, 1, 2, 3, {11, 11}, {3, 3}, {5, 5}),
      flat(1, 1, 1, 2, {25, 25}, {19, 19}, {1, 1}, {9, 9}),
  };
  for (const ConvShape& s : shapes) {
    this->check(s);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(ConvTest, grouped_and_depthwise_shapes_match_a_direct_loop) {
  const ConvShape shapes[] = {
      flat(2, 2, 6, 8, {11, 10}, {3, 3}, {1, 1}, {1, 1}),
      flat(2, 3, 6, 9, {11, 10}, {3, 3}, {2, 2}, {1, 0}),
      flat(3, 5, 5, 5, {14, 15}, {3, 3}, {1, 1}, {1, 1}),
      flat(3, 5, 5, 5, {14, 15}, {5, 3}, {2, 1}, {1, 2}, {1, 2}),
      flat(2, 4, 4, 8, {9, 9}, {3, 3}, {1, 1}, {1, 1}),
      flat(2, 4, 8, 4, {9, 9}, {3, 3}, {1, 1}, {1, 1}),
      flat(2, 3, 3, 3, {50, 50}, {3, 3}, {2, 2}, {1, 1}),
      flat(2, 2, 6, 4, {12, 12}, {1, 1}),
      flat(2, 3, 3, 3, {12, 12}, {1, 1}),
  };
  for (const ConvShape& s : shapes) {
    this->check(s);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(ConvTest, every_stride_padding_and_dilation_of_small_shapes_is_right) {
  for (int64_t size : {1, 2, 5, 8, 9}) {
    for (int64_t kernel : {1, 2, 3, 4}) {
      for (int64_t stride : {1, 2, 3}) {
        for (int64_t padding : {0, 1, 3}) {
          for (int64_t dilation : {1, 2}) {
            this->check(flat(2, 1, 2, 3, {size, size + 1}, {kernel, 3}, {stride, 2}, {padding, 1},
                             {dilation, 1}));
            this->check(
                flat(1, 1, 1, 2, {3, size}, {2, kernel}, {1, stride}, {1, padding}, {1, dilation}));
            if (this->HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

TYPED_TEST(ConvTest, many_channels_and_joined_images_match_a_direct_loop) {
  const ConvShape shapes[] = {
      flat(2, 1, 75, 20, {6, 7}, {3, 3}, {1, 1}, {1, 1}),
      flat(9, 1, 20, 75, {5, 5}, {3, 3}, {1, 1}, {1, 1}),
      flat(5, 1, 3, 260, {4, 4}, {3, 3}, {2, 2}, {1, 1}),
      flat(3, 1, 340, 18, {3, 3}, {1, 1}),
      flat(2, 2, 70, 74, {5, 5}, {3, 3}, {1, 1}, {1, 1}),
      flat(40, 1, 2, 3, {3, 4}, {2, 2}),
  };
  for (const ConvShape& s : shapes) {
    this->check(s);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(ConvTest, one_and_three_dimensional_shapes_match_a_direct_loop) {
  ConvShape shapes[] = {
      {.batch = 3,
       .in_channels = 4,
       .out_channels = 5,
       .in = {1, 1, 37},
       .kernel = {1, 1, 5},
       .stride = {1, 1, 2},
       .padding = {0, 0, 2}},
      {.batch = 2, .in_channels = 3, .out_channels = 4, .in = {1, 1, 1000}, .kernel = {1, 1, 9}},
      {.batch = 2,
       .in_channels = 2,
       .out_channels = 7,
       .in = {5, 6, 7},
       .kernel = {3, 3, 3},
       .padding = {1, 1, 1}},
      {.batch = 2,
       .groups = 2,
       .in_channels = 4,
       .out_channels = 6,
       .in = {7, 6, 8},
       .kernel = {2, 3, 1},
       .stride = {2, 1, 3},
       .padding = {1, 0, 2},
       .dilation = {2, 2, 1}},
      {.batch = 2,
       .groups = 3,
       .in_channels = 3,
       .out_channels = 3,
       .in = {4, 9, 9},
       .kernel = {3, 3, 3},
       .stride = {1, 2, 1},
       .padding = {1, 1, 1}},
  };
  for (ConvShape& s : shapes) {
    s.set_out();
    this->check(s);
    if (this->HasFatalFailure()) return;
  }
}

// With many output channels the inputs of a position are read where they lie, and those outside the image not at
// all; images of 16 x 16 are copied nevertheless, as their channels lie a power of two apart.
TYPED_TEST(ConvTest, positions_at_the_border_match_a_direct_loop) {
  const ConvShape shapes[] = {
      flat(7, 1, 5, 33, {7, 7}, {3, 3}, {1, 1}, {1, 1}),
      flat(2, 1, 3, 64, {16, 16}, {3, 3}, {1, 1}, {1, 1}),
      flat(2, 1, 34, 16, {13, 14}, {3, 5}, {1, 1}, {1, 2}),
      flat(8, 1, 3, 17, {14, 14}, {3, 3}, {2, 2}, {1, 1}),
      flat(30, 1, 3, 16, {3, 3}, {3, 3}, {1, 1}, {4, 3}),
      flat(2, 2, 6, 40, {12, 13}, {4, 3}, {1, 1}, {3, 2}, {2, 2}),
      flat(1, 1, 2, 70, {17, 18}, {1, 3}, {1, 1}, {0, 1}),
      flat(2, 1, 17, 3, {13, 14}, {3, 3}, {2, 2}, {1, 1}),
      flat(1, 1, 1, 24, {400, 1}, {3, 1}, {1, 1}, {1, 0}),
  };
  for (const ConvShape& s : shapes) {
    this->check(s);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(ConvTest, any_geometry_matches_a_direct_loop) {
  std::mt19937 random(21);
  const auto pick = [&](std::initializer_list<int64_t> choices) {
    return choices.begin()[random() % choices.size()];
  };
  for (int i = 0; i < 120; i++) {
    ConvShape s{.batch = pick({0, 1, 2, 3, 20}), .groups = pick({1, 1, 1, 2, 3})};
    s.in_channels = s.groups * pick({1, 2, 3, 8, 17, 40});
    s.out_channels = s.groups * pick({1, 2, 5, 8, 15, 16, 17, 33});
    for (int d = pick({0, 1, 1, 1, 2}); d < 3; d++) {
      s.in[d] = pick({1, 3, 4, 7, 8, 16, 19});
      s.kernel[d] = pick({1, 1, 2, 3, 4});
      s.stride[d] = pick({1, 1, 1, 2, 3});
      s.padding[d] = pick({0, 0, 1, 1, 2, 5});
      s.dilation[d] = pick({1, 1, 2});
    }
    s.set_out();
    const int64_t products =
        s.batch * s.out_channels * volume(s.out) * (s.in_channels / s.groups) * volume(s.kernel);
    if (products > 2'000'000) continue;
    this->check(s);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(ConvTest, an_output_may_reach_beyond_the_right_border) {
  ConvShape s = flat(2, 1, 3, 4, {7, 9}, {4, 2});
  s.padding = {0, 1, 0};
  s.out = s.in;
  this->check(s);
}

TYPED_TEST(ConvTest, nan_reaches_only_the_outputs_that_see_it) {
  Case<TypeParam> c(flat(2, 1, 2, 3, {12, 13}, {3, 3}, {1, 1}, {1, 1}));
  const int64_t bad = (1 * 2 + 1) * 12 * 13 + 5 * 13 + 6;
  c.x[bad] = std::numeric_limits<TypeParam>::quiet_NaN();
  c.run();
  std::vector<bool> sees(c.y.size());
  each_product(c.s, [&](int64_t y, int64_t x, int64_t) {
    if (x == bad) sees[y] = true;
  });
  for (size_t i = 0; i < c.y.size(); i++) EXPECT_EQ(std::isnan(c.y[i]), sees[i]) << i;
}

TYPED_TEST(ConvTest, without_bias_nothing_is_added) {
  Case<TypeParam> c(flat(2, 1, 3, 4, {8, 8}, {3, 3}, {1, 1}, {1, 1}));
  conv_forward<TypeParam>(c.s, c.x.data(), c.w.data(), nullptr, c.y.data());
  Sums sums(c.y.size());
  each_product(c.s, [&](int64_t y, int64_t x, int64_t w) {
    sums.add(y, static_cast<double>(c.x[x]) * c.w[w]);
  });
  sums.expect_near(c.y, "y");
}

TYPED_TEST(ConvTest, empty_batches_and_outputs_give_zero_gradients) {
  Case<TypeParam> batch(flat(0, 1, 3, 4, {8, 8}, {3, 3}));
  batch.run();
  batch.check();
  Case<TypeParam> output(flat(2, 1, 3, 4, {2, 8}, {3, 3}));
  ASSERT_EQ(output.y.size(), 0u);
  output.run();
  output.check();
}

TYPED_TEST(ConvTest, bits_are_the_same_for_any_number_of_workers) {
  for (const ConvShape& s :
       {flat(12, 1, 6, 16, {14, 14}, {5, 5}), flat(2, 1, 40, 64, {14, 14}, {3, 3}, {2, 2}, {1, 1}),
        flat(4, 8, 8, 8, {40, 40}, {3, 3}, {1, 1}, {1, 1}), flat(3, 1, 32, 48, {16, 16}, {1, 1}),
        flat(9, 1, 48, 64, {7, 7}, {3, 3}, {1, 1}, {1, 1})}) {
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
      EXPECT_EQ(c.db, expected.db);
    }
  }
}

}  // namespace
}  // namespace gotorch::kernels
