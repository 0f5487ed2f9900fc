// Compiled with -ffp-contract=fast, see gemm_micro_body.h. float sums use 16 lanes and double sums
// 8, whatever the vector width, so only the fusing differs between instruction sets.
#include "tensor/kernels/gemm_thin.h"

#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_plan.h"
#include "tensor/kernels/gemm_vec.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kMaxColumns = 4;
constexpr int64_t kChunkElements = 1 << 17;  // of the matrix: about 20 microseconds
constexpr int64_t kLongRun = 4096;           // elements of y that stay in the L1 cache

// sum[i] = dot(a[i], x, k) for R rows: two vectors of partial sums each, to hide the latency.
template <class T, int R>
inline void dots(const T* const* a, const T* x, int64_t k, T* sum) {
  constexpr int L = 32 / sizeof(T);
  using V = VecOf<T, L>;
  typename V::Type acc[R][2] = {};
  int64_t p = 0;
  for (; p + 2 * L <= k; p += 2 * L) {
    const auto x0 = V::load(x + p), x1 = V::load(x + p + L);
#pragma GCC unroll 4
    for (int i = 0; i < R; i++) {
      acc[i][0] += V::load(a[i] + p) * x0;
      acc[i][1] += V::load(a[i] + p + L) * x1;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < R; i++) {
    T lane[L];
    V::store(lane, acc[i][0] + acc[i][1]);
    for (int half = L / 2; half > 0; half /= 2) {
      for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    }
    sum[i] = lane[0];
  }
  for (; p < k; p++) {
    for (int i = 0; i < R; i++) sum[i] += a[i][p] * x[p];
  }
}

template <class T>
void all_dots(const T* const* a, int64_t rows, const T* x, int64_t k, T* y) {
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4) dots<T, 4>(a + i, x, k, y + i);
  for (; i < rows; i++) dots<T, 1>(a + i, x, k, y + i);
}

// y[j] = sum over p of x[p] * b[p][j]. Eight rows at a time: eight streams, y stays in L1.
template <class T>
void vector_times_rows(const T* x, int64_t k, const T* b, int64_t b_rs, int64_t cols,
                       T* __restrict y) {
  constexpr int R = 8;
  for (int64_t j = 0; j < cols; j++) y[j] = 0;
  int64_t p = 0;
  for (; p + R <= k; p += R) {
    const T* row = b + p * b_rs;
    const T w[R] = {x[p], x[p + 1], x[p + 2], x[p + 3], x[p + 4], x[p + 5], x[p + 6], x[p + 7]};
    for (int64_t j = 0; j < cols; j++) {
      T sum = y[j];
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) sum += w[r] * row[r * b_rs + j];
      y[j] = sum;
    }
  }
  for (; p < k; p++) {
    for (int64_t j = 0; j < cols; j++) y[j] += x[p] * b[p * b_rs + j];
  }
}

// An element of C, `at` from its start.
template <class T>
void finish(const Gemm<T>& g, int64_t at, int64_t row, int64_t col, T sum) {
  T v = sum * g.alpha;
  if (g.beta != T(0)) v += g.c[at] * g.beta;
  if (g.bias_row) v += g.bias_row[row];
  if (g.bias_col) v += g.bias_col[col];
  if (g.relu && v < T(0)) v = T(0);
  void* from = &v;
  if (g.convert) g.convert(g.out + at * g.item, &from, 1);
  else g.c[at] = v;
}

// c[rows, :] of product z, where rows of A are contiguous.
template <class T>
void dot_block(const Gemm<T>& g, int64_t z, Range rows) {
  constexpr int64_t kRun = 64;
  T* x = scratch<T>(Scratch::B, g.n * g.k);
  pack(x, g.k, g.k, g.n, g.k, g.b + z * g.b_bs, g.b_cs, g.b_rs);
  for (int64_t first = rows.begin; first < rows.end; first += kRun) {
    const int64_t n = std::min(kRun, rows.end - first);
    const T* row[kRun];
    T sum[kRun];
    for (int64_t i = 0; i < n; i++) row[i] = g.a + z * g.a_bs + (first + i) * g.a_rs;
    for (int64_t j = 0; j < g.n; j++) {
      row_dots(row, n, x + j * g.k, g.k, sum);
      const int64_t at = z * g.c_bs + first * g.c_rs + j * g.c_cs;
      for (int64_t i = 0; i < n; i++) finish(g, at + i * g.c_rs, first + i, j, sum[i]);
    }
  }
}

