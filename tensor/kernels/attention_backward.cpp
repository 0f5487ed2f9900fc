// Backward computes the weights anew, tile by tile, from the scores and the sums that forward left. With
//   w = exp(scores - log_sum), gw = keep * (g v^T), gs = w * (gw - sum(y * g))
// the gradients are gv = (keep * w)^T g, gk = scale * gs^T q, gq = scale * gs k. Those of values and keys are complete within a
// block of keys; those of queries are added up over the blocks of a part of the keys, then over the parts, both in order.
#include "runtime/parallel.h"
#include "tensor/kernels/attention.h"
#include "tensor/kernels/attention_tile.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kQueryBlock = 4 * kPanel;  // the depth of the products that sum over queries
constexpr int64_t kEnoughTasks = 16;
constexpr int64_t kPartKeys = 256;  // the fewest of a part: a part reads all queries

// Scores become w, gradients of weights become gs.
template <class T>
void gradient_rows(T* s, T* d, int64_t ld, int64_t n, const T* log_sum, const T* dot) {
  constexpr int W = kWidth<T>, V = kPanel / W;
  for (int64_t i = 0; i < n; i++, s += ld, d += ld) {
    for (int v = 0; v < V; v++) {
      const int64_t at = v * W;
      Vec<T> w = VecAt<T>{at}(s)-VecAt<T>{at}(log_sum);
      exp_lanes<T>(w);
      const Vec<T> gs = w * (VecAt<T>{at}(d)-VecAt<T>{at}(dot));
      std::memcpy(s + at, &w, sizeof w);
      std::memcpy(d + at, &gs, sizeof gs);
    }
  }
}

// dot[j] = sum over i of a[i][j] * b[i][j].
template <class T>
void column_dots(const T* a, const T* b, int64_t n, T* dot) {
  constexpr int W = kWidth<T>, V = kPanel / W;
  Vec<T> sum[V] = {};
  for (int64_t i = 0; i < n; i++) {
    for (int v = 0; v < V; v++)
      sum[v] += VecAt<T>{i * kPanel + v * W}(a)*VecAt<T>{i * kPanel + v * W}(b);
  }
  std::memcpy(dot, sum, sizeof sum);
}

// Sizes that the tasks share.
template <class T>
struct Plan {
  const Attention<T>& p;
  int64_t panels, parts;     // of queries, of keys
  int64_t width, out_width;  // rounded up to whole vectors
  explicit Plan(const Attention<T>& p)
      : p(p),
        panels(ceil_div(p.queries, kPanel)),
        parts(std::clamp<int64_t>(std::min(ceil_div(kEnoughTasks, p.batch), p.keys / kPartKeys), 1,
                                  kEnoughTasks)),
        width(round_up(p.width, micro_kernels<T>().lanes)),
        out_width(round_up(p.out_width, micro_kernels<T>().lanes)) {}
  int64_t query_size() const { return panels * p.width * kPanel; }
};

// One part of the keys of matrix z, with all queries that look at them.
template <class T>
class BackwardTask {
 public:
  BackwardTask(const Plan<T>& plan, const AttentionGradient<T>& d, int64_t z, Range keys, T* gq)
      : plan_(plan),
        p_(plan.p),
        d_(d),
        z_(z),
        keys_(keys),
        gq_(gq),
        rows_(plan.panels * kPanel),
        memory_({plan.query_size(), rows_ * p_.out_width, rows_ * plan.width,
                 rows_ * plan.out_width, rows_, rows_, kKeyBlock * p_.width,
                 kKeyBlock * p_.out_width, kKeyStride * p_.width, kKeyBlock * plan.width,
                 kKeyBlock * plan.out_width, kKeyBlock * kTileStride, kKeyBlock * kTileStride,
                 p_.keep ? kKeyBlock * kPanel : 0, kPanel * p_.out_width}) {
    q_columns_ = memory_.take(plan.query_size());
    g_columns_ = memory_.take(rows_ * p_.out_width);
    q_rows_ = memory_.take(rows_ * plan.width);
    g_rows_ = memory_.take(rows_ * plan.out_width);
    log_sum_ = memory_.take(rows_);
    dot_ = memory_.take(rows_);
    k_rows_ = memory_.take(kKeyBlock * p_.width);
    v_rows_ = memory_.take(kKeyBlock * p_.out_width);
    k_columns_ = memory_.take(kKeyStride * p_.width);
    gk_ = memory_.take(kKeyBlock * plan.width);
    gv_ = memory_.take(kKeyBlock * plan.out_width);
    s_ = memory_.take(kKeyBlock * kTileStride);
    gs_ = memory_.take(kKeyBlock * kTileStride);
    keep_ = memory_.take(p_.keep ? kKeyBlock * kPanel : 0);
    y_columns_ = memory_.take(kPanel * p_.out_width);
  }

