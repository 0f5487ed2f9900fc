// Loops for what layouts have in common: rows that lie together, rows of a few elements, one row repeated, rows that are
// one element, reversed or spaced, and transpositions, which go through registers in blocks.
#include "tensor/kernels/plane.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kShortRow = 8;

template <class U>
struct Block {
  static constexpr int kSide = 16 / sizeof(U);
  typedef U Vector __attribute__((vector_size(16)));
};

template <class U>
using Vector = typename Block<U>::Vector;

// The lower (or upper) halves of a and b, element by element in turn.
template <class U, bool Upper>
inline Vector<U> interleaved(Vector<U> a, Vector<U> b) {
  constexpr int n = Block<U>::kSide;
  constexpr auto order = [] {
    std::array<U, n> at{};
    for (int i = 0; i < n; i++)
      at[i] = static_cast<U>(i / 2 + (Upper ? n / 2 : 0) + (i % 2 ? n : 0));
    return at;
  }();
  Vector<U> mask;
  std::memcpy(&mask, order.data(), sizeof mask);
  return __builtin_shuffle(a, b, mask);
}

// A block of 16 bytes by 16 / sizeof(U) rows. Each round doubles the length of the pieces of columns in the rows.
template <class U>
inline void transpose_block(U* y, const U* x, int64_t y_column, int64_t x_row) {
  constexpr int n = Block<U>::kSide;
  Vector<U> row[n], next[n];
#pragma GCC unroll 16
  for (int i = 0; i < n; i++) std::memcpy(&row[i], x + i * x_row, sizeof row[i]);
#pragma GCC unroll 4
  for (int round = 1; round < n; round *= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < n / 2; i++) {
      next[2 * i] = interleaved<U, false>(row[i], row[i + n / 2]);
      next[2 * i + 1] = interleaved<U, true>(row[i], row[i + n / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; i++) row[i] = next[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < n; i++) std::memcpy(y + i * y_column, &row[i], sizeof row[i]);
}

// y[c * y_column + r] = x[r * x_row + c] for r < rows, c < cols.
template <class U>
inline void transpose(U* y, const U* x, int64_t rows, int64_t cols, int64_t y_column,
                      int64_t x_row) {
  constexpr int64_t side = Block<U>::kSide, line = 64 / sizeof(U);
  // In the order of memory, which columns of blocks are not.
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < cols; c += line) __builtin_prefetch(x + r * x_row + c);
  const int64_t whole_rows = rows / side * side, whole_cols = cols / side * side;
  for (int64_t c = 0; c < whole_cols; c += side) {
    for (int64_t r = 0; r < whole_rows; r += side)
      transpose_block(y + c * y_column + r, x + r * x_row + c, y_column, x_row);
  }
  for (int64_t c = 0; c < cols; c++)
    for (int64_t r = c < whole_cols ? whole_rows : 0; r < rows; r++)
      y[c * y_column + r] = x[r * x_row + c];
}

// Rows of N elements; all N are loaded before the first is stored, so that the loop needs no order.
template <class U, int N>
void copy_short(const Plane& p) {
  auto* y = static_cast<U*>(p.y);
  auto* x = static_cast<const U*>(p.x);
  for (int64_t r = 0; r < p.rows; r++, y += p.y_row, x += p.x_row) {
    U v[N];
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) v[i] = x[i * p.x_step];
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) y[i * p.y_step] = v[i];
  }
}

// Rows of constant steps between elements, which the compiler knows.
template <class U, int YStep, int XStep>
inline void copy_rows(const Plane& p) {
  for (int64_t r = 0; r < p.rows; r++) {
    auto* __restrict y = static_cast<U*>(p.y) + r * p.y_row;
    auto* __restrict x = static_cast<const U*>(p.x) + r * p.x_row;
    for (int64_t i = 0; i < p.n; i++) y[i * YStep] = x[i * XStep];
  }
}
template <class U>
void copy_spaced(const Plane& p) {
  for (int64_t r = 0; r < p.rows; r++) {
    auto* __restrict y = static_cast<U*>(p.y) + r * p.y_row;
    auto* __restrict x = static_cast<const U*>(p.x) + r * p.x_row;
    const int64_t y_step = p.y_step, x_step = p.x_step;
#pragma GCC unroll 4
    for (int64_t i = 0; i < p.n; i++) y[i * y_step] = x[i * x_step];
  }
}

