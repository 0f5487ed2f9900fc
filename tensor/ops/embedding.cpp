// Rows of a table by index, and counts of indices.
#include "tensor/ops/embedding.h"

#include <cmath>

#include "runtime/parallel.h"
#include "tensor/buffer.h"
#include "tensor/copy.h"
#include "tensor/kernels/index.h"
#include "tensor/kernels/scatter.h"
#include "tensor/ops.h"
#include "tensor/ops/expect.h"
#include "tensor/promote.h"
#include "tensor/view.h"

namespace gotorch::ops {

Tensor table_indices(const Tensor& input) {
  check(input.dtype() == Dtype::Int64 || input.dtype() == Dtype::Int32,
        "Expected tensor for argument #1 'indices' to have "
        "one of the following scalar types: Long, Int; but got ",
        input.dtype());
  return packed(input, Dtype::Int64);
}

int64_t padding_row(const Value& padding, int64_t rows) {
  if (padding.is_none()) return -1;
  const int64_t row = padding.scalar().to<int64_t>();
  check(row >= -rows && row < rows, "Padding_idx must be within num_embeddings, got ", row,
        " with ", rows, " embeddings");
  return row < 0 ? row + rows : row;
}

void renormalise(const Tensor& weight, const Tensor& index, double max_norm, double p) {
  const Unrecorded inside;
  const auto bad = kernels::find_bad_index(index.data<int64_t>(), index.numel(), 0, weight.size(0));
  if (bad)
    fail<IndexError>("index out of range in self: ", bad->value, " with ", bad->bound, " rows");
  const Tensor norms = linalg_vector_norm(weight, p, 1);
  for (int64_t i = 0; i < index.numel(); i++) {
    const int64_t row = index.data<int64_t>()[i];
    const double norm = select(norms, 0, row).template item<double>();
    if (norm <= max_norm) continue;
    mul.inplace(selected(weight, 0, row), max_norm / (norm + 1e-7));
    fill_elements(selected(norms, 0, row), 0);
  }
}

namespace {

struct Bounds {
  int64_t low = 0, high = 0;
};
inline void widen(const int64_t* x, int64_t n, Bounds* b) {
  int64_t low = b->low, high = b->high;
  for (int64_t i = 0; i < n; i++) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  *b = {low, high};
}
// The smallest and largest of x and 0.
Bounds bounds_of(const int64_t* x, int64_t n) {
  static const auto widened = best_variant<&widen>();
  Bounds b;
  widened(x, n, &b);
  return b;
}

// y[x[i]]++. Few bins are counted in several tables, so that an increment need not wait for the one before, and in
// parallel.
void count(const int64_t* x, int64_t n, int64_t* y, int64_t bins) {
  constexpr int64_t kFew = 2048, kChunk = int64_t{1} << 16, kTables = 4;
  if (bins > kFew || n < 4 * bins) {
    for (int64_t i = 0; i < n; i++) y[x[i]]++;
    return;
  }
  const int64_t chunks = (n - 1) / kChunk + 1;
  Buffer<int64_t> tables(static_cast<size_t>(chunks * bins));
  runtime::parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; c++) {
      int64_t table[kTables][kFew];
      for (auto& t : table) std::fill_n(t, bins, int64_t{0});
      const int64_t first = c * kChunk, last = std::min(n, first + kChunk);
      int64_t i = first;
      for (; i + kTables <= last; i += kTables)
        for (int64_t t = 0; t < kTables; t++) table[t][x[i + t]]++;
      for (; i < last; i++) table[0][x[i]]++;
      for (int64_t b = 0; b < bins; b++)
        tables[c * bins + b] = (table[0][b] + table[1][b]) + (table[2][b] + table[3][b]);
    }
  });
  for (int64_t c = 0; c < chunks; c++)
    for (int64_t b = 0; b < bins; b++) y[b] += tables[c * bins + b];
}

}  // namespace

