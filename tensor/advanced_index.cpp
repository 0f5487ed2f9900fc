#include "tensor/advanced_index.h"

#include <cstring>

#include "runtime/parallel.h"
#include "tensor/buffer.h"
#include "tensor/copy.h"
#include "tensor/kernels/element.h"
#include "tensor/kernels/mask.h"
#include "tensor/kernels/scatter.h"
#include "tensor/program.h"
#include "tensor/view.h"

namespace gotorch {
namespace {

// One integer index tensor and the dim it belongs to.
struct Integers {
  Tensor index;
  int64_t dim;
};

bool is_mask(const Tensor& t) { return t.dtype() == Dtype::Bool || t.dtype() == Dtype::UInt8; }

// A mask as the indices of its true elements, one tensor for each dim.
void expand_mask(const Tensor& x, const Tensor& mask, int64_t dim, SmallVector<Integers, 4>& out) {
  const int64_t rank = mask.dim();
  for (int64_t d = 0; d < rank; d++)
    check<IndexError>(dim + d < x.dim() && mask.shape()[d] == x.shape()[dim + d],
                      "The shape of the mask ", mask.shape(), " at index ", d,
                      " does not match the shape of the indexed tensor ", x.shape(), " at index ",
                      dim + d);
  const Tensor bytes = packed(mask, Dtype::Bool);
  const auto* at = static_cast<const uint8_t*>(bytes.raw());
  const auto offsets = kernels::mask_offsets(at, bytes.numel());
  const Tensor places = empty(DimVector{offsets.total(), rank}, Dtype::Int64);
  kernels::nonzero(at, mask.shape().data(), static_cast<int>(rank), offsets,
                   places.data<int64_t>());
  for (int64_t d = 0; d < rank; d++) out.push_back({selected(places, 1, d), dim + d});
}

SmallVector<Integers, 4> integers_of(const Tensor& x, std::span<const Tensor> indices) {
  SmallVector<Integers, 4> out;
  int64_t dim = 0;
  for (const Tensor& t : indices) {
    check<IndexError>(dim < x.dim(), "too many indices for tensor of dimension ", x.dim());
    if (!t.defined()) {
      dim++;
    } else if (is_mask(t) && t.dim() > 0) {
      expand_mask(x, t, dim, out);
      dim += t.dim();
    } else {
      check<IndexError>(t.dtype() == Dtype::Int64 || t.dtype() == Dtype::Int32,
                        "tensors used as indices must be long, int, byte or bool tensors, got ",
                        t.dtype());
      out.push_back({t, dim++});
    }
  }
  check<IndexError>(!out.empty(), "expects at least one index tensor");
  return out;
}

DimVector common_shape(std::span<const Integers> all) {
  DimVector shape(all[0].index.shape());
  try {
    for (const Integers& i : all) shape = broadcast_shapes(shape, i.index.shape());
  } catch (const Error&) {
    std::string shapes;
    for (const Integers& i : all) shapes += text(shapes.empty() ? "" : ", ", i.index.shape());
    fail<IndexError>(
        "shape mismatch: indexing tensors could not be broadcast together with shapes ", shapes);
  }
  return shape;
}

// at[j] += index[j] * stride, negative indices from the end.
void add_offsets(Buffer<int64_t>& at, const Tensor& index, Dims shape, int64_t dim, int64_t size,
                 int64_t stride) {
  const Tensor all = packed(expanded(index, shape), Dtype::Int64);
  const int64_t* v = all.data<int64_t>();
  for (size_t j = 0; j < at.size(); j++) {
    const int64_t i = v[j] < 0 ? v[j] + size : v[j];
    check<IndexError>(i >= 0 && i < size, "index ", v[j], " is out of bounds for dimension ", dim,
                      " with size ", size);
    at[j] += i * stride;
  }
}

// The offsets of all elements of a layout, in row-major order.
Buffer<int64_t> offsets_of(Dims shape, Dims strides) {
  Buffer<int64_t> out(static_cast<size_t>(numel_of(shape)));
  DimVector at(shape.size(), 0);
  int64_t offset = 0;
  for (int64_t& o : out) {
    o = offset;
    for (size_t d = shape.size(); d-- > 0;) {
      offset += strides[d];
      if (++at[d] < shape[d]) break;
      offset -= at[d] * strides[d];
      at[d] = 0;
    }
  }
  return out;
}

}  // namespace

AdvancedIndex::AdvancedIndex(const Tensor& x, std::span<const Tensor> indices) {
  const auto all = integers_of(x, indices);
  const DimVector common = common_shape(all);
  const int64_t first = all[0].dim, last = all.back().dim;
  const bool adjacent = last - first + 1 == static_cast<int64_t>(all.size());
  DimVector outer_shape, outer_strides;
  bool empty = false;
  for (int64_t d = 0; d < x.dim(); d++) {
    if (std::any_of(all.begin(), all.end(), [&](const Integers& i) { return i.dim == d; }))
      continue;
    empty |= x.shape()[d] == 0;
    const bool before = adjacent && d < first;
    (before ? outer_shape : rest_shape).push_back(x.shape()[d]);
    (before ? outer_strides : rest_strides).push_back(x.strides()[d]);
  }
  shape = outer_shape;
  shape.append(common.begin(), common.end());
  shape.append(rest_shape.begin(), rest_shape.end());
  index.resize(static_cast<size_t>(numel_of(common)), 0);
  // Nothing is read, so nothing is out of bounds.
  if (!empty)
    for (const Integers& i : all)
      add_offsets(index, i.index, common, i.dim, x.shape()[i.dim], x.strides()[i.dim]);
  outer = offsets_of(outer_shape, outer_strides);
  rest = numel_of(rest_shape);
  coalesce(rest_shape, rest_strides);
  linear = adjacent && x.is_contiguous() && !empty;
  for (const Integers& i : all) rows *= x.shape()[i.dim];
}

namespace {

// Calls f(begin, end, o) for runs of places of one outer index.
template <class F>
void for_places(const AdvancedIndex& p, F f) {
  const auto m = static_cast<int64_t>(p.index.size()), n = m * static_cast<int64_t>(p.outer.size());
  const int64_t grain = std::max<int64_t>(1, 32768 / (p.rest + 8));
  runtime::parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t o = begin / m, j = begin % m, count = std::min(end - begin, m - j);
      f(o, j, j + count);
      begin += count;
    }
  });
}

}  // namespace