  void run() {
    std::fill_n(gq_, plan_.query_size(), T(0));
    for (int64_t panel = first_panel(keys_.begin); panel < plan_.panels; panel++) prepare(panel);
    for (int64_t k = keys_.begin; k < keys_.end; k += kKeyBlock)
      block(k, std::min(kKeyBlock, keys_.end - k));
  }

 private:
  // Odd numbers of cache lines between rows keep them in different sets of the cache.
  static constexpr int64_t kKeyStride = kKeyBlock + 16, kTileStride = kQueryBlock + 16;

  // The first panel with a query that looks at key k.
  int64_t first_panel(int64_t k) const { return p_.causal ? k / kPanel : 0; }

  void prepare(int64_t panel) {
    static const auto dots = best_variant<&column_dots<T>>();
    const int64_t first = panel * kPanel, n = std::min(kPanel, p_.queries - first);
    T *q = q_rows_ + first * plan_.width, *g = g_rows_ + first * plan_.out_width;
    T *q_columns = q_columns_ + first * p_.width, *g_columns = g_columns_ + first * p_.out_width;
    // Rows first: columns are then read from what is in the cache.
    pack(q, plan_.width, plan_.width, n, p_.width, p_.q(z_, first), p_.q.rs, p_.q.cs);
    pack(g, plan_.out_width, plan_.out_width, n, p_.out_width, d_.g(z_, first), d_.g.rs, d_.g.cs);
    pack<T>(q_columns, kPanel, kPanel, p_.width, n, q, 1, plan_.width);
    pack<T>(g_columns, kPanel, kPanel, p_.out_width, n, g, 1, plan_.out_width);
    pack<T>(y_columns_, kPanel, kPanel, p_.out_width, n, p_.y(z_, first), p_.y.cs, p_.y.rs);
    dots(g_columns, y_columns_, p_.out_width, dot_ + first);
    // Columns and rows beyond the last query count as queries that look at nothing.
    std::copy_n(p_.log_sum + z_ * p_.queries + first, n, log_sum_ + first);
    std::fill(log_sum_ + first + n, log_sum_ + first + kPanel, std::numeric_limits<T>::infinity());
    std::fill(q_rows_ + (first + n) * plan_.width, q_rows_ + (first + kPanel) * plan_.width, T(0));
    std::fill(g_rows_ + (first + n) * plan_.out_width, g_rows_ + (first + kPanel) * plan_.out_width,
              T(0));
  }

  void block(int64_t k, int64_t n) {
    pack(k_rows_, p_.width, p_.width, n, p_.width, p_.k(z_, k), p_.k.rs, p_.k.cs);
    pack(v_rows_, p_.out_width, p_.out_width, n, p_.out_width, p_.v(z_, k), p_.v.rs, p_.v.cs);
    pack<T>(k_columns_, kKeyStride, n, p_.width, n, k_rows_, 1, p_.width);
    std::fill_n(gk_, n * plan_.width, T(0));
    std::fill_n(gv_, n * plan_.out_width, T(0));
    for (int64_t panel = first_panel(k); panel < plan_.panels; panel += kQueryBlock / kPanel)
      queries(k, n, panel, std::min(plan_.panels, panel + kQueryBlock / kPanel));
    unpack(d_.k(z_, k), d_.k.rs, d_.k.cs, n, p_.width, gk_, plan_.width);
    unpack(d_.v(z_, k), d_.v.rs, d_.v.cs, n, p_.out_width, gv_, plan_.out_width);
  }