const Op embedding{{
    .sig = "embedding(Tensor input, Tensor weight, int? padding_idx=None, float? max_norm=None, "
           "float norm_type=2.0, "
           "bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
    .doc = "The rows of weight that input names, in input's shape. The row padding_idx gets no "
           "gradient; rows longer than "
           "max_norm are scaled down in place first.",
    .scope = Scope::Nn,
    .dtypes = kInts,
    .kernel = function([](auto& a) {
      const Tensor index = table_indices(a[0]);
      check(a[1].dim() == 2, "'weight' must be 2-D, got shape ", a[1].shape());
      padding_row(a.value(2), a[1].size(0));
      check(a[1].size(0) > 0 || index.numel() == 0, "'weight' has no rows: got shape ",
            a[1].shape());
      if (a.given(3)) renormalise(a[1], index, a.number(3), a.number(4));
      const Tensor weight = packed(a[1]);
      DimVector shape(index.shape());
      shape.push_back(weight.size(1));
      const Tensor y = gotorch::empty(shape, weight.dtype());
      const auto bad = kernels::index_select(weight.raw(), {1, weight.size(0), weight.size(1)},
                                             index.template data<int64_t>(), index.numel(), y.raw(),
                                             y.item_size());
      if (bad)
        fail<IndexError>("index out of range in self: ", bad->value, " with ", bad->bound, " rows");
      return y;
    }),
    .grad = {wrt("weight", "input",
                 [](auto& s) {
                   return embedding_backward(s.g(), s[0], s.shape(1)[0],
                                             padding_row(s.value(2), s.shape(1)[0]), s.flag(5));
                 })},
    .samples = {{indices(0, 4, {3}), in(-1, 1, {4, 5})},
                {indices(0, 4, {2, 3}), in(-1, 1, {4, 5}), -2},
                {indices(0, 4, {6}), in(-1, 1, {4, 5}), none, none, 2.0, true}},
    .errors = {{{indices(4, 5, {1}), in(-1, 1, {4, 5})}, "index out of range in self"},
               {{indices(0, 1, {1}), in(-1, 1, {4})}, "'weight' must be 2-D"}},
}};

const Op embedding_backward{{
    .sig = "embedding_backward(Tensor grad, Tensor indices, int num_weights, int padding_idx, bool "
           "scale_grad_by_freq) -> Tensor",
    .doc = "The table whose row r is the sum of grad where indices is r, or its mean if scaled by "
           "frequency.",
    .scope = Scope::Internal,
    .dtypes = kFloats,
    .kernel = function([](auto& a) {
      const Dtype compute = compute_dtype(a[0].dtype());
      const Tensor g = packed(a[0], compute), index = packed(a[1], Dtype::Int64);
      DimVector shape(index.shape());
      shape.push_back(g.size(-1));
      expect_shape("grad", g, shape);
      const Tensor y = gotorch::empty(DimVector{a.integer(2), g.size(-1)}, compute);
      const auto run = [&]<class T>() {
        return kernels::embedding_backward(g.template data<T>(), index.template data<int64_t>(),
                                           index.numel(), y.size(0), y.size(1), a.integer(3),
                                           a.flag(4), y.template data<T>());
      };
      const auto bad = compute == Dtype::Float ? run.template operator()<float>()
                                               : run.template operator()<double>();
      if (bad)
        fail<IndexError>("index out of range in self: ", bad->value, " with ", bad->bound, " rows");
      return as_dtype(y, a[0].dtype());
    }),
    .grad = {wrt("grad", "indices",
                 [](auto& s) {
                   const Tensor& index = s[1];
                   Tensor g = index_select(s.g(), 0, flatten(index));
                   if (s.flag(4)) {
                     const Tensor count = index_add(zeros(s.integer(2), g.dtype()), 0,
                                                    flatten(index), ones(index.numel(), g.dtype()));
                     g = true_divide(g, unsqueeze(index_select(count, 0, flatten(index)), 1));
                   }
                   if (s.integer(3) >= 0)
                     g = masked_fill(g, unsqueeze(eq(flatten(index), s.integer(3)), 1), 0);
                   return reshape(g, s.shape(0));
                 })},
    .samples = {{in(-1, 1, {2, 3, 5}), indices(0, 4, {2, 3}), 4, -1, false},
                {in(-1, 1, {3, 5}), indices(0, 4, {3}), 4, 1, false}},
}};

