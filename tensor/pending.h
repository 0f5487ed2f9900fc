#pragma once
// Deferred pointwise expressions: what a pending tensor will be computed from, and when it is.
//
// A pointwise op whose result is large records a Pending instead of running. Evaluation runs the whole expression tile by
// tile (tensor/program.h), and also writes every inner result that somebody else still holds.
//
// Invariants
//  - Expressions are read, evaluated and retired only under the evaluation lock, which one thread may take again. A thread that
//    waits for it runs chunks of the loop that the owner is running.
//  - A Pending is registered as a reader at the storage of each of its operands from its creation to its end, so a
//    writer finds it. Reader lists are under their own mutex, which is never held during evaluation.
//  - `impl->pending` goes from set to null once, with release order, after the data is complete.
#include <array>

#include "tensor/pointwise.h"
#include "tensor/tensor.h"

namespace gotorch {

// A tensor or a number.
struct Operand {
  Operand() = default;
  Operand(const Tensor& t) : tensor(t) {}
  Operand(Scalar s) : scalar(s) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  Operand(T value) : scalar(value) {}

  Tensor tensor;  // undefined: the scalar
  Scalar scalar;
};

struct Pending {
  const PointwiseKernel* kernel;
  Dtype compute;
  uint8_t count;
  std::array<Operand, kMaxOperands> operands;
  TensorImpl* owner;

  ~Pending();
  static void* operator new(size_t n);
  static void operator delete(void* p);
};

// Results of at least this many elements are deferred. Below, latency is all.
inline constexpr int64_t kDeferFrom = 4096;
// An operand whose expression has grown to this many nodes is evaluated before it is used again: bounds the
// depth of the recursion over expressions and the number of live tiles.
inline constexpr int kMaxPendingNodes = 48;

// A tensor of `shape` and `dtype` that will be kernel(operands). Every tensor operand broadcasts to `shape`.
Tensor defer(const PointwiseKernel& kernel, std::span<const Operand> operands, Dtype compute, Dtype dtype, Dims shape);
void evaluate(const Tensor& x);
// Evaluates everything that will read this memory. Called before it is written.
void evaluate_readers(Storage& storage);
void synchronize();

class EvaluationLock {
 public:
  EvaluationLock();
  ~EvaluationLock();
  EvaluationLock(const EvaluationLock&) = delete;
  EvaluationLock& operator=(const EvaluationLock&) = delete;
};

}  // namespace gotorch
