// The loops around the micro-kernel: batch and blocks of C as tasks, then depth, panels of B, rows.
#include "tensor/kernels/gemm.h"

#include <algorithm>
#include <memory>
#include <new>

#include "runtime/parallel.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_plan.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kMaxRows = 256;             // rows of a block; the plan stays below
constexpr int64_t kSharedElements = 1 << 21;  // of B packed at a time

template <class T>
struct Driver {
  const Gemm<T>& g;
  const GemmPlan& plan;
  const MicroKernels<T>& kernels;

  // One task: C[rows, cols] over the whole depth.
  void block(const T* a, const T* b, T* c, Range rows, Range cols, const T* shared) const {
    for (int64_t step = 0; step < plan.depth_parts; step++) {
      const Range depth = even_part(g.k, 8, plan.depth_parts, step);
      const T* row[kMaxRows];
      point_to_rows(row, a + depth.begin * g.a_cs, rows, depth.size());
      for (int64_t j = cols.begin; j < cols.end; j += kernels.nr()) {
        const int width = static_cast<int>(std::min<int64_t>(kernels.nr(), cols.end - j));
        int64_t b_rs = 0;
        const T* panel = panel_at(b, shared, depth, j, width, b_rs);
        run_rows(row, panel, b_rs, c, rows, j, width, depth);
      }
    }
  }

  void point_to_rows(const T** row, const T* a, Range rows, int64_t depth) const {
    const T* first = a + rows.begin * g.a_rs;
    int64_t stride = g.a_rs;
    if (plan.pack_a) {
      // An odd number of cache lines between rows keeps them in different sets of the cache.
      stride = round_up(depth, 16) + 16;
      T* packed = scratch<T>(Scratch::A, rows.size() * stride);
      pack(packed, stride, depth, rows.size(), depth, first, g.a_rs, g.a_cs);
      first = packed;
    }
    for (int64_t i = 0; i < rows.size(); i++) row[i] = first + i * stride;
  }

  // Panels narrower than nr are packed as wide as their vectors.
  int64_t panel_width(int64_t cols) const { return round_up(cols, kernels.lanes); }

  const T* panel_at(const T* b, const T* shared, Range depth, int64_t j, int64_t width,
                    int64_t& b_rs) const {
    b_rs = panel_width(width);
    if (shared) return shared + depth.begin * round_up(g.n, kernels.lanes) + j * depth.size();
    const T* first = b + depth.begin * g.b_rs + j * g.b_cs;
    if (!plan.pack_b && width == b_rs) {
      b_rs = g.b_rs;
      return first;
    }
    T* packed = scratch<T>(Scratch::B, depth.size() * b_rs);
    pack(packed, b_rs, b_rs, depth.size(), width, first, g.b_rs, g.b_cs);
    return packed;
  }

  void run_rows(const T* const* row, const T* panel, int64_t b_rs, T* c, Range rows, int64_t j,
                int width, Range depth) const {
    const int vectors = static_cast<int>(ceil_div(width, kernels.lanes));
    const bool first = depth.begin == 0, last = depth.end == g.k;
    TileOut<T> out{.c_rs = g.c_rs,
                   .c_cs = g.c_cs,
                   .cols = width,
                   .alpha = g.alpha,
                   .beta = first ? g.beta : T(1),
                   .relu = last && g.relu};
    if (last && g.bias_col) out.bias_col = g.bias_col + j;
    const int64_t tiles = ceil_div(rows.size(), kernels.mr);
    for (int64_t t = 0; t < tiles; t++) {
      // Even tiles: 7 rows are 4 and 3, since a tile of one row takes as long as one of four.
      const Range part = even_part(rows.size(), 1, tiles, t);
      const int64_t i = rows.begin + part.begin;
      out.c = c + i * g.c_rs + j * g.c_cs;
      if (last && g.bias_row) out.bias_row = g.bias_row + i;
      kernels.run[vectors - 1][part.size() - 1](depth.size(), row + part.begin, panel, b_rs, out);
    }
  }
};

}  // namespace

template <class T>
void gemm(const Gemm<T>& given) {
  if (given.m <= 0 || given.n <= 0 || given.batch <= 0) return;
  const MicroKernels<T>& kernels = micro_kernels<T>();
  const Gemm<T> g = normalized(given, kernels);
  const GemmPlan plan = plan_gemm(g, kernels);
  const Driver<T> driver{g, plan, kernels};
  const int64_t blocks = plan.row_parts * plan.col_parts;
  const double flops = 2.0 * g.m * g.n * (g.k + 1) / blocks;
  const int64_t grain = std::max<int64_t>(1, static_cast<int64_t>(2e6 / flops));
  runtime::parallel_for(g.batch * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
      const int64_t z = task / blocks, block = task % blocks;
      const Range rows = even_part(g.m, kernels.mr, plan.row_parts, block % plan.row_parts);
      const Range cols = even_part(g.n, kernels.nr(), plan.col_parts, block / plan.row_parts);
      driver.block(g.a + z * g.a_bs, g.b + z * g.b_bs, g.c + z * g.c_bs, rows, cols, nullptr);
    }
  });
}

template void gemm(const Gemm<float>&);
template void gemm(const Gemm<double>&);

}  // namespace gotorch::kernels
