#include "grad/op_node.h"

#include "grad/accumulate.h"
#include "grad/mode.h"
#include "grad/views.h"
#include "tensor/copy.h"

namespace gotorch {

class OpNode::Formula : public GradArgs {
 public:
  Formula(std::span<const Value> values, std::span<const Tensor> grads,
          std::span<const Tensor> results, const OpNode& node, uint32_t needs) {
    values_ = values.data();
    count_ = values.size();
    grads_ = grads.data();
    results_ = results.data();
    shapes_ = node.shapes_.data();
    elements_ = node.list_elements_;
    needs_ = needs;
  }
};

OpNode::OpNode(const Op& op, const Args& args) : op_(op) {
  edges.resize(args.size());
  shapes_.resize(args.size());
  for (size_t i = 0; i < args.size(); i++) {
    const Value& v = args.value(i);
    if (v.is_tensor()) {
      shapes_[i] = v.tensor()->shape;
      edges[i] = gradient_edge(v.tensor());
      if (edges[i]) needs_ |= 1u << i;
    } else if (v.kind() == Value::Kind::Tensors) {
      list_elements_ = v.tensors().size();
      for (const Tensor& t : v.tensors()) {
        shapes_.push_back(t.defined() ? t->shape : DimVector());
        edges.push_back(t.defined() ? gradient_edge(t) : Edge());
        if (edges.back()) needs_ |= 1u << i;
      }
    }
  }
  save_arguments(args, wanted_arguments());
}

uint32_t OpNode::wanted_arguments() const {
  uint32_t wanted = 0;
  for (const Op::Saves& s : op_.saves())
    if (s.wrt & needs_) wanted |= s.args;
  return wanted;
}

void OpNode::save_arguments(const Args& args, uint32_t wanted) {
  values_.reserve(args.size());
  saved_.resize(shapes_.size());
  for (size_t i = 0; i < args.size(); i++) {
    const Value& v = args.value(i);
    switch (v.kind()) {
      case Value::Kind::Tensor:
        if (wanted >> i & 1) saved_[i] = SavedTensor(v.tensor(), nullptr);
        values_.emplace_back();
        break;
      case Value::Kind::Tensors:
        if (wanted >> i & 1)
          for (size_t e = 0; e < list_elements_; e++)
            if (v.tensors()[e].defined())
              saved_[args.size() + e] = SavedTensor(v.tensors()[e], nullptr);
        values_.emplace_back();
        break;
      case Value::Kind::Ints:
        if (!owned_) owned_ = std::make_unique<Owned>();
        owned_->ints.push_back(std::make_unique<DimVector>(v.ints()));
        values_.emplace_back(Dims(*owned_->ints.back()));
        break;
      case Value::Kind::Str:
        if (!owned_) owned_ = std::make_unique<Owned>();
        owned_->strings.push_back(std::make_unique<std::string>(v.str()));
        values_.emplace_back(std::string_view(*owned_->strings.back()));
        break;
      default: values_.push_back(v);
    }
  }
}

void OpNode::save_results(std::span<const Tensor> tensors) {
  uint32_t wanted = 0;
  for (const Op::Saves& s : op_.saves())
    if (s.wrt & needs_) wanted |= s.results;
  for (size_t i = 0; i < tensors.size(); i++) {
    results.push_back(meta_of(tensors[i]));
    if (!(wanted >> i & 1)) continue;
    saved_results_.resize(tensors.size());
    saved_results_[i] = SavedTensor(tensors[i], this, static_cast<uint32_t>(i));
  }
}

std::string OpNode::name() const {
  std::string s;
  bool upper = true;
  for (char c : op_.name()) {
    if (c == '_') {
      upper = true;
      continue;
    }
    s += upper ? static_cast<char>(std::toupper(c)) : c;
    upper = false;
  }
  return s + "Backward0";
}

Tensors OpNode::apply(Tensors& grads, Wanted wanted) {
  check(!released_,
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they "
        "have already been freed). Saved intermediate values of the graph are freed when you call "
        ".backward() or "
        "autograd.grad(). Specify retain_graph=True if you need to backward through the graph a "
        "second time");
  Tensors out(edges.size(), Tensor());
  bool any = false;
  for (const Tensor& g : grads) any |= g.defined();
  if (!any) return out;
  for (size_t i = 0; i < grads.size(); i++) {
    if (grads[i].defined() || !is_floating(results[i].dtype)) continue;
    grads[i] = empty(results[i].shape, results[i].dtype);
    copy_elements(grads[i], scalar_tensor(0, results[i].dtype));
  }
  const size_t n = values_.size();
  SmallVector<Tensor, 6> tensors(saved_.size(), Tensor());
  for (size_t i = 0; i < saved_.size(); i++)
    if (saved_[i].defined()) tensors[i] = saved_[i].unpack(this, wanted.graph);
  SmallVector<Value, 6> values(values_);
  for (size_t i = 0; i < n; i++)
    if (saved_[i].defined()) values[i] = Value(tensors[i]);
  if (list_elements_) {
    for (size_t i = 0; i < op_.signature().params.size(); i++)
      if (op_.signature().params[i].type == Param::Type::Tensors)
        values[i] = Value(std::span<const Tensor>(tensors.data() + n, list_elements_));
  }
  Tensors results_saved(saved_results_.size(), Tensor());
  for (size_t i = 0; i < saved_results_.size(); i++)
    if (saved_results_[i].defined())
      results_saved[i] = saved_results_[i].unpack(this, wanted.graph);

  // The edges of arguments come first; those of a list's elements are not told apart.
  const uint32_t needs = needs_ & ~(wanted.without & ((1u << n) - 1));
  const Formula formula(values, grads, results_saved, *this, needs);
  for (size_t k = 0; k < op_.saves().size(); k++) {
    const Op::Saves& s = op_.saves()[k];
    if (!(s.wrt & needs)) continue;
    Tensors g = op_.def().grad[k].formula(formula);
    for (size_t j = 0; j < s.order.size(); j++) {
      if (op_.signature().params[s.order[j]].type == Param::Type::Tensors) {
        for (size_t e = 0; e < list_elements_; e++) out[n + e] = std::move(g[j + e]);
      } else if (j < g.size()) {
        out[s.order[j]] = std::move(g[j]);
      }
    }
  }
  return out;
}

void OpNode::release_saved() {
  for (SavedTensor& s : saved_) s.reset();
  for (SavedTensor& s : saved_results_) s.reset();
  released_ = true;
}

namespace {

class GraphRecorder : public Recorder {
 public:
  GraphRecorder() { recorder = this; }

