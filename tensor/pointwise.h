#pragma once
// Pointwise kernels: one scalar formula, compiled to one contiguous loop per compute type.
//   const auto kernel = pointwise<kFloats>([](auto x, auto slope) { return x > 0 ? x : x * slope; });
// Strides, broadcasting, conversion and tiling are the evaluator's (tensor/program.h).
#include <array>
#include <cstdint>
#include <type_traits>

#include "tensor/dtype.h"
#include "tensor/simd/isa.h"

namespace gotorch {

// y[i] = f(x[0][i], x[1][i], ...) for i < n. y may be one of the inputs, at the same place.
using Loop = void (*)(void* y, void* const* x, int64_t n);

inline constexpr int kMaxOperands = 6;

using DtypeSet = uint16_t;
template <class... D>
constexpr DtypeSet dtype_set(D... d) {
  return static_cast<DtypeSet>((0u | ... | (1u << static_cast<int>(d))));
}
constexpr bool contains(DtypeSet set, Dtype d) { return set >> static_cast<int>(d) & 1; }
inline constexpr DtypeSet kBool = dtype_set(Dtype::Bool);
inline constexpr DtypeSet kInts =
    dtype_set(Dtype::UInt8, Dtype::Int8, Dtype::Int16, Dtype::Int32, Dtype::Int64);
inline constexpr DtypeSet kFloats =
    dtype_set(Dtype::Half, Dtype::BFloat16, Dtype::Float, Dtype::Double);
inline constexpr DtypeSet kNumbers = kInts | kFloats;
inline constexpr DtypeSet kAll = kNumbers | kBool;

// The dtype of the result, given the promoted dtype of the operands.
enum class ResultType : uint8_t {
  Same,   // the promoted dtype
  Float,  // the promoted dtype if floating, else the default float: sin, true division
  Bool,   // comparisons
};

struct PointwiseKernel {
  std::array<Loop, kDtypes> loops{};  // by compute type; null where the formula does not apply
  uint8_t arity = 0;
  uint8_t masks = 0;  // bit i: operand i is a bool mask and takes no part in promotion
  ResultType result = ResultType::Same;
  bool casts = false;  // no loops: converts its one operand to the result's dtype
};

namespace detail {

template <class F, size_t>
using Always = F;

template <class F, class T, uint8_t Masks, size_t I>
using OperandType = std::conditional_t<(Masks >> I & 1), bool, T>;

// Truth values are read as bytes: foreign memory may hold others than 0 and 1, and gcc 12 vectorises no selection by a
// bool that comes from memory.
template <class V>
using Stored = std::conditional_t<std::is_same_v<V, bool>, uint8_t, V>;
template <class V>
inline V loaded(Stored<V> v) {
  if constexpr (std::is_same_v<V, bool>) return v != 0;
  else return v;
}

template <class F, class T, class R, uint8_t Masks, size_t... I>
inline void pointwise_loop(void* y_, void* const* x, int64_t n) {
  R* y = static_cast<R*>(y_);
  // The pointers are loaded before the loop, so that stores to y cannot be taken to change them.
  auto body = [&](const Stored<OperandType<F, T, Masks, I>>* __restrict... p) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
      y[i] = static_cast<R>(F{}(loaded<OperandType<F, T, Masks, I>>(p[i])...));
  };
  body(static_cast<const Stored<OperandType<F, T, Masks, I>>*>(x[I])...);
}

template <DtypeSet Set, uint8_t Masks, ResultType Result, class F, class T, size_t... I>
void add_loop(PointwiseKernel& k, std::index_sequence<I...>) {
  if constexpr (contains(Set, dtype_of<T>())) {
    using R = std::conditional_t<Result == ResultType::Bool, bool, T>;
    k.loops[static_cast<int>(dtype_of<T>())] =
        best_variant<&pointwise_loop<F, T, R, Masks, I...>>();
  }
}

template <class F, class T, uint8_t Masks, size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
  return std::is_invocable_v<F, OperandType<F, T, Masks, I>...>;
}
// The number of parameters of a generic lambda, tried with a type that it is meant for.
template <class F, class T, uint8_t Masks, int N = 1>
constexpr int arity_of() {
  static_assert(N <= kMaxOperands, "the formula cannot be called with any number of operands");
  if constexpr (takes<F, T, Masks>(std::make_index_sequence<N>())) return N;
  else return arity_of<F, T, Masks, N + 1>();
}

}  // namespace detail

// `f` takes one scalar per operand (bool for operands in `Masks`), has no captures and no branches that depend on
// data in a way the compiler cannot turn into a selection.
template <DtypeSet Set, ResultType Result = ResultType::Same, uint8_t Masks = 0, class F>
PointwiseKernel pointwise(F) {
  PointwiseKernel k;
  using T = std::conditional_t<contains(Set, Dtype::Float), float, int64_t>;
  constexpr int arity = detail::arity_of<F, T, Masks>();
  constexpr auto seq = std::make_index_sequence<arity>();
  k.arity = arity;
  k.masks = Masks;
  k.result = Result;
  detail::add_loop<Set, Masks, Result, F, bool>(k, seq);
  detail::add_loop<Set, Masks, Result, F, uint8_t>(k, seq);
  detail::add_loop<Set, Masks, Result, F, int8_t>(k, seq);
  detail::add_loop<Set, Masks, Result, F, int16_t>(k, seq);
  detail::add_loop<Set, Masks, Result, F, int32_t>(k, seq);
  detail::add_loop<Set, Masks, Result, F, int64_t>(k, seq);
  detail::add_loop<Set, Masks, Result, F, float>(k, seq);
  detail::add_loop<Set, Masks, Result, F, double>(k, seq);
  return k;
}

}  // namespace gotorch
