#pragma once
// What a DataLoader reads from: anything with `size()` and `get(i)`. An item is a Tensor, a number, or
// a tuple of those; a batch has the same form, with a Tensor in each place.
//
//   struct Squares {
//     int64_t size() const { return 100; }
//     std::tuple<float, int64_t> get(int64_t i) const { return {0.1f * i, i * i}; }
//   };
//
// get() is called by several goroutines at once if the loader has several workers. A dataset may
// also have `get_batch(std::span<const int64_t>)`, which is then called instead of get().
#include <span>
#include <tuple>
#include <vector>

#include "tensor/tensor.h"

namespace gotorch {

template <class D>
concept Dataset = requires(const D& d, int64_t i) {
  { d.size() } -> std::convertible_to<int64_t>;
  d.get(i);
};

template <class D>
concept BatchDataset =
    Dataset<D> && requires(const D& d, std::span<const int64_t> indices) { d.get_batch(indices); };

// x[i] without history, and the rows of x at `indices`. IndexError if there is no such row.
Tensor row_of(const Tensor& x, int64_t i);
Tensor rows_of(const Tensor& x, std::span<const int64_t> indices);

// Item i is the tuple of row i of each tensor: TensorDataset data(images, labels).
template <class... T>
class TensorDataset {
 public:
  explicit TensorDataset(T... tensors) : tensors_(std::move(tensors)...) {
    static_assert(sizeof...(T) > 0 && (std::is_same_v<T, Tensor> && ...));
    std::apply(
        [&](const auto&... t) {
          (check(t.dim() > 0, "TensorDataset: a 0-d tensor has no rows"), ...);
          (check<ValueError>(t.size(0) == size(), "TensorDataset: tensors of ", size(), " and ",
                             t.size(0), " rows"),
           ...);
          (t.evaluate(), ...);
        },
        tensors_);
  }

  const std::tuple<T...>& tensors() const { return tensors_; }
  int64_t size() const { return std::get<0>(tensors_).size(0); }
  std::tuple<T...> get(int64_t i) const {
    return std::apply([&](const auto&... t) { return std::tuple(row_of(t, i)...); }, tensors_);
  }
  std::tuple<T...> get_batch(std::span<const int64_t> indices) const {
    return std::apply([&](const auto&... t) { return std::tuple(rows_of(t, indices)...); },
                      tensors_);
  }

 private:
  std::tuple<T...> tensors_;
};

// The items of a dataset at given indices.
template <Dataset D>
class Subset {
 public:
  Subset(D dataset, std::vector<int64_t> indices)
      : dataset_(std::move(dataset)), indices_(std::move(indices)) {}
  int64_t size() const { return static_cast<int64_t>(indices_.size()); }
  auto get(int64_t i) const { return dataset_.get(index(i)); }
  auto get_batch(std::span<const int64_t> places) const
    requires BatchDataset<D>
  {
    std::vector<int64_t> indices;
    for (int64_t i : places) indices.push_back(index(i));
    return dataset_.get_batch(indices);
  }

 private:
  int64_t index(int64_t i) const {
    check<IndexError>(i >= 0 && i < size(), "Subset: index ", i, " of ", size(), " items");
    return indices_[static_cast<size_t>(i)];
  }

  D dataset_;
  std::vector<int64_t> indices_;
};

}  // namespace gotorch