  void record(const Op& op, const Args& args, Tensors& results) override {
    auto node = Ref<OpNode>::adopt(new OpNode(op, args));
    node->save_results(results);
    for (size_t i = 0; i < results.size(); i++)
      if (results[i].is_floating()) set_history(results[i], node, static_cast<uint32_t>(i));
  }

  void before_inplace(const Tensor& self, bool recording) override {
    if (!grad_mode().enabled || !self.requires_grad()) return;
    const Autograd* a = Autograd::of(self);
    check(!(a && a->wants_grad),
          "a leaf Variable that requires grad is being used in an in-place operation.");
    if (!recording || !self->base) return;
    const Autograd* base = static_cast<const Autograd*>(self->base->grad.get());
    check(!(base && base->wants_grad),
          "a view of a leaf Variable that requires grad is being used in an in-place operation.");
  }

  Tensor before_write(const Tensor& self, bool value) override {
    const Edge history = gradient_edge(self);
    Tensor old = value ? copy_of(self, self.dtype()) : twin(self);
    if (history) set_history(old, history.node, history.slot);
    return old;
  }

  void record_inplace(const Op& op, const Args& original, const Tensor& self) override {
    auto node = Ref<OpNode>::adopt(new OpNode(op, original));
    node->save_results(std::span(&self, 1));
    if (self->base) rebase_view(self, std::move(node));
    else set_history(self, std::move(node), 0);
  }
} installed;

}  // namespace
}  // namespace gotorch
