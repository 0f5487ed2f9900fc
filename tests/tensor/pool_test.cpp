#include "tensor/kernels/pool.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "runtime/parallel.h"

namespace gotorch::kernels {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

int64_t volume(const Spatial& s) { return s[0] * s[1] * s[2]; }

template <class T>
std::vector<T> random_values(int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> uniform(-8, 8);  // small integers: many ties, exact sums
  std::vector<T> values(n);
  for (T& v : values) v = T(uniform(random));
  return values;
}

// Calls visit(position) for every input of output `o` inside the image, in row-major order.
template <class F>
void each_input(const PoolShape& s, int64_t o, F&& visit) {
  const Spatial at{o / (s.out[1] * s.out[2]), o / s.out[2] % s.out[1], o % s.out[2]};
  for (int64_t kz = 0; kz < s.kernel[0]; kz++)
    for (int64_t ky = 0; ky < s.kernel[1]; ky++)
      for (int64_t kx = 0; kx < s.kernel[2]; kx++) {
        const Spatial k{kz, ky, kx};
        Spatial i;
        bool inside = true;
        for (int d = 0; d < 3; d++) {
          i[d] = at[d] * s.stride[d] - s.padding[d] + k[d] * s.dilation[d];
          inside = inside && i[d] >= 0 && i[d] < s.in[d];
        }
        if (inside) visit((i[0] * s.in[1] + i[1]) * s.in[2] + i[2]);
      }
}

template <class T>
class PoolTest : public testing::Test {
 protected:
  void TearDown() override { runtime::set_num_workers(workers_); }
  const int workers_ = runtime::num_workers();

