#include "tensor/kernels/sort.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "runtime/parallel.h"
#include "tensor/kernels/radix_sort.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kSortCost = 16;          // per element
constexpr int64_t kParallelRow = 1 << 17;  // rows from this length on are sorted by all workers
constexpr int64_t kColumns = 16;           // of at least one cache line, read together

template <class T>
struct Row {
  const T* x;
  int64_t n, stride;
  Key<T> flip;  // all ones reverses the order
  uint64_t key(int64_t i) const { return Key<T>(key_of(x[i * stride]) ^ flip); }
};

// Where results of a row go. The value is read back from the key, which is in order, if it can be.
template <class T, class Item>
struct Output {
  T* values;
  int64_t* indices;
  int64_t stride;
  void put(const Row<T>& row, int64_t at, Item item) const {
    const int64_t i = position_of(item);
    const Key<T> key = key_in<T>(item) ^ row.flip;
    if (values) values[at * stride] = is_exact<T>(key) ? value_of<T>(key) : row.x[i * row.stride];
    if (indices) indices[at * stride] = i;
  }
};

// Buffers for one row at a time.
template <class Item>
struct Buffers {
  std::unique_ptr<Item[]> items, scratch;
  explicit Buffers(int64_t n, bool with_scratch)
      : items(new Item[n]), scratch(with_scratch ? new Item[n] : nullptr) {}
};

template <class T, class Item>
void pack(const Row<T>& row, Item* items) {
  for (int64_t i = 0; i < row.n; i++) items[i] = make_item<Item>(row.key(i), i);
}

// Calls work(row, output, buffers) for every row of the axis. Results have `m` elements per row.
template <class Item, class T, class F>
void for_rows(const T* x, Axis a, bool flip, int64_t m, T* values, int64_t* indices, int64_t cost,
              bool with_scratch, F work) {
  const auto one = [&](int64_t r, Buffers<Item>& buffers) {
    const int64_t o = r / a.inner, i = r % a.inner;
    const Row<T> row{x + o * a.n * a.inner + i, a.n, a.inner,
                     flip ? Key<T>(~Key<T>(0)) : Key<T>(0)};
    const int64_t at = o * m * a.inner + i;
    work(row,
         Output<T, Item>{values ? values + at : nullptr, indices ? indices + at : nullptr, a.inner},
         buffers);
  };
  if (a.n >= kParallelRow) {
    Buffers<Item> buffers(a.n, with_scratch);
    for (int64_t r = 0; r < a.rows(); r++) one(r, buffers);
    return;
  }
  // Neighbouring columns share cache lines.
  const int64_t grain = std::max(grain_of(a.n * cost), std::min(a.inner, kColumns));
  runtime::parallel_for(a.rows(), grain, [&](int64_t b, int64_t e) {
    Buffers<Item> buffers(a.n, with_scratch);
    for (int64_t r = b; r < e; r++) one(r, buffers);
  });
}

// Calls f with a null Item pointer of the right width for rows of n elements.
template <class T, class F>
void with_item(int64_t n, F f) {
  if constexpr (sizeof(T) <= 4)
    if (n <= std::numeric_limits<uint32_t>::max()) return f(static_cast<Narrow*>(nullptr));
  f(static_cast<Wide*>(nullptr));
}

// The k smallest items, in order, into the front of `items`.
template <class T, class Item>
void select_smallest(const Row<T>& row, int64_t k, Item* items) {
  if (k > row.n / 16) {
    pack(row, items);
    if (k < row.n) std::nth_element(items, items + k, items + row.n);
    std::sort(items, items + k);
    return;
  }
  // A heap of the best k so far; most elements only meet its top.
  for (int64_t i = 0; i < k; i++) items[i] = make_item<Item>(row.key(i), i);
  std::make_heap(items, items + k);
  uint64_t top = k > 0 ? static_cast<uint64_t>(items[0] >> kPositionBits<Item>) : 0;
  for (int64_t i = k; i < row.n && k > 0; i++) {
    const uint64_t key = row.key(i);
    if (key >= top) continue;  // an equal key has a later position
    std::pop_heap(items, items + k);
    items[k - 1] = make_item<Item>(key, i);
    std::push_heap(items, items + k);
    top = static_cast<uint64_t>(items[0] >> kPositionBits<Item>);
  }
  std::sort_heap(items, items + k);
}

