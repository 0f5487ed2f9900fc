#include "tensor/indexing.h"

#include "tensor/ops.h"

namespace gotorch {
namespace {

// What is left when the view indices are applied: a view, and index tensors for its leading dims.
struct Applied {
  Tensor view;
  Tensors tensors;  // undefined: the whole dim
  bool advanced = false;
};

bool is_mask(const Tensor& t) { return t.dtype() == Dtype::Bool || t.dtype() == Dtype::UInt8; }
bool is_integer(const Index& i) {
  return i.kind == Index::Kind::Tensor && i.tensor.dim() == 0 &&
         category(i.tensor.dtype()) == Category::Integer && !is_mask(i.tensor);
}

// How many dims of the tensor an index stands for.
int64_t dims_of(const Index& i) {
  switch (i.kind) {
    case Index::Kind::Integer:
    case Index::Kind::Slice: return 1;
    case Index::Kind::Tensor: return is_mask(i.tensor) ? i.tensor.dim() : 1;
    default: return 0;
  }
}

class Applier {
 public:
  Applier(const Tensor& x, std::span<const Index> indices) : all_(x) {
    for (const Index& i : indices) named_ += dims_of(i);
    check<IndexError>(x.dim() > 0 || named_ == 0,
                      "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
                      "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number");
    check<IndexError>(named_ <= x.dim(), "too many indices for tensor of dimension ", x.dim());
    out_.view = x;
    for (const Index& i : indices) apply(i);
    // A new tensor also where nothing was selected: x[...] is not x.
    if (out_.view.is(x)) out_.view = expand(x, x.shape());
  }
  Applied take() { return std::move(out_); }

 private:
  void apply(const Index& i) {
    switch (i.kind) {
      case Index::Kind::Integer: return select_at(i.integer);
      case Index::Kind::Slice: return slice_at(i);
      case Index::Kind::Ellipsis: return skip(seen_ ? 0 : all_.dim() - named_);
      case Index::Kind::NewAxis: out_.view = unsqueeze(out_.view, dim_++); return;
      case Index::Kind::Bool: return mask_at(i.integer != 0);
      case Index::Kind::Tensor:
        if (is_integer(i)) return select_at(i.tensor.item<int64_t>());
        if (i.tensor.dim() == 0 && is_mask(i.tensor)) return mask_at(i.tensor.item<bool>());
        return tensor_at(i.tensor);
    }
  }

  void skip(int64_t dims) {
    seen_ = true;
    dim_ += dims;
    real_ += dims;
  }

  void select_at(int64_t i) {
    check<IndexError>(
        all_.dim() > 0,
        "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` "
        "in C++ to convert a 0-dim tensor to a number");
    const int64_t size = out_.view.shape()[dim_];
    check<IndexError>(i >= -size && i < size, "index ", i, " is out of bounds for dimension ",
                      real_, " with size ", size);
    out_.view = select(out_.view, dim_, i);
    real_++;
  }

  void slice_at(const Index& i) {
    check<ValueError>(i.integer != 0, "slice step cannot be zero");
    check<ValueError>(i.integer > 0, "step must be greater than zero, got ", i.integer);
    const bool whole = !i.start && !i.stop && i.integer == 1;
    if (!whole) out_.view = slice(out_.view, dim_, i.start, i.stop, i.integer);
    dim_++;
    real_++;
  }

  // A bool counts as a new dim of size 1 or 0.
  void mask_at(bool keep) {
    out_.view = unsqueeze(out_.view, dim_);
    put(zeros(keep ? 1 : 0, Dtype::Int64));
    dim_++;
  }

  void tensor_at(const Tensor& t) {
    check<IndexError>(is_mask(t) || t.dtype() == Dtype::Int64 || t.dtype() == Dtype::Int32,
                      "tensors used as indices must be long, int, byte or bool tensors, got ",
                      t.dtype());
    put(t);
    const int64_t dims = is_mask(t) ? t.dim() : 1;
    // The list counts indices, not dims: a mask stands for all of its dims.
    masked_ += dims - 1;
    dim_ += dims;
    real_ += dims;
  }

  void put(const Tensor& t) {
    out_.tensors.resize(static_cast<size_t>(dim_ - masked_) + 1);
    out_.tensors.back() = t;
    out_.advanced = true;
  }

  const Tensor& all_;
  Applied out_;
  int64_t dim_ = 0;   // of the view
  int64_t real_ = 0;  // of all_, for errors
  int64_t named_ = 0, masked_ = 0;
  bool seen_ = false;  // an ellipsis
};

// The value without leading dims of size 1 that the target does not have.
Tensor fitted(Tensor value, int64_t dims) {
  while (value.dim() > dims && value.shape()[0] == 1) value = select(value, 0, 0);
  return value;
}

void assign(const Tensor& view, const Operand& value) {
  if (!value.tensor.defined()) {
    ops::fill.inplace(view, value.scalar);
    return;
  }
  ops::copy.inplace(view, expand(fitted(value.tensor, view.dim()), view.shape()));
}

// x[mask] = number without looking for the places of the true elements.
bool fill_masked(const Applied& a, const Operand& value) {
  if (value.tensor.defined() || a.tensors.size() != 1 || a.tensors[0].dtype() != Dtype::Bool)
    return false;
  if (is_floating(a.view.dtype()) != value.scalar.is_floating()) return false;
  Tensor mask = a.tensors[0];
  if (!same(mask.shape(), a.view.shape().first(mask.dim()))) return false;
  while (mask.dim() < a.view.dim()) mask = unsqueeze(mask, -1);
  ops::masked_fill.inplace(a.view, mask, value.scalar);
  return true;
}

}  // namespace

Tensor get_index(const Tensor& x, std::span<const Index> indices) {
  const Applied a = Applier(x, indices).take();
  return a.advanced ? index(a.view, a.tensors) : a.view;
}

void set_index(const Tensor& x, std::span<const Index> indices, const Operand& value) {
  const Applied a = Applier(x, indices).take();
  if (!a.advanced) return assign(a.view, value);
  if (fill_masked(a, value)) return;
  Tensor source = value.tensor;
  if (!source.defined()) source = full(DimVector{}, value.scalar, a.view.dtype());
  ops::index_put.inplace(a.view, a.tensors, source);
}

}  // namespace gotorch