  std::vector<PoolShape> shapes() {
    std::vector<PoolShape> result;
    for (int64_t size : {1, 2, 3, 7, 8, 15, 16, 17, 33}) {
      for (int64_t kernel : {1, 2, 3}) {
        for (int64_t stride : {1, 2, 3}) {
          for (int64_t padding = 0; padding <= kernel / 2; padding++) {
            for (bool ceil : {false, true}) {
              PoolShape s{.in = {1, size, size + 1},
                          .kernel = {1, kernel, 2},
                          .stride = {1, stride, 2},
                          .padding = {0, padding, 1}};
              s.set_out(ceil);
              if (volume(s.out) > 0) result.push_back(s);
            }
          }
        }
      }
    }
    // Widths around those of vectors; windows that overlap, meet and leave gaps.
    for (int64_t width : {1, 2, 7, 8, 9, 15, 16, 17, 18, 31, 33, 34, 65, 130}) {
      for (int64_t kernel : {1, 2, 3, 5, 16, 17, 40}) {
        for (int64_t stride : {1, 2, 3, 7}) {
          PoolShape s{.in = {1, 3, width},
                      .kernel = {1, 2, kernel},
                      .stride = {1, 1, stride},
                      .padding = {0, 0, kernel / 2}};
          s.set_out(false);
          if (volume(s.out) > 0) result.push_back(s);
        }
      }
    }
    for (bool ceil : {false, true}) {
      PoolShape deep{
          .in = {5, 6, 7}, .kernel = {3, 2, 3}, .stride = {2, 2, 1}, .padding = {1, 0, 1}};
      deep.set_out(ceil);
      PoolShape line{.in = {1, 1, 100}, .kernel = {1, 1, 40}, .stride = {1, 1, 7}};
      line.set_out(ceil);
      result.insert(result.end(), {deep, line});
    }
    return result;
  }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(PoolTest, Types);

TYPED_TEST(PoolTest, output_sizes_count_whole_windows_or_started_ones) {
  PoolShape s{.in = {1, 5, 6}, .kernel = {1, 2, 3}, .stride = {1, 2, 2}};
  s.set_out(false);
  EXPECT_EQ(s.out, (Spatial{1, 2, 2}));
  s.set_out(true);
  EXPECT_EQ(s.out, (Spatial{1, 3, 3}));
  // A window that would start in the right padding is not counted.
  PoolShape padded{.in = {1, 1, 3}, .kernel = {1, 1, 2}, .stride = {1, 1, 3}, .padding = {0, 0, 1}};
  padded.set_out(true);
  EXPECT_EQ(padded.out[2], 2);
}

TYPED_TEST(PoolTest, max_pool_gives_the_first_largest_input_and_its_position) {
  using T = TypeParam;
  std::vector<PoolShape> shapes = this->shapes();
  PoolShape dilated{.in = {1, 19, 21},
                    .kernel = {1, 3, 2},
                    .stride = {1, 2, 1},
                    .padding = {0, 1, 1},
                    .dilation = {1, 3, 4}};
  dilated.set_out(false);
  shapes.push_back(dilated);
  for (const PoolShape& s : shapes) {
    const int64_t planes = 3, in = volume(s.in), out = volume(s.out);
    const std::vector<T> x = random_values<T>(planes * in, 1),
                         dy = random_values<T>(planes * out, 2);
    std::vector<T> y(planes * out), dx(planes * in, T(kNan)), expected_dx(planes * in);
    std::vector<int64_t> index(planes * out);
    max_pool(planes, max_windows(s), x.data(), y.data(), index.data());
    EXPECT_FALSE(max_pool_backward(planes, in, out, dy.data(), index.data(), dx.data()));
    for (int64_t i = 0; i < planes * out; i++) {
      const T* plane = x.data() + i / out * in;
      int64_t best = -1;
      each_input(s, i % out, [&](int64_t p) {
        if (best < 0 || plane[p] > plane[best]) best = p;
      });
      ASSERT_EQ(index[i], best);
      ASSERT_EQ(y[i], plane[best]);
      expected_dx[i / out * in + best] += dy[i];
    }
    ASSERT_EQ(dx, expected_dx);
    std::vector<T> values(planes * out);
    max_pool_values(planes, max_windows(s), x.data(), values.data());
    ASSERT_EQ(values, y);
  }
}

TYPED_TEST(PoolTest, nan_anywhere_in_a_row_reaches_its_windows_alone) {
  using T = TypeParam;
  for (int64_t kernel : {2, 3, 20}) {
    for (int64_t stride : {1, 2, 3}) {
      PoolShape s{.in = {1, 1, 41}, .kernel = {1, 1, kernel}, .stride = {1, 1, stride}};
      s.set_out(false);
      for (int64_t at = 0; at < 41; at++) {
        std::vector<T> x = random_values<T>(41, 5), y(s.out[2]), values(s.out[2]);
        std::vector<int64_t> index(s.out[2]);
        x[at] = T(kNan);
        max_pool(1, max_windows(s), x.data(), y.data(), index.data());
        max_pool_values(1, max_windows(s), x.data(), values.data());
        for (int64_t o = 0; o < s.out[2]; o++) {
          const int64_t begin = o * stride;
          const bool inside = at >= begin && at < begin + kernel;
          ASSERT_EQ(std::isnan(y[o]), inside);
          ASSERT_EQ(std::isnan(values[o]), inside);
          ASSERT_TRUE(!inside || index[o] == at);
        }
      }
    }
  }
}

TYPED_TEST(PoolTest, an_index_outside_its_plane_is_named) {
  const std::vector<TypeParam> dy(4, 1);
  std::vector<TypeParam> dx(10);
  for (int64_t bad : {-1, 5}) {
    const std::vector<int64_t> index{0, 4, 2, bad};
    const auto found = max_pool_backward(2, 5, 2, dy.data(), index.data(), dx.data());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->position, 3);
    EXPECT_EQ(found->value, bad);
  }
}

TYPED_TEST(PoolTest, nan_wins_and_the_last_one_is_named) {
  using T = TypeParam;
  PoolShape s{.in = {1, 2, 2}, .kernel = {1, 2, 2}, .stride = {1, 2, 2}};
  s.set_out(false);
  const T n = T(kNan), inf = T(kInf);
  const std::vector<std::pair<std::vector<T>, int64_t>> cases = {
      {{1, n, 2, n}, 3}, {{n, 1, n, 5}, 2},   {{n, n, 1, 2}, 1},
      {{n, 9, 9, 9}, 0}, {{1, n, n, inf}, 2}, {{-inf, -inf, -inf, -inf}, 0},
      {{2, 2, 1, 2}, 0}, {{1, 2, 2, 2}, 1}};
  for (const auto& [x, position] : cases) {
    T y;
    int64_t index;
    max_pool(1, max_windows(s), x.data(), &y, &index);
    EXPECT_EQ(index, position);
    EXPECT_TRUE(y == x[position] || (std::isnan(y) && std::isnan(x[position])));
  }
}

TYPED_TEST(PoolTest, average_pool_and_its_gradient_match_a_direct_loop) {
  using T = TypeParam;
  for (const PoolShape& s : this->shapes()) {
    for (int mode = 0; mode < 3; mode++) {
      const bool include_pad = mode == 1;
      const int64_t override_divisor = mode == 2 ? 3 : 0;
      const int64_t planes = 2, in = volume(s.in), out = volume(s.out);
      const std::vector<T> x = random_values<T>(planes * in, 1);
      const std::vector<T> dy = random_values<T>(planes * out, 2);
      std::vector<T> y(planes * out), dx(planes * in, T(kNan)), expected_dx(planes * in);
      const PoolWindows windows = average_windows(s, include_pad);
      average_pool(planes, windows, override_divisor, x.data(), y.data());
      average_pool_backward(planes, windows, override_divisor, dy.data(), dx.data());
      for (int64_t i = 0; i < planes * out; i++) {
        int64_t count = 0, padded = 1, o = i % out;
        T sum = 0;
        each_input(s, o, [&](int64_t p) { sum += x[i / out * in + p], count++; });
        const Spatial at{o / (s.out[1] * s.out[2]), o / s.out[2] % s.out[1], o % s.out[2]};
        for (int d = 0; d < 3; d++) {
          const int64_t start = at[d] * s.stride[d] - s.padding[d];
          padded *= std::min(start + s.kernel[d], s.in[d] + s.padding[d]) - start;
        }
        const T divisor = T(mode == 0 ? count : mode == 1 ? padded : 3);
        ASSERT_EQ(y[i], sum / divisor);
        each_input(s, o, [&](int64_t p) { expected_dx[i / out * in + p] += dy[i] / divisor; });
      }
      for (size_t i = 0; i < dx.size(); i++) {
        ASSERT_NEAR(dx[i], expected_dx[i], 200 * std::numeric_limits<T>::epsilon());
      }
    }
  }
}

TYPED_TEST(PoolTest, adaptive_windows_cover_the_input_evenly) {
  using T = TypeParam;
  for (int64_t in : {1, 3, 7, 16, 50}) {
    for (int64_t out : {1, 2, 3, 7, 20}) {
      const PoolWindows w = adaptive_windows({1, in, 2 * in}, {1, out, 3});
      const std::vector<T> x = random_values<T>(2 * in * in, 1);
      std::vector<T> average(out * 3), largest(out * 3), dx(x.size());
      std::vector<int64_t> index(out * 3);
      average_pool(1, w, 0, x.data(), average.data());
      max_pool(1, w, x.data(), largest.data(), index.data());
      for (int64_t i = 0; i < out; i++) {
        for (int64_t j = 0; j < 3; j++) {
          const int64_t y0 = i * in / out, y1 = ((i + 1) * in + out - 1) / out;
          const int64_t x0 = j * 2 * in / 3, x1 = ((j + 1) * 2 * in + 2) / 3;
          T sum = 0, most = -T(kInf);
          for (int64_t a = y0; a < y1; a++) {
            for (int64_t b = x0; b < x1; b++) {
              sum += x[a * 2 * in + b];
              most = std::max(most, x[a * 2 * in + b]);
            }
          }
          ASSERT_EQ(average[i * 3 + j], sum / T((y1 - y0) * (x1 - x0)));
          ASSERT_EQ(largest[i * 3 + j], most);
          ASSERT_EQ(x[index[i * 3 + j]], most);
        }
      }
      const std::vector<T> ones(out * 3, T(1));
      average_pool_backward(1, w, 0, ones.data(), dx.data());
      double total = 0;
      for (T v : dx) total += v;
      ASSERT_NEAR(total, out * 3, 1e-3);
    }
  }
}

TYPED_TEST(PoolTest, windows_without_inputs_are_defined) {
  using T = TypeParam;
  PoolShape s{.in = {1, 1, 2}, .kernel = {1, 1, 1}, .stride = {1, 1, 1}, .padding = {0, 0, 2}};
  s.set_out(false);
  ASSERT_EQ(s.out[2], 6);
  const T x[] = {3, 4};
  T y[6];
  int64_t index[6];
  max_pool(1, max_windows(s), x, y, index);
  EXPECT_EQ(y[0], -T(kInf));
  EXPECT_EQ(index[0], 0);
  EXPECT_EQ(y[2], 3);
  EXPECT_EQ(index[3], 1);
  average_pool(1, average_windows(s, true), 0, x, y);
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[3], 4);
}

