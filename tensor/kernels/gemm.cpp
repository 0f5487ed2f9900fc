// The loops around the micro-kernel: batch and blocks of C as tasks, then depth, panels of B, rows.
#include "tensor/kernels/gemm.h"

#include <algorithm>
#include <atomic>
#include <type_traits>

#include "runtime/parallel.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_plan.h"
#include "tensor/kernels/gemm_thin.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kMaxRows = 256;             // rows of a block; the plan stays below
constexpr int64_t kSharedElements = 1 << 21;  // of B packed at a time

constexpr double kChunkFlops = 1e6;  // a chunk of small products: about 10 microseconds
constexpr int64_t kPackElements = 1 << 16;

// Panels of the columns `cols` of B, packed for the whole depth: those of a step behind those of the step before. Null
// data: none are.
template <class T>
struct Panels {
  const T* data = nullptr;
  Range cols{0, 0};
};

// Whose panels lie in Scratch::Kept of this thread. A call is told from others by a number of its own.
struct KeptPanels {
  uint64_t call = 0;
  int64_t z = 0, cols = 0;
  bool operator==(const KeptPanels&) const = default;
};
thread_local KeptPanels kept_panels;
std::atomic<uint64_t> calls{0};

// Rows of `step` elements of the other type each from rows of T.
template <class T>
void convert_rows(const Gemm<T>& g, std::byte* out, int64_t step, int64_t rows, int64_t cols,
                  T* from, int64_t ld) {
  for (int64_t i = 0; i < rows; i++) {
    void* row = from + i * ld;
    g.convert(out + i * step * g.item, &row, cols);
  }
}

template <class T>
struct Driver {
  const Gemm<T>& g;
  const GemmPlan& plan;
  const MicroKernels<T>& kernels;
  uint64_t call = plan.keep_b ? calls.fetch_add(1, std::memory_order_relaxed) + 1 : 0;

  // One task: C[rows, cols] of matrix z over the whole depth.
  void block(int64_t z, Range rows, Range cols, const T* shared) const {
    const T *a = g.a + z * g.a_bs, *b = g.b + z * g.b_bs;
    const Panels<T> panels =
        plan.keep_b ? kept(b, z, cols) : Panels<T>{shared, {0, shared ? g.n : 0}};
    const int64_t at = z * g.c_bs + rows.begin * g.c_rs + cols.begin * g.c_cs;
    if (g.c_cs == 1 && !g.convert) return dense_block(a, b, g.c + at, g.c_rs, rows, cols, panels);
    const int64_t ld = padded(cols.size());
    T* dense = scratch<T>(Scratch::C, rows.size() * ld);
    if (g.beta != T(0))
      pack(dense, ld, cols.size(), rows.size(), cols.size(), g.c + at, g.c_rs, g.c_cs);
    dense_block(a, b, dense, ld, rows, cols, panels);
    if (!g.convert) return unpack(g.c + at, g.c_rs, g.c_cs, rows.size(), cols.size(), dense, ld);
    std::byte* out = g.out + at * g.item;
    if (g.c_cs == 1) return convert_rows(g, out, g.c_rs, rows.size(), cols.size(), dense, ld);
    const int64_t turned_ld = padded(rows.size());
    T* turned = scratch<T>(Scratch::Turned, cols.size() * turned_ld);
    unpack(turned, 1, turned_ld, rows.size(), cols.size(), dense, ld);
    convert_rows(g, out, g.c_cs, cols.size(), rows.size(), turned, turned_ld);
  }

  // Elements between rows of a block that other places of the cache follow.
  static int64_t padded(int64_t cols) { return round_up(cols, 16) + 16; }

  // `c` is the first element of the block.
  void dense_block(const T* a, const T* b, T* c, int64_t c_rs, Range rows, Range cols,
                   const Panels<T>& panels) const {
    for (int64_t step = 0; step < plan.depth_parts; step++) {
      const Range depth = even_part(g.k, 8, plan.depth_parts, step);
      const T* row[kMaxRows];
      int64_t offsets[kMaxDepth];
      point_to_rows(row, offsets, a + depth.begin * g.a_cs, rows, depth.size());
      for (int64_t j = cols.begin; j < cols.end; j += kernels.nr()) {
        const int width = static_cast<int>(std::min<int64_t>(kernels.nr(), cols.end - j));
        int64_t b_rs = 0;
        const T* panel = panel_at(b, panels, depth, j, width, b_rs);
        const TileOut<T> out = output(c + j - cols.begin, c_rs, rows, j, width, depth);
        if (plan.a == ReadA::Columns) {
          run_panel(kernels, row, offsets, rows.size(), depth.size(), panel, out);
        } else {
          run_panel(kernels, row, rows.size(), depth.size(), panel, b_rs, out);
        }
      }
    }
  }