template <class T>
void run_dots(const Gemm<T>& g) {
  const int64_t block_rows = std::min(g.m, std::max<int64_t>(4, kChunkElements / (g.k + 1)));
  const int64_t blocks = ceil_div(g.m, block_rows);
  const int64_t grain = std::max<int64_t>(1, kChunkElements / ((g.k + 1) * block_rows));
  runtime::parallel_for(g.batch * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
      dot_block(g, task / blocks, even_part(g.m, 4, blocks, task % blocks));
    }
  });
}

// c[rows] of product z, where columns of A are contiguous and B is a column.
template <class T>
void sum_block(const Gemm<T>& g, int64_t z, Range rows) {
  static const auto kernel = best_variant<&vector_times_rows<T>>();
  T* x = scratch<T>(Scratch::B, g.k);
  pack(x, g.k, g.k, 1, g.k, g.b + z * g.b_bs, 0, g.b_rs);
  T* y = scratch<T>(Scratch::C, rows.size());
  kernel(x, g.k, g.a + z * g.a_bs + rows.begin, g.a_cs, rows.size(), y);
  for (int64_t i = rows.begin; i < rows.end; i++)
    finish(g, z * g.c_bs + i * g.c_rs, i, 0, y[i - rows.begin]);
}

template <class T>
void run_sums(const Gemm<T>& g) {
  // Long runs of each column, so a deep matrix is cut along its depth too, into slices that are
  // summed up in a second step.
  const int64_t blocks = ceil_div(g.m, kLongRun), rows = ceil_div(g.m, blocks);
  const int64_t slices = std::clamp<int64_t>(rows * g.k / kChunkElements, 1, ceil_div(g.k, 64));
  if (slices > 1) {
    const CallMemory<T> partial(g.batch * slices * g.m);
    const int64_t grain = 1;
    runtime::parallel_for(g.batch * slices, grain, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; task++) {
        const int64_t z = task / slices;
        const Range depth = even_part(g.k, 1, slices, task % slices);
        run_sums(Gemm<T>{.m = g.m,
                         .n = 1,
                         .k = depth.size(),
                         .a = g.a + z * g.a_bs + depth.begin * g.a_cs,
                         .a_rs = 1,
                         .a_cs = g.a_cs,
                         .b = g.b + z * g.b_bs + depth.begin * g.b_rs,
                         .b_rs = g.b_rs,
                         .c = partial.get() + task * g.m,
                         .c_rs = 1});
      }
    });
    const T one = 1;
    Gemm<T> sum = g;
    sum.k = slices;
    sum.a = partial.get(), sum.a_cs = g.m, sum.a_bs = slices * g.m;
    sum.b = &one, sum.b_rs = 0, sum.b_bs = 0;
    return run_sums(sum);
  }
  const int64_t grain = std::max<int64_t>(1, kChunkElements / ((g.k + 1) * rows));
  runtime::parallel_for(g.batch * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
      sum_block(g, task / blocks, even_part(g.m, 16, blocks, task % blocks));
    }
  });
}

}  // namespace

template <class T>
void row_dots(const T* const* a, int64_t rows, const T* x, int64_t k, T* y) {
  static const auto kernel = best_variant<&all_dots<T>>();
  kernel(a, rows, x, k, y);
}

template <class T>
bool gemm_thin(const Gemm<T>& g) {
  const bool deep = g.k >= 16;
  const bool few_columns = g.n <= kMaxColumns && g.a_cs == 1 && deep;
  const bool few_rows = g.m <= kMaxColumns && g.b_rs == 1 && deep;
  if (few_columns && !(few_rows && g.m < g.n)) {
    run_dots(g);
  } else if (few_rows) {
    run_dots(transposed(g));
  } else if (g.n == 1 && g.a_rs == 1) {
    run_sums(g);
  } else if (g.m == 1 && g.b_cs == 1) {
    run_sums(transposed(g));
  } else {
    return false;
  }
  return true;
}

template void row_dots(const float* const*, int64_t, const float*, int64_t, float*);
template bool gemm_thin(const Gemm<float>&);
template void row_dots(const double* const*, int64_t, const double*, int64_t, double*);
template bool gemm_thin(const Gemm<double>&);

}  // namespace gotorch::kernels
