#pragma once
// Deferred pointwise expressions: what a pending tensor will be computed from, and when it is.
//
// A pointwise op whose result is large records a Pending instead of running. Evaluation runs the whole expression tile by
// tile (tensor/program.h), and also writes every inner result that somebody else still holds.
//
// Invariants
//  - Expressions are read, evaluated and retired only under the evaluation lock, which one thread may take again. A thread that
//    waits for it runs chunks of the loop that the owner is running.
//  - A Pending is registered as a reader at the storage of each of its operands from its creation until it is done, so
//    a writer finds it. Reader lists are under their own mutex, which is never held during evaluation.
//  - `done` is set once, after the data is complete and before the operands are let go.
//  - References to a Pending are held by the tensors that share its memory and by expressions that use it, and
//    by nothing else: more references than uses inside one evaluation mean that somebody wants the value.
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

// One value that is not computed yet.
struct Pending : PendingState {
  // An operand: another pending value of the same number of elements, a tensor that is in memory, or a number.
  struct Source {
    Ref<PendingState> pending;
    Operand operand;
  };

  const PointwiseKernel* kernel;
  Dtype compute, dtype;
  uint8_t count = 0;
  bool read_once = false;  // a consumer has pulled tiles from this before
  uint16_t nodes = 1;      // how many values evaluating this computes at most
  DimVector shape;         // operands broadcast to it
  Ref<Storage> storage;
  std::array<Source, kMaxOperands> sources;

  static Pending* of(const Tensor& x) { return static_cast<Pending*>(x->pending.get()); }
  // Stops reading: takes itself off the reader lists and lets the operands go.
  void release_sources();
};

// Results of at least this many elements are deferred. Below, latency is all.
inline constexpr int64_t kDeferFrom = 4096;
// An operand whose expression has grown to this many nodes is evaluated before it is used again: bounds the
// depth of the recursion over expressions and the number of live tiles.
inline constexpr int kMaxPendingNodes = 48;

// A tensor of `shape` and `dtype` that will be kernel(operands). Every tensor operand broadcasts to `shape`.
Tensor defer(const PointwiseKernel& kernel, std::span<const Operand> operands, Dtype compute,
             Dtype dtype, Dims shape);
void evaluate(const Tensor& x);
void evaluate(Pending& p);
// Evaluates everything that will read this memory. Called before it is written.
void evaluate_readers(Storage& storage);

class EvaluationLock {
 public:
  EvaluationLock();
  ~EvaluationLock();
  EvaluationLock(const EvaluationLock&) = delete;
  EvaluationLock& operator=(const EvaluationLock&) = delete;
};

}  // namespace gotorch
