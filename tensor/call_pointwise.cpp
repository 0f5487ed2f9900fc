#include "tensor/call_pointwise.h"

#include "tensor/copy.h"
#include "tensor/program.h"

namespace gotorch {
namespace {

// What a call computes: where, in which type, into which type.
struct Plan {
  const PointwiseKernel* kernel;
  SmallVector<Operand, kMaxOperands> operands;
  Dtype compute, result;
  DimVector shape;
};

bool is_operand(Value::Kind k) {
  return k == Value::Kind::Tensor || k == Value::Kind::Float || k == Value::Kind::Int ||
         k == Value::Kind::Bool;
}

Dtype compute_type(const Op& op, Dtype promoted, Dtype& result) {
  const PointwiseKernel& k = op.def().kernel.pointwise;
  check<NotImplementedError>(contains(op.def().dtypes, promoted), "not implemented for ", promoted);
  if (k.result == ResultType::Float && !is_floating(promoted)) promoted = default_dtype();
  result = k.result == ResultType::Bool ? Dtype::Bool : promoted;
  const Dtype compute = compute_dtype(promoted);
  check<NotImplementedError>(k.loops[static_cast<int>(compute)] != nullptr, "not implemented for ",
                             promoted);
  return compute;
}

Plan plan(const Op& op, const Args& args) {
  Plan p{&op.def().kernel.pointwise};
  const auto& params = op.signature().params;
  Promotion promotion;
  bool first = true;
  for (size_t i = 0; i < args.size(); i++) {
    const Value& v = args.value(i);
    check<TypeError>(is_operand(v.kind()), "argument '", params[i].name,
                     "' must be a Tensor or a number");
    if (!v.is_tensor()) {
      p.operands.emplace_back(v.scalar());
      if (params[i].type == Param::Type::Operand) promotion.add(v.scalar());
      continue;
    }
    const Tensor& t = v.tensor();
    p.operands.emplace_back(t);
    const bool mask = p.kernel->masks >> i & 1;
    check(!mask || t.dtype() == Dtype::Bool, "argument '", params[i].name,
          "' must be a bool tensor, got ", t.dtype());
    if (!mask) promotion.add(t);
    if (first) p.shape = DimVector(t.shape());
    else if (!same(p.shape, t.shape())) p.shape = broadcast_shapes(p.shape, t.shape());
    first = false;
  }
  p.compute = compute_type(op, promotion.result(), p.result);
  return p;
}

// The common case, without a Plan: contiguous tensors of one shape and dtype, and numbers, all small.
// Returns an undefined tensor if the call is not that.
Tensor call_small(const Op& op, const Args& args) {
  const PointwiseKernel& k = op.def().kernel.pointwise;
  const Tensor* first = nullptr;
  for (size_t i = 0; i < args.size(); i++) {
    const Value& v = args.value(i);
    if (v.is_number()) continue;
    if (!v.is_tensor() || k.masks >> i & 1) return {};
    const Tensor& t = v.tensor();
    if (!t.is_contiguous() || t.numel() > kTile || t.is_pending()) return {};
    if (!first) first = &t;
    else if (t.dtype() != first->dtype() || !same(t.shape(), first->shape())) return {};
  }
  if (!first || is_half(first->dtype())) return {};
  Dtype promoted = first->dtype();
  const auto& params = op.signature().params;
  for (size_t i = 0; i < args.size(); i++) {
    const Value& v = args.value(i);
    if (v.is_number() && params[i].type == Param::Type::Operand &&
        v.scalar().category() > category(promoted))
      return {};
  }
  Dtype result;
  const Dtype compute = compute_type(op, promoted, result);
  if (compute != promoted) return {};
  const int64_t n = first->numel();
  Tensor out = empty(first->shape(), result);
  void* in[kMaxOperands];
  alignas(64) std::byte room[kMaxOperands - 1][kTile * 8];
  int rooms = 0;
  for (size_t i = 0; i < args.size(); i++) {
    const Value& v = args.value(i);
    if (v.is_tensor()) {
      in[i] = v.tensor().raw();
      continue;
    }
    in[i] = room[rooms++];
    dispatch(compute,
             [&]<class T>() { std::fill_n(static_cast<T*>(in[i]), n, v.scalar().to<T>()); });
  }
  k.loops[static_cast<int>(compute)](out.raw(), in, n);
  return out;
}

// A number in a 0-d tensor's place changes with that tensor, so it is only read when the op runs.
void run_into(const Plan& p, const Tensor& out) {
  EvaluationLock lock;
  Program program(*p.kernel, p.operands, p.compute, out.dtype(), p.shape, out.raw());
  program.run();
}

// True if writing `out` element by element could change an element of x that is still to be read.
bool clobbers(const Tensor& out, const Tensor& x) {
  if (x.is_pending() || !(x.storage() == out.storage())) return false;
  return !(x.offset() == out.offset() && same(x.shape(), out.shape()) &&
           same(x.strides(), out.strides()) && x.dtype() == out.dtype());
}

// Straight into `out` where that has the result's layout and is not read as well.
void write_to(const Plan& p, const Tensor& out) {
  bool direct = out.is_contiguous() && (out.dtype() == p.result);
  for (const Operand& o : p.operands)
    if (o.tensor.defined() && clobbers(out, o.tensor)) direct = false;
  if (direct) return run_into(p, out);
  const Tensor whole = empty(p.shape, p.result);
  run_into(p, whole);
  copy_elements(out, whole);
}

}  // namespace

Tensor call_pointwise(const Op& op, const Args& args) {
  if (Tensor out = call_small(op, args); out.defined()) return out;
  const Plan p = plan(op, args);
  const int64_t n = numel_of(p.shape);
  if (n >= kDeferFrom) return defer(*p.kernel, p.operands, p.compute, p.result, p.shape);
  Tensor out = empty(p.shape, p.result);
  if (n > 0) run_into(p, out);
  return out;
}

void call_pointwise_into(const Op& op, const Args& args, const Tensor& out, bool inplace) {
  Plan p = plan(op, args);
  if (inplace)
    check(same(p.shape, out.shape()), "output with shape ", out.shape(),
          " doesn't match the broadcast shape ", Dims(p.shape));
  check_output(out, p.result, p.shape);
  resize_output(out, p.shape);
  out.written_by([&] {
    if (out.numel() > 0) write_to(p, out);
  });
}

void check_output(const Tensor& out, Dtype result, Dims shape) {
  check(can_cast(result, out.dtype()), "result type ", result,
        " can't be cast to the desired output type ", out.dtype());
  check(out.storage()->writable(), "the memory of the output tensor is read-only");
  check(same(out.shape(), shape) ||
            bytes_of(shape, out.item_size()) <= INT64_MAX - out.offset() * out.item_size(),
        "the size in bytes of shape ", shape, " does not fit in 63 bits");
}

void resize_output(const Tensor& out, Dims shape) {
  if (same(out.shape(), shape)) return;
  const int64_t bytes = bytes_of(shape, out.item_size());
  out.storage()->resize(static_cast<size_t>(out.offset() * out.item_size() + bytes));
  out->shape = DimVector(shape);
  out->strides = contiguous_strides(shape);
  out->numel = bytes / out.item_size();
  out->contiguous = true;
}

}  // namespace gotorch
