#include "tensor/kernels/conv.h"

#include <gtest/gtest.h>

#include "runtime/parallel.h"
#include "tests/tensor/conv_case.h"

namespace gotorch::kernels {
namespace {

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

TYPED_TEST(ConvTest, infinite_inputs_give_depthwise_gradients_what_plain_sums_give) {
  // At every place of rows shorter than a vector, of whole vectors, and of those with a rest.
  for (int64_t width : {5, 7, 8, 14}) {
    const ConvShape s = flat(1, 2, 2, 2, {4, width}, {3, 3}, {1, 1}, {1, 1});
    for (int64_t bad = 0; bad < 4 * width; bad++) {
      Case<TypeParam> c(s);
      c.x[bad] = std::numeric_limits<TypeParam>::infinity();
      c.run();
      std::vector<double> dw(c.dw.size());
      each_product(s, [&](int64_t y, int64_t x, int64_t w) {
        dw[w] += static_cast<double>(c.x[x]) * c.dy[y];
      });
      for (size_t i = 0; i < dw.size(); i++) {
        if (std::isfinite(dw[i])) EXPECT_NEAR(c.dw[i], dw[i], 1e-4) << i;
        else EXPECT_EQ(c.dw[i], dw[i]) << i;
      }
    }
  }
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
