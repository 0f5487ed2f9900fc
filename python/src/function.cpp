// torch.autograd.Function: operations whose forward and backward are written in Python.
//
// The node owns the context object, which Python code sees as `ctx`; the context knows its node by a plain pointer, which the
// node takes back when it goes.
#include <pybind11/pybind11.h>

#include "grad/autograd.h"
#include "grad/views.h"
#include "python/src/bind.h"
#include "python/src/casters.h"
#include "python/src/gil.h"
#include "python/src/python_call.h"
#include "tensor/copy.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

class FunctionNode;

// What save_for_backward and its like collect.
struct FunctionContext {
  py::object to_save = py::tuple();
  py::object dirty = py::tuple();
  py::object non_differentiable = py::tuple();
  py::object needs_input_grad = py::tuple();
  bool materialize_grads = true;
  FunctionNode* node = nullptr;
};

FunctionContext& context_of(const py::handle& ctx) { return py::cast<FunctionContext&>(ctx); }

// Whether the tuple `list` names this very tensor.
bool lists(const py::object& list, const Tensor& t) {
  for (py::handle h : list)
    if (is_tensor(h.ptr()) && unwrap(h.ptr()).is(t)) return true;
  return false;
}

class FunctionNode : public Node {
 public:
  FunctionNode(const py::object& cls, const py::object& ctx)
      : name_(py::cast<std::string>(cls.attr("__name__")) + "Backward"),
        cls_(hold(cls)),
        ctx_(hold(ctx)) {
    context_of(ctx).node = this;
  }
  ~FunctionNode() override {
    if (!Py_IsInitialized()) return;
    const Locked gil;
    context_of(ctx_.get()).node = nullptr;
    ctx_.reset();
    cls_.reset();
  }

  std::string name() const override { return name_; }
  bool on_caller() const override { return true; }

  Tensors apply(Tensors& grads, Wanted) override {
    const Locked gil;
    const bool materialize = context_of(ctx_.get()).materialize_grads;
    py::tuple args(grads.size() + 1);
    args[0] = py::handle(ctx_.get());
    for (size_t i = 0; i < grads.size(); i++) {
      if (!grads[i].defined() && materialize && is_tensor_[i]) grads[i] = zeros(i);
      args[i + 1] = py::cast(grads[i]);
    }
    const py::object returned = py::handle(cls_.get()).attr("backward")(*args);
    return unpack(returned);
  }

  void release_saved() override {
    saved_.clear();
    released_ = true;
  }

  // After forward: results that are tensors get this node as their history.
  py::object finish(const py::object& ctx, const py::object& inputs, const py::object& outputs) {
    const bool several = py::isinstance<py::tuple>(outputs) || py::isinstance<py::list>(outputs);
    py::list list = several ? py::list(outputs) : py::list();
    if (!several) list.append(outputs);
    const FunctionContext& c = context_of(ctx);
    for (size_t i = 0; i < list.size(); i++) {
      const py::object o = list[i];
      is_tensor_.push_back(is_tensor(o.ptr()));
      results.push_back(is_tensor_.back() ? meta_of(unwrap(o.ptr()))
                                          : ResultMeta{Dtype::Float, {}});
      if (is_tensor_.back())
        list[i] = py::cast(recorded(unwrap(o.ptr()), static_cast<uint32_t>(i), c, inputs));
    }
    save(c, list);
    if (!several) return list[0];
    return py::tuple(list);
  }

  py::tuple saved_tensors() {
    check(!released_,
          "Trying to backward through the graph a second time (or directly access saved tensors "
          "after they "
          "have already been freed). Specify retain_graph=True if you need them again");
    py::tuple out(saved_.size());
    for (size_t i = 0; i < saved_.size(); i++)
      out[i] = saved_[i].defined() ? py::cast(saved_[i].unpack(this, true)) : py::none();
    return out;
  }

 private:
  Tensor zeros(size_t i) const {
    Tensor z = empty(results[i].shape, results[i].dtype);
    copy_elements(z, scalar_tensor(0, z.dtype()));
    return z;
  }

  Tensor recorded(const Tensor& y, uint32_t slot, const FunctionContext& c,
                  const py::object& inputs) {
    if (lists(c.non_differentiable, y) || !y.is_floating()) return y;
    if (lists(c.dirty, y)) {
      if (y->base) rebase_view(y, Ref<Node>::share(this));
      else set_history(y, Ref<Node>::share(this), slot);
      return y;
    }
    // An input that is returned as it is must keep its own history.
    const Tensor out = lists(inputs, y) || y->grad ? twin(y) : y;
    set_history(out, Ref<Node>::share(this), slot);
    return out;
  }

