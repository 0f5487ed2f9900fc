#pragma once
// Matrices in all layouts, and their product in long double as what is right.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tensor/kernels/gemm.h"

namespace gotorch::kernels {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInf = std::numeric_limits<double>::infinity();

// A matrix laid out in a larger buffer of NaNs, which no kernel may let into a result.
template <class T>
struct Matrix {
  int64_t rows, cols, rs, cs;
  std::vector<T> data;
  T* origin;

  enum Layout { kRows, kColumns, kGappedRows, kGappedColumns, kBothGapped, kReversed };
  static constexpr Layout kAll[] = {kRows,          kColumns,    kGappedRows,
                                    kGappedColumns, kBothGapped, kReversed};

  Matrix(int64_t r, int64_t c, Layout layout, unsigned seed) : rows(r), cols(c) {
    const bool by_rows = layout == kRows || layout == kGappedRows || layout == kReversed;
    const int64_t gap = layout == kRows || layout == kColumns ? 0 : 3;
    const int64_t step = layout == kBothGapped ? 2 : 1;
    rs = by_rows ? c * step + gap : step;
    cs = by_rows ? step : r * step + gap;
    const int64_t size = std::max<int64_t>(0, r - 1) * rs + std::max<int64_t>(0, c - 1) * cs + 1;
    data.assign(size + 2, T(kNan));
    origin = data.data() + 1;
    if (layout == kReversed) {
      origin += std::max<int64_t>(0, r - 1) * rs;
      rs = -rs;
    }
    std::mt19937 random(seed);
    std::uniform_real_distribution<T> uniform(-1, 1);
    for (int64_t i = 0; i < r; i++) {
      for (int64_t j = 0; j < c; j++) at(i, j) = uniform(random);
    }
  }
  T& at(int64_t i, int64_t j) { return origin[i * rs + j * cs]; }
  const T& at(int64_t i, int64_t j) const { return origin[i * rs + j * cs]; }
};

template <class T>
Gemm<T> product(const Matrix<T>& a, const Matrix<T>& b, Matrix<T>& c) {
  return {.m = c.rows,
          .n = c.cols,
          .k = a.cols,
          .a = a.origin,
          .a_rs = a.rs,
          .a_cs = a.cs,
          .b = b.origin,
          .b_rs = b.rs,
          .b_cs = b.cs,
          .c = c.origin,
          .c_rs = c.rs,
          .c_cs = c.cs};
}

// Compares matrix z of a finished product with a plain loop, given what C held before. The bound is
// that of summing k rounded products in any order.
template <class T>
void expect_product(const Gemm<T>& g, const std::vector<T>& before, const T* c_data,
                    int64_t z = 0) {
  for (int64_t i = 0; i < g.m; i++) {
    for (int64_t j = 0; j < g.n; j++) {
      long double sum = 0, size = 0;
      for (int64_t p = 0; p < g.k; p++) {
        const long double term =
            static_cast<long double>(g.a[z * g.a_bs + i * g.a_rs + p * g.a_cs]) *
            g.b[z * g.b_bs + p * g.b_rs + j * g.b_cs];
        sum += term;
        size += std::abs(term);
      }
      T* c = g.c + z * g.c_bs + i * g.c_rs + j * g.c_cs;
      auto add = [&](long double term) { sum += term, size += std::abs(term); };
      sum *= g.alpha;
      size *= std::abs(g.alpha);
      if (g.beta != 0) add(static_cast<long double>(g.beta) * before[c - c_data]);
      if (g.bias_row) add(g.bias_row[i]);
      if (g.bias_col) add(g.bias_col[j]);
      if (g.relu && sum < 0) sum = 0;
      const long double bound = size * (g.k + 4) * std::numeric_limits<T>::epsilon();
      ASSERT_LE(std::abs(sum - *c), bound)
          << g.m << "x" << g.k << "x" << g.n << " at " << i << ", " << j;
    }
  }
}

template <class T>
void check(const Matrix<T>& a, const Matrix<T>& b, Matrix<T>& c) {
  const std::vector<T> before = c.data;
  const Gemm<T> g = product(a, b, c);
  gemm(g);
  expect_product(g, before, c.data.data());
}

}  // namespace gotorch::kernels
