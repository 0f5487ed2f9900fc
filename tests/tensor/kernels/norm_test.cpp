#include "tensor/kernels/norm.h"

#include <functional>

#include "tests/tensor/kernels/testing.h"

namespace gotorch::kernels {
namespace {

using Real = long double;

// The definition of every normalisation, for any split of x into sets with common statistics and
// any assignment of weights: group(i) and channel(i) say where element i belongs.
struct Reference {
  std::vector<Real> y, gx, g_weight, g_bias, mean, var;
};
template <class T>
Reference reference(const std::vector<T>& x, const std::vector<T>& g, const std::vector<T>& w,
                    const std::vector<T>& b, int64_t groups, std::function<int64_t(int64_t)> group,
                    std::function<int64_t(int64_t)> channel, Real eps_, bool centred = true) {
  const int64_t n = x.size();
  Reference r{std::vector<Real>(n),        std::vector<Real>(n),      std::vector<Real>(w.size()),
              std::vector<Real>(w.size()), std::vector<Real>(groups), std::vector<Real>(groups)};
  std::vector<Real> count(groups), u(groups), ud(groups);
  for (int64_t i = 0; i < n; i++) count[group(i)] += 1, r.mean[group(i)] += x[i];
  for (int64_t k = 0; k < groups; k++) r.mean[k] = centred ? r.mean[k] / count[k] : 0;
  const auto d = [&](int64_t i) { return x[i] - r.mean[group(i)]; };
  for (int64_t i = 0; i < n; i++) r.var[group(i)] += d(i) * d(i) / count[group(i)];
  const auto rstd = [&](int64_t i) { return 1 / std::sqrt(r.var[group(i)] + eps_); };
  for (int64_t i = 0; i < n; i++) {
    const int64_t k = group(i), c = channel(i);
    r.y[i] = d(i) * rstd(i) * w[c] + b[c];
    r.g_weight[c] += g[i] * d(i) * rstd(i);
    r.g_bias[c] += g[i];
    u[k] += g[i] * w[c] / count[k];
    ud[k] += g[i] * w[c] * d(i) / count[k];
  }
  for (int64_t i = 0; i < n; i++) {
    const int64_t k = group(i);
    r.gx[i] =
        rstd(i) * (g[i] * w[channel(i)] - (centred ? u[k] : 0) - d(i) * rstd(i) * rstd(i) * ud[k]);
  }
  return r;
}

template <class T>
void expect_near(const std::vector<T>& got, const std::vector<Real>& want, double scale,
                 const char* what) {
  for (size_t i = 0; i < got.size(); i++)
    ASSERT_TRUE(
        near(got[i], want[i], eps<T> * scale * (1 + std::abs(static_cast<double>(want[i])))))
        << what << "[" << i << "]";
}

template <class T>
class Norm : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Norm, Types);

template <class T>
void check_rows(int64_t rows, int64_t n, bool affine) {
  const auto x = uniform<T>(rows * n, -2, 3), g = uniform<T>(rows * n, -1, 1, 5);
  const auto w = affine ? uniform<T>(n, 0.5, 2, 6) : std::vector<T>(n, 1);
  const auto b = affine ? uniform<T>(n, -1, 1, 7) : std::vector<T>(n, 0);
  std::vector<T> y(x.size()), mean(rows), rstd(rows), gx(x.size()), gw(n), gb(n);
  const RowNorm<T> p{.rows = rows,
                     .n = n,
                     .weight = affine ? w.data() : nullptr,
                     .bias = affine ? b.data() : nullptr,
                     .mean = mean.data(),
                     .rstd = rstd.data()};
  const auto row = [&](int64_t i) { return i / n; };
  const auto column = [&](int64_t i) { return i % n; };
  layer_norm(p, x.data(), y.data());
  layer_norm_backward(p, g.data(), x.data(), gx.data(), gw.data(), gb.data());
  const auto r = reference(x, g, w, b, rows, row, column, 1e-5L);
  const double loose = n < 3 ? 1e5 : 100;  // a row of equal elements: rstd is 1 / sqrt(eps)
  expect_near(y, r.y, loose, "layer y");
  expect_near(gx, r.gx, loose * loose, "layer gx");
  expect_near(gw, r.g_weight, loose + rows, "layer g_weight");
  expect_near(gb, r.g_bias, 10 + rows, "layer g_bias");
  expect_near(mean, r.mean, 10, "layer mean");

  rms_norm(p, x.data(), y.data());
  rms_norm_backward(p, g.data(), x.data(), gx.data(), gw.data());
  const auto q =
      reference(x, g, w, affine ? b : std::vector<T>(n, 0), rows, row, column, 1e-5L, false);
  expect_near(y, q.y, 1000, "rms y");
  expect_near(gx, q.gx, 1e5, "rms gx");
  expect_near(gw, q.g_weight, 100 + rows, "rms g_weight");
}

TYPED_TEST(Norm, LayerAndRmsNormAreCloseToTheDefinition) {
  for (bool affine : {false, true}) {
    for (int64_t n : kSizes)
      if (n > 0) check_rows<TypeParam>(7, n, affine);
    check_rows<TypeParam>(3, 5000, affine);
    check_rows<TypeParam>(3000, 20, affine);
  }
}

template <class T>
void check_group(int64_t n, int64_t c, int64_t s, int64_t groups, bool affine) {
  const auto x = uniform<T>(n * c * s, -2, 3), g = uniform<T>(n * c * s, -1, 1, 5);
  const auto w = affine ? uniform<T>(c, 0.5, 2, 6) : std::vector<T>(c, 1);
  const auto b = affine ? uniform<T>(c, -1, 1, 7) : std::vector<T>(c, 0);
  std::vector<T> y(x.size()), mean(n * groups), rstd(n * groups), gx(x.size()), gw(c), gb(c);
  const GroupNorm<T> p{.n = n,
                       .c = c,
                       .s = s,
                       .groups = groups,
                       .weight = affine ? w.data() : nullptr,
                       .bias = affine ? b.data() : nullptr,
                       .mean = mean.data(),
                       .rstd = rstd.data()};
  group_norm(p, x.data(), y.data());
  group_norm_backward(p, g.data(), x.data(), gx.data(), gw.data(), gb.data());
  const auto r = reference(
      x, g, w, b, n * groups, [&](int64_t i) { return i / (c / groups * s); },
      [&](int64_t i) { return i / s % c; }, 1e-5L);
  expect_near(y, r.y, 100, "y");
  expect_near(gx, r.gx, 1e4, "gx");
  expect_near(gw, r.g_weight, 100 + n, "g_weight");
  expect_near(gb, r.g_bias, 100 + n, "g_bias");
}

TYPED_TEST(Norm, GroupNormIsCloseToTheDefinition) {
  for (bool affine : {false, true}) {
    check_group<TypeParam>(3, 6, 5, 3, affine);
    check_group<TypeParam>(2, 8, 100, 1, affine);
    check_group<TypeParam>(2, 4, 3000, 4, affine);
    check_group<TypeParam>(0, 4, 3, 2, affine);
  }
}

template <class T>
void check_batch(int64_t n, int64_t c, int64_t s, bool affine) {
  const auto x = uniform<T>(n * c * s, -2, 3), g = uniform<T>(n * c * s, -1, 1, 5);
  const auto w = affine ? uniform<T>(c, 0.5, 2, 6) : std::vector<T>(c, 1);
  const auto b = affine ? uniform<T>(c, -1, 1, 7) : std::vector<T>(c, 0);
  std::vector<T> y(x.size()), mean(c), rstd(c), gx(x.size()), gw(c), gb(c), rm(c, 1), rv(c, 2);
  const BatchNorm<T> p{.n = n,
                       .c = c,
                       .s = s,
                       .weight = affine ? w.data() : nullptr,
                       .bias = affine ? b.data() : nullptr,
                       .mean = mean.data(),
                       .rstd = rstd.data()};
  const auto channel = [&](int64_t i) { return i / s % c; };
  auto r = reference(x, g, w, b, c, channel, channel, 1e-5L);
  batch_norm_train(p, x.data(), y.data(), rm.data(), rv.data(), 0.25);
  batch_norm_backward(p, true, g.data(), x.data(), gx.data(), gw.data(), gb.data());
  expect_near(y, r.y, 100, "y");
  expect_near(gx, r.gx, 1e4, "gx");
  expect_near(gw, r.g_weight, 100 + n * s, "g_weight");
  expect_near(gb, r.g_bias, 100 + n * s, "g_bias");
  const Real unbiased = static_cast<Real>(n * s) / (n * s - 1);
  for (int64_t k = 0; k < c; k++) {
    EXPECT_TRUE(near(rm[k], 0.75L + 0.25L * r.mean[k], 10 * eps<T>));
    EXPECT_TRUE(near(rv[k], 1.5L + 0.25L * r.var[k] * unbiased, 20 * eps<T>));
  }
  batch_norm_eval(p, x.data(), y.data(), rm.data(), rv.data());
  batch_norm_backward(p, false, g.data(), x.data(), gx.data(), gw.data(), gb.data());
  std::fill(r.g_weight.begin(), r.g_weight.end(), 0);
  for (int64_t i = 0; i < n * c * s; i++) {
    const int64_t k = channel(i);
    const Real scale = 1 / std::sqrt(rv[k] + 1e-5L);
    r.y[i] = (x[i] - static_cast<Real>(rm[k])) * scale * w[k] + b[k];
    r.gx[i] = g[i] * scale * w[k];
    r.g_weight[k] += g[i] * (x[i] - static_cast<Real>(rm[k])) * scale;
  }
  expect_near(y, r.y, 100, "eval y");
  expect_near(gx, r.gx, 100, "eval gx");
  expect_near(gw, r.g_weight, 100 + n * s, "eval g_weight");
}

TYPED_TEST(Norm, BatchNormIsCloseToTheDefinition) {
  for (bool affine : {false, true})
    for (auto [n, c, s] : {std::array<int64_t, 3>{5, 3, 1},
                           {300, 270, 1},
                           {129, 2, 7},
                           {3, 4, 15},
                           {3, 4, 16},
                           {600, 2, 33},
                           {2, 3, 9000}})
      check_batch<TypeParam>(n, c, s, affine);
}

TYPED_TEST(Norm, VarianceIsRightFarFromZero) {
  using T = TypeParam;
  constexpr int64_t n = 4096;
  const T far = 1e6;  // neighbouring floats are 0.06 apart
  // Means are kept in double: no loss for float, a rounded mean for double.
  const double bound = std::is_same_v<T, float> ? 8 * eps<T> : 4e6 * eps<T>;
  for (int64_t s : {1, 64}) {
    auto x = uniform<T>(n * s, -2, 2);
    for (T& v : x) v += far;
    Real mean = 0, var = 0;
    for (T v : x) mean += v / static_cast<Real>(x.size());
    for (T v : x) var += (v - mean) * (v - mean) / x.size();
    std::vector<T> y(x.size()), m(1), rstd(1);
    const BatchNorm<T> batch{
        .n = n, .c = 1, .s = s, .eps = 0, .mean = m.data(), .rstd = rstd.data()};
    batch_norm_train<T>(batch, x.data(), y.data(), nullptr, nullptr, 0);
    EXPECT_TRUE(near(rstd[0], 1 / std::sqrt(var), bound));
    EXPECT_TRUE(near(y[5], (x[5] - mean) / std::sqrt(var), bound));
    const RowNorm<T> row{.rows = 1, .n = n * s, .eps = 0, .mean = m.data(), .rstd = rstd.data()};
    layer_norm(row, x.data(), y.data());
    EXPECT_TRUE(near(rstd[0], 1 / std::sqrt(var), bound));
    EXPECT_TRUE(near(y[5], (x[5] - mean) / std::sqrt(var), bound));
  }
}

TYPED_TEST(Norm, NanStaysInItsRow) {
  using T = TypeParam;
  auto x = uniform<T>(60);
  x[25] = std::nan("");
  std::vector<T> y(60), mean(3), rstd(3);
  layer_norm<T>({.rows = 3, .n = 20, .mean = mean.data(), .rstd = rstd.data()}, x.data(), y.data());
  for (int i = 0; i < 60; i++) EXPECT_EQ(std::isnan(y[i]), i / 20 == 1);
}

TYPED_TEST(Norm, BitsDependOnTheInputOnly) {
  using T = TypeParam;
  expect_same_bits_everywhere([] {
    const int64_t n = 6, c = 20, s = 300;
    const auto x = uniform<T>(n * c * s), g = uniform<T>(n * c * s, -1, 1, 3),
               w = uniform<T>(n * c * s, 1, 2, 4);
    std::vector<T> y(x.size()), gx(x.size()), gw(s * c), gb(s * c), mean(n * c * s),
        rstd(n * c * s);
    std::string all;
    const auto keep = [&] { all += bytes(y, gx, gw, gb, mean, rstd); };
    const RowNorm<T> row{.rows = n * c,
                         .n = s,
                         .weight = w.data(),
                         .bias = w.data(),
                         .mean = mean.data(),
                         .rstd = rstd.data()};
    layer_norm(row, x.data(), y.data());
    layer_norm_backward(row, g.data(), x.data(), gx.data(), gw.data(), gb.data());
    keep();
    rms_norm(row, x.data(), y.data());
    rms_norm_backward(row, g.data(), x.data(), gx.data(), gw.data());
    keep();
    const GroupNorm<T> group{.n = n,
                             .c = c,
                             .s = s,
                             .groups = 8,
                             .weight = w.data(),
                             .bias = w.data(),
                             .mean = mean.data(),
                             .rstd = rstd.data()};
    group_norm(group, x.data(), y.data());
    group_norm_backward(group, g.data(), x.data(), gx.data(), gw.data(), gb.data());
    keep();
    for (int64_t plane : {int64_t{1}, s}) {
      const BatchNorm<T> batch{.n = n * s / plane,
                               .c = c,
                               .s = plane,
                               .weight = w.data(),
                               .bias = w.data(),
                               .mean = mean.data(),
                               .rstd = rstd.data()};
      batch_norm_train<T>(batch, x.data(), y.data(), nullptr, nullptr, 0.1);
      batch_norm_backward(batch, true, g.data(), x.data(), gx.data(), gw.data(), gb.data());
      keep();
    }
    return all;
  });
}

}  // namespace
}  // namespace gotorch::kernels
