#include "tensor/op.h"

#include <new>
#include <unordered_map>

#include "runtime/thread_state.h"
#include "tensor/call_pointwise.h"
#include "tensor/copy.h"
#include "tensor/profile.h"

namespace gotorch {
namespace {

std::vector<const Op*>& mutable_table() {
  static auto* table = new std::vector<const Op*>;
  return *table;
}

std::vector<std::string_view> words(std::string_view s) {
  std::vector<std::string_view> out;
  while (!s.empty()) {
    const size_t space = std::min(s.find(' '), s.size());
    if (space) out.push_back(s.substr(0, space));
    s.remove_prefix(std::min(space + 1, s.size()));
  }
  return out;
}

bool any_requires_grad(std::span<const Value> values) {
  for (const Value& v : values) {
    if (v.kind() == Value::Kind::Tensor && v.tensor().requires_grad()) return true;
    if (v.kind() == Value::Kind::Tensors)
      for (const Tensor& t : v.tensors())
        if (t.defined() && t.requires_grad()) return true;
  }
  return false;
}

bool records(const Op& op, std::span<const Value> values) {
  return grad_mode().enabled && !op.def().grad.empty() && any_requires_grad(values);
}

void check_dtypes(const Op& op, const Args& args) {
  if (op.def().dtypes == kAll) return;
  for (size_t i = 0; i < args.size(); i++) {
    const Value& v = args.value(i);
    if (!v.is_tensor()) continue;
    check<NotImplementedError>(contains(op.def().dtypes, v.tensor().dtype()),
                               "not implemented for ", v.tensor().dtype());
    return;  // further tensors (indices, masks, targets) are the kernel's to check
  }
}

Tensors run(const Op& op, const Args& args) {
  if (op.def().validate) op.def().validate(args);
  if (op.kind() == Kernel::Kind::Pointwise) return Tensors{call_pointwise(op, args)};
  check_dtypes(op, args);
  return op.def().kernel.function(args);
}

// Runs f, which is seen by a profile; an Error that leaves it gets the op's name.
template <class F>
decltype(auto) named(const Op& op, std::span<const Value> values, F&& f,
                     profile::Kind kind = profile::Kind::Op) {
  const profile::Span span(kind, op.name().c_str(), values);
  try {
    return f();
  } catch (Error& e) {
    e.in_op(op.name());
    throw;
  }
}

SampleArg random_arg(double low, double high, std::vector<int64_t> shape, Dtype dtype) {
  SampleArg a(SampleArg::Kind::Random);
  a.low = low;
  a.high = high;
  a.integers = std::move(shape);
  a.dtype = dtype;
  return a;
}

// Runs the writer on self. Arguments that share its memory are copied first.
void write_inplace(const Op& op, std::span<const Value> values, const Tensor& self) {
  SmallVector<Value, kMaxParams> safe(values);
  SmallVector<Tensor, 2> copies;
  copies.reserve(values.size());
  for (size_t i = 1; i < values.size(); i++) {
    if (!values[i].is_tensor()) continue;
    const Tensor& t = values[i].tensor();
    if (t.is_pending() || !(t.storage() == self.storage())) continue;
    copies.push_back(copy_of(t, t.dtype()));
    safe[i] = copies.back();
  }
  self.written_by([&] { op.def().kernel.writer(Args(safe), self); });
}

}  // namespace

Tensor detail::copy_of_first(const Args& a) { return copy_of(a[0], a[0].dtype()); }
Tensor detail::empty_like_first(const Args& a) { return empty(a[0].shape(), a[0].dtype()); }

static Recorder nobody;
Recorder* recorder = &nobody;

// Never inlined: a goroutine may continue on another thread, where a cached address would be wrong.
[[gnu::noinline]] GradMode& grad_mode() {
  static_assert(sizeof(GradMode) < sizeof(runtime::LocalWord::bytes));
  unsigned char* bytes = runtime::thread_state().local.bytes;
  unsigned char& made = bytes[sizeof(GradMode)];
  if (made) return *std::launder(reinterpret_cast<GradMode*>(bytes));
  made = 1;
  return *new (bytes) GradMode;
}

SampleArg in(double low, double high, std::vector<int64_t> shape) {
  return random_arg(low, high, std::move(shape), Dtype::Float);
}
SampleArg indices(int64_t low, int64_t high, std::vector<int64_t> shape) {
  return random_arg(static_cast<double>(low), static_cast<double>(high), std::move(shape),
                    Dtype::Int64);
}
SampleArg bools(std::vector<int64_t> shape) {
  return random_arg(0, 2, std::move(shape), Dtype::Bool);
}
SampleArg dims(std::vector<int64_t> values) {
  SampleArg a(SampleArg::Kind::Integers);
  a.integers = std::move(values);
  return a;
}
SampleArg tensors(std::vector<SampleArg> values) {
  SampleArg a(SampleArg::Kind::List);
  a.list = std::move(values);
  return a;
}

Op::Op(OpDef def) : def_(std::move(def)), signature_(def_.sig) {
  for (const Gradient& g : def_.grad) {
    Saves s;
    for (std::string_view name : words(g.wrt)) {
      const int i = signature_.index_of(name);
      check<ValueError>(i >= 0, "op '", def_.sig, "' has a gradient of '", name,
                        "', which it does not take");
      s.wrt |= 1u << i;
      s.order.push_back(static_cast<uint8_t>(i));
    }
    for (std::string_view name : words(g.saves)) {
      if (const int i = signature_.index_of(name); i >= 0) {
        s.args |= 1u << i;
        continue;
      }
      bool found = name == "result" && signature_.results.size() == 1;
      if (found) s.results |= 1;
      for (size_t r = 0; r < signature_.results.size(); r++) {
        if (signature_.results[r] != name) continue;
        s.results |= 1u << r;
        found = true;
      }
      check<ValueError>(found, "op '", def_.sig, "' saves '", name,
                        "', which it neither takes nor returns");
    }
    saves_.push_back(s);
  }
  mutable_table().push_back(this);
}

std::span<const Value> Op::completed(std::span<const Value> given,
                                     std::span<Value, kMaxParams> values) const {
  const auto& params = signature_.params;
  check<TypeError>(given.size() <= params.size(), name(), " takes ", params.size(),
                   " arguments, got ", given.size());
  for (size_t i = 0; i < params.size(); i++) {
    values[i] = i < given.size() ? given[i] : params[i].default_value;
    check<TypeError>(i < given.size() || params[i].has_default, name(), ": missing argument '",
                     params[i].name, "'");
  }
  return values.first(params.size());
}

Tensors Op::call_with(std::span<const Value> given) const {
  Value values[kMaxParams];
  return call(*this, completed(given, values));
}

Tensor Op::call_inplace_with(std::span<const Value> given) const {
  Value values[kMaxParams];
  return call_inplace(*this, completed(given, values));
}

const std::vector<const Op*>& op_table() { return mutable_table(); }

const Op* find_op(std::string_view name, std::string_view overload) {
  for (const Op* op : op_table())
    if (op->signature().name == name && op->signature().overload == overload) return op;
  return nullptr;
}

Tensors call(const Op& op, std::span<const Value> values) {
  return named(op, values, [&] {
    const Args args(values);
    Tensors results = run(op, args);
    if (records(op, values)) recorder->record(op, args, results);
    return results;
  });
}

Tensor call_inplace(const Op& op, std::span<const Value> values) {
  return named(
      op, values,
      [&] {
        const Tensor& self = values[0].tensor();
        const Args args(values);
        const bool recording = op.kind() != Kernel::Kind::Compose && records(op, values);
        recorder->before_inplace(self,
                                 recording || (grad_mode().enabled && any_requires_grad(values)));
        if (op.kind() == Kernel::Kind::Compose) {
          static const Op& copy = *find_op("copy");
          // What the ops save must outlive the write.
          const bool tracked = grad_mode().enabled && self.requires_grad();
          const Tensor old = tracked ? recorder->before_write(self, true) : self;
          SmallVector<Value, kMaxParams> original(values);
          original[0] = Value(old);
          const Tensors results = op.def().kernel.function(Args(original));
          const Value copied[] = {self, results[0], false};
          return call_inplace(copy, copied);
        }
        // Formulas that read the old value get a copy of it: the memory is about to change.
        uint32_t reads = 0;
        for (const Op::Saves& s : op.saves()) reads |= s.args;
        const Tensor old = recording ? recorder->before_write(self, reads & 1) : self;
        SmallVector<Value, kMaxParams> original(values);
        original[0] = Value(old);
        if (op.def().validate) op.def().validate(args);
        if (op.kind() == Kernel::Kind::Pointwise) {
          call_pointwise_into(op, args, self, /*inplace=*/true);
        } else if (op.def().kernel.writer) {
          check_dtypes(op, args);
          write_inplace(op, values, self);
        } else {
          check_dtypes(op, args);
          const Tensors results = op.def().kernel.function(args);
          check(same(results[0].shape(), self.shape()), "the result has shape ", results[0].shape(),
                ", which an in-place call cannot write to shape ", self.shape());
          self.written_by([&] { copy_elements(self, results[0]); });
        }
        if (recording) recorder->record_inplace(op, Args(original), self);
        return self;
      },
      profile::Kind::InplaceOp);
}

void call_out(const Op& op, std::span<const Value> values, std::span<const Tensor> out) {
  named(op, values, [&] {
    for (const Tensor& o : out)
      check(!(grad_mode().enabled && (o.requires_grad() || any_requires_grad(values))),
            "functions with out=... arguments don't support automatic differentiation, but one of "
            "the arguments requires grad");
    // Before the op runs: it may move running statistics.
    for (const Tensor& o : out)
      check(o.storage()->writable(), "the memory of the output tensor is read-only");
    const Args args(values);
    if (op.kind() == Kernel::Kind::Pointwise) {
      if (op.def().validate) op.def().validate(args);
      call_pointwise_into(op, args, out[0], /*inplace=*/false);
      return;
    }
    const Tensors results = run(op, args);
    const size_t n = std::min(out.size(), results.size());
    for (size_t i = 0; i < n; i++) check_output(out[i], results[i].dtype(), results[i].shape());
    for (size_t i = 0; i < n; i++) {
      resize_output(out[i], results[i].shape());
      out[i].written_by([&] { copy_elements(out[i], results[i]); });
    }
  });
}

}  // namespace gotorch
