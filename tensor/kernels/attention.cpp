// Forward: the softmax of a row is built up block of keys by block, with what has been summed scaled down whenever a larger
// score turns up (Milakov and Gimelshein 2018).
#include "tensor/kernels/attention.h"

#include <cmath>

#include "runtime/parallel.h"
#include "tensor/kernels/attention_tile.h"
#include "tensor/simd/math.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kTaskQueries = 256;  // that share packed keys and values

// Of kPanel queries: the largest score so far, and the sum of exp(score - top).
template <class T>
struct PanelState {
  T top[kPanel], sum[kPanel];
};

// Turns a tile of scores into exp(score - top), adds them to the sums, and scales the sums' rows of `out` to the new top.
template <class T>
void softmax_step(T* s, int64_t n, PanelState<T>& state, T* out, int64_t out_rows) {
  constexpr int W = kWidth<T>, V = kPanel / W;
  const Vec<T> lowest = Vec<T>{} - std::numeric_limits<T>::infinity();
  Vec<T> top[V], shift[V], sum[V], factor[V];
  for (int v = 0; v < V; v++) top[v] = VecAt<T>{v * W}(state.top);
  for (int64_t i = 0; i < n; i++) {
    for (int v = 0; v < V; v++) {
      const Vec<T> x = VecAt<T>{i * kPanel + v * W}(s);
      top[v] = x > top[v] ? x : top[v];
    }
  }
  for (int v = 0; v < V; v++) {
    // Where there was nothing but -inf, exp(-inf - 0) is the right answer, not exp(-inf + inf).
    shift[v] = top[v] == lowest ? Vec<T>{} : top[v];
    factor[v] = VecAt<T>{v * W}(state.top) - shift[v];
    exp_lanes<T>(factor[v]);
    sum[v] = Vec<T>{};
    std::memcpy(state.top + v * W, &top[v], sizeof top[v]);
  }
  for (int64_t i = 0; i < n; i++) {
    for (int v = 0; v < V; v++) {
      Vec<T> e = VecAt<T>{i * kPanel + v * W}(s)-shift[v];
      exp_lanes<T>(e);
      sum[v] += e;
      std::memcpy(s + i * kPanel + v * W, &e, sizeof e);
    }
  }
  for (int v = 0; v < V; v++) {
    const Vec<T> total = VecAt<T>{v * W}(state.sum) * factor[v] + sum[v];
    std::memcpy(state.sum + v * W, &total, sizeof total);
  }
  for (int64_t i = 0; i < out_rows; i++) {
    for (int v = 0; v < V; v++) {
      const Vec<T> y = VecAt<T>{i * kPanel + v * W}(out)*factor[v];
      std::memcpy(out + i * kPanel + v * W, &y, sizeof y);
    }
  }
}

// Divides the rows of `out` by the sums, and writes the logarithms of the sums.
template <class T>
void softmax_end(const PanelState<T>& state, T* out, int64_t out_rows, T* log_sum) {
  T inverse[kPanel];
  for (int64_t j = 0; j < kPanel; j++) {
    const T sum = state.sum[j];
    inverse[j] = sum == 0 ? T(0) : 1 / sum;
    log_sum[j] = sum == 0 ? std::numeric_limits<T>::infinity() : state.top[j] + math::log(sum);
  }
  for (int64_t i = 0; i < out_rows; i++, out += kPanel)
    map_row(out, kPanel, [&](auto at) { return at(out) * at(inverse); });
}

// Queries `rows` of matrix z.
template <class T>
class ForwardTask {
 public:
  ForwardTask(const Attention<T>& p, int64_t z, Range rows)
      : p_(p),
        z_(z),
        rows_(rows),
        panels_(ceil_div(rows.size(), kPanel)),
        memory_({panels_ * p.width * kPanel, panels_ * p.out_width * kPanel, kKeyBlock * p.width,
                 kValueStride * p.out_width, kKeyBlock * kPanel, p.keep ? kKeyBlock * kPanel : 0}),
        q_(memory_.take(panels_ * p.width * kPanel)),
        out_(memory_.take(panels_ * p.out_width * kPanel)),
        k_(memory_.take(kKeyBlock * p.width)),
        v_(memory_.take(kValueStride * p.out_width)),
        s_(memory_.take(kKeyBlock * kPanel)),
        keep_(memory_.take(p.keep ? kKeyBlock * kPanel : 0)) {}

