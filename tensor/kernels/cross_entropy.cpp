#include "tensor/kernels/cross_entropy.h"

#include <algorithm>
#include <array>

#include "runtime/parallel.h"
#include "tensor/kernels/columns.h"
#include "tensor/kernels/exp_row.h"
#include "tensor/simd/isa.h"
#include "tensor/simd/math.h"

namespace gotorch::kernels {
namespace {

// A loss with the constants that all its elements share.
template <class T>
struct Problem : ClassLoss<T> {
  T hard;        // weight of the -log p[target] term: 1 - smoothing
  T soft;        // weight of every class: smoothing / c
  T weight_sum;  // over classes

  explicit Problem(const ClassLoss<T>& p)
      : ClassLoss<T>(p),
        hard(static_cast<T>(1 - p.smoothing)),
        soft(static_cast<T>(p.c > 0 ? p.smoothing / static_cast<double>(p.c) : 0)),
        weight_sum(static_cast<T>(p.c)) {
    if (!p.weight) return;
    double sum = 0;
    for (int64_t c = 0; c < p.c; c++) sum += static_cast<double>(p.weight[c]);
    weight_sum = static_cast<T>(sum);
  }
  bool ignored(int64_t t) const { return t == this->ignore_index; }
  T weight_of(int64_t c) const { return this->weight ? this->weight[c] : T(1); }
};

// The loss of one element, from log(sum), x[target] - max and, with smoothing, the sum over
// classes of weight * (x - max). Both terms of each difference have known signs: nothing cancels.
template <class T>
T element_loss(const Problem<T>& p, int64_t t, T log_sum, T shifted, T weighted_shifted) {
  const T nll = p.weight_of(t) * (log_sum - shifted);
  return p.soft == 0 ? nll : p.hard * nll + p.soft * (p.weight_sum * log_sum - weighted_shifted);
}

using LossAndWeight = std::array<double, 2>;

template <class T>
void put(const Problem<T>& p, int64_t i, int64_t t, T loss, T* losses, LossAndWeight& total) {
  if (losses) losses[i] = p.ignored(t) ? T(0) : loss;
  if (p.ignored(t)) return;
  total[0] += static_cast<double>(loss);
  total[1] += static_cast<double>(p.weight_of(t));
}

// The sum over classes of weight * (x - m).
template <class T>
T weighted_row(const Problem<T>& p, const T* x, T m) {
  if (p.soft == 0) return 0;
  const T* weight = p.weight;
  const auto sum =
      weight ? sum_row<T, 1>(p.c, [&](auto at) { return terms(at(weight) * (at(x) - m)); })
             : sum_row<T, 1>(p.c, [&](auto at) { return terms(at(x) - m); });
  return static_cast<T>(sum[0]);
}

template <class T>
void forward_group(const Problem<T>& p, T* losses, int64_t b, int64_t e, LossAndWeight& total) {
  T log_sum[kRows] = {};
  for (int64_t i = b; i < e; i++)
    if (!p.ignored(p.target[i])) p.max[i] = max_row(p.x + i * p.c, p.c);
  for (int64_t i = b; i < e; i++) {
    if (p.ignored(p.target[i])) continue;
    const T *x = p.x + i * p.c, m = p.max[i];
    log_sum[i - b] = p.sum[i] = exp_sum<false, T>(nullptr, p.c, [&](auto at) { return at(x) - m; });
  }
  for (T& sum : log_sum) sum = math::log(sum);
  for (int64_t i = b; i < e; i++) {
    const int64_t t = p.target[i];
    const T *x = p.x + i * p.c, m = p.max[i];
    const T loss =
        p.ignored(t) ? T(0) : element_loss(p, t, log_sum[i - b], x[t] - m, weighted_row(p, x, m));
    put(p, i, t, loss, losses, total);
  }
}

template <class T>
LossAndWeight forward_rows(const Problem<T>& p, T* losses, int64_t b, int64_t e) {
  LossAndWeight total = {};
  const int64_t group = row_group(p.c);
  for (int64_t i = b; i < e; i += group) forward_group(p, losses, i, std::min(e, i + group), total);
  return total;
}

// A tile of w columns of batch element o, from column j on.
template <class T>
LossAndWeight forward_columns(const Problem<T>& p, T* losses, int64_t o, int64_t j, int64_t w) {
  const T* x = p.x + o * p.c * p.s + j;
  const int64_t first = o * p.s + j;
  T *m = p.max + first, *sum = p.sum + first, e[kMaxTile];
  max_columns(x, p.c, p.s, w, m);
  ColumnSums<T> sums(w), weighted(w);
  for (int64_t c = 0; c < p.c; c++) {
    const T* xc = x + c * p.s;
    exp_row(e, w, [&](auto at) { return at(xc) - at(m); });
    sums.add(c, c + 1, [&](auto at, int64_t) { return terms(at(e)); });
  }
  std::copy_n(sums.rounded(), w, sum);
  if (p.soft != 0)
    weighted.add(0, p.c, [&](auto at, int64_t c) {
      return terms((at(x + c * p.s) - at(m)) * p.weight_of(c));
    });
  const T* weighted_sum = weighted.rounded();
  T* log_sum = e;
  for (int64_t k = 0; k < w; k++) log_sum[k] = math::log(sum[k]);
  LossAndWeight total = {};
  for (int64_t k = 0; k < w; k++) {
    const int64_t t = p.target[first + k];
    T loss = 0;
    if (!p.ignored(t))
      loss = element_loss(p, t, log_sum[k], x[t * p.s + k] - m[k], weighted_sum[k]);
    put(p, first + k, t, loss, losses, total);
  }
  return total;
}

// The incoming gradient of element i: a mean's is shared out by total weight.
template <class T>
T gradient_of(const ClassLoss<T>& p, const T* g, int64_t i) {
  if (p.reduction == Reduction::None) return g[i];
  return p.reduction == Reduction::Sum ? g[0] : g[0] / *p.total_weight;
}

// gx = slope * exp(x - max) - base * weight, and -hard * weight more at the target.
template <class T>
struct Slopes {
  T slope = 0, base = 0, at_target = 0;
  Slopes(const Problem<T>& p, const T* g, int64_t i, int64_t t) {
    if (p.ignored(t)) return;
    const T gi = gradient_of(p, g, i);
    at_target = gi * (p.hard * p.weight_of(t));
    base = gi * p.soft;
    slope = (at_target + base * p.weight_sum) / p.sum[i];
  }
};

template <class T>
void backward_rows(const Problem<T>& p, const T* g, T* gx, int64_t b, int64_t e) {
  for (int64_t i = b; i < e; i++) {
    const int64_t t = p.target[i];
    const T* x = p.x + i * p.c;
    T* gi = gx + i * p.c;
    if (p.ignored(t)) {
      std::fill_n(gi, p.c, T(0));
      continue;
    }
    const Slopes<T> s(p, g, i, t);
    const T m = p.max[i], *weight = p.weight;
    const auto shifted = [&](auto at) { return at(x) - m; };
    if (p.soft == 0) exp_row(gi, p.c, shifted, [&](auto, auto e) { return e * s.slope; });
    else if (weight)
      exp_row(gi, p.c, shifted, [&](auto at, auto e) { return e * s.slope - at(weight) * s.base; });
    else exp_row(gi, p.c, shifted, [&](auto, auto e) { return e * s.slope - s.base; });
    gi[t] -= s.at_target;
  }
}

template <class T>
void backward_columns(const Problem<T>& p, const T* g, T* gx, int64_t o, int64_t j, int64_t w) {
  const int64_t at0 = o * p.c * p.s + j, first = o * p.s + j;
  const T* m = p.max + first;
  T slope[kMaxTile], base[kMaxTile], at_target[kMaxTile];
  for (int64_t k = 0; k < w; k++) {
    const Slopes<T> s(p, g, first + k, p.target[first + k]);
    slope[k] = s.slope, base[k] = s.base, at_target[k] = s.at_target;
  }
  for (int64_t c = 0; c < p.c; c++) {
    const T* x = p.x + at0 + c * p.s;
    T *out = gx + at0 + c * p.s, weight = p.weight_of(c);
    exp_row(
        out, w, [&](auto at) { return at(x) - at(m); },
        [&](auto at, auto e) { return e * at(slope) - at(base) * weight; });
  }
  for (int64_t k = 0; k < w; k++) {
    const int64_t t = p.target[first + k];
    if (!p.ignored(t)) gx[at0 + t * p.s + k] -= at_target[k];
  }
}

template <class T>
std::optional<BadIndex> find_bad_target(const ClassLoss<T>& p) {
  return find_bad_index(p.target, p.n * p.s, 0, p.c, &p.ignore_index);
}

template <class T>
void finish(const ClassLoss<T>& p, const LossAndWeight& total, T* loss) {
  *p.total_weight = static_cast<T>(total[1]);
  if (p.reduction == Reduction::Sum) *loss = static_cast<T>(total[0]);
  if (p.reduction == Reduction::Mean) *loss = static_cast<T>(total[0] / total[1]);
}

LossAndWeight add(const LossAndWeight& a, const LossAndWeight& b) {
  return {a[0] + b[0], a[1] + b[1]};
}

}  // namespace

template <class T>
std::optional<BadIndex> cross_entropy(const ClassLoss<T>& loss_args, T* loss) {
  if (const auto bad = find_bad_target(loss_args)) return bad;
  const Problem<T> p(loss_args);
  T* losses = p.reduction == Reduction::None ? loss : nullptr;
  LossAndWeight total;
  if (p.s == 1) {
    static const auto rows = best_variant<&forward_rows<T>>();
    total = runtime::parallel_reduce(
        p.n, grain_of(p.c * kExpCost), [&](int64_t b, int64_t e) { return rows(p, losses, b, e); },
        add);
  } else {
    static const auto columns = best_variant<&forward_columns<T>>();
    const Tiles tiles({p.n, p.c, p.s});
    const auto range = [&](int64_t b, int64_t e) {
      LossAndWeight sum = {};
      for (int64_t i = b; i < e; i++) {
        const Tile t = tiles[i];
        sum = add(sum, columns(p, losses, t.outer, t.first, t.width));
      }
      return sum;
    };
    total = runtime::parallel_reduce(tiles.count(), tiles.grain(kExpCost), range, add);
  }
  finish(p, total, loss);
  return std::nullopt;
}

template <class T>
std::optional<BadIndex> cross_entropy_backward(const ClassLoss<T>& loss_args, const T* g, T* gx) {
  if (const auto bad = find_bad_target(loss_args)) return bad;
  const Problem<T> p(loss_args);
  if (p.s == 1) {
    static const auto rows = best_variant<&backward_rows<T>>();
    runtime::parallel_for(p.n, grain_of(p.c * kExpCost),
                          [&](int64_t b, int64_t e) { rows(p, g, gx, b, e); });
  } else {
    static const auto columns = best_variant<&backward_columns<T>>();
    Tiles({p.n, p.c, p.s}).for_each(kExpCost, [&](Tile t) {
      columns(p, g, gx, t.outer, t.first, t.width);
    });
  }
  return std::nullopt;
}

template <class T>
std::optional<BadIndex> nll_loss(const ClassLoss<T>& loss_args, T* loss) {
  if (const auto bad = find_bad_target(loss_args)) return bad;
  const Problem<T> p(loss_args);
  T* losses = p.reduction == Reduction::None ? loss : nullptr;
  const auto range = [&](int64_t b, int64_t e) {
    LossAndWeight sum = {};
    for (int64_t i = b; i < e; i++) {
      const int64_t t = p.target[i];
      const T* x = p.x + i / p.s * p.c * p.s + i % p.s;
      put(p, i, t, p.ignored(t) ? T(0) : -x[t * p.s] * p.weight_of(t), losses, sum);
    }
    return sum;
  };
  const auto total = runtime::parallel_reduce(p.n * p.s, grain_of(kExpCost), range, add);
  finish(p, total, loss);
  return std::nullopt;
}

template <class T>
std::optional<BadIndex> nll_loss_backward(const ClassLoss<T>& loss_args, const T* g, T* gx) {
  if (const auto bad = find_bad_target(loss_args)) return bad;
  const Problem<T> p(loss_args);
  const int64_t row = p.c * p.s;
  runtime::parallel_for(p.n, grain_of(row), [&](int64_t b, int64_t e) {
    std::fill(gx + b * row, gx + e * row, T(0));
    for (int64_t i = b * p.s; i < e * p.s; i++) {
      const int64_t t = p.target[i];
      if (!p.ignored(t))
        gx[i / p.s * row + t * p.s + i % p.s] = -gradient_of(p, g, i) * p.weight_of(t);
    }
  });
  return std::nullopt;
}

#define GOTORCH_INSTANTIATE(T)                                                                \
  template std::optional<BadIndex> cross_entropy(const ClassLoss<T>&, T*);                    \
  template std::optional<BadIndex> cross_entropy_backward(const ClassLoss<T>&, const T*, T*); \
  template std::optional<BadIndex> nll_loss(const ClassLoss<T>&, T*);                         \
  template std::optional<BadIndex> nll_loss_backward(const ClassLoss<T>&, const T*, T*);
GOTORCH_INSTANTIATE(float)
GOTORCH_INSTANTIATE(double)

}  // namespace gotorch::kernels
