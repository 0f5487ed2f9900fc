// Products of random shapes and layouts, and what bfloat16 adds to them.
#include <algorithm>
#include <array>

#include "runtime/parallel.h"
#include "tensor/simd/isa.h"
#include "tests/tensor/matrices.h"

namespace gotorch::kernels {
namespace {

// Sizes on both sides of every edge: of vectors, tiles, panels, blocks, steps of the depth.
constexpr int64_t kEdges[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 64, 65};
constexpr int64_t kLong[] = {127, 192, 193, 255, 256, 319, 321, 328, 513, 1024, 1025};

struct Random {
  std::mt19937 engine;
  explicit Random(unsigned seed) : engine(seed) {}
  int64_t below(int64_t n) { return static_cast<int64_t>(engine() % static_cast<uint64_t>(n)); }
  template <class C>
  auto of(const C& choices) {
    return choices[below(std::size(choices))];
  }
};

// One side may be long at a time, as the reference takes m n k steps.
std::array<int64_t, 3> random_shape(Random& random) {
  std::array<int64_t, 3> shape;
  for (int64_t& side : shape) side = random.of(kEdges);
  if (random.below(2)) shape[random.below(3)] = random.of(kLong);
  return shape;
}

template <class T>
class GemmRandomTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(GemmRandomTest, Types);

TYPED_TEST(GemmRandomTest, any_shape_layout_and_epilogue_is_right) {
  using T = TypeParam;
  using M = Matrix<T>;
  Random random(11);
  const M bias(1, 1100, M::kRows, 5);
  for (int i = 0; i < 600; i++) {
    const auto [m, n, k] = random_shape(random);
    const M a(m, k, random.of(M::kAll), i), b(k, n, random.of(M::kAll), i + 1);
    M c(m, n, random.of(M::kAll), i + 2);
    Gemm<T> g = product(a, b, c);
    if (random.below(3) == 0) g.alpha = T(0.75);
    if (random.below(3) == 0) g.beta = T(-0.5);
    if (random.below(3) == 0) g.bias_row = bias.origin;
    if (random.below(3) == 0) g.bias_col = bias.origin;
    g.relu = random.below(4) == 0;
    const std::vector<T> before = c.data;
    gemm(g);
    expect_product(g, before, c.data.data());
    ASSERT_FALSE(this->HasFatalFailure()) << i;
  }
}

// Rows a whole number of pages apart are copied before they are read by columns.
TYPED_TEST(GemmRandomTest, operands_with_strides_of_pages_are_right) {
  using T = TypeParam;
  using M = Matrix<T>;
  for (auto [m, n, k] :
       {std::array{1024, 40, 33}, std::array{2048, 9, 17}, std::array{1024, 70, 330}}) {
    const M a(m, k, M::kColumns, 1), b(k, n, M::kRows, 2);
    M c(m, n, M::kRows, 3);
    const std::vector<T> before = c.data;
    gemm(product(a, b, c));
    expect_product(product(a, b, c), before, c.data.data());
    ASSERT_FALSE(this->HasFatalFailure());
  }
}

// As bfloat16, C has the bits of C as T rounded afterwards, by whatever way it was computed.
TYPED_TEST(GemmRandomTest, a_converted_result_is_the_rounded_one) {
  using T = TypeParam;
  using M = Matrix<T>;
  const auto round = [](void* y, void* const* x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
      static_cast<BFloat16*>(y)[i] = BFloat16(static_cast<float>(static_cast<const T*>(x[0])[i]));
  };
  Random random(15);
  const M bias(1, 3000, M::kRows, 5);
  for (int i = 0; i < 200; i++) {
    auto [m, n, k] = random_shape(random);
    if (i % 20 == 0) m = 20, n = 24, k = 20000;  // its depth is cut
    if (i % 20 == 1) m = 1030, n = 70, k = 33;   // B is packed once
    const bool turned = random.below(2);
    const int64_t batch = m * n * k < 100'000 ? 1 + random.below(3) : 1;
    const M a(m * batch, k, M::kRows, i), b(k, n, random.of(M::kAll), i + 1);
    M c(turned ? n * batch : m * batch, turned ? m : n, M::kRows, i + 2);
    Gemm<T> g = product(a, b, c);
    g.m = m, g.n = n, g.batch = batch, g.a_bs = m * k, g.c_bs = m * n;
    g.c_rs = turned ? 1 : n, g.c_cs = turned ? m : 1;
    if (random.below(2)) g.bias_row = bias.origin;
    if (random.below(2)) g.bias_col = bias.origin;
    g.relu = random.below(2);
    gemm(g);
    std::vector<BFloat16> rounded(batch * m * n + 1, BFloat16(7));
    Gemm<T> h = g;
    h.c = nullptr, h.convert = round, h.item = sizeof(BFloat16);
    h.out = reinterpret_cast<std::byte*>(rounded.data());
    gemm(h);
    for (int64_t e = 0; e < batch * m * n; e++)
      ASSERT_EQ(rounded[e].bits, BFloat16(static_cast<float>(c.origin[e])).bits) << i << " " << e;
    ASSERT_EQ(float(rounded.back()), 7) << i;
  }
}

// Blocks of several rows use the same packed columns of B: those of this call and this matrix of the batch.
TYPED_TEST(GemmRandomTest, packed_columns_that_are_kept_are_the_right_ones) {
  using T = TypeParam;
  using M = Matrix<T>;
  const int before = runtime::num_workers();
  const int64_t m = 260, n = 70, k = 400, batch = 2;
  const M a(m, k, M::kColumns, 1);
  M b(batch * k, n, M::kRows, 2);
  std::vector<T> expected;
  for (int workers : {1, 2, 3, 8}) {
    runtime::set_num_workers(workers);
    for (int call = 0; call < 2; call++) {  // the second time with other values at the same place
      M c(batch * m, n, M::kRows, 3);
      Gemm<T> g = product(a, b, c);
      g.m = m, g.batch = batch, g.a_bs = 0, g.b_bs = k * n, g.c_bs = m * n;
      const std::vector<T> old = c.data;
      gemm(g);
      if (workers == 1) {
        for (int64_t z = 0; z < batch; z++) expect_product(g, old, c.data.data(), z);
        ASSERT_FALSE(this->HasFatalFailure()) << call;
        expected.insert(expected.end(), c.origin, c.origin + batch * m * n);
      }
      for (int64_t i = 0; i < batch * m * n; i++)
        ASSERT_EQ(c.origin[i], expected[call * batch * m * n + i]) << workers;
      for (int64_t i = 0; i < batch * k * n; i++) b.origin[i] = -b.origin[i] * (call ? 2 : T(0.5));
    }
  }
  runtime::set_num_workers(before);
}

TYPED_TEST(GemmRandomTest, special_values_come_out_as_by_one_sum_after_the_other) {
  using T = TypeParam;
  using M = Matrix<T>;
  Random random(12);
  const T special[] = {T(kNan), T(kInf), T(-kInf), std::numeric_limits<T>::denorm_min(),
                       T(-0.0), T(0)};
  for (int i = 0; i < 200; i++) {
    const auto [m, n, k] = random_shape(random);
    if (m * n * k == 0) continue;
    M a(m, k, random.of(M::kAll), i), b(k, n, random.of(M::kAll), i + 1), c(m, n, M::kRows, i + 2);
    for (int64_t s = random.below(4); s >= 0; s--) {
      a.at(random.below(m), random.below(k)) = random.of(special);
      b.at(random.below(k), random.below(n)) = random.of(special);
    }
    gemm(product(a, b, c));
    for (int64_t y = 0; y < m; y++) {
      for (int64_t x = 0; x < n; x++) {
        double sum = 0, size = 0;
        for (int64_t p = 0; p < k; p++) {
          const double term = static_cast<double>(a.at(y, p)) * b.at(p, x);
          sum += term, size += std::abs(term);
        }
        const double got = c.at(y, x);
        if (std::isnan(sum)) {
          ASSERT_TRUE(std::isnan(got)) << i;
        } else if (std::isinf(sum)) {
          ASSERT_EQ(got, sum) << i;
        } else {
          ASSERT_LE(std::abs(got - sum), size * (k + 4) * std::numeric_limits<T>::epsilon() +
                                             k * std::numeric_limits<T>::denorm_min())
              << i;
        }
      }
    }
  }
}

TYPED_TEST(GemmRandomTest, denormals_are_not_taken_for_zero) {
  using T = TypeParam;
  using M = Matrix<T>;
  const T tiny = std::numeric_limits<T>::denorm_min();
  for (int64_t n : {1, 3, 16, 40}) {
    for (int64_t m : {1, 5, 40}) {
      M a(m, 20, M::kRows, 1), b(20, n, M::kRows, 2), c(m, n, M::kRows, 3);
      for (T& x : a.data) x = tiny;
      for (T& x : b.data) x = T(1);
      gemm(product(a, b, c));
      for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) ASSERT_EQ(c.at(i, j), 20 * tiny);
      }
    }
  }
}