const Op one_hot{{
    .sig = "one_hot(Tensor input, int num_classes=-1) -> Tensor",
    .doc = "int64 rows of zeros with a one at each index; -1 takes as many classes as the largest "
           "index needs.",
    .scope = Scope::Nn,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      check(a[0].dtype() == Dtype::Int64,
            "one_hot is only applicable to index tensor of type LongTensor, got ", a[0].dtype());
      const Tensor index = packed(a[0]);
      const int64_t* v = index.template data<int64_t>();
      const int64_t n = index.numel(), wanted = a.integer(1);
      check(n > 0 || wanted > 0, wanted == -1
                                     ? "Can not infer total number of classes from empty tensor."
                                     : "num_classes should be positive");
      const int64_t classes = wanted == -1 ? *std::max_element(v, v + n) + 1 : wanted;
      const auto bad = kernels::find_bad_index(v, n, 0, classes);
      if (bad && bad->value < 0) fail("Class values must be non-negative, got ", bad->value);
      check(classes > 0, "num_classes should be positive");
      if (bad)
        fail("Class values must be smaller than num_classes: ", bad->value, " with ", classes);
      DimVector shape(index.shape());
      shape.push_back(classes);
      const Tensor y = gotorch::empty(shape, Dtype::Int64);
      fill_elements(y, 0);
      for (int64_t i = 0; i < n; i++) y.data<int64_t>()[i * classes + v[i]] = 1;
      return y;
    }),
    .samples = {{indices(0, 5, {2, 3})}, {indices(0, 5, {4}), 7}},
    .errors = {{{indices(-2, -1, {2})}, "Class values must be non-negative"},
               {{indices(3, 4, {2}), 2}, "Class values must be smaller"},
               {{in(-1, 1)}, "only applicable to index tensor of type LongTensor"}},
}};

const Op bincount{{
    .sig = "bincount(Tensor input, Tensor? weights=None, int minlength=0) -> Tensor",
    .doc = "How often each non-negative integer occurs in input, or the sum of its weights.",
    .dtypes = kInts,
    .kernel = function([](auto& a) {
      const Tensor index = packed(a[0], Dtype::Int64);
      const int64_t* v = index.template data<int64_t>();
      const int64_t n = index.numel();
      check(a.integer(2) >= 0, "minlength should be >= 0, got ", a.integer(2));
      const Bounds found = bounds_of(v, n);
      check(index.dim() == 1 && found.low >= 0,
            "bincount only supports 1-d non-negative integral "
            "inputs, got shape ",
            index.shape());
      const int64_t bins = std::max(a.integer(2), n > 0 ? found.high + 1 : 0);
      if (!a.given(1) || n == 0) {
        const Tensor y = gotorch::empty({bins}, Dtype::Int64);
        fill_elements(y, 0);
        count(v, n, y.data<int64_t>(), bins);
        return y;
      }
      check(same(a[1].shape(), index.shape()),
            "weights should be 1-d and have the same length as input, got shapes ", a[1].shape(),
            " and ", index.shape());
      const Dtype dtype = a[1].dtype() == Dtype::Float ? Dtype::Float : Dtype::Double;
      const Tensor weights = packed(a[1], dtype), y = gotorch::empty({bins}, dtype);
      fill_elements(y, 0);
      const auto add_up = [&]<class T>(T* sum) {
        const T* w = weights.template data<T>();
        for (int64_t i = 0; i < n; i++) sum[v[i]] += w[i];
      };
      if (dtype == Dtype::Float) add_up(y.template data<float>());
      else add_up(y.template data<double>());
      return y;
    }),
    .samples = {{indices(0, 9, {20})},
                {indices(0, 9, {20}), in(-1, 1, {20}), 12},
                {indices(0, 9, {0}), none, 3}},
    .errors = {{{indices(-2, -1, {2})}, "bincount only supports 1-d non-negative integral inputs"},
               {{indices(0, 3, {2}), in(-1, 1, {3})},
                "weights should be 1-d and have the same length as input"}},
}};

}  // namespace gotorch::ops