// Rows of bytes. memcpy takes ten times as long where glibc chooses `rep movsb` and y and x are aligned differently.
inline void copy_bytes(std::byte* y, const std::byte* x, int64_t rows, int64_t n, int64_t y_row,
                       int64_t x_row) {
  typedef char Line __attribute__((vector_size(64)));
  constexpr int64_t kLine = sizeof(Line);
  for (int64_t r = 0; r < rows; r++, y += y_row, x += x_row) {
    Line line, last;
    std::memcpy(&last, x + n - kLine, kLine);
    for (int64_t i = 0; i + kLine <= n; i += kLine) {
      std::memcpy(&line, x + i, kLine);
      std::memcpy(y + i, &line, kLine);
    }
    std::memcpy(y + n - kLine, &last, kLine);
  }
}

void copy_whole(const Plane& p, int64_t item) {
  static const auto by_lines = best_variant<&copy_bytes>();
  constexpr int64_t kShort = 64, kLong = 1 << 15;
  auto* y = static_cast<std::byte*>(p.y);
  auto* x = static_cast<const std::byte*>(p.x);
  const int64_t n = p.n * item, y_row = p.y_row * item, x_row = p.x_row * item;
  if (n >= kShort && n < kLong) return by_lines(y, x, p.rows, n, y_row, x_row);
  for (int64_t r = 0; r < p.rows; r++) std::memcpy(y + r * y_row, x + r * x_row, n);
}

template <class U>
void copy_items(const Plane& p) {
  static const auto filled = best_variant<&copy_rows<U, 1, 0>>();
  static const auto reversed = best_variant<&copy_rows<U, 1, -1>>();
  static const auto transposed = best_variant<&transpose<U>>();
  using Loop = void (*)(const Plane&);
  static constexpr Loop shorts[] = {nullptr,           &copy_short<U, 1>, &copy_short<U, 2>,
                                    &copy_short<U, 3>, &copy_short<U, 4>, &copy_short<U, 5>,
                                    &copy_short<U, 6>, &copy_short<U, 7>, &copy_short<U, 8>};
  auto* y = static_cast<U*>(p.y);
  auto* x = static_cast<const U*>(p.x);
  if (p.n <= kShortRow && p.rows > 1) return shorts[p.n](p);
  if (p.y_step == 1 && p.x_step == 1) return copy_whole(p, sizeof(U));
  if (p.rows >= kShortRow && p.y_row == 1 && p.x_step == 1)
    return transposed(y, x, p.rows, p.n, p.y_step, p.x_row);
  if (p.rows >= kShortRow && p.y_step == 1 && p.x_row == 1)
    return transposed(y, x, p.n, p.rows, p.y_row, p.x_step);
  if (p.y_step == 1 && p.x_step == 0) return filled(p);
  if (p.y_step == 1 && p.x_step == -1) return reversed(p);
  copy_spaced<U>(p);
}

// y = x again and again, as one contiguous row.
void repeat_row(const Plane& p, int64_t item) {
  copy_plane({p.y, p.x, 1, p.n, p.n, 1, p.n, p.x_step}, item);
  auto* y = static_cast<std::byte*>(p.y);
  const int64_t bytes = p.rows * p.n * item;
  for (int64_t done = p.n * item; done < bytes; done *= 2)
    std::memcpy(y + done, y, std::min(done, bytes - done));
}

}  // namespace

void copy_plane(const Plane& p, int64_t item) {
  if (p.rows <= 0 || p.n <= 0) return;
  if (p.x_row == 0 && p.rows > 1 && p.y_step == 1 && p.y_row == p.n) return repeat_row(p, item);
  switch (item) {
    case 1: return copy_items<uint8_t>(p);
    case 2: return copy_items<uint16_t>(p);
    case 4: return copy_items<uint32_t>(p);
    default: return copy_items<uint64_t>(p);
  }
}

}  // namespace gotorch::kernels
