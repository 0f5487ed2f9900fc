#include "grad/views.h"

#include "tensor/copy.h"
#include "tensor/ops.h"

namespace gotorch {
namespace {

struct Geometry {
  DimVector shape, strides;
  int64_t offset;
  explicit Geometry(const Tensor& t) : shape(t->shape), strides(t->strides), offset(t.offset()) {}
};

// The elements of a tensor laid out like `base` that `view` covers: strides are turned from the base's layout to
// the contiguous one that gradients have.
class SliceMap {
 public:
  SliceMap(const Tensor& base, const Tensor& view) : base_shape_(base->shape) {
    const DimVector dense = contiguous_strides(base.shape());
    int64_t rest = view.offset() - base.offset();
    // Base dims from the widest stride down: each view stride and the offset is a sum of whole base strides.
    for (size_t d = 0; d < base->shape.size(); d++) order_.push_back(d);
    std::sort(order_.begin(), order_.end(),
              [&](size_t a, size_t b) { return base->strides[a] > base->strides[b]; });
    const auto convert = [&](int64_t step) {
      int64_t out = 0;
      for (size_t d : order_) {
        const int64_t stride = base->strides[d];
        if (stride == 0 || base->shape[d] == 1) continue;
        out += step / stride * dense[d];
        step %= stride;
      }
      return out;
    };
    offset_ = convert(rest);
    shape_ = view->shape;
    for (int64_t stride : view->strides) strides_.push_back(convert(stride));
  }

  Tensor slice(const Tensor& of) const {
    const Value values[] = {of, Dims(shape_), Dims(strides_), offset_};
    return std::move(call(ops::as_strided, values)[0]);
  }
  Dims base_shape() const { return base_shape_; }

 private:
  SmallVector<size_t, 5> order_;
  DimVector base_shape_, shape_, strides_;
  int64_t offset_ = 0;
};

Tensor zeros(const ResultMeta& meta) {
  Tensor out = empty(meta.shape, meta.dtype);
  copy_elements(out, scalar_tensor(0, meta.dtype));
  return out;
}

// view = slice of base.
class SliceNode : public Node {
 public:
  SliceNode(const Tensor& base, const Tensor& view) : map_(base, view), base_(meta_of(base)) {
    results.push_back(meta_of(view));
    edges.push_back(gradient_edge(base));
  }
  std::string name() const override { return "AsStridedBackward0"; }
  Tensors apply(Tensors& grads, Wanted) override {
    if (!grads[0].defined()) return Tensors{Tensor()};
    Tensor whole = zeros(base_);
    const Tensor slice = map_.slice(whole);
    const Value values[] = {slice, grads[0], false};
    call_inplace(ops::copy, values);
    return Tensors{whole};
  }

 private:
  SliceMap map_;
  ResultMeta base_;
};

// base after = base before, with the slice replaced by the result of `write`.
class CopySlices : public Node {
 public:
  CopySlices(const Tensor& base, const Tensor& view, Ref<Node> write)
      : map_(base, view), write_(std::move(write)) {
    results.push_back(meta_of(base));
    edges.push_back(gradient_edge(base));
    for (size_t i = 1; i < write_->edges.size(); i++) edges.push_back(write_->edges[i]);
  }
  std::string name() const override { return "CopySlices"; }
  bool on_caller() const override { return write_->on_caller(); }
  void release_saved() override { write_->release_saved(); }

  Tensors apply(Tensors& grads, Wanted wanted) override {
    if (!grads[0].defined()) return Tensors(edges.size(), Tensor());
    Tensor whole = ops::clone(grads[0]);
    Tensors inner;
    inner.push_back(ops::clone(map_.slice(whole)));
    Tensors out = write_->apply(inner, {wanted.graph, wanted.without & ~1u});
    const Tensor before = !out.empty() && out[0].defined() ? out[0] : zeros(write_->results[0]);
    const Tensor slice = map_.slice(whole);
    const Value values[] = {slice, before, false};
    call_inplace(ops::copy, values);
    Tensors all{whole};
    for (size_t i = 1; i < edges.size(); i++) all.push_back(i < out.size() ? out[i] : Tensor());
    return all;
  }

 private:
  SliceMap map_;
  Ref<Node> write_;
};

}  // namespace

void refresh_view(const Tensor& view) {
  const Tensor base(view->base);
  if (base.requires_grad()) set_history(view, Ref<Node>::adopt(new SliceNode(base, view)), 0);
  view->view_version = view.version();
}

void rebase_view(const Tensor& view, Ref<Node> node) {
  const Tensor base(view->base);
  auto copy = Ref<Node>::adopt(new CopySlices(base, view, std::move(node)));
  set_history(base, std::move(copy), 0);
  refresh_view(view);
}

}  // namespace gotorch