void gather_elements(const AdvancedIndex& p, const Tensor& x, const Tensor& y) {
  if (p.numel() == 0) return;
  const int64_t item = x.item_size(), m = static_cast<int64_t>(p.index.size()), row = p.rest * item;
  auto* from = static_cast<std::byte*>(x.raw());
  auto* to = static_cast<std::byte*>(y.raw());
  if (p.rest == 1) {
    kernels::with_element(item, [&]<class U>(U*) {
      for_places(p, [&](int64_t o, int64_t begin, int64_t end) {
        const U* a = reinterpret_cast<const U*>(from) + p.outer[o];
        U* b = reinterpret_cast<U*>(to) + o * m;
        for (int64_t j = begin; j < end; j++) b[j] = a[p.index[j]];
      });
    });
    return;
  }
  const bool together =
      p.rest_shape.empty() || (p.rest_shape.size() == 1 && p.rest_strides[0] == 1);
  for_places(p, [&](int64_t o, int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; j++) {
      std::byte* a = from + (p.outer[o] + p.index[j]) * item;
      std::byte* b = to + (o * m + j) * row;
      if (together) {
        std::memcpy(b, a, row);
        continue;
      }
      const StridedAccess access{a, item, p.rest_shape, p.rest_strides};
      if (const void* in_place = access.read(0, p.rest, b); in_place != b)
        std::memcpy(b, in_place, row);
    }
  });
}

namespace {

// y[outer + index + r] = or += x, element by element, in order of j. Chunks of r or of o never meet the same place.
template <bool Add, class T>
void scatter_all(const AdvancedIndex& p, T* y, const T* x) {
  const auto m = static_cast<int64_t>(p.index.size()), outer = static_cast<int64_t>(p.outer.size());
  const Buffer<int64_t> rest = offsets_of(p.rest_shape, p.rest_strides);
  const int64_t grain = std::max<int64_t>(1, 32768 / m);
  runtime::parallel_for(outer * p.rest, grain, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t o = begin / p.rest, r = begin % p.rest,
                    count = std::min(end - begin, p.rest - r);
      for (int64_t j = 0; j < m; j++) {
        T* to = y + p.outer[o] + p.index[j];
        const T* from = x + (o * m + j) * p.rest;
        for (int64_t i = r; i < r + count; i++) {
          if constexpr (Add)
            to[rest[i]] = static_cast<T>(static_cast<Compute<T>>(to[rest[i]]) +
                                         static_cast<Compute<T>>(from[i]));
          else to[rest[i]] = from[i];
        }
      }
      begin += count;
    }
  });
}

template <class T>
void add_all(const AdvancedIndex& p, T* y, const T* x) {
  if constexpr (std::is_same_v<T, Compute<T>> && !std::is_same_v<T, bool>) {
    if (p.linear) {
      Buffer<int64_t> row(p.index);
      for (int64_t& r : row) r /= p.rest;
      const kernels::Axis axis{static_cast<int64_t>(p.outer.size()), p.rows, p.rest};
      [[maybe_unused]] const auto bad =
          kernels::index_add(y, axis, row.data(), static_cast<int64_t>(row.size()), x, T(1));
      return;
    }
  }
  scatter_all<true>(p, y, x);
}

}  // namespace

void scatter_elements(const AdvancedIndex& p, const Tensor& x, const Tensor& source,
                      bool accumulate) {
  if (p.numel() == 0) return;
  if (accumulate) {
    dispatch(x.dtype(), [&]<class T>() { add_all(p, x.data<T>(), source.data<T>()); });
    return;
  }
  kernels::with_element(x.item_size(), [&]<class U>(U*) {
    scatter_all<false>(p, static_cast<U*>(x.raw()), static_cast<const U*>(source.raw()));
  });
}

}  // namespace gotorch
