#pragma once
// What the tensor tests say often.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tensor/copy.h"
#include "tensor/ops.h"

namespace gotorch {

// 0, 1, 2, ... in row-major order.
inline Tensor ramp(IntList shape, Dtype dtype = Dtype::Float) {
  Tensor t = empty(shape, dtype);
  dispatch(dtype, [&]<class T>() {
    for (int64_t i = 0; i < t.numel(); i++)
      t.data<T>()[i] = static_cast<T>(static_cast<Compute<T>>(i));
  });
  return t;
}

// The elements in row-major order, as numbers.
inline std::vector<double> values(const Tensor& x) {
  const Tensor t = copy_of(x, Dtype::Double);
  return {t.data<double>(), t.data<double>() + t.numel()};
}

inline std::vector<int64_t> shape_of(const Tensor& x) {
  return {x.shape().begin(), x.shape().end()};
}

using Shape = std::vector<int64_t>;
using Numbers = std::vector<double>;

// The text of the error that f throws, or "" if it does not.
template <class E = Error, class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const std::exception& e) {
    return dynamic_cast<const E*>(&e) ? e.what() : std::string("another class: ") + e.what();
  }
  return "";
}

#define EXPECT_ERROR(text, ...)                                                                   \
  EXPECT_PRED2(                                                                                   \
      [](const std::string& got, const std::string& part) { return got.find(part) != got.npos; }, \
      error_of([&] { __VA_ARGS__; }), text)

}  // namespace gotorch
