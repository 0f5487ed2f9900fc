#pragma once
// What forward and backward of attention share. Scores are computed transposed: a tile has a row for each key and a column for
// each of kPanel queries. So maxima and sums over keys are sums of vectors, and a tile is an operand of the next product as it
// lies there: B of the product with values, A of the one with gradients.
#include <algorithm>
#include <limits>

#include "tensor/kernels/attention.h"
#include "tensor/kernels/exp_row.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_plan.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {

inline constexpr int64_t kPanel = 32;           // queries side by side: a multiple of every nr
inline constexpr int64_t kKeyBlock = 128;       // keys of a tile: 128 x 32 floats are half of L1
inline constexpr double kAttentionFlops = 2e6;  // a chunk of work: about 20 microseconds

// Keys that the queries up to `last` may look at.
template <class T>
int64_t visible_keys(const Attention<T>& p, int64_t last) {
  return p.causal ? std::min(p.keys, last + 1) : p.keys;
}

// Working memory of a task, handed out in pieces that are aligned to 64 bytes.
template <class T>
class Pieces {
 public:
  explicit Pieces(std::initializer_list<int64_t> sizes)
      : memory_(total(sizes)), next_(memory_.get()) {}
  T* take(int64_t size) {
    T* piece = next_;
    next_ += padded(size);
    return piece;
  }

 private:
  static int64_t padded(int64_t size) { return round_up(size, 16); }
  static int64_t total(std::initializer_list<int64_t> sizes) {
    int64_t sum = 0;
    for (int64_t s : sizes) sum += padded(s);
    return sum;
  }
  CallMemory<T> memory_;
  T* next_;
};

// Rows of a dense block, as the micro-kernels take them.
template <class T, int64_t most>
struct RowPointers {
  const T* row[most];
  RowPointers(const T* first, int64_t ld, int64_t rows) {
    for (int64_t i = 0; i < rows; i++) row[i] = first + i * ld;
  }
};

// C[rows, cols] = alpha * A B + beta * C where all are dense and cols is a multiple of the vectors' lanes.
template <class T>
void tile_product(const T* a, int64_t a_ld, int64_t rows, int64_t depth, const T* b, int64_t b_ld,
                  int64_t cols, T* c, int64_t c_ld, T alpha, T beta) {
  constexpr int64_t kMost = 128;
  const MicroKernels<T>& kernels = micro_kernels<T>();
  for (int64_t first = 0; first < rows; first += kMost) {
    const int64_t n = std::min(kMost, rows - first);
    const RowPointers<T, kMost> row(a + first * a_ld, a_ld, n);
    for (int64_t j = 0; j < cols; j += kernels.nr()) {
      const int width = static_cast<int>(std::min<int64_t>(kernels.nr(), cols - j));
      run_panel(kernels, row.row, n, depth, b + j, b_ld,
                TileOut<T>{.c = c + first * c_ld + j,
                           .c_rs = c_ld,
                           .cols = width,
                           .alpha = alpha,
                           .beta = beta});
    }
  }
}

template <class T>
void add_rows(T* s, int64_t ld, const T* m, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    map_row(s + i * ld, kPanel, [&](auto at) { return at(s + i * ld) + at(m + i * kPanel); });
}
template <class T>
void multiply_rows(T* s, int64_t ld, const T* m, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    map_row(s + i * ld, kPanel, [&](auto at) { return at(s + i * ld) * at(m + i * kPanel); });
}

// The scores of kPanel queries, whose columns lie in `q_columns` [width, kPanel], with keys [first_key, first_key + n).
template <class T>
void score_tile(const Attention<T>& p, int64_t z, int64_t first_query, int64_t first_key, int64_t n,
                const T* k_rows, const T* q_columns, T* s, int64_t ld) {
  tile_product(k_rows, p.width, n, p.width, q_columns, kPanel, kPanel, s, ld, p.scale, T(0));
  const int64_t queries = std::min(kPanel, p.queries - first_query);
  if (p.mask) {
    static const auto add = best_variant<&add_rows<T>>();
    T m[kPanel * kKeyBlock];
    pack(m, kPanel, kPanel, n, queries, p.mask(z, first_query) + first_key * p.mask.cs, p.mask.cs,
         p.mask.rs);
    add(s, ld, m, n);
  }
  for (int64_t i = std::max<int64_t>(0, first_query + 1 - first_key); p.causal && i < n; i++)
    std::fill_n(s + i * ld, std::min(kPanel, first_key + i - first_query),
                -std::numeric_limits<T>::infinity());
}

// What dropout multiplies the weights of the same tile by.
template <class T>
void keep_tile(const Attention<T>& p, int64_t z, int64_t first_query, int64_t first_key, int64_t n,
               T* tile) {
  const int64_t queries = std::min(kPanel, p.queries - first_query);
  for (int64_t i = 0; i < n; i++) {
    const bool* keep = p.keep(z, first_query) + (first_key + i) * p.keep.cs;
    for (int64_t j = 0; j < kPanel; j++)
      tile[i * kPanel + j] = j < queries && keep[j * p.keep.rs] ? p.keep_scale : T(0);
  }
}

}  // namespace gotorch::kernels
