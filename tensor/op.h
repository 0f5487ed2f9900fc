#pragma once
// An op: one value that says everything about it. The C++ and Python functions, the method, the in-place and `out=`
// forms, the documentation and the tests derive from it. docs/add_an_op.md shows how to write one.
//
//   const Op leaky_relu{{
//       .sig = "leaky_relu(Tensor input, float negative_slope=0.01) -> Tensor",
//       .doc = "x where positive, negative_slope * x elsewhere. The gradient at 0 is negative_slope.",
//       .kernel = pointwise<kFloats>([](auto x, auto a) { return x > 0 ? x : x * a; }),
//       .grad = {wrt("input", "input", [](auto& s) { return where(s[0] > 0, s.g(), s.g() * s.scalar(1)); })},
//       .samples = {{in(-4, 4)}, {in(-1, 1), 0.2}},
//   }};
#include <string>
#include <vector>

#include "tensor/pointwise.h"
#include "tensor/signature.h"

namespace gotorch {

// A kernel that is not pointwise: takes the arguments, returns new tensors.
using Function = Tensors (*)(const Args&);
// Writes the result to a tensor of the first argument's shape and dtype, which may be that argument.
using Writer = void (*)(const Args&, const Tensor& y);

struct Kernel {
  enum class Kind : uint8_t {
    Pointwise,  // deferred and fused when large
    Function,   // computes new tensors
    View,       // returns views of its first argument
    Random,     // computes new tensors with a generator
    Compose,    // calls other ops, which are recorded instead of it
  };
  Kernel() = default;
  Kernel(PointwiseKernel k) : pointwise(k) {}
  Kernel(Kind kind, Function f) : kind(kind), function(f) {}
  Kernel(Function f, Writer w) : kind(Kind::Function), function(f), writer(w) {}

  Kind kind = Kind::Pointwise;
  PointwiseKernel pointwise;
  Function function = nullptr;
  Writer writer = nullptr;  // of functions whose in-place form is not a copy of their result
};

// What a gradient formula sees: the arguments by position, as far as they were saved, and:
class GradArgs : public Args {
 public:
  const Tensor& g(size_t i = 0) const { return grads_[i]; }    // the gradient of result i
  const Tensor& y(size_t i = 0) const { return results_[i]; }  // result i, if saved
  Dims shape(size_t arg) const { return shapes_[arg]; }        // of a tensor argument, saved or not
  // Of element i of the list argument, saved or not, and how many there are.
  Dims element_shape(size_t i) const { return shapes_[size() + i]; }
  size_t elements() const { return elements_; }
  bool needs(size_t arg) const {
    return needs_ >> arg & 1;
  }  // whether this argument's gradient is wanted

 protected:
  const Tensor* grads_ = nullptr;
  const Tensor* results_ = nullptr;
  const DimVector* shapes_ = nullptr;
  size_t elements_ = 0;
  uint32_t needs_ = 0;
};

// The gradient of one argument, or of several that are computed together.
struct Gradient {
  using Formula = Tensors (*)(const GradArgs&);
  std::string wrt;    // "input", or "input weight bias"
  std::string saves;  // the arguments and results it reads: "input result"
  Formula formula;    // one tensor per name in `wrt`; undefined means zero
};

// One argument of a sample call.
struct SampleArg {
  enum class Kind : uint8_t { Random, Literal, Integers, Words, List };
  SampleArg(Value v) : kind(Kind::Literal), literal(v) {}
  SampleArg(const char* s) : kind(Kind::Words), words(s) {}
  SampleArg(int v) : SampleArg(Value(v)) {}
  SampleArg(bool v) : SampleArg(Value(v)) {}
  SampleArg(double v) : SampleArg(Value(v)) {}
  SampleArg(Dtype v) : SampleArg(Value(v)) {}
  SampleArg(Kind k) : kind(k) {}

