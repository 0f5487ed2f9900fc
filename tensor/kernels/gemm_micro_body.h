#pragma once
// The body of the micro-kernels, included by gemm_micro_*.cpp only. Those files are compiled with
// -ffp-contract=fast: `acc += a * b` is one fused multiply-add where the target has it.
#include <utility>

#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_vec.h"

namespace gotorch::kernels {

// What is done with an element of A and L of B. Other steps are in gemm_micro_bfloat16.cpp.
template <class Element, int Lanes>
struct MultiplyAdd {
  using T = Element;
  static constexpr int L = Lanes;
  using Vector = typename VecOf<T, L>::Type;
  static void add(Vector& acc, T a, Vector b) { acc += a * b; }
};

// Every loop over the tile is unrolled, so that the tile never leaves the registers.
template <class Step, int M, int N>
struct Tile {
  using T = typename Step::T;
  static constexpr int L = Step::L;
  using V = VecOf<T, L>;
  typename V::Type acc[M][N] = {};

  template <class F>
  void each(F&& f) {
#pragma GCC unroll 8
    for (int i = 0; i < M; i++) {
#pragma GCC unroll 2
      for (int j = 0; j < N; j++) f(acc[i][j], i, j * L);
    }
  }

  // Row p of B starts at row_at(p); element p of a row of A is at(p) elements behind its start.
  template <class At, class RowAt>
  void add_product(int64_t k, const T* const* a, At at, RowAt row_at) {
    const T* row[M];
#pragma GCC unroll 8
    for (int i = 0; i < M; i++) row[i] = a[i];
#pragma GCC unroll 4
    for (int64_t p = 0; p < k; p++) {
      const T* b = row_at(p);
      const int64_t place = at(p);
      typename V::Type bv[N];
#pragma GCC unroll 2
      for (int j = 0; j < N; j++) bv[j] = V::load(b + j * L);
#pragma GCC unroll 8
      for (int i = 0; i < M; i++) {
#pragma GCC unroll 2
        for (int j = 0; j < N; j++) Step::add(acc[i][j], row[i][place], bv[j]);
      }
    }
  }

  void store(const TileOut<T>& out) {
    auto at = [&](int i, int j) { return out.c + i * out.c_rs + j; };
    if (out.alpha != T(1)) each([&](auto& v, int, int) { v = v * out.alpha; });
    if (out.beta != T(0))
      each([&](auto& v, int i, int j) { v = v + V::load(at(i, j)) * out.beta; });
    if (out.bias_row) each([&](auto& v, int i, int) { v = v + out.bias_row[i]; });
    if (out.bias_col) each([&](auto& v, int, int j) { v = v + V::load(out.bias_col + j); });
    if (out.relu) each([&](auto& v, int, int) { v = v < T(0) ? typename V::Type{} : v; });
    each([&](auto& v, int i, int j) { V::store(at(i, j), v); });
  }
};

template <class Step, int M, int N, class T, class At, class RowAt>
inline void micro(int64_t k, const T* const* a, At at, RowAt row_at, const TileOut<T>& out) {
  constexpr int L = Step::L;
  // Lines of C are on their way while the depth is summed.
#pragma GCC unroll 8
  for (int i = 0; i < M; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < N; j++) __builtin_prefetch(out.c + i * out.c_rs + j * L, 1);
  }
  Tile<Step, M, N> tile;
  tile.add_product(k, a, at, row_at);
  if (out.cols == N * L) {
    tile.store(out);
  } else {
    alignas(64) T buffer[M * N * L];
    tile.each([&](auto& v, int i, int j) { VecOf<T, L>::store(buffer + i * N * L + j, v); });
    finish_tile(buffer, N * L, M, out);
  }
}

template <class Step, int M, int N, class T>
inline void micro_run(int64_t k, const T* const* a, const T* b, int64_t b_rs,
                      const TileOut<T>& out) {
  auto next_row = [&](int64_t) {
    const T* row = b;
    // The same row of the next panel: where B is read in place its rows are too far apart for the
    // hardware to see a stream.
    __builtin_prefetch(row + N * Step::L);
    b += b_rs;
    return row;
  };
  micro<Step, M, N>(k, a, [](int64_t p) { return p; }, next_row, out);
}

template <class Step, int M, int N, class T>
inline void micro_gather_b(int64_t k, const T* const* a, const T* b, const int64_t* offsets,
                           const TileOut<T>& out) {
  micro<Step, M, N>(
      k, a, [](int64_t p) { return p; }, [&](int64_t p) { return b + offsets[p]; }, out);
}

template <class Step, int M, int N, class T>
inline void micro_gather_a(int64_t k, const T* const* a, const int64_t* offsets, const T* b,
                           const TileOut<T>& out) {
  micro<Step, M, N>(
      k, a, [&](int64_t p) { return offsets[p]; }, [&](int64_t p) { return b + p * N * Step::L; },
      out);
}

// The table of one instruction set: the functions of Target<T, rows, vectors> are compiled for it.
template <class T, template <class, int, int> class Target, int... I>
constexpr MicroKernels<T> micro_table(int lanes, std::integer_sequence<int, I...>) {
  return {sizeof...(I),
          lanes,
          {{&Target<T, I + 1, 1>::run...}, {&Target<T, I + 1, 2>::run...}},
          {{&Target<T, I + 1, 1>::gather_b...}, {&Target<T, I + 1, 2>::gather_b...}},
          {{&Target<T, I + 1, 1>::gather_a...}, {&Target<T, I + 1, 2>::gather_a...}}};
}

}  // namespace gotorch::kernels
