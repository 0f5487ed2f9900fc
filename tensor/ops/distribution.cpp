// Random numbers of distributions other than uniform and normal, and draws by weight: PyTorch's CPU numbers for the
// same seed.
#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "tensor/kernels/random_fill.h"
#include "tensor/ops.h"
#include "tensor/ops/random.h"

namespace gotorch::ops {
namespace {

// Each row's weights must say something: none negative or infinite, their sum positive.
template <class T>
void check_weights(const T* p, int64_t rows, int64_t categories, bool replacement,
                   int64_t samples) {
  for (int64_t r = 0; r < rows; r++) {
    double sum = 0;
    int64_t positive = 0;
    for (int64_t i = 0; i < categories; i++) {
      const auto w = static_cast<double>(p[r * categories + i]);
      check(w >= 0 && w < std::numeric_limits<double>::infinity(),
            "probability tensor contains either `inf`, `nan` or element < 0: got ", w, " in row ",
            r);
      sum += w;
      positive += w > 0;
    }
    check(sum > 0, "invalid multinomial distribution (sum of probabilities <= 0) in row ", r);
    check(replacement || positive >= samples,
          "invalid multinomial distribution (with replacement=False, not enough non-negative "
          "category to sample): row ",
          r, " has ", positive, " for ", samples, " samples");
  }
}

// The indices of the `count` largest of each row, the largest first. Which of equal ones come first is up to the
// standard library, whose selection PyTorch uses too.
template <class T>
void select_largest(const T* x, int64_t rows, int64_t n, int64_t count, int64_t* indices) {
  using Entry = std::pair<Compute<T>, int64_t>;
  const auto larger = [](const Entry& a, const Entry& b) { return a.first > b.first; };
  std::vector<Entry> row(static_cast<size_t>(n));
  for (int64_t r = 0; r < rows; r++, x += n, indices += count) {
    for (int64_t i = 0; i < n; i++) row[i] = {static_cast<Compute<T>>(x[i]), i};
    if (count * 64 <= n) {
      std::partial_sort(row.begin(), row.begin() + count, row.end(), larger);
    } else {
      std::nth_element(row.begin(), row.begin() + count - 1, row.end(), larger);
      std::sort(row.begin(), row.begin() + count - 1, larger);
    }
    for (int64_t i = 0; i < count; i++) indices[i] = row[i].second;
  }
}

}  // namespace

const Op exponential{{
    .sig = "exponential(Tensor input, float lambd=1, *, Generator? generator=None) -> Tensor",
    .doc = "Numbers of density lambd * exp(-lambd * x), in input's shape and dtype.",
    .scope = Scope::Method,
    .kernel = filling_floats([](auto& a, auto* out, int64_t n) {
      fill_exponential(out, n, a.number(1), generator_of(a, 2));
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .validate =
        [](const Args& a) {
          check(a.number(1) > 0,
                "exponential_ expects lambda > 0.0, but found lambda=", a.number(1));
        },
    .samples = {{in(-1, 1)}, {in(-1, 1, {4, 33}), 2.5}},
    .errors = {{{in(-1, 1), 0.0}, "exponential_ expects lambda > 0.0"}},
}};

const Op cauchy{{
    .sig = "cauchy(Tensor input, float median=0, float sigma=1, *, Generator? generator=None) -> "
           "Tensor",
    .doc = "Numbers of Cauchy's distribution, in input's shape and dtype.",
    .scope = Scope::Method,
    .kernel = filling_floats([](auto& a, auto* out, int64_t n) {
      fill_cauchy(out, n, a.number(1), a.number(2), generator_of(a, 3));
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .validate =
        [](const Args& a) {
          check(a.number(2) > 0, "cauchy_ expects sigma > 0.0, but found sigma=", a.number(2));
        },
    .samples = {{in(-1, 1)}, {in(-1, 1, {4, 33}), 0.5, 2.0}},
    .errors = {{{in(-1, 1), 0.0, -1.0}, "cauchy_ expects sigma > 0.0"}},
}};

const Op log_normal{{
    .sig = "log_normal(Tensor input, float mean=1, float std=2, *, Generator? generator=None) -> "
           "Tensor",
    .doc = "exp of normal numbers of the given mean and standard deviation, in input's shape and "
           "dtype.",
    .scope = Scope::Method,
    .kernel = filling_floats([](auto& a, auto* out, int64_t n) {
      fill_log_normal(out, n, a.number(1), a.number(2), generator_of(a, 3));
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .validate =
        [](const Args& a) {
          check(a.number(2) > 0, "log_normal_ expects std > 0.0, but found std=", a.number(2));
        },
    .samples = {{in(-1, 1)}, {in(-1, 1, {4, 33}), 0.5, 0.25}},
    .errors = {{{in(-1, 1), 0.0, 0.0}, "log_normal_ expects std > 0.0"}},
}};

const Op geometric{{
    .sig = "geometric(Tensor input, float p, *, Generator? generator=None) -> Tensor",
    .doc = "The number of trials of probability p up to the first success, in input's shape and "
           "dtype.",
    .scope = Scope::Method,
    .dtypes = kNumbers,
    .kernel = filling_numbers([](auto& a, auto* out, int64_t n) {
      fill_geometric(out, n, a.number(1), generator_of(a, 2));
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .validate =
        [](const Args& a) {
          check(a.number(1) > 0 && a.number(1) < 1,
                "geometric_ expects p to be in (0, 1), but got p=", a.number(1));
        },
    .samples = {{in(-1, 1), 0.3}, {in(-1, 1, {4, 33}), 0.6}},
    .errors = {{{in(-1, 1), 1.0}, "geometric_ expects p to be in (0, 1), but got p=1"}},
}};

const Op multinomial{{
    .sig = "multinomial(Tensor input, int num_samples, bool replacement=False, *, Generator? "
           "generator=None) -> Tensor",
    .doc = "In each row, num_samples indices, drawn with the row's weights, which need not sum to "
           "one.",
    .kernel = random([](auto& a) {
      const int64_t samples = a.integer(1);
      const bool replacement = a.flag(2);
      check(a[0].dim() == 1 || a[0].dim() == 2, "prob_dist must be 1 or 2 dim, got ", a[0].dim());
      check(samples > 0, "cannot sample n_sample <= 0 samples, got ", samples);
      const Tensor p = packed(a[0]);
      const int64_t categories = p.size(-1), rows = p.dim() == 2 ? p.size(0) : 1;
      check(replacement || samples <= categories,
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement, got ",
            samples, " of ", categories);
      DimVector shape(p.shape());
      shape[shape.size() - 1] = samples;
      if (rows == 0) return gotorch::empty(shape, Dtype::Int64);
      check(categories > 0, "there are no categories to draw from: got shape ", a[0].shape());
      Tensor out;
      dispatch(p.dtype(), [&]<class T>() {
        if constexpr (is_floating(dtype_of<T>())) {
          check_weights(p.data<T>(), rows, categories, replacement, samples);
          if (!replacement || samples == 1) {
            // The largest of p / e, e exponential, is a draw by weight; the next largest are the next draws.
            const Tensor e = empty_in_order_of(a[0], p.dtype());
            fill_in_memory_order(e, [&]<class E>(E* to, int64_t n) {
              if constexpr (std::is_same_v<E, T>) fill_exponential(to, n, 1, generator_of(a, 3));
            });
            const Unrecorded unrecorded;
            const Tensor race = packed(div(p, e));
            if (samples == 1) {
              out = argmax(race, -1, true);
            } else {
              out = gotorch::empty(shape, Dtype::Int64);
              select_largest(race.data<T>(), rows, categories, samples, out.data<int64_t>());
            }
          } else {
            out = gotorch::empty(shape, Dtype::Int64);
            fill_categories(out.data<int64_t>(), p.data<T>(), rows, categories, samples,
                            generator_of(a, 3));
          }
        }
      });
      return out;
    }),
    .samples = {{in(0.1, 1, {3, 5}), 2}, {in(0.1, 1, {6}), 20, true}, {in(0.1, 1, {3, 5}), 1}},
    .errors = {{{in(0.1, 1, {3, 5}), 6}, "without replacement"},
               {{in(0.1, 1, {3, 5}), 0}, "cannot sample"},
               {{in(-1, -0.5, {3, 5}), 2}, "element < 0"}},
}};

}  // namespace gotorch::ops