  Kind kind;
  Value literal;
  std::string words;
  std::vector<int64_t> integers;  // a list argument, or the shape of a random tensor
  double low = -1, high = 1;
  // Floating tensors take the dtype under test; the others keep their own.
  Dtype dtype = Dtype::Float;
  std::vector<SampleArg> list;
};

// A random tensor of the dtype under test, uniform in [low, high).
SampleArg in(double low, double high, std::vector<int64_t> shape = {3, 5});
// Random integers in [low, high).
SampleArg indices(int64_t low, int64_t high, std::vector<int64_t> shape);
SampleArg bools(std::vector<int64_t> shape);
SampleArg dims(std::vector<int64_t> values);
SampleArg tensors(std::vector<SampleArg> values);
inline const SampleArg none{Value()};

using Sample = std::vector<SampleArg>;

// A call that must fail, and a part of the text of its error.
struct ErrorSample {
  Sample args;
  std::string text;
};

// Where Python shows the op.
enum class Scope : uint8_t {
  Torch,     // torch.f(x) and x.f()
  Function,  // torch.f(x)
  Method,    // x.f()
  Nn,        // torch.nn.functional.f(x)
  TorchNn,   // torch.f(x), x.f() and torch.nn.functional.f(x)
  Internal,  // neither
};

struct OpDef {
  const char* sig;
  const char* doc = "";
  Scope scope = Scope::Torch;
  DtypeSet dtypes = kFloats;  // of the promoted operands; other dtypes raise NotImplementedError
  Kernel kernel = {};
  std::vector<Gradient> grad = {};
  void (*validate)(const Args&) = nullptr;  // runs first: data-dependent errors of pointwise ops
  bool inplace = false;                     // has an in-place form. Pointwise ops always have one
  const char* aliases = "";                 // "multiply", separated by spaces
  std::vector<Sample> samples = {};
  std::vector<ErrorSample> errors = {};
  double ulp = 4;             // error bound of the value tests, in units of the last place
  const char* untested = "";  // which of the table's tests it opts out of, and why
};

inline constexpr int kMaxParams = 16;

class Op {
 public:
  explicit Op(OpDef def);
  Op(const Op&) = delete;

  const OpDef& def() const { return def_; }
  const Signature& signature() const { return signature_; }
  const std::string& name() const { return signature_.name; }
  Kernel::Kind kind() const { return def_.kernel.kind; }
  bool has_inplace() const {
    return def_.inplace || def_.kernel.writer || kind() == Kernel::Kind::Pointwise;
  }

  // Calls with positional arguments; defaults are filled in. For ops with one result.
  template <class... A>
  Tensor operator()(const A&... args) const {
    return std::move(all(args...)[0]);
  }
  template <class... A>
  Tensors all(const A&... args) const {
    const Value values[] = {Value(args)...};
    return call_with(std::span(values, sizeof...(args)));
  }
  // The in-place form: writes to the first argument and returns it.
  template <class... A>
  Tensor inplace(const Tensor& self, const A&... args) const {
    const Value values[] = {Value(self), Value(args)...};
    return call_inplace_with(std::span(values, 1 + sizeof...(args)));
  }

  // Which arguments and results gradient i saves, as bits in the order of the signature.
  struct Saves {
    uint32_t wrt = 0, args = 0, results = 0;
    std::vector<uint8_t> order;  // the arguments in the order in which the formula returns them
  };
  const std::vector<Saves>& saves() const { return saves_; }

 private:
  Tensors call_with(std::span<const Value> given) const;
  Tensor call_inplace_with(std::span<const Value> given) const;
  std::span<const Value> completed(std::span<const Value> given,
                                   std::span<Value, kMaxParams> values) const;