  void save(const FunctionContext& c, const py::list& outputs) {
    for (py::handle h : c.to_save) {
      if (h.is_none()) {
        saved_.emplace_back();
        continue;
      }
      check<TypeError>(is_tensor(h.ptr()), "save_for_backward can only save tensors, but got ",
                       Py_TYPE(h.ptr())->tp_name);
      const Tensor& t = unwrap(h.ptr());
      size_t slot = 0;
      while (slot < outputs.size() && !(is_tensor_[slot] && shares(unwrap(outputs[slot].ptr()), t)))
        slot++;
      const bool is_result =
          slot < outputs.size() && Autograd::of(t) && Autograd::of(t)->history.node.get() == this;
      saved_.emplace_back(t, is_result ? this : nullptr,
                          static_cast<uint32_t>(is_result ? slot : 0));
    }
  }
  static bool shares(const Tensor& a, const Tensor& b) { return a.is(b); }

  Tensors unpack(const py::object& returned) {
    const bool several = py::isinstance<py::tuple>(returned) || py::isinstance<py::list>(returned);
    const py::tuple given = several ? py::tuple(returned) : py::make_tuple(returned);
    size_t count = given.size();
    while (count > edges.size() && given[count - 1].is_none()) count--;
    check(count == edges.size(), "function ", name_,
          " returned an incorrect number of gradients (expected ", edges.size(), ", got ",
          given.size(), ")");
    Tensors out(count, Tensor());
    for (size_t i = 0; i < count; i++) {
      const py::object g = given[i];
      if (g.is_none()) continue;
      check<TypeError>(is_tensor(g.ptr()), "expected Variable or None (got ",
                       Py_TYPE(g.ptr())->tp_name, ")");
      check(static_cast<bool>(edges[i]) || !is_argument_number(i), "function ", name_,
            " returned a gradient different from None at position ", i + 1,
            ", but the corresponding forward input was not a Variable");
      out[i] = unwrap(g.ptr());
    }
    return out;
  }
  bool is_argument_number(size_t i) const { return i < no_tensor.size() && no_tensor[i]; }

 public:
  std::vector<bool> no_tensor;  // arguments of forward that are no tensors

 private:
  std::string name_;
  std::shared_ptr<PyObject> cls_, ctx_;
  std::vector<bool> is_tensor_;
  std::vector<SavedTensor> saved_;
  bool released_ = false;
};

py::tuple needs_grad(const py::args& args) {
  py::tuple needs(args.size());
  for (size_t i = 0; i < args.size(); i++)
    needs[i] = py::bool_(is_tensor(args[i].ptr()) && unwrap(args[i].ptr()).requires_grad());
  return needs;
}

void check_dirty(const FunctionContext& c, bool recording) {
  for (py::handle h : c.dirty) {
    check<TypeError>(is_tensor(h.ptr()), "mark_dirty takes tensors, got ",
                     Py_TYPE(h.ptr())->tp_name);
    if (recording && unwrap(h.ptr()).requires_grad())
      check(!is_leaf(unwrap(h.ptr())),
            "a leaf Variable that requires grad is being used in an in-place operation.");
  }
}

// cls.apply(*args): `forward` runs with recording off and returns the outputs.
py::object apply(const py::object& cls, const py::object& ctx, const py::function& forward,
                 const py::args& args) {
  FunctionContext& c = context_of(ctx);
  const py::tuple needs = needs_grad(args);
  c.needs_input_grad = needs;
  bool recording = false;
  for (py::handle n : needs) recording |= n.ptr() == Py_True;
  recording &= grad_mode().enabled;
  py::object outputs;
  {
    const NoGrad off;
    outputs = forward(*args);
  }
  check_dirty(c, recording);
  if (!recording) return outputs;
  auto node = Ref<FunctionNode>::adopt(new FunctionNode(cls, ctx));
  for (py::handle a : args) {
    const bool tensor = is_tensor(a.ptr());
    node->edges.push_back(tensor ? gradient_edge(unwrap(a.ptr())) : Edge());
    node->no_tensor.push_back(!tensor);
  }
  const py::object result = node->finish(ctx, args, outputs);
  c.to_save = c.dirty = c.non_differentiable = py::tuple();
  return result;
}

}  // namespace

void bind_function(py::module_& m) {
  py::class_<FunctionContext>(m, "_FunctionContext", py::dynamic_attr())
      .def(py::init<>())
      .def("save_for_backward",
           [](FunctionContext& c, const py::args& tensors) { c.to_save = tensors; })
      .def("mark_dirty", [](FunctionContext& c, const py::args& tensors) { c.dirty = tensors; })
      .def("mark_non_differentiable",
           [](FunctionContext& c, const py::args& tensors) { c.non_differentiable = tensors; })
      .def("set_materialize_grads",
           [](FunctionContext& c, bool value) { c.materialize_grads = value; })
      .def_readwrite("needs_input_grad", &FunctionContext::needs_input_grad)
      .def_property_readonly("saved_tensors", [](FunctionContext& c) -> py::object {
        return c.node ? c.node->saved_tensors() : py::tuple(c.to_save);
      });
  m.def("_apply_function", &apply);
}

}  // namespace gotorch::python