struct HalfMatrix {
  int64_t rs, cs;
  std::vector<BFloat16> data;
  BFloat16* origin;
  HalfMatrix(const Matrix<float>& x, int64_t lead) : rs(x.rs), cs(x.cs), data(lead) {
    for (float v : x.data) data.push_back(BFloat16(v));
    origin = data.data() + lead + (x.origin - x.data.data());
  }
  float at(int64_t i, int64_t j) const { return origin[i * rs + j * cs]; }
};

TEST(GemmBFloat16Test, the_error_is_that_of_float_sums_and_one_rounding) {
  using M = Matrix<float>;
  Random random(13);
  const std::vector<float> bias(1100, 0.25f);
  int64_t computed = 0;
  for (int i = 0; i < 300; i++) {
    const auto [m, n, k] = random_shape(random);
    const HalfMatrix a(M(m, k, random.of(M::kAll), i), random.below(2));
    const HalfMatrix b(M(k, n, random.of(M::kAll), i + 1), random.below(2));
    std::vector<BFloat16> c(m * n, BFloat16(7));
    const bool with_bias = random.below(2);
    const Gemm<BFloat16> g{.m = m,
                           .n = n,
                           .k = k,
                           .a = a.origin,
                           .a_rs = a.rs,
                           .a_cs = a.cs,
                           .b = b.origin,
                           .b_rs = b.rs,
                           .b_cs = b.cs,
                           .c = c.data(),
                           .c_rs = n};
    if (!gemm_bfloat16(g, with_bias ? bias.data() : nullptr)) {
      for (BFloat16 x : c) ASSERT_EQ(float(x), 7);
      continue;
    }
    computed++;
    for (int64_t y = 0; y < m; y++) {
      for (int64_t x = 0; x < n; x++) {
        double sum = with_bias ? 0.25 : 0, size = std::abs(sum);
        for (int64_t p = 0; p < k; p++) {
          const double term = static_cast<double>(a.at(y, p)) * b.at(p, x);
          sum += term, size += std::abs(term);
        }
        const double bound = size * (k + 4) * std::numeric_limits<float>::epsilon();
        ASSERT_LE(std::abs(c[y * n + x] - sum), std::abs(sum) / 256 + bound)
            << m << " " << k << " " << n;
      }
    }
  }
  if (__builtin_cpu_supports("avx512bf16") && active_isa() == Isa::V4) {
    EXPECT_GT(computed, 100);
  } else {
    EXPECT_EQ(computed, 0);
  }
}

