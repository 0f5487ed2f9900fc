#include "tensor/kernels/gemm_plan.h"

#include <algorithm>
#include <utility>

namespace gotorch::kernels {
namespace {

constexpr int64_t kDepth =
    512;  // each step reads and writes C: fewer are worth more than a panel that fits L1
constexpr int64_t kBlockRows = 192;  // 192 x 512 floats are 384 KiB of L2
constexpr int64_t kBlockCols = 512;
constexpr double kTaskFlops = 4e6;    // about 40 microseconds
constexpr double kAloneFlops = 1e6;   // a single task may be as large
constexpr int64_t kEnoughTasks = 16;  // with so many, tasks may be twice as large
constexpr int64_t kManyTasks = 32;    // with so many, none is split at a cost in packing
constexpr int64_t kShareRows = 1024;  // of A, from which B is packed once for all
constexpr int64_t kKeptElements =
    1 << 17;  // of B packed for several blocks: half of an L2 cache of 1 MiB
constexpr int64_t kColumnsToKeep = 4;
constexpr int64_t kFewTasks = 8;                 // fewer blocks than this leave workers idle
constexpr int64_t kSliceDepth = 1024;            // least depth of a slice
constexpr int64_t kMinRows = 32, kMinCols = 32;  // smaller blocks spend their time in packing

static_assert(kDepth + 8 <= kMaxDepth);

template <class T>
bool reads_rows(const Gemm<T>& g) {
  return g.a_cs == 1 || g.k == 1;
}

// Whether A is copied before its rows or columns are read: if neither lie together, or if its columns lie whole pages
// apart, since places a multiple of a page apart share so few sets of a cache that a tile's would not stay in it.
template <class T>
bool copies_a(const Gemm<T>& g) {
  return !reads_rows(g) && (g.a_rs != 1 || g.a_cs * sizeof(T) % 4096 == 0);
}

// Cycles, roughly, of computing g as it stands on one core.
template <class T>
double cost(const Gemm<T>& g, const MicroKernels<T>& kernels) {
  const double m = g.m, n = g.n, k = g.k;
  const double product = m * ceil_div(g.n, kernels.lanes) * (k + 8) * 0.5;
  const double pack_a = copies_a(g) ? m * k * (g.a_rs == 1 ? 0.2 : 0.4) : 0;
  const double pack_b = g.n == 1 ? 0 : n * k * (g.b_cs == 1 ? 0.2 : 0.4);
  const double scatter = g.c_cs == 1 ? 0 : m * n * 0.5;
  return product + pack_a + pack_b + scatter;
}

}  // namespace

int64_t depth_parts(int64_t k) { return std::max<int64_t>(1, ceil_div(k, kDepth)); }

template <class T>
Gemm<T> transposed(const Gemm<T>& g) {
  Gemm<T> t = g;
  std::swap(t.m, t.n);
  std::swap(t.a, t.b);
  std::swap(t.a_rs, t.b_cs);
  std::swap(t.a_cs, t.b_rs);
  std::swap(t.c_rs, t.c_cs);
  std::swap(t.a_bs, t.b_bs);
  std::swap(t.bias_row, t.bias_col);
  return t;
}

template <class T>
Gemm<T> fold_batch(const Gemm<T>& g) {
  Gemm<T> r = g;
  for (int side = 0; side < 2; side++) {
    if (r.batch > 1 && r.b_bs == 0 && r.a_bs == r.m * r.a_rs && r.c_bs == r.m * r.c_rs &&
        !r.bias_row) {
      r.m *= r.batch;
      r.batch = 1;
    }
    r = transposed(r);
  }
  return r;
}

template <class T>
Gemm<T> cheaper_side(const Gemm<T>& g, const MicroKernels<T>& kernels) {
  const Gemm<T> t = transposed(g);
  return cost(t, kernels) < cost(g, kernels) ? t : g;
}

template <class T>
int64_t depth_slices(const Gemm<T>& g, const MicroKernels<T>& kernels) {
  const double flops = 2.0 * g.m * g.n * g.k * g.batch;
  if (g.batch > 1 || g.k < 2 * kSliceDepth || flops < 2 * kTaskFlops) return 1;
  const GemmPlan plan = plan_gemm(g, kernels);
  const int64_t tasks = plan.row_parts * plan.col_parts;
  if (tasks >= kFewTasks) return 1;
  return std::min(
      {2 * kFewTasks / tasks, g.k / kSliceDepth, static_cast<int64_t>(flops / kTaskFlops)});
}

template <class T>
GemmPlan plan_gemm(const Gemm<T>& g, const MicroKernels<T>& kernels) {
  GemmPlan plan;
  plan.depth_parts = depth_parts(g.k);
  plan.row_parts = ceil_div(g.m, kBlockRows);
  plan.col_parts = ceil_div(g.n, kBlockCols);
  plan.a = !reads_rows(g) && g.a_rs == 1 ? ReadA::Columns : ReadA::Rows;
  plan.copy_a = copies_a(g);
  plan.pack_b = g.b_cs != 1 || g.m > 4 * kernels.mr || plan.a == ReadA::Columns;
  const double flops = 2.0 * g.m * g.n * g.k;
  // Rewriting a line that another core has read takes that long (measured: 28 ns) that a panel had better be packed
  // anew for each block of rows, unless there are many. Matrices of a batch are computed one after the other, with shared
  // panels, only if they are large.
  plan.share_b = plan.pack_b && g.m >= kShareRows &&
                 (g.batch == 1 || g.b_bs == 0 || flops > kFewTasks * kTaskFlops);
  const auto keeps = [&] {
    return plan.pack_b && !plan.share_b && ceil_div(g.n, plan.col_parts) * g.k <= kKeptElements;
  };
  // A few parts of the columns, though each copies A, if that lets their panels be kept.
  while (plan.pack_b && !plan.share_b && !keeps() && plan.col_parts < kColumnsToKeep)
    plan.col_parts *= 2;
  // Halving keeps the number of blocks even, which suits any even number of workers.
  const auto small_enough = [&] {
    const int64_t tasks = plan.row_parts * plan.col_parts;
    if (tasks == 1) return flops <= kAloneFlops;
    return flops <= kTaskFlops * tasks * (tasks < kEnoughTasks ? 1 : 2);
  };
  while (!small_enough()) {
    const int64_t rows = g.m / plan.row_parts, cols = g.n / plan.col_parts;
    // Each part of the columns copies its rows of A, each part of the rows packs its panels of B unless they are kept.
    const int64_t by_columns = plan.copy_a ? g.m : 0,
                  by_rows = plan.pack_b && !plan.share_b && !keeps() ? g.n : 0;
    const bool columns_first = by_columns == by_rows ? cols >= rows : by_columns < by_rows;
    const bool split_columns = columns_first && cols >= 2 * kMinCols;
    if (!split_columns && rows < 2 * kMinRows) break;
    const bool free = (split_columns ? by_columns : by_rows) == 0;
    if (!free && plan.row_parts * plan.col_parts >= kManyTasks) break;
    (split_columns ? plan.col_parts : plan.row_parts) *= 2;
  }
  plan.keep_b = keeps() && plan.row_parts > 1;
  return plan;
}

template Gemm<float> transposed(const Gemm<float>&);
template Gemm<double> transposed(const Gemm<double>&);
template Gemm<float> fold_batch(const Gemm<float>&);
template Gemm<float> cheaper_side(const Gemm<float>&, const MicroKernels<float>&);
template int64_t depth_slices(const Gemm<float>&, const MicroKernels<float>&);
template Gemm<double> fold_batch(const Gemm<double>&);
template Gemm<double> cheaper_side(const Gemm<double>&, const MicroKernels<double>&);
template int64_t depth_slices(const Gemm<double>&, const MicroKernels<double>&);
template GemmPlan plan_gemm(const Gemm<float>&, const MicroKernels<float>&);
template GemmPlan plan_gemm(const Gemm<int32_t>&, const MicroKernels<int32_t>&);
template GemmPlan plan_gemm(const Gemm<double>&, const MicroKernels<double>&);

}  // namespace gotorch::kernels
