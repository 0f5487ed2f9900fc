#pragma once
// What the random ops share. PyTorch draws the numbers of a tensor in the order of its memory.
#include "tensor/copy.h"
#include "tensor/op.h"
#include "tensor/random.h"
#include "tensor/value.h"
#include "tensor/view.h"

namespace gotorch::ops {

// The generator given as argument i, or the default one.
inline const Generator& generator_of(const Args& a, size_t i) {
  return a.generator(i) ? *a.generator(i) : default_generator();
}

// The dims of x from the farthest to the nearest neighbours in memory.
DimVector memory_order(const Tensor& x);

// A new tensor of x's shape whose elements follow each other in memory as x's do, without gaps.
Tensor empty_in_order_of(const Tensor& x, Dtype dtype);

// fill(out, n) with numbers in the order of y's memory.
template <class F>
void fill_in_memory_order(const Tensor& y, F&& fill) {
  const bool dense = permuted(y, memory_order(y)).is_contiguous();
  const Tensor out = dense ? y : empty_in_order_of(y, y.dtype());
  dispatch(y.dtype(), [&]<class T>() { fill(out.data<T>(), out.numel()); });
  if (!dense) copy_elements(y, out);
}

template <class F>
Tensors filled_like_first(const Args& a) {
  Tensor y = empty_in_order_of(a[0], a[0].dtype());
  F{}(a, y);
  return {y};
}

// Kernels that fill y, which in place is the first argument, with random numbers, from lambdas without captures of
// (a, y).
template <class F>
Kernel filling(F) {
  Kernel k(Kernel::Kind::Random, &filled_like_first<F>);
  k.writer = &detail::as_writer<F>;
  return k;
}

// The same from lambdas of (a, out, n) that write n numbers.
template <class F>
Kernel filling_numbers(F) {
  return filling([](auto& a, auto& y) {
    fill_in_memory_order(y, [&]<class T>(T* out, int64_t n) {
      if constexpr (!std::is_same_v<T, bool>) F{}(a, out, n);
    });
  });
}
template <class F>
Kernel filling_floats(F) {
  return filling([](auto& a, auto& y) {
    fill_in_memory_order(y, [&]<class T>(T* out, int64_t n) {
      if constexpr (is_floating(dtype_of<T>())) F{}(a, out, n);
    });
  });
}

}  // namespace gotorch::ops
