// Compiled with -ffp-contract=fast, as the products are whose sums it reads.
#include "tensor/kernels/recurrent_cells.h"

#include <type_traits>

#include "tensor/simd/isa.h"
#include "tensor/simd/math.h"

namespace gotorch::kernels {
namespace {

// All loads of a unit come before its stores and units are apart, so arrays that are updated in place are no hindrance.
template <class F>
inline void for_units(int64_t n, F f) {
#pragma GCC ivdep
  for (int64_t j = 0; j < n; j++) f(j);
}

// over / under, with under in [1, 2]: several quotients share one division.
template <class T>
struct Quotient {
  T over, under;
};

// x = n ln2 + r of an exponential that is a normal number, for x <= 0 or NaN; below, that of the lowest such x.
template <class T>
GOTORCH_MATH math::detail::ExpReduced<T> reduced(T x) {
  constexpr T lowest = std::is_same_v<T, float> ? T(-87.33) : T(-708.39);
  return math::detail::reduce_exp(x < lowest ? lowest : x);
}
// exp(r) - 1 for the r of such a reduction.
template <class T>
GOTORCH_MATH T exp_minus_one(T r) {
  return r + r * r * math::detail::exp_tail(r);
}

template <class T>
GOTORCH_MATH Quotient<T> sigmoid(T x) {
  const auto e = reduced(-math::abs(x));
  const T down = (T(1) + exp_minus_one(e.r)) * math::detail::power_of_two<T>(e.biased);
  return {x < T(0) ? down : T(1), T(1) + down};
}

// tanh(|x|) = -t / (2 + t) with t = exp(-2 |x|) - 1, which is as exact for small x.
template <class T>
GOTORCH_MATH Quotient<T> tanh(T x) {
  const auto e = reduced(T(-2) * math::abs(x));
  const T power = math::detail::power_of_two<T>(e.biased);
  const T t = exp_minus_one(e.r) * power + (power - T(1));
  return {math::mulsign(-t, x), T(2) + t};
}

template <class T>
GOTORCH_MATH T value(Quotient<T> a) {
  return a.over / a.under;
}
// The values of two, and of three.
template <class T>
GOTORCH_MATH void values(Quotient<T> a, Quotient<T> b, T& x, T& y) {
  const T r = T(1) / (a.under * b.under);
  x = a.over * (r * b.under), y = b.over * (r * a.under);
}
template <class T>
GOTORCH_MATH void values(Quotient<T> a, Quotient<T> b, Quotient<T> c, T& x, T& y, T& z) {
  const T ab = a.under * b.under, r = T(1) / (ab * c.under), of_ab = r * c.under;
  x = a.over * (of_ab * b.under), y = b.over * (of_ab * a.under), z = c.over * (r * ab);
}

template <class T>
void lstm_forward(const CellForward<T>& b) {
  const int64_t w = b.width, h = b.hidden;
  for (int64_t r = 0; r < b.sequences; r++) {
    const T* s = b.sums + r * 4 * w;
    T *g = b.gates + r * b.gates_rs, *kept = b.kept + r * b.kept_rs, *c = b.c + r * h;
    T* y = b.y + r * b.y_rs;
    for_units(b.units, [=](int64_t j) {
      T in, forget, cell, out, squashed;
      values(sigmoid(s[j] + g[j]), sigmoid(s[w + j] + g[h + j]), tanh(s[2 * w + j] + g[2 * h + j]),
             in, forget, cell);
      const T now = forget * c[j] + in * cell;
      values(sigmoid(s[3 * w + j] + g[3 * h + j]), tanh(now), out, squashed);
      g[j] = in, g[h + j] = forget, g[2 * h + j] = cell, g[3 * h + j] = out;
      c[j] = now;
      kept[j] = now, kept[h + j] = squashed;
      y[j] = out * squashed;
    });
  }
}

template <class T>
void lstm_backward(const CellBackward<T>& b) {
  const int64_t h = b.hidden;
  for (int64_t r = 0; r < b.sequences; r++) {
    const T *s = b.sums + r * b.width, *g = b.gates + r * b.gates_rs, *gy = b.gy + r * b.y_rs;
    const T *kept = b.kept + r * b.kept_rs, *c_before = b.c_before[r] + b.unit;
    T *gh = b.gh + r * h, *gc = b.gc + r * h, *gg = b.g_gates + r * b.gates_rs;
    for_units(b.units, [=](int64_t j) {
      const T in = g[j], forget = g[h + j], cell = g[2 * h + j], out = g[3 * h + j];
      const T squashed = kept[h + j], dy = gh[j] + s[j] + gy[j];
      const T dc = gc[j] + dy * out * (T(1) - squashed * squashed);
      gg[j] = dc * cell * in * (T(1) - in);
      gg[h + j] = dc * c_before[j] * forget * (T(1) - forget);
      gg[2 * h + j] = dc * in * (T(1) - cell * cell);
      gg[3 * h + j] = dy * squashed * out * (T(1) - out);
      gc[j] = dc * forget;
      gh[j] = T(0);
    });
  }
}

template <class T>
void gru_forward(const CellForward<T>& b) {
  const int64_t w = b.width, h = b.hidden;
  for (int64_t r = 0; r < b.sequences; r++) {
    const T *s = b.sums + r * 3 * w, *before = b.before[r] + b.unit;
    T *g = b.gates + r * b.gates_rs, *kept = b.kept + r * b.kept_rs, *y = b.y + r * b.y_rs;
    for_units(b.units, [=](int64_t j) {
      T reset, update;
      values(sigmoid(s[j] + g[j]), sigmoid(s[w + j] + g[h + j]), reset, update);
      const T from_state = s[2 * w + j], fresh = value(tanh(g[2 * h + j] + reset * from_state));
      g[j] = reset, g[h + j] = update, g[2 * h + j] = fresh;
      kept[j] = from_state;
      y[j] = fresh + update * (before[j] - fresh);
    });
  }
}

template <class T>
void gru_backward(const CellBackward<T>& b) {
  const int64_t h = b.hidden;
  for (int64_t r = 0; r < b.sequences; r++) {
    const T *s = b.sums + r * b.width, *g = b.gates + r * b.gates_rs, *gy = b.gy + r * b.y_rs;
    const T *kept = b.kept + r * b.kept_rs, *before = b.before[r] + b.unit;
    T *gh = b.gh + r * h, *gg = b.g_gates + r * b.gates_rs, *gs = b.g_sums + r * b.gates_rs;
    for_units(b.units, [=](int64_t j) {
      const T reset = g[j], update = g[h + j], fresh = g[2 * h + j], dy = gh[j] + s[j] + gy[j];
      const T d_fresh = dy * (T(1) - update) * (T(1) - fresh * fresh);
      const T d_update = dy * (before[j] - fresh) * update * (T(1) - update);
      const T d_reset = d_fresh * kept[j] * reset * (T(1) - reset);
      gg[j] = d_reset, gg[h + j] = d_update, gg[2 * h + j] = d_fresh;
      gs[j] = d_reset, gs[h + j] = d_update, gs[2 * h + j] = d_fresh * reset;
      gh[j] = dy * update;
    });
  }
}

template <class T, Cell cell>
void plain_forward(const CellForward<T>& b) {
  for (int64_t r = 0; r < b.sequences; r++) {
    const T *s = b.sums + r * b.width, *g = b.gates + r * b.gates_rs;
    T* y = b.y + r * b.y_rs;
    for_units(b.units, [=](int64_t j) {
      const T sum = s[j] + g[j];
      if constexpr (cell == Cell::Tanh) y[j] = value(tanh(sum));
      else y[j] = sum < T(0) ? T(0) : sum;  // NaN stays NaN
    });
  }
}

template <class T, Cell cell>
void plain_backward(const CellBackward<T>& b) {
  for (int64_t r = 0; r < b.sequences; r++) {
    const T *s = b.sums + r * b.width, *y = b.y + r * b.y_rs, *gy = b.gy + r * b.y_rs;
    T *gh = b.gh + r * b.hidden, *gg = b.g_gates + r * b.gates_rs;
    for_units(b.units, [=](int64_t j) {
      const T dy = gh[j] + s[j] + gy[j];
      if constexpr (cell == Cell::Tanh) gg[j] = dy * (T(1) - y[j] * y[j]);
      else gg[j] = y[j] <= T(0) ? T(0) : dy;
      gh[j] = T(0);
    });
  }
}

}  // namespace

template <class T>
void cell_forward(Cell cell, const CellForward<T>& b) {
  static void (*const functions[])(const CellForward<T>&) = {
      best_variant<&plain_forward<T, Cell::Tanh>>(), best_variant<&plain_forward<T, Cell::Relu>>(),
      best_variant<&lstm_forward<T>>(), best_variant<&gru_forward<T>>()};
  functions[static_cast<int>(cell)](b);
}

template <class T>
void cell_backward(Cell cell, const CellBackward<T>& b) {
  static void (*const functions[])(const CellBackward<T>&) = {
      best_variant<&plain_backward<T, Cell::Tanh>>(),
      best_variant<&plain_backward<T, Cell::Relu>>(), best_variant<&lstm_backward<T>>(),
      best_variant<&gru_backward<T>>()};
  functions[static_cast<int>(cell)](b);
}

template void cell_forward(Cell, const CellForward<float>&);
template void cell_forward(Cell, const CellForward<double>&);
template void cell_backward(Cell, const CellBackward<float>&);
template void cell_backward(Cell, const CellBackward<double>&);

}  // namespace gotorch::kernels