  // Where the rows of A start, and how far behind that their elements are.
  void point_to_rows(const T** row, int64_t* offsets, const T* a, Range rows, int64_t depth) const {
    const T* first = a + rows.begin * g.a_rs;
    int64_t row_step = g.a_rs, step = g.a_cs;
    // An odd number of cache lines between what is read one after the other keeps it in different
    // sets of the cache.
    if (plan.a == ReadA::Columns) {
      if (plan.copy_a) {
        step = round_up(rows.size(), 16) + 16;
        T* packed = scratch<T>(Scratch::A, depth * step);
        pack(packed, step, rows.size(), depth, rows.size(), first, g.a_cs, 1);
        first = packed;
      }
      for (int64_t p = 0; p < depth; p++) offsets[p] = p * step;
    } else if (plan.copy_a) {
      row_step = round_up(depth, 16) + 16;
      T* packed = scratch<T>(Scratch::A, rows.size() * row_step);
      pack(packed, row_step, depth, rows.size(), depth, first, g.a_rs, g.a_cs);
      first = packed;
    }
    for (int64_t i = 0; i < rows.size(); i++) row[i] = first + i * row_step;
  }

  // Panels narrower than nr are packed as wide as their vectors.
  int64_t panel_width(int64_t cols) const { return round_up(cols, kernels.lanes); }

  const T* panel_at(const T* b, const Panels<T>& panels, Range depth, int64_t j, int64_t width,
                    int64_t& b_rs) const {
    b_rs = panel_width(width);
    if (panels.data) return panels.data + place(panels.cols, depth, j);
    const T* first = b + depth.begin * g.b_rs + j * g.b_cs;
    if (!plan.pack_b && width == b_rs) {
      b_rs = g.b_rs;
      return first;
    }
    T* packed = scratch<T>(Scratch::B, depth.size() * b_rs);
    pack(packed, b_rs, b_rs, depth.size(), width, first, g.b_rs, g.b_cs);
    return packed;
  }

  // Of panel j of a step among those of `cols`.
  int64_t place(Range cols, Range depth, int64_t j) const {
    return depth.begin * panel_width(cols.size()) + (j - cols.begin) * depth.size();
  }

  void pack_panel(T* panels, const T* b, Range cols, int64_t j, Range depth) const {
    const int64_t width = std::min<int64_t>(kernels.nr(), cols.end - j), ld = panel_width(width);
    pack(panels + place(cols, depth, j), ld, ld, depth.size(), width,
         b + depth.begin * g.b_rs + j * g.b_cs, g.b_rs, g.b_cs);
  }

  // The panels of `cols` in this thread's scratch, packed unless they lie there from the block of other rows before.
  Panels<T> kept(const T* b, int64_t z, Range cols) const {
    T* data = scratch<T>(Scratch::Kept, panel_width(cols.size()) * g.k);
    const KeptPanels wanted{call, z, cols.begin};
    if (kept_panels != wanted) {
      for (int64_t step = 0; step < plan.depth_parts; step++)
        for (int64_t j = cols.begin; j < cols.end; j += kernels.nr())
          pack_panel(data, b, cols, j, even_part(g.k, 8, plan.depth_parts, step));
      kept_panels = wanted;
    }
    return {data, cols};
  }

  // What becomes of column panel j of the block after this depth step.
  TileOut<T> output(T* c, int64_t c_rs, Range rows, int64_t j, int width, Range depth) const {
    const bool first = depth.begin == 0, last = depth.end == g.k;
    TileOut<T> out{.c = c,
                   .c_rs = c_rs,
                   .cols = width,
                   .alpha = g.alpha,
                   .beta = first ? g.beta : T(1),
                   .relu = last && g.relu};
    if (last && g.bias_row) out.bias_row = g.bias_row + rows.begin;
    if (last && g.bias_col) out.bias_col = g.bias_col + j;
    return out;
  }
};

// Packs all of B, panel after panel within each depth step.
template <class T>
void pack_shared(const Driver<T>& driver, T* shared) {
  const int64_t nr = driver.kernels.nr(), panels = ceil_div(driver.g.n, nr);
  const int64_t steps = driver.plan.depth_parts, elements = nr * (driver.g.k / steps + 1);
  runtime::parallel_for(
      panels * steps, ceil_div(kPackElements, elements), [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; task++) {
          driver.pack_panel(shared, driver.g.b, {0, driver.g.n}, task % panels * nr,
                            even_part(driver.g.k, 8, steps, task / panels));
        }
      });
}

template <class T>
void run_blocks(const Driver<T>& driver, const T* shared) {
  const Gemm<T>& g = driver.g;
  const GemmPlan& plan = driver.plan;
  const int64_t blocks = plan.row_parts * plan.col_parts;
  const double flops = 2.0 * g.m * g.n * (g.k + 1) / blocks;
  const int64_t grain = std::max<int64_t>(1, static_cast<int64_t>(kChunkFlops / flops));
  runtime::parallel_for(g.batch * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
      const int64_t z = blocks == 1 ? task : task / blocks, block = task - z * blocks;
      // Neighbours share their rows of A, which stay in the L2 cache, or the columns of B that they keep.
      const int64_t i = plan.share_b ? block / plan.col_parts : block % plan.row_parts;
      const int64_t j = plan.share_b ? block % plan.col_parts : block / plan.row_parts;
      const Range rows = even_part(g.m, driver.kernels.mr, plan.row_parts, i);
      const Range cols = even_part(g.n, driver.kernels.nr(), plan.col_parts, j);
      driver.block(z, rows, cols, shared);
    }
  });
}