TYPED_TEST(PoolTest, empty_batches_do_nothing) {
  PoolShape s{.in = {1, 4, 4}, .kernel = {1, 2, 2}, .stride = {1, 2, 2}};
  s.set_out(false);
  TypeParam* none = nullptr;
  max_pool(0, max_windows(s), none, none, nullptr);
  EXPECT_FALSE(max_pool_backward<TypeParam>(0, 16, 4, none, nullptr, none));
  average_pool(0, average_windows(s, true), 0, none, none);
  average_pool_backward(0, average_windows(s, true), 0, none, none);
}

TYPED_TEST(PoolTest, bits_are_the_same_for_any_number_of_workers) {
  using T = TypeParam;
  PoolShape s{.in = {1, 61, 67}, .kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}};
  s.set_out(false);
  const int64_t planes = 20, in = volume(s.in), out = volume(s.out);
  std::mt19937 random(1);
  std::vector<T> x(planes * in), first;
  for (T& v : x) v = std::uniform_real_distribution<T>(-1, 1)(random);
  for (int workers : {1, 2, 3, 8}) {
    runtime::set_num_workers(workers);
    std::vector<T> y(planes * out), dx(planes * in);
    average_pool(planes, average_windows(s, true), 0, x.data(), y.data());
    average_pool_backward(planes, average_windows(s, true), 0, y.data(), dx.data());
    if (workers == 1) first = dx;
    EXPECT_EQ(dx, first);
  }
}

}  // namespace
}  // namespace gotorch::kernels
