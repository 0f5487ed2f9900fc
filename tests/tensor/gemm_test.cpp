#include "tensor/kernels/gemm.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "runtime/parallel.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/simd/isa.h"
#include "tests/tensor/matrices.h"

namespace gotorch::kernels {
namespace {

template <class T>
class GemmTest : public testing::Test {
 protected:
  void TearDown() override { runtime::set_num_workers(workers_); }
  const int workers_ = runtime::num_workers();
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(GemmTest, Types);

TYPED_TEST(GemmTest, sizes_around_the_tile_are_right_in_every_orientation) {
  using M = Matrix<TypeParam>;
  for (int64_t m : {1, 2, 5, 6, 7, 8, 9, 13, 25}) {
    for (int64_t n : {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33}) {
      for (int64_t k : {0, 1, 2, 3, 4, 5, 8, 17}) {
        for (int side = 0; side < 8; side++) {
          const M a(m, k, side & 1 ? M::kRows : M::kColumns, 1);
          const M b(k, n, side & 2 ? M::kRows : M::kColumns, 2);
          M c(m, n, side & 4 ? M::kRows : M::kColumns, 3);
          check(a, b, c);
          if (this->HasFatalFailure()) return;
        }
      }
    }
  }
}

TYPED_TEST(GemmTest, sizes_around_the_blocks_are_right_in_every_orientation) {
  using M = Matrix<TypeParam>;
  const int64_t shapes[][3] = {{193, 19, 321}, {31, 530, 40}, {200, 130, 50}, {49, 69, 641},
                               {385, 65, 9},   {3, 700, 650}, {700, 3, 650},  {1, 1, 5000},
                               {1, 900, 333},  {900, 1, 333}, {2, 70, 2000},  {64, 10, 512}};
  for (auto& [m, n, k] : shapes) {
    for (int side = 0; side < 8; side++) {
      const M a(m, k, side & 1 ? M::kRows : M::kColumns, 1);
      const M b(k, n, side & 2 ? M::kRows : M::kColumns, 2);
      M c(m, n, side & 4 ? M::kRows : M::kColumns, 3);
      check(a, b, c);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(GemmTest, any_strides_are_right) {
  using M = Matrix<TypeParam>;
  for (auto la : M::kAll) {
    for (auto lb : M::kAll) {
      for (auto lc : M::kAll) {
        for (auto [m, n, k] : {std::array{7, 19, 21}, std::array{33, 9, 5}, std::array{1, 20, 30},
                               std::array{20, 1, 30}}) {
          const M a(m, k, la, 1), b(k, n, lb, 2);
          M c(m, n, lc, 3);
          check(a, b, c);
          if (this->HasFatalFailure()) return;
        }
      }
    }
  }
}

TYPED_TEST(GemmTest, a_stride_of_zero_repeats_an_element) {
  using M = Matrix<TypeParam>;
  for (int64_t n : {1, 5, 16, 40}) {
    M a(9, 12, M::kRows, 1), b(12, n, M::kRows, 2), c(9, n, M::kRows, 3);
    Gemm<TypeParam> g = product(a, b, c);
    g.a_rs = 0;
    g.b_cs = 0;
    gemm(g);
    expect_product(g, c.data, c.data.data());
  }
}

TYPED_TEST(GemmTest, the_epilogue_scales_accumulates_adds_biases_and_clamps) {
  using T = TypeParam;
  using M = Matrix<T>;
  const M row(1, 700, M::kRows, 4), col(1, 700, M::kRows, 5);
  for (auto [m, n, k] : {std::array{13, 37, 20}, std::array{8, 24, 650}, std::array{1, 33, 9},
                         std::array{33, 1, 9}, std::array{12, 16, 0}, std::array{1, 1, 1}}) {
    for (int option = 0; option < 128; option++) {
      const M a(m, k, M::kRows, 1), b(k, n, option & 1 ? M::kRows : M::kColumns, 2);
      M c(m, n, option & 2 ? M::kRows : M::kColumns, 3);
      Gemm<T> g = product(a, b, c);
      if (option & 4) g.alpha = T(0.375);
      if (option & 8) g.beta = T(1);
      if (option & 16) g.beta += T(-0.75);
      if (option & 32) g.bias_row = row.origin;
      if (option & 64) g.bias_col = col.origin;
      g.relu = option % 3 == 0;
      const std::vector<T> before = c.data;
      gemm(g);
      expect_product(g, before, c.data.data());
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(GemmTest, without_depth_the_product_is_zero) {
  using M = Matrix<TypeParam>;
  M a(5, 0, M::kRows, 1), b(0, 21, M::kRows, 2), c(5, 21, M::kRows, 3);
  c.at(2, 2) = TypeParam(kNan);
  gemm(product(a, b, c));
  for (int i = 0; i < 5; i++) {
    for (int j = 0; j < 21; j++) EXPECT_EQ(c.at(i, j), 0);
  }
}

TYPED_TEST(GemmTest, an_empty_result_is_not_touched) {
  TypeParam a[4] = {1, 2, 3, 4}, c[4] = {5, 6, 7, 8};
  gemm(Gemm<TypeParam>{
      .m = 0, .n = 2, .k = 2, .a = a, .a_rs = 2, .b = a, .b_rs = 2, .c = c, .c_rs = 2});
  gemm(Gemm<TypeParam>{
      .m = 2, .n = 0, .k = 2, .a = a, .a_rs = 2, .b = a, .b_rs = 2, .c = c, .c_rs = 2});
  gemm(Gemm<TypeParam>{
      .m = 2, .n = 2, .k = 2, .a = a, .a_rs = 2, .b = a, .b_rs = 2, .c = c, .c_rs = 2, .batch = 0});
  for (int i = 0; i < 4; i++) EXPECT_EQ(c[i], 5 + i);
}

TYPED_TEST(GemmTest, nan_and_infinity_reach_their_row_or_column_only) {
  using M = Matrix<TypeParam>;
  for (int64_t m : {1, 7, 30}) {
    for (int64_t n : {1, 11, 40}) {
      M a(m, 50, M::kRows, 1), b(50, n, M::kColumns, 2), c(m, n, M::kRows, 3);
      a.at(m / 2, 17) = TypeParam(kNan);
      b.at(33, n / 2) = TypeParam(kInf);
      gemm(product(a, b, c));
      for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
          if (i == m / 2) {
            EXPECT_TRUE(std::isnan(c.at(i, j)));
          } else if (j == n / 2) {
            EXPECT_EQ(c.at(i, j), a.at(i, 33) > 0 ? kInf : -kInf);
          } else {
            EXPECT_TRUE(std::isfinite(c.at(i, j)));
          }
        }
      }
    }
  }
}

TYPED_TEST(GemmTest, relu_keeps_nan) {
  using M = Matrix<TypeParam>;
  for (int64_t n : {1, 9, 16}) {
    M a(6, 4, M::kRows, 1), b(4, n, M::kRows, 2), c(6, n, M::kRows, 3);
    a.at(3, 1) = TypeParam(kNan);
    Gemm<TypeParam> g = product(a, b, c);
    g.relu = true;
    gemm(g);
    for (int64_t j = 0; j < n; j++) {
      EXPECT_TRUE(std::isnan(c.at(3, j)));
      EXPECT_GE(c.at(2, j), 0);
    }
  }
}

TYPED_TEST(GemmTest, old_contents_are_not_read_without_beta) {
  using M = Matrix<TypeParam>;
  M a(20, 650, M::kRows, 1), b(650, 20, M::kRows, 2), c(20, 20, M::kRows, 3);
  for (auto& value : c.data) value = TypeParam(kNan);
  check(a, b, c);
}

TYPED_TEST(GemmTest, batches_with_any_batch_strides_are_right) {
  using T = TypeParam;
  using M = Matrix<T>;
  for (auto [m, n, k] : {std::array{5, 7, 9}, std::array{40, 33, 70}, std::array{1, 24, 10},
                         std::array{24, 1, 10}}) {
    for (int share = 0; share < 4; share++) {
      for (auto layout : {M::kRows, M::kColumns, M::kGappedRows}) {
        const int64_t batch = 7;
        M a(m * batch, k, layout, 1), b(k, n * batch, layout, 2), c(m * batch, n, layout, 3);
        Gemm<T> g = product(a, b, c);
        g.m = m, g.n = n, g.batch = batch;
        g.a_bs = share & 1 ? 0 : m * a.rs;
        g.b_bs = share & 2 ? 0 : n * b.cs;
        g.c_bs = m * c.rs;
        const std::vector<T> before = c.data;
        gemm(g);
        for (int64_t z = 0; z < batch; z++) expect_product(g, before, c.data.data(), z);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(GemmTest, bits_are_the_same_for_any_number_of_workers) {
  using T = TypeParam;
  using M = Matrix<T>;
  for (auto [m, n, k] :
       {std::array{150, 170, 190}, std::array{64, 300, 784}, std::array{9, 8, 60000},
        std::array{1, 3000, 500}, std::array{3000, 1, 500}}) {
    for (auto layout : {M::kRows, M::kColumns}) {
      const M a(m, k, layout, 1), b(k, n, layout, 2);
      std::vector<T> expected;
      for (int workers : {1, 2, 3, 8}) {
        runtime::set_num_workers(workers);
        M c(m, n, M::kRows, 3);
        gemm(product(a, b, c));
        if (workers == 1) expected = c.data;
        ASSERT_EQ(std::memcmp(c.data.data() + 1, expected.data() + 1, m * n * sizeof(T)), 0);
      }
    }
  }
}

TYPED_TEST(GemmTest, a_matrix_gives_the_same_bits_alone_and_in_a_batch) {
  using T = TypeParam;
  using M = Matrix<T>;
  for (auto [m, n, k] : {std::array{6, 10, 30}, std::array{33, 40, 400}, std::array{4, 64, 64}}) {
    const int64_t batch = 9;
    const M a(m * batch, k, M::kRows, 1), b(k * batch, n, M::kRows, 2);
    M c(m * batch, n, M::kRows, 3);
    Gemm<T> g = product(a, b, c);
    g.m = m, g.k = k, g.batch = batch;
    g.a_bs = m * k, g.b_bs = k * n, g.c_bs = m * n;
    gemm(g);
    for (int64_t z = 0; z < batch; z++) {
      std::vector<T> alone(m * n);
      Gemm<T> one = g;
      one.batch = 1;
      one.a += z * g.a_bs, one.b += z * g.b_bs, one.c = alone.data();
      gemm(one);
      EXPECT_EQ(std::memcmp(alone.data(), g.c + z * g.c_bs, alone.size() * sizeof(T)), 0);
    }
  }
}

// The variants below the processor's best would otherwise run on old processors only.
TYPED_TEST(GemmTest, every_micro_kernel_the_processor_can_run_is_right) {
  using T = TypeParam;
  const MicroKernels<T>* sets[3];
  if constexpr (std::is_same_v<T, float>) {
    sets[0] = &kMicroFloatV2, sets[1] = &kMicroFloatV3, sets[2] = &kMicroFloatV4;
  } else {
    sets[0] = &kMicroDoubleV2, sets[1] = &kMicroDoubleV3, sets[2] = &kMicroDoubleV4;
  }
  using M = Matrix<T>;
  for (int isa = 0; isa <= static_cast<int>(active_isa()); isa++) {
    const MicroKernels<T>& set = *sets[isa];
    for (int rows = 1; rows <= set.mr; rows++) {
      for (int nv = 1; nv <= MicroKernels<T>::kVectors; nv++) {
        for (int64_t k : {0, 1, 2, 3, 4, 5, 11}) {
          for (int cols = 1; cols <= nv * set.lanes; cols++) {
            const M a(rows, k, M::kRows, 1), b(k, nv * set.lanes, M::kRows, 2);
            M c(rows, cols, M::kGappedRows, 3);
            const T* row[MicroKernels<T>::kMaxRows];
            for (int i = 0; i < rows; i++) row[i] = &a.at(i, 0);
            const TileOut<T> out{.c = c.origin, .c_rs = c.rs, .cols = cols, .alpha = 1};
            const std::vector<T> before = c.data;
            const auto expect_right = [&](const M& left) {
              expect_product(product(left, b, c), before, c.data.data());
              for (int i = 0; i + 1 < rows; i++) EXPECT_TRUE(std::isnan(c.at(i, cols)));
              c.data = before;
            };
            set.run[nv - 1][rows - 1](k, row, b.origin, b.rs, out);
            expect_right(a);
            int64_t b_rows[16], a_columns[16];
            for (int64_t p = 0; p < k; p++) b_rows[p] = p * b.rs;
            set.gather_b[nv - 1][rows - 1](k, row, b.origin, b_rows, out);
            expect_right(a);
            const M turned(rows, k, M::kColumns, 4);
            for (int i = 0; i < rows; i++) row[i] = turned.origin + i;
            for (int64_t p = 0; p < k; p++) a_columns[p] = p * turned.cs;
            set.gather_a[nv - 1][rows - 1](k, row, a_columns, b.origin, out);
            expect_right(turned);
            if (this->HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace gotorch::kernels