  void run() {
    std::fill_n(out_, panels_ * p_.out_width * kPanel, T(0));
    for (int64_t i = 0; i < panels_; i++) {
      std::fill_n(state_[i].top, kPanel, -std::numeric_limits<T>::infinity());
      std::fill_n(state_[i].sum, kPanel, T(0));
      pack(q_ + i * p_.width * kPanel, kPanel, kPanel, p_.width, last(i) + 1 - first(i),
           p_.q(z_, first(i)), p_.q.cs, p_.q.rs);
    }
    const int64_t keys = visible_keys(p_, rows_.end - 1);
    for (int64_t k = 0; k < keys; k += kKeyBlock) {
      const int64_t n = std::min(kKeyBlock, keys - k);
      pack(k_, p_.width, p_.width, n, p_.width, p_.k(z_, k), p_.k.rs, p_.k.cs);
      pack(v_, kValueStride, n, p_.out_width, n, p_.v(z_, k), p_.v.cs, p_.v.rs);
      for (int64_t i = 0; i < panels_; i++) step(i, k, std::min(n, visible_keys(p_, last(i)) - k));
    }
    for (int64_t i = 0; i < panels_; i++) finish(i);
  }

 private:
  // An odd number of cache lines between rows keeps them in different sets of the cache.
  static constexpr int64_t kValueStride = kKeyBlock + 16;

  int64_t first(int64_t panel) const { return rows_.begin + panel * kPanel; }
  int64_t last(int64_t panel) const { return std::min(rows_.end, first(panel) + kPanel) - 1; }

  void step(int64_t panel, int64_t k, int64_t n) {
    if (n <= 0) return;
    static const auto softmax = best_variant<&softmax_step<T>>();
    T* out = out_ + panel * p_.out_width * kPanel;
    score_tile(p_, z_, first(panel), k, n, k_, q_ + panel * p_.width * kPanel, s_, kPanel);
    softmax(s_, n, state_[panel], out, k == 0 ? 0 : p_.out_width);
    if (p_.keep) {
      static const auto multiply = best_variant<&multiply_rows<T>>();
      keep_tile(p_, z_, first(panel), k, n, keep_);
      multiply(s_, kPanel, keep_, n);
    }
    tile_product(v_, kValueStride, p_.out_width, n, s_, kPanel, kPanel, out, kPanel, T(1), T(1));
  }

  void finish(int64_t panel) {
    static const auto end = best_variant<&softmax_end<T>>();
    T *out = out_ + panel * p_.out_width * kPanel, log_sum[kPanel];
    const int64_t n = last(panel) + 1 - first(panel);
    end(state_[panel], out, p_.out_width, log_sum);
    unpack(p_.y(z_, first(panel)), p_.y.cs, p_.y.rs, p_.out_width, n, out, kPanel);
    std::copy_n(log_sum, n, p_.log_sum + z_ * p_.queries + first(panel));
  }

  const Attention<T>& p_;
  int64_t z_;
  Range rows_;
  int64_t panels_;
  Pieces<T> memory_;
  T *q_, *out_, *k_, *v_, *s_, *keep_;
  PanelState<T> state_[kTaskQueries / kPanel];
};

}  // namespace

template <class T>
void attention(const Attention<T>& p) {
  const int64_t parts = ceil_div(p.queries, kTaskQueries);
  if (parts == 0) return;
  const double flops = 2.0 * static_cast<double>(p.queries) * static_cast<double>(p.keys) *
                       static_cast<double>(p.width + p.out_width + 8) / static_cast<double>(parts);
  const int64_t grain = std::max<int64_t>(1, static_cast<int64_t>(kAttentionFlops / (flops + 1)));
  runtime::parallel_for(p.batch * parts, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++)
      ForwardTask<T>(p, task / parts, even_part(p.queries, kPanel, parts, task % parts)).run();
  });
}

template void attention(const Attention<float>&);
template void attention(const Attention<double>&);

}  // namespace gotorch::kernels