TEST(GemmBFloat16Test, a_batch_gives_the_bits_of_its_matrices_with_any_number_of_workers) {
  const int before = runtime::num_workers();
  const int64_t batch = 3, m = 70, n = 90, k = 33;
  std::vector<BFloat16> a, b, expected, c(batch * m * n);
  std::mt19937 engine(3);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (int64_t i = 0; i < batch * m * k; i++) a.push_back(BFloat16(uniform(engine)));
  for (int64_t i = 0; i < batch * k * n; i++) b.push_back(BFloat16(uniform(engine)));
  Gemm<BFloat16> g{.m = m,
                   .n = n,
                   .k = k,
                   .a = a.data(),
                   .a_rs = k,
                   .b = b.data(),
                   .b_rs = n,
                   .c = c.data(),
                   .c_rs = n};
  for (int workers : {1, 2, 3, 8}) {
    runtime::set_num_workers(workers);
    std::fill(c.begin(), c.end(), BFloat16(0));
    Gemm<BFloat16> all = g;
    all.batch = batch, all.a_bs = m * k, all.b_bs = k * n, all.c_bs = m * n;
    if (workers == 1) {
      for (int64_t z = 0; z < batch; z++) {
        Gemm<BFloat16> one = g;
        one.a += z * m * k, one.b += z * k * n, one.c += z * m * n;
        gemm_bfloat16(one, nullptr);
      }
      expected = c;
    }
    gemm_bfloat16(all, nullptr);
    for (size_t i = 0; i < c.size(); i++) ASSERT_EQ(c[i].bits, expected[i].bits) << workers;
  }
  runtime::set_num_workers(before);
}