  // Panels [begin, end) with keys [k, k + n).
  void queries(int64_t k, int64_t n, int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; panel++)
      tile(k, seen(k, n, panel), panel, (panel - begin) * kPanel);
    // Some keys at a time, if only later queries look at the later ones.
    const int64_t group = p_.causal ? kPanel : n;
    for (int64_t i = 0; i < n; i += group)
      sum_queries(i, std::min(group, n - i), begin, std::max(begin, first_panel(k + i)), end);
    for (int64_t panel = begin; panel < end; panel++)
      tile_product(k_columns_, kKeyStride, p_.width, seen(k, n, panel),
                   gs_ + (panel - begin) * kPanel, kTileStride, kPanel,
                   gq_ + panel * p_.width * kPanel, kPanel, p_.scale, T(1));
  }

  // How many of the keys [k, k + n) the last query of the panel looks at.
  int64_t seen(int64_t k, int64_t n, int64_t panel) const {
    return std::min(n, visible_keys(p_, panel * kPanel + kPanel - 1) - k);
  }

  // Adds what panels [first, end) give to keys i, ..., i + n - 1 of the tile, whose columns start at panel `begin`.
  void sum_queries(int64_t i, int64_t n, int64_t begin, int64_t first, int64_t end) {
    const int64_t depth = (end - first) * kPanel, at = i * kTileStride + (first - begin) * kPanel;
    if (depth <= 0) return;
    tile_product(s_ + at, kTileStride, n, depth, g_rows_ + first * kPanel * plan_.out_width,
                 plan_.out_width, plan_.out_width, gv_ + i * plan_.out_width, plan_.out_width, T(1),
                 T(1));
    tile_product(gs_ + at, kTileStride, n, depth, q_rows_ + first * kPanel * plan_.width,
                 plan_.width, plan_.width, gk_ + i * plan_.width, plan_.width, p_.scale, T(1));
  }

  // The weights and gs of one panel with n keys, in columns [column, column + kPanel).
  void tile(int64_t k, int64_t n, int64_t panel, int64_t column) {
    static const auto gradient = best_variant<&gradient_rows<T>>();
    static const auto multiply = best_variant<&multiply_rows<T>>();
    const int64_t first = panel * kPanel;
    T *s = s_ + column, *gs = gs_ + column;
    score_tile(p_, z_, first, k, n, k_rows_, q_columns_ + first * p_.width, s, kTileStride);
    tile_product(v_rows_, p_.out_width, n, p_.out_width, g_columns_ + first * p_.out_width, kPanel,
                 kPanel, gs, kTileStride, T(1), T(0));
    if (p_.keep) {
      keep_tile(p_, z_, first, k, n, keep_);
      multiply(gs, kTileStride, keep_, n);
    }
    gradient(s, gs, kTileStride, n, log_sum_ + first, dot_ + first);
    if (p_.keep) multiply(s, kTileStride, keep_, n);
  }

  const Plan<T>& plan_;
  const Attention<T>& p_;
  const AttentionGradient<T>& d_;
  int64_t z_;
  Range keys_;
  T* gq_;  // columns, as q_columns_
  int64_t rows_;
  Pieces<T> memory_;
  T *q_columns_, *g_columns_, *q_rows_, *g_rows_, *log_sum_, *dot_, *k_rows_, *v_rows_, *k_columns_,
      *gk_, *gv_, *s_, *gs_, *keep_, *y_columns_;
};

template <class T>
void add_all(T* sum, const T* x, int64_t n) {
  map_row(sum, n, [&](auto at) { return at(sum) + at(x); });
}

// Writes the sum of the parts' gradients of q.
template <class T>
void finish_queries(const Plan<T>& plan, const AttentionGradient<T>& d, int64_t z, T* parts) {
  static const auto add = best_variant<&add_all<T>>();
  for (int64_t i = 1; i < plan.parts; i++)
    add(parts, parts + i * plan.query_size(), plan.query_size());
  for (int64_t first = 0; first < plan.p.queries; first += kPanel)
    unpack(d.q(z, first), d.q.cs, d.q.rs, plan.p.width, std::min(kPanel, plan.p.queries - first),
           parts + first * plan.p.width, kPanel);
}

}  // namespace

template <class T>
void attention_backward(const Attention<T>& p, const AttentionGradient<T>& d) {
  if (p.batch == 0) return;
  const Plan<T> plan(p);
  const CallMemory<T> gq(p.batch * plan.parts * plan.query_size());
  const double flops = 2.0 * static_cast<double>(p.queries) * static_cast<double>(p.keys) *
                       static_cast<double>(3 * p.width + 2 * p.out_width + 8) /
                       static_cast<double>(plan.parts);
  const int64_t grain = std::max<int64_t>(1, static_cast<int64_t>(kAttentionFlops / (flops + 1)));
  runtime::parallel_for(p.batch * plan.parts, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
      const Range keys = even_part(p.keys, kKeyBlock, plan.parts, task % plan.parts);
      BackwardTask<T>(plan, d, task / plan.parts, keys, gq.get() + task * plan.query_size()).run();
    }
  });
  runtime::parallel_for(p.batch, std::max<int64_t>(1, (1 << 16) / (plan.query_size() + 1)),
                        [&](int64_t begin, int64_t end) {
                          for (int64_t z = begin; z < end; z++)
                            finish_queries(plan, d, z,
                                           gq.get() + z * plan.parts * plan.query_size());
                        });
}

template void attention_backward(const Attention<float>&, const AttentionGradient<float>&);
template void attention_backward(const Attention<double>&, const AttentionGradient<double>&);

}  // namespace gotorch::kernels
