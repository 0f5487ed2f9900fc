#include "tensor/shape.h"

#include "tensor/error.h"
#include "tensor/simd/wrapping.h"

namespace gotorch {

int64_t numel_of(Dims shape) {
  int64_t n = 1;
  bool overflow = false;
  bool empty = false;
  for (int64_t size : shape) {
    check(size >= 0, "negative dimension ", size, " in shape ", shape);
    empty |= size == 0;
    overflow |= __builtin_mul_overflow(n, size, &n);
  }
  if (empty) return 0;
  check(!overflow, "the number of elements of shape ", shape, " does not fit in 63 bits");
  return n;
}

int64_t bytes_of(Dims shape, int64_t item_size) {
  int64_t bytes;
  check(!__builtin_mul_overflow(numel_of(shape), item_size, &bytes), "the size in bytes of shape ",
        shape, " does not fit in 63 bits");
  return bytes;
}

DimVector contiguous_strides(Dims shape) {
  DimVector strides(shape.size(), 1);
  // Where a dimension is 0 the others may be of any size: their strides wrap, and nothing is read by them.
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = math::times(strides[i], std::max<int64_t>(shape[i], 1));
  return strides;
}

bool is_contiguous(Dims shape, Dims strides) {
  int64_t expected = 1;
  bool ok = true;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    ok &= shape[i] == 1 || strides[i] == expected;
    expected = math::times(expected, shape[i]);
  }
  return ok;
}

int64_t span_of(Dims shape, Dims strides) {
  int64_t last = 0;
  for (size_t i = 0; i < shape.size(); i++) {
    if (shape[i] == 0) return 0;
    int64_t reach;
    if (__builtin_mul_overflow(shape[i] - 1, strides[i], &reach) ||
        __builtin_add_overflow(last, reach, &last))
      fail("strides ", strides, " of shape ", shape, " reach past 63 bits");
  }
  return last + 1;
}

int64_t wrap_dim(int64_t dim, int64_t n) {
  const int64_t dims = std::max<int64_t>(n, 1);
  check<IndexError>(dim >= -dims && dim < dims,
                    "Dimension out of range (expected to be in range of [", -dims, ", ", dims - 1,
                    "], but got ", dim, ")");
  return dim < 0 ? dim + dims : dim;
}

DimVector wrap_dims(Dims dims, int64_t n) {
  DimVector out;
  for (int64_t d : dims) {
    const int64_t dim = wrap_dim(d, n);
    for (int64_t seen : out)
      check(seen != dim, "dim ", dim, " appears multiple times in the list of dims");
    out.push_back(dim);
  }
  return out;
}

DimVector broadcast_shapes(Dims a, Dims b) {
  if (a.size() < b.size()) std::swap(a, b);
  DimVector out(a);
  const size_t lead = a.size() - b.size();
  for (size_t i = 0; i < b.size(); i++) {
    int64_t& size = out[lead + i];
    if (size == b[i] || b[i] == 1) continue;
    check(size == 1, "The size of tensor a (", size, ") must match the size of tensor b (", b[i],
          ") at non-singleton dimension ", lead + i, ": shapes ", a, " and ", b);
    size = b[i];
  }
  return out;
}

DimVector broadcast_strides(Dims shape, Dims strides, Dims to) {
  DimVector out(to.size(), 0);
  const size_t lead = to.size() - shape.size();
  for (size_t i = 0; i < shape.size(); i++)
    out[lead + i] = shape[i] == 1 && to[lead + i] != 1 ? 0 : strides[i];
  return out;
}

DimVector infer_shape(Dims wanted, int64_t numel) {
  DimVector out(wanted);
  int64_t known = 1;
  int at = -1;
  for (size_t i = 0; i < wanted.size(); i++) {
    if (wanted[i] == -1) {
      check(at < 0, "only one dimension can be inferred, got shape ", wanted);
      at = static_cast<int>(i);
    } else {
      check(wanted[i] >= 0, "invalid shape dimension ", wanted[i], " in ", wanted);
      if (__builtin_mul_overflow(known, wanted[i], &known))
        fail("shape ", wanted, " is invalid for input of size ", numel);
    }
  }
  if (at >= 0) {
    check(known != 0, "cannot reshape tensor of ", numel, " elements into shape ", wanted,
          " because the unspecified dimension size -1 can be any value and is ambiguous");
    check(numel % known == 0, "shape ", wanted, " is invalid for input of size ", numel);
    out[at] = numel / known;
  } else {
    check(known == numel, "shape ", wanted, " is invalid for input of size ", numel);
  }
  return out;
}

std::optional<DimVector> view_strides(Dims shape, Dims strides, Dims to) {
  if (numel_of(shape) == 0) return same(shape, to) ? DimVector(strides) : contiguous_strides(to);
  DimVector from_shape(shape), from_strides(strides);
  coalesce(from_shape, from_strides);
  DimVector out(to.size(), 1);
  // Each run of the source that is evenly spaced must be filled exactly by consecutive new dims.
  int64_t at = static_cast<int64_t>(from_shape.size()) - 1;
  int64_t room = at >= 0 ? from_shape[at] : 1;
  int64_t stride = at >= 0 ? from_strides[at] : 1;
  for (size_t i = to.size(); i-- > 0;) {
    out[i] = stride;
    if (to[i] == 1) continue;
    if (room == 1 && at > 0) {
      at--;
      room = from_shape[at];
      out[i] = stride = from_strides[at];
    }
    if (room % to[i] != 0) return std::nullopt;
    room /= to[i];
    stride *= to[i];
  }
  return out;
}

void coalesce(DimVector& shape, DimVector& strides) {
  size_t kept = 0;
  for (size_t i = 0; i < shape.size(); i++) {
    if (shape[i] == 1) continue;
    if (kept && strides[kept - 1] == shape[i] * strides[i]) {
      shape[kept - 1] *= shape[i];
      strides[kept - 1] = strides[i];
    } else {
      shape[kept] = shape[i];
      strides[kept++] = strides[i];
    }
  }
  shape.resize(kept);
  strides.resize(kept);
}

}  // namespace gotorch
