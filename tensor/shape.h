#pragma once
// Shapes and strides as plain integer lists, and the arithmetic on them. Nothing here knows data.
#include <cstdint>
#include <optional>
#include <span>

#include "tensor/small_vector.h"

namespace gotorch {

using DimVector = SmallVector<int64_t, 5>;
using Dims = std::span<const int64_t>;

// An argument that takes a list of integers: {2, 3}, a DimVector, a span, or one integer.
class IntList {
 public:
  IntList() = default;
  IntList(std::initializer_list<int64_t> v) : view_(v.begin(), v.size()) {}
  IntList(Dims v) : view_(v) {}
  IntList(const DimVector& v) : view_(v) {}
  IntList(int64_t v) : one_(v), single_(true) {}
  operator Dims() const { return view(); }
  Dims view() const { return single_ ? Dims(&one_, 1) : view_; }

 private:
  Dims view_;
  int64_t one_ = 0;
  bool single_ = false;
};

// A list of integers, or nothing.
class OptionalIntList : public IntList {
 public:
  using IntList::IntList;
  OptionalIntList() : given_(false) {}
  OptionalIntList(std::nullopt_t) : given_(false) {}
  bool given() const { return given_; }

 private:
  bool given_ = true;
};

inline bool same(Dims a, Dims b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

// Product of the sizes. Throws if a size is negative or the product passes 2^63 - 1.
int64_t numel_of(Dims shape);
// Bytes of a tensor of this shape. Throws if they pass 2^63 - 1.
int64_t bytes_of(Dims shape, int64_t item_size);
DimVector contiguous_strides(Dims shape);
bool is_contiguous(Dims shape, Dims strides);
// One past the largest element offset that (shape, strides) reaches, relative to the first.
int64_t span_of(Dims shape, Dims strides);

// dim in [-n, n) to [0, n); a 0-d tensor counts as 1-d. Throws IndexError otherwise.
int64_t wrap_dim(int64_t dim, int64_t n);
// The same for each of a list, which must not name a dim twice.
DimVector wrap_dims(Dims dims, int64_t n);
// The shape both broadcast to. Throws with both shapes if they do not fit.
DimVector broadcast_shapes(Dims a, Dims b);
// Strides that read `shape` as `to` (0 where a size-1 or missing dim is repeated).
DimVector broadcast_strides(Dims shape, Dims strides, Dims to);
// Replaces one -1 by what is left of `numel`. Throws if it does not fit.
DimVector infer_shape(Dims wanted, int64_t numel);
// Strides that view (shape, strides) as `to` without a copy, if there are any.
std::optional<DimVector> view_strides(Dims shape, Dims strides, Dims to);
// Merges dims that are laid out back to back and drops those of size 1: the loop over what is left visits
// the same elements in the same order.
void coalesce(DimVector& shape, DimVector& strides);

}  // namespace gotorch
