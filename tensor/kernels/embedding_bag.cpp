#include "tensor/kernels/embedding_bag.h"

#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/buffer.h"
#include "tensor/dtype.h"
#include "tensor/kernels/axis.h"
#include "tensor/kernels/instantiate.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

template <class T>
void add_row(Compute<T>* __restrict sum, const T* __restrict row, int64_t n, Compute<T> scale) {
  for (int64_t i = 0; i < n; i++) sum[i] += scale * static_cast<Compute<T>>(row[i]);
}

// NaN is larger than all numbers, and the first of equal rows stays.
template <class T>
void max_row(Compute<T>* __restrict best, int64_t* __restrict from, const T* __restrict row,
             int64_t n, int64_t which) {
  for (int64_t i = 0; i < n; i++) {
    const Compute<T> v = static_cast<Compute<T>>(row[i]);
    const bool better = from[i] < 0 || v > best[i] || (v != v && best[i] == best[i]);
    best[i] = better ? v : best[i];
    from[i] = better ? which : from[i];
  }
}

template <class T>
void one_bag(const EmbeddingBag<T>& p, int64_t bag, Compute<T>* result) {
  static const auto add = best_variant<&add_row<T>>();
  static const auto larger = best_variant<&max_row<T>>();
  std::fill_n(result, p.n, Compute<T>(0));
  int64_t* from = p.mode == BagMode::Max ? p.from + bag * p.n : nullptr;
  if (from) std::fill_n(from, p.n, int64_t{-1});
  int64_t count = 0;
  for (int64_t j = p.start[bag]; j < p.start[bag + 1]; j++) {
    const int64_t row = p.index[j];
    if (row == p.padding) continue;
    count++;
    const T* values = p.table + row * p.n;
    if (from) larger(result, from, values, p.n, row);
    else add(result, values, p.n, p.scale ? static_cast<Compute<T>>(p.scale[j]) : Compute<T>(1));
  }
  if (p.mode == BagMode::Mean && count > 1)
    for (int64_t i = 0; i < p.n; i++) result[i] /= static_cast<Compute<T>>(count);
}

}  // namespace

template <class T>
std::optional<BadIndex> embedding_bag(const EmbeddingBag<T>& p) {
  const int64_t used = p.bags > 0 ? p.start[p.bags] : 0;
  if (const auto bad = find_bad_index(p.index, used, 0, p.rows)) return bad;
  const int64_t cost = (used / std::max<int64_t>(1, p.bags) + 1) * p.n;
  runtime::parallel_for(p.bags, grain_of(cost), [&](int64_t begin, int64_t end) {
    Buffer<Compute<T>> result(p.n);
    for (int64_t bag = begin; bag < end; bag++) {
      one_bag(p, bag, result.data());
      for (int64_t i = 0; i < p.n; i++) p.y[bag * p.n + i] = static_cast<T>(result[i]);
    }
  });
  return std::nullopt;
}

#define GOTORCH_INSTANTIATE(T) \
  template std::optional<BadIndex> embedding_bag(const EmbeddingBag<T>&);
GOTORCH_FOR_FLOATS(GOTORCH_INSTANTIATE)

}  // namespace gotorch::kernels