// Parts of C: one matrix of the batch, or columns of it.
template <class T>
void move_c(Gemm<T>& g, int64_t offset) {
  if (g.convert) g.out += offset * g.item;
  else g.c += offset;
}

template <class T>
Gemm<T> batch_item(const Gemm<T>& g, int64_t z) {
  Gemm<T> item = g;
  item.batch = 1;
  item.a += z * g.a_bs, item.b += z * g.b_bs;
  move_c(item, z * g.c_bs);
  return item;
}

template <class T>
Gemm<T> columns(const Gemm<T>& g, Range cols) {
  Gemm<T> part = g;
  part.n = cols.size();
  part.b += cols.begin * g.b_cs;
  move_c(part, cols.begin * g.c_cs);
  if (g.bias_col) part.bias_col += cols.begin;
  return part;
}

template <class T>
void run(const Gemm<T>& g, const MicroKernels<T>& kernels) {
  const GemmPlan plan = plan_gemm(g, kernels);
  const Driver<T> driver{g, plan, kernels};
  if (!plan.share_b) return run_blocks(driver, static_cast<const T*>(nullptr));
  if (g.batch > 1 && g.b_bs != 0) {
    for (int64_t z = 0; z < g.batch; z++) run(batch_item(g, z), kernels);
    return;
  }
  const int64_t slices = ceil_div(g.n * g.k, kSharedElements);
  if (slices > 1 && g.n > kernels.nr()) {
    for (int64_t s = 0; s < slices; s++) {
      const Range cols = even_part(g.n, kernels.nr(), slices, s);
      if (cols.size() > 0) run(columns(g, cols), kernels);
    }
    return;
  }
  const CallMemory<T> shared(round_up(g.n, kernels.lanes) * g.k);
  pack_shared(driver, shared.get());
  run_blocks<T>(driver, shared.get());
}

// A product with few elements and great depth: the depth is cut into slices that are computed side
// by side, as a batch, and summed in order.
template <class T>
void run_split(const Gemm<T>& g, int64_t slices, const MicroKernels<T>& kernels) {
  const int64_t size = g.m * g.n, depth = g.k / slices;
  const CallMemory<T> partial(size * slices);
  Gemm<T> part{.m = g.m,
               .n = g.n,
               .k = depth,
               .a = g.a,
               .a_rs = g.a_rs,
               .a_cs = g.a_cs,
               .b = g.b,
               .b_rs = g.b_rs,
               .b_cs = g.b_cs,
               .c = partial.get(),
               .c_rs = g.n,
               .batch = slices,
               .a_bs = depth * g.a_cs,
               .b_bs = depth * g.b_rs,
               .c_bs = size};
  run(part, kernels);
  if (g.k % slices != 0) {
    Gemm<T> rest = batch_item(part, slices - 1);
    rest.a += part.a_bs, rest.b += part.b_bs;
    rest.k = g.k % slices;
    rest.beta = 1;
    run(rest, kernels);
  }
  // Their sum is itself a product, of a row of ones with the partial results.
  const T one = 1;
  runtime::parallel_for(g.m, ceil_div(1 << 13, g.n * slices), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      Gemm<T> sum{.m = 1,
                  .n = g.n,
                  .k = slices,
                  .a = &one,
                  .a_rs = 0,
                  .a_cs = 0,
                  .b = partial.get() + i * g.n,
                  .b_rs = size,
                  .c = g.c,
                  .c_cs = g.c_cs,
                  .alpha = g.alpha,
                  .beta = g.beta,
                  .bias_col = g.bias_col,
                  .relu = g.relu,
                  .convert = g.convert,
                  .out = g.out,
                  .item = g.item};
      move_c(sum, i * g.c_rs);
      if (g.bias_row) sum.bias_row = g.bias_row + i;
      gemm_thin(sum);
    }
  });
}

}  // namespace

template <class T>
void gemm_blocks(const Gemm<T>& given, const MicroKernels<T>& kernels) {
  if constexpr (std::is_floating_point_v<T>) {
    const Gemm<T> g = cheaper_side(given, kernels);
    const int64_t slices = depth_slices(g, kernels);
    if (slices > 1) return run_split(g, slices, kernels);
    run(g, kernels);
  } else {
    run(given, kernels);  // A and B are of different kinds, so they stay on their sides
  }
}

template <class T>
void gemm(const Gemm<T>& g) {
  if (g.m <= 0 || g.n <= 0 || g.batch <= 0) return;
  const Gemm<T> folded = fold_batch(g);
  if (!gemm_thin(folded)) gemm_blocks(folded, micro_kernels<T>(std::max(folded.m, folded.n)));
}

template void gemm(const Gemm<float>&);
template void gemm(const Gemm<double>&);
template void gemm_blocks(const Gemm<float>&, const MicroKernels<float>&);
template void gemm_blocks(const Gemm<int32_t>&, const MicroKernels<int32_t>&);

}  // namespace gotorch::kernels