// The k-th smallest item of a row, from 0 on.
template <class T, class Item>
Item select(const Row<T>& row, int64_t k, Item* items) {
  pack(row, items);
  std::nth_element(items, items + k, items + row.n);
  return items[k];
}

}  // namespace

template <class T>
void sort(const T* x, Axis a, bool descending, T* values, int64_t* indices) {
  with_item<T>(a.n, [&]<class Item>(Item*) {
    for_rows<Item>(x, a, descending, a.n, values, indices, kSortCost, true,
                   [&](const Row<T>& row, const Output<T, Item>& out, Buffers<Item>& buffers) {
                     const bool parallel = row.n >= kParallelRow;
                     const int64_t grain = parallel ? 65536 : row.n;
                     Item* items = buffers.items.get();
                     runtime::parallel_for(row.n, grain, [&](int64_t b, int64_t e) {
                       for (int64_t i = b; i < e; i++) items[i] = make_item<Item>(row.key(i), i);
                     });
                     items =
                         sort_items(items, buffers.scratch.get(), row.n, 8 * sizeof(T), parallel);
                     runtime::parallel_for(row.n, grain, [&](int64_t b, int64_t e) {
                       for (int64_t i = b; i < e; i++) out.put(row, i, items[i]);
                     });
                   });
  });
}

template <class T>
void topk(const T* x, Axis a, int64_t k, bool largest, T* values, int64_t* indices) {
  with_item<T>(a.n, [&]<class Item>(Item*) {
    for_rows<Item>(x, a, largest, k, values, indices, 4, false,
                   [&](const Row<T>& row, const Output<T, Item>& out, Buffers<Item>& buffers) {
                     select_smallest(row, k, buffers.items.get());
                     for (int64_t j = 0; j < k; j++) out.put(row, j, buffers.items[j]);
                   });
  });
}

template <class T>
void kth_value(const T* x, Axis a, int64_t k, T* values, int64_t* indices) {
  with_item<T>(a.n, [&]<class Item>(Item*) {
    for_rows<Item>(x, a, false, 1, values, indices, kSortCost, false,
                   [&](const Row<T>& row, const Output<T, Item>& out, Buffers<Item>& buffers) {
                     out.put(row, 0, select(row, k - 1, buffers.items.get()));
                   });
  });
}

template <class T>
void median(const T* x, Axis a, bool ignore_nan, T* values, int64_t* indices) {
  with_item<T>(a.n, [&]<class Item>(Item*) {
    for_rows<Item>(x, a, false, 1, values, indices, kSortCost, false,
                   [&](const Row<T>& row, const Output<T, Item>& out, Buffers<Item>& buffers) {
                     int64_t numbers = row.n;
                     if constexpr (kIsFloating<T>)
                       for (int64_t i = 0; i < row.n; i++) numbers -= row.key(i) == kNanKey<T>;
                     // NaNs come last, so the first of them is item number `numbers`.
                     const int64_t k = numbers == row.n            ? (row.n - 1) / 2
                                       : ignore_nan && numbers > 0 ? (numbers - 1) / 2
                                                                   : numbers;
                     out.put(row, 0, select(row, k, buffers.items.get()));
                   });
  });
}

#define GOTORCH_INSTANTIATE(T)                                     \
  template void sort(const T*, Axis, bool, T*, int64_t*);          \
  template void topk(const T*, Axis, int64_t, bool, T*, int64_t*); \
  template void kth_value(const T*, Axis, int64_t, T*, int64_t*);  \
  template void median(const T*, Axis, bool, T*, int64_t*);
GOTORCH_INSTANTIATE(uint8_t)
GOTORCH_INSTANTIATE(int8_t)
GOTORCH_INSTANTIATE(int16_t)
GOTORCH_INSTANTIATE(int32_t)
GOTORCH_INSTANTIATE(int64_t)
GOTORCH_INSTANTIATE(Half)
GOTORCH_INSTANTIATE(BFloat16)
GOTORCH_INSTANTIATE(float)
GOTORCH_INSTANTIATE(double)

}  // namespace gotorch::kernels