TEST(GemmBFloat16Test, special_values_reach_what_they_should) {
  const int64_t m = 9, n = 21, k = 7;
  for (int64_t p = 0; p < k; p++) {
    std::vector<BFloat16> a(m * k, BFloat16(1)), b(k * n, BFloat16(1)), c(m * n);
    a[2 * k + p] = BFloat16(float(kNan));
    b[p * n + 5] = BFloat16(float(kInf));
    const Gemm<BFloat16> g{.m = m,
                           .n = n,
                           .k = k,
                           .a = a.data(),
                           .a_rs = k,
                           .b = b.data(),
                           .b_rs = n,
                           .c = c.data(),
                           .c_rs = n};
    if (!gemm_bfloat16(g, nullptr)) return;  // no such instruction: products go through float
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < n; j++) {
        const float got = c[i * n + j];
        if (i == 2) {
          ASSERT_TRUE(std::isnan(got));
        } else {
          ASSERT_EQ(got, j == 5 ? float(kInf) : float(k));
        }
      }
    }
  }
}

TEST(GemmInt8Test, every_sum_is_exact) {
  Random random(14);
  for (int i = 0; i < 300; i++) {
    const auto [m, n, k] = random_shape(random);
    std::vector<int8_t> a(m * k), b(k * n);
    // Every fourth product is of the smallest values, whose sums are the largest.
    for (int8_t& x : a) x = static_cast<int8_t>(i % 4 ? random.below(256) - 128 : -128);
    for (int8_t& x : b) x = static_cast<int8_t>(i % 4 ? random.below(256) - 128 : -128);
    const bool a_turned = random.below(2), b_turned = random.below(2);
    const Gemm<int8_t> g{.m = m,
                         .n = n,
                         .k = k,
                         .a = a.data(),
                         .a_rs = a_turned ? 1 : k,
                         .a_cs = a_turned ? m : 1,
                         .b = b.data(),
                         .b_rs = b_turned ? 1 : n,
                         .b_cs = b_turned ? k : 1};
    std::vector<int32_t> c(m * n, 7);
    gemm_int8(g, c.data());
    for (int64_t y = 0; y < m; y++) {
      for (int64_t x = 0; x < n; x++) {
        int32_t sum = 0;
        for (int64_t p = 0; p < k; p++)
          sum += g.a[y * g.a_rs + p * g.a_cs] * g.b[p * g.b_rs + x * g.b_cs];
        ASSERT_EQ(c[y * n + x], sum) << m << " " << k << " " << n;
      }
    }
  }
}

}  // namespace
}  // namespace gotorch::kernels
