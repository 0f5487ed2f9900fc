#include "tensor/strided.h"

#include <algorithm>
#include <cstdlib>

#include "runtime/parallel.h"
#include "tensor/kernels/plane.h"

namespace gotorch {
namespace {

using kernels::Plane;

constexpr int64_t kChunk = 32768;  // elements of a parallel chunk, about
constexpr int64_t kSquare =
    256;  // bytes of a side of a block that is transposed: a few cache lines

// Calls f(place of the first, rows, n) for the rows, parts of rows and groups of whole rows of n elements that make up the
// `count` elements from linear index `begin`. There is at least one dim.
template <class F>
void each_plane(const StridedAccess& a, int64_t begin, int64_t count, F f) {
  const size_t dims = a.shape.size();
  SmallVector<int64_t, 8> at(dims, 0);
  int64_t offset = 0;
  for (size_t d = dims; d-- > 0; begin /= a.shape[d]) {
    at[d] = begin % a.shape[d];
    offset += at[d] * a.strides[d];
  }
  const int64_t row = a.shape[dims - 1];
  while (count > 0) {
    size_t d = dims - 1;
    int64_t taken;
    if (dims > 1 && at[d] == 0 && count >= row) {
      d--;
      taken = std::min(count / row, a.shape[d] - at[d]);
      f(offset, taken, row);
      count -= taken * row;
    } else {
      taken = std::min(count, row - at[d]);
      f(offset, 1, taken);
      count -= taken;
    }
    offset += taken * a.strides[d];
    at[d] += taken;
    for (; d > 0 && at[d] == a.shape[d]; d--) {
      offset += a.strides[d - 1] - at[d] * a.strides[d];
      at[d] = 0;
      at[d - 1]++;
    }
  }
}

struct Row {
  int64_t stride, step;
};
Row row_of(const StridedAccess& a) {
  const size_t dims = a.shape.size();
  return {dims > 1 ? a.strides[dims - 2] : 0, a.strides[dims - 1]};
}

}  // namespace

const void* StridedAccess::read(int64_t begin, int64_t n, void* buffer) const {
  if (shape.empty()) {
    kernels::copy_plane({buffer, base, 1, n, n, 1, 0, 0}, item);
    return buffer;
  }
  const Row from = row_of(*this);
  const void* in_place = nullptr;
  auto* y = static_cast<std::byte*>(buffer);
  each_plane(*this, begin, n, [&](int64_t offset, int64_t rows, int64_t row) {
    const std::byte* x = base + offset * item;
    if (row == n && from.step == 1) in_place = x;
    else kernels::copy_plane({y, x, rows, row, row, 1, from.stride, from.step}, item);
    y += rows * row * item;
  });
  return in_place ? in_place : buffer;
}

void StridedAccess::write(int64_t begin, int64_t n, const void* from) const {
  const StridedAccess one{base, item, {1}, {1}};
  const StridedAccess& a = shape.empty() ? one : *this;
  const Row to = row_of(a);
  auto* x = static_cast<const std::byte*>(from);
  each_plane(a, begin, n, [&](int64_t offset, int64_t rows, int64_t row) {
    kernels::copy_plane({base + offset * item, x, rows, row, to.stride, to.step, row, 1}, item);
    x += rows * row * item;
  });
}

StridedAccess access(const Tensor& x, Dims as_shape) {
  StridedAccess a{static_cast<std::byte*>(x.raw()), x.item_size(), DimVector(as_shape),
                  broadcast_strides(x.shape(), x.strides(), as_shape)};
  coalesce(a.shape, a.strides);
  return a;
}

// Dims in the order of the destination's memory, those that lie together in both as one, without dims of size 1; at least
// two, of which the source's closest elements are along one.
void StridedCopy::arrange() {
  SmallVector<size_t, 8> order;
  for (size_t d = 0; d < shape.size(); d++)
    if (shape[d] != 1) order.push_back(d);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::abs(to_strides[a]) > std::abs(to_strides[b]);
  });
  DimVector n, y, x;
  for (size_t d : order) {
    if (!n.empty() && y.back() == shape[d] * to_strides[d] &&
        x.back() == shape[d] * from_strides[d]) {
      n.back() *= shape[d];
      y.back() = to_strides[d];
      x.back() = from_strides[d];
    } else {
      n.push_back(shape[d]);
      y.push_back(to_strides[d]);
      x.push_back(from_strides[d]);
    }
  }
  while (n.size() < 2) {
    n.insert(0, 1);
    y.insert(0, 0);
    x.insert(0, 0);
  }
  size_t closest = n.size() - 2;
  if (x.back() != 1)
    for (size_t d = 0; d + 1 < n.size(); d++)
      if (x[d] == 1) closest = d;
  for (DimVector* list : {&n, &y, &x})
    std::rotate(list->begin() + closest, list->begin() + closest + 1, list->end() - 1);
  shape = n;
  to_strides = y;
  from_strides = x;
}

void StridedCopy::run() {
  if (numel_of(shape) == 0) return;
  arrange();
  const size_t last = shape.size() - 1, outer = last - 1;
  const int64_t rows = shape[outer], n = shape[last];
  // Blocks that are transposed are square, unless one side is short.
  const bool square = from_strides[last] != 1 && from_strides[outer] == 1;
  const int64_t side = kSquare / item, block = square ? side * side : kChunk;
  const int64_t width = std::min(n, square ? block / std::min(rows, side) : block);
  const int64_t height = std::min(rows, block / width);
  const int64_t across = (n - 1) / width + 1, down = (rows - 1) / height + 1;
  const int64_t planes = numel_of(Dims(shape).first(outer));
  const int64_t grain = std::max<int64_t>(1, kChunk / (width * height));
  runtime::parallel_for(planes * across * down, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t c = i % across * width, r = i / across % down * height;
      int64_t y = r * to_strides[outer] + c * to_strides[last];
      int64_t x = r * from_strides[outer] + c * from_strides[last];
      int64_t plane = i / across / down;
      for (size_t d = outer; d-- > 0; plane /= shape[d]) {
        y += plane % shape[d] * to_strides[d];
        x += plane % shape[d] * from_strides[d];
      }
      kernels::copy_plane(
          {to + y * item, from + x * item, std::min(height, rows - r), std::min(width, n - c),
           to_strides[outer], to_strides[last], from_strides[outer], from_strides[last]},
          item);
    }
  });
}

}  // namespace gotorch
