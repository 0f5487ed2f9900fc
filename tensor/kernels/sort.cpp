#include "tensor/kernels/sort.h"

#include <algorithm>
#include <memory>
#include <type_traits>

#include "runtime/parallel.h"
#include "tensor/kernels/instantiate.h"
#include "tensor/kernels/radix_sort.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kSortCost = 16;  // per element
constexpr int64_t kColumns = 16;   // of at least one cache line, read together

template <class T>
using Item = std::conditional_t<sizeof(T) <= 4, Narrow, Wide>;

// Where the results of a row go.
template <class T>
struct Output {
  T* values;
  int64_t* indices;
  int64_t stride;
  void put(const Row<T>& row, int64_t at, int64_t position) const {
    if (values) values[at * stride] = row.x[position * row.stride];
    if (indices) indices[at * stride] = position;
  }
  // For results in order: the value is made from the key where that is possible, which spares the
  // cache a random access.
  void put(const Row<T>& row, int64_t at, int64_t position, Key<T> key) const {
    const Key<T> k = key ^ row.flip;
    if (values)
      values[at * stride] = is_exact<T>(k) ? value_of<T>(k) : row.x[position * row.stride];
    if (indices) indices[at * stride] = position;
  }
};

// Calls work(row, output, buffer) for every row of the axis, with a buffer of `room` Elements for one
// call at a time. Results have m elements per row. Long rows come one by one if work is parallel.
template <class Element, class T, class F>
void for_rows(const T* x, Axis a, bool flip, int64_t m, T* values, int64_t* indices, int64_t cost,
              int64_t room, bool one_by_one, F work) {
  const auto one = [&](int64_t r, Element* buffer) {
    const int64_t o = r / a.inner, i = r % a.inner, at = o * m * a.inner + i;
    const Row<T> row{x + o * a.n * a.inner + i, a.n, a.inner,
                     flip ? Key<T>(~Key<T>(0)) : Key<T>(0)};
    work(row, Output<T>{values ? values + at : nullptr, indices ? indices + at : nullptr, a.inner},
         buffer);
  };
  // Neighbouring columns share cache lines.
  const int64_t grain = std::max(grain_of(a.n * cost), std::min(a.inner, kColumns));
  runtime::parallel_for(a.rows(), one_by_one ? a.rows() : grain, [&](int64_t b, int64_t e) {
    const std::unique_ptr<Element[]> buffer(new Element[room]);
    for (int64_t r = b; r < e; r++) one(r, buffer.get());
  });
}

template <class T>
void pack(const Row<T>& row, Item<T>* items) {
  for (int64_t i = 0; i < row.n; i++) items[i] = make_item<Item<T>>(row.key(i), i);
}

// The k smallest items, in order, into the front of `items`.
template <class T>
void select_smallest(const Row<T>& row, int64_t k, Item<T>* items) {
  if (k > row.n / 16) {
    pack(row, items);
    if (k < row.n) std::nth_element(items, items + k, items + row.n);
    std::sort(items, items + k);
    return;
  }
  // A heap of the best k so far; most elements only meet its top.
  for (int64_t i = 0; i < k; i++) items[i] = make_item<Item<T>>(row.key(i), i);
  std::make_heap(items, items + k);
  for (int64_t i = k; i < row.n && k > 0; i++) {
    const Key<T> key = row.key(i);
    if (key >= key_in(items[0])) continue;  // an equal key has a later position
    std::pop_heap(items, items + k);
    items[k - 1] = make_item<Item<T>>(key, i);
    std::push_heap(items, items + k);
  }
  std::sort_heap(items, items + k);
}

// The position of the k-th smallest element of a row, from 0 on.
template <class T>
int64_t select(const Row<T>& row, int64_t k, Item<T>* items) {
  pack(row, items);
  std::nth_element(items, items + k, items + row.n);
  return position_of(items[k]);
}

}  // namespace

template <class T>
void sort(const T* x, Axis a, bool descending, T* values, int64_t* indices) {
  const bool parallel = a.n >= kParallelRow;
  for_rows<Narrow>(
      x, a, descending, a.n, values, indices, kSortCost, 2 * a.n, parallel,
      [&](const Row<T>& row, const Output<T>& out, Narrow* buffer) {
        Key<T> base;
        bool exact;
        const Narrow* items = sort_row(row, buffer, buffer + row.n, &base, &exact);
        runtime::parallel_for(row.n, parallel ? kSortChunk : row.n, [&](int64_t b, int64_t e) {
          for (int64_t i = b; i < e; i++) {
            const int64_t position = position_of(items[i]);
            if (exact) out.put(row, i, position, static_cast<Key<T>>(key_in(items[i]) + base));
            else out.put(row, i, position);
          }
        });
      });
}

template <class T>
void topk(const T* x, Axis a, int64_t k, bool largest, T* values, int64_t* indices) {
  for_rows<Item<T>>(x, a, largest, k, values, indices, 4, a.n, false,
                    [&](const Row<T>& row, const Output<T>& out, Item<T>* items) {
                      select_smallest(row, k, items);
                      for (int64_t j = 0; j < k; j++) out.put(row, j, position_of(items[j]));
                    });
}

template <class T>
void kth_value(const T* x, Axis a, int64_t k, T* values, int64_t* indices) {
  for_rows<Item<T>>(x, a, false, 1, values, indices, kSortCost, a.n, false,
                    [&](const Row<T>& row, const Output<T>& out, Item<T>* items) {
                      out.put(row, 0, select(row, k - 1, items));
                    });
}

template <class T>
void median(const T* x, Axis a, bool ignore_nan, T* values, int64_t* indices) {
  for_rows<Item<T>>(x, a, false, 1, values, indices, kSortCost, a.n, false,
                    [&](const Row<T>& row, const Output<T>& out, Item<T>* items) {
                      int64_t numbers = row.n;
                      if constexpr (kIsFloating<T>)
                        for (int64_t i = 0; i < row.n; i++) numbers -= row.key(i) == kNanKey<T>;
                      // NaNs come last, so the first of them is item number `numbers`.
                      const int64_t k = numbers == row.n            ? (row.n - 1) / 2
                                        : ignore_nan && numbers > 0 ? (numbers - 1) / 2
                                                                    : numbers;
                      out.put(row, 0, select(row, k, items));
                    });
}

#define GOTORCH_INSTANTIATE(T)                                     \
  template void sort(const T*, Axis, bool, T*, int64_t*);          \
  template void topk(const T*, Axis, int64_t, bool, T*, int64_t*); \
  template void kth_value(const T*, Axis, int64_t, T*, int64_t*);  \
  template void median(const T*, Axis, bool, T*, int64_t*);
GOTORCH_FOR_NUMBERS(GOTORCH_INSTANTIATE)

}  // namespace gotorch::kernels
