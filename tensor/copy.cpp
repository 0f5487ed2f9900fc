#include "tensor/copy.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/parallel.h"
#include "tensor/program.h"

namespace gotorch {
namespace {

constexpr int64_t kChunk = 32 * kTile;

void copy_same_shape(const Tensor& dst, const Tensor& src) {
  if (!src.is_pending() && src.dtype() == dst.dtype()) {
    auto* to = static_cast<std::byte*>(dst.raw());
    const auto* from = static_cast<const std::byte*>(src.raw());
    const int64_t item = dst.item_size();
    if (from == to) return;  // the same elements: other layouts that overlap were copied
    if (dst.is_contiguous() && src.is_contiguous())
      return StridedCopy{to, from, item, {dst.numel()}, {1}, {1}}.run();
    return StridedCopy{
        to, from, item, DimVector(dst.shape()), DimVector(dst.strides()), DimVector(src.strides())}
        .run();
  }
  TileReader reader(src, dst.dtype());
  const int64_t item = dst.item_size();
  const bool plain = dst.is_contiguous();
  auto* y = static_cast<std::byte*>(dst.raw());
  const StridedAccess to = plain ? StridedAccess{} : access(dst, dst.shape());
  runtime::parallel_for(dst.numel(), kChunk, [&](int64_t begin, int64_t end) {
    alignas(64) std::byte buffer[kTile * 8];
    for (int64_t at = begin; at < end; at += kTile) {
      const int64_t n = std::min(kTile, end - at);
      void* room = plain ? y + at * item : buffer;
      const void* tile = reader.read(at, n, room);
      if (!plain) to.write(at, n, tile);
      else if (tile != room) std::memcpy(room, tile, n * item);
    }
  });
  reader.finish();
}

bool overlap(const Tensor& a, const Tensor& b) {
  if (!(a.storage() == b.storage())) return false;
  return !(a.offset() == b.offset() && same(a.shape(), b.shape()) &&
           same(a.strides(), b.strides()) && a.dtype() == b.dtype());
}

}  // namespace

void copy_elements(const Tensor& dst, const Tensor& src) {
  if (dst.numel() == 0) return;
  Tensor from = src;
  if (!same(src.shape(), dst.shape())) {
    const DimVector shape = broadcast_shapes(src.shape(), dst.shape());
    check(same(shape, dst.shape()), "output with shape ", dst.shape(),
          " doesn't match the broadcast shape ", Dims(shape));
    from = alias(src, dst.shape(), broadcast_strides(src.shape(), src.strides(), dst.shape()),
                 src.offset());
  }
  if (!from.is_pending() && overlap(dst, from)) from = copy_of(from, from.dtype());
  copy_same_shape(dst, from);
}

Tensor packed(const Tensor& x) {
  if (x.is_contiguous()) {
    x.evaluate();
    return x;
  }
  return copy_of(x, x.dtype());
}

Tensor as_dtype(const Tensor& x, Dtype dtype) { return x.dtype() == dtype ? x : copy_of(x, dtype); }

Tensor packed(const Tensor& x, Dtype dtype) {
  return x.dtype() == dtype ? packed(x) : copy_of(x, dtype);
}

Tensor copy_of(const Tensor& x, Dtype dtype) {
  Tensor out = empty(x.shape(), dtype);
  copy_elements(out, x);
  return out;
}

void check_fits(Scalar value, Dtype dtype) {
  const bool fits = dispatch(dtype, [&]<class T>() {
    const double v = value.to<double>();
    if constexpr (std::is_same_v<T, bool>) return true;
    else if constexpr (is_floating(dtype_of<T>()))
      return !std::isfinite(v) || std::isfinite(static_cast<double>(Compute<T>(T(v))));
    else if constexpr (sizeof(T) == 8) return !value.is_floating() || (v >= -0x1p63 && v < 0x1p63);
    else {
      const double max = std::numeric_limits<T>::max();
      return v < max + 1 && v > (std::is_unsigned_v<T> ? -max - 1 : -max - 2);
    }
  });
  check(fits, "value cannot be converted to type ", dtype,
        " without overflow: ", value.to<double>());
}

void fill_elements(const Tensor& dst, Scalar value) {
  check_fits(value, dst.dtype());
  if (!dst.is_contiguous()) return copy_elements(dst, scalar_tensor(value, dst.dtype()));
  // A tile of copies, then copies of the tile: at the speed of memory for any size of element.
  alignas(64) std::byte tile[kTile * 8];
  const int64_t item = dst.item_size();
  dispatch(dst.dtype(), [&]<class T>() {
    std::fill_n(reinterpret_cast<T*>(tile), std::min(kTile, dst.numel()), value.to<T>());
  });
  auto* y = static_cast<std::byte*>(dst.raw());
  runtime::parallel_for(dst.numel(), 4 * kChunk, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; at += kTile)
      std::memcpy(y + at * item, tile, std::min(kTile, end - at) * item);
  });
}

}  // namespace gotorch