  OpDef def_;
  Signature signature_;
  std::vector<Saves> saves_;
};

// All ops, in no particular order. Complete once static initialisation is over.
const std::vector<const Op*>& op_table();
const Op* find_op(std::string_view name, std::string_view overload = "");

// One value per parameter of the signature.
Tensors call(const Op& op, std::span<const Value> values);
// Writes the result to args[0] and returns it.
Tensor call_inplace(const Op& op, std::span<const Value> values);
// Writes results to `out` tensors, which are resized if their shape differs.
void call_out(const Op& op, std::span<const Value> values, std::span<const Tensor> out);

namespace detail {
template <class F>
Tensors as_function(const Args& a) {
  if constexpr (std::is_same_v<std::invoke_result_t<F, const Args&>, Tensors>) return F{}(a);
  else return Tensors{F{}(a)};
}
template <class F>
Tensors as_formula(const GradArgs& a) {
  if constexpr (std::is_same_v<std::invoke_result_t<F, const GradArgs&>, Tensors>) return F{}(a);
  else return Tensors{F{}(a)};
}
template <class F>
void as_writer(const Args& a, const Tensor& y) {
  F{}(a, y);
}
Tensor copy_of_first(const Args& a);
Tensor empty_like_first(const Args& a);
template <class F, Tensor (*Start)(const Args&)>
Tensors as_written(const Args& a) {
  Tensor y = Start(a);
  F{}(a, y);
  return Tensors{std::move(y)};
}
}  // namespace detail

// Kernels from lambdas without captures that take `const Args& a` and return Tensor or Tensors.
template <class F>
Kernel function(F) {
  return {Kernel::Kind::Function, &detail::as_function<F>};
}
template <class F>
Kernel view(F) {
  return {Kernel::Kind::View, &detail::as_function<F>};
}
template <class F>
Kernel random(F) {
  return {Kernel::Kind::Random, &detail::as_function<F>};
}
template <class F>
Kernel compose(F) {
  return {Kernel::Kind::Compose, &detail::as_function<F>};
}
// Kernels that write to memory they are given, from lambdas that take `const Args& a, const Tensor& y`. They check their
// arguments before the first write. y is a copy of the first argument, or in place that argument itself; `overwrite`
// ones do not read it. In place, no other argument shares memory with y.
template <class F>
Kernel modify(F) {
  return {&detail::as_written<F, &detail::copy_of_first>, &detail::as_writer<F>};
}
template <class F>
Kernel overwrite(F) {
  return {&detail::as_written<F, &detail::empty_like_first>, &detail::as_writer<F>};
}
// A gradient from a lambda without captures that takes `const GradArgs& s`.
template <class F>
Gradient wrt(const char* names, const char* saves, F) {
  return {names, saves, &detail::as_formula<F>};
}

// What the call path tells autograd. grad/ installs itself here.
struct Recorder {
  virtual ~Recorder() = default;
  // After a call whose tensor arguments include one that requires grad, in grad mode.
  virtual void record(const Op&, const Args&, Tensors&) {}
  // Before an in-place call on `self`: refuses what autograd forbids. `recording`: record_inplace will follow.
  virtual void before_inplace(const Tensor&, bool) {}
  // What the recorded op sees as its first argument: self's history, and its value as it is now if `value`.
  virtual Tensor before_write(const Tensor& self, bool) { return self; }
  // After an in-place call: `self` becomes the result of the recorded op.
  virtual void record_inplace(const Op&, const Args&, const Tensor&) {}
};
extern Recorder* recorder;

// Grad mode and inference mode of this thread.
struct GradMode {
  bool enabled = true;
  bool inference = false;
};
GradMode& grad_mode();

// Ops called in its scope are not recorded: for kernels that are written in ops and have their own gradient.
class Unrecorded {
 public:
  Unrecorded() : before_(grad_mode().enabled) { grad_mode().enabled = false; }
  ~Unrecorded() { grad_mode().enabled = before_; }
  Unrecorded(const Unrecorded&) = delete;
  Unrecorded& operator=(const Unrecorded&) = delete;

 private:
  bool before_;
};

}  // namespace gotorch
