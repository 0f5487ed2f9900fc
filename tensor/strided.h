#pragma once
// Memory of any layout, read and written in row-major order, and copied from one layout to another.
//
//   const StridedAccess from = access(x, shape);       // x broadcasts to shape
//   const void* tile = from.read(begin, n, buffer);    // elements [begin, begin + n), in place if they lie together
//
// Thread-safe.
#include "tensor/tensor.h"

namespace gotorch {

// Where a tensor's elements lie, in row-major order of a shape it broadcasts to.
struct StridedAccess {
  std::byte* base = nullptr;
  int64_t item = 0;
  DimVector shape, strides;  // coalesced, strides in elements

  // The `n` elements from linear index `begin`: in place if they lie together, else copied to `buffer`.
  const void* read(int64_t begin, int64_t n, void* buffer) const;
  // Writes them; they come from somewhere else, one after the other.
  void write(int64_t begin, int64_t n, const void* from) const;
};
StridedAccess access(const Tensor& x, Dims as_shape);

// Two layouts of one shape, with elements of `item` bytes that do not overlap.
struct StridedCopy {
  std::byte* to;
  const std::byte* from;
  int64_t item;
  DimVector shape, to_strides, from_strides;

  // Copies every element, in parallel. Reads and writes along whichever dims lie together in memory.
  void run();

 private:
  void arrange();
};

}  // namespace gotorch
