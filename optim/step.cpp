#include "optim/step.h"

#include <algorithm>
#include <memory>

#include "grad/mode.h"
#include "runtime/parallel.h"
#include "tensor/copy.h"
#include "tensor/profile.h"
#include "tensor/program.h"

namespace gotorch {
namespace {

// About 20 microseconds of Adam.
constexpr int64_t kGrain = 32768;

// One parameter in the type it is computed in. What is not contiguous in that type is copied there and back.
struct Work {
  Tensor p;
  SmallVector<Tensor, 4> state;  // the wanted tensors
  const void* g = nullptr;       // null: pull it from the reader
  std::unique_ptr<TileReader> reader;
  StepScalars scalars;
};

void check_same(const OptimizerDef& def, const Tensor& p, const Tensor& t, const char* what) {
  check(same(p.shape(), t.shape()), def.name(), ": the ", what, " of a parameter of shape ",
        p.shape(), " has shape ", t.shape());
  check(p.dtype() == t.dtype(), def.name(), ": the ", what, " of a parameter of ", p.dtype(),
        " is of ", t.dtype());
}

void check_item(const OptimizerDef& def, Options options, const StepItem& item) {
  check(item.parameter.is_floating(), def.name(), ": a parameter is of ", item.parameter.dtype(),
        "; expected a floating dtype");
  check_same(def, item.parameter, item.gradient, "gradient");
  for (size_t k = 0; k < item.state.size(); k++) {
    const StateDef& state = def.spec().states[k];
    const Tensor& t = item.state[k];
    if (!t.defined() || !def.wants(state, options)) continue;
    if (!state.is_number) check_same(def, item.parameter, t, state.name);
    else check(t.numel() == 1, def.name(), ": the state ", state.name, " has shape ", t.shape());
  }
}

Tensor filled(const Tensor& like, double value) {
  Tensor t = empty(like.shape(), like.dtype());
  copy_elements(t, scalar_tensor(value, like.dtype()));
  return t;
}

Tensor in_place(const Tensor& t, Dtype compute) {
  return t.is_contiguous() && t.dtype() == compute ? t : copy_of(t, compute);
}

StepScalars advance(const OptimizerDef& def, Options options, StepItem& item, bool first) {
  SmallVector<double, 4> numbers;
  for (size_t k = 0; k < item.state.size(); k++)
    if (def.spec().states[k].is_number) numbers.push_back(item.state[k].item_scalar().to<double>());
  const StepScalars scalars =
      def.spec().prepare(options, Numbers(numbers.data(), numbers.size()), first);
  size_t i = 0;
  for (size_t k = 0; k < item.state.size(); k++) {
    if (!def.spec().states[k].is_number) continue;
    const Tensor& t = item.state[k];
    t.before_write();
    store_scalar(t.raw(), t.dtype(), numbers[i++]);
  }
  return scalars;
}

Work work_of(const OptimizerDef& def, Options options, StepItem& item) {
  Work w;
  const bool first = complete_state(def, options, item.parameter, item.state);
  w.scalars = advance(def, options, item, first);
  const Dtype compute = compute_dtype(item.parameter.dtype());
  // Evaluates what is pending on the old values before they change.
  item.parameter.before_write();
  w.p = in_place(item.parameter, compute);
  for (size_t k = 0; k < item.state.size(); k++) {
    const StateDef& state = def.spec().states[k];
    if (state.is_number || !def.wants(state, options)) continue;
    item.state[k].before_write();
    w.state.push_back(in_place(item.state[k], compute));
  }
  const Tensor& g = item.gradient;
  if (!g.is_pending() && g.is_contiguous() && g.dtype() == compute) w.g = g.raw();
  else w.reader = std::make_unique<TileReader>(g, compute);
  return w;
}

template <class T>
void update(const UpdateLoops& loops, const Work& w, int64_t begin, int64_t end) {
  alignas(64) T room[kTile];
  const int64_t piece = w.g ? end - begin : kTile;
  for (int64_t at = begin; at < end; at += piece) {
    const int64_t n = std::min(piece, end - at);
    const T* g = w.g ? static_cast<const T*>(w.g) + at : w.reader->read(at, n, room);
    T* p = static_cast<T*>(w.p.raw()) + at;
    T* state[4] = {};
    for (size_t k = 0; k < w.state.size(); k++) state[k] = static_cast<T*>(w.state[k].raw()) + at;
    if constexpr (std::is_same_v<T, float>) loops.of_float(w.scalars, p, g, state, n);
    else loops.of_double(w.scalars, p, g, state, n);
  }
}

// The elements of all parameters, one after the other, cut at equal distances.
void run(const UpdateLoops& loops, std::span<const Work> works) {
  std::vector<int64_t> first{0};
  for (const Work& w : works) first.push_back(first.back() + w.p.numel());
  runtime::parallel_for(first.back(), kGrain, [&](int64_t begin, int64_t end) {
    auto i =
        static_cast<size_t>(std::upper_bound(first.begin(), first.end(), begin) - first.begin()) -
        1;
    for (; begin < end; i++) {
      const int64_t to = std::min(end, first[i + 1]);
      if (works[i].p.dtype() == Dtype::Double)
        update<double>(loops, works[i], begin - first[i], to - first[i]);
      else update<float>(loops, works[i], begin - first[i], to - first[i]);
      begin = to;
    }
  });
}

void copy_back(const OptimizerDef& def, Options options, const Work& w, const StepItem& item) {
  if (!w.p.is(item.parameter)) copy_elements(item.parameter, w.p);
  size_t i = 0;
  for (size_t k = 0; k < item.state.size(); k++) {
    const StateDef& state = def.spec().states[k];
    if (state.is_number || !def.wants(state, options)) continue;
    if (!w.state[i].is(item.state[k])) copy_elements(item.state[k], w.state[i]);
    i++;
  }
}

}  // namespace

bool complete_state(const OptimizerDef& def, Options options, const Tensor& parameter,
                    std::span<Tensor> state) {
  const NoGrad guard;
  bool any = false;
  for (size_t k = 0; k < state.size(); k++) {
    const StateDef& s = def.spec().states[k];
    if (state[k].defined() || !def.wants(s, options)) continue;
    const double start = s.start ? s.start(options) : 0;
    state[k] = s.is_number ? scalar_tensor(start, Dtype::Float) : filled(parameter, start);
    any = true;
  }
  return any;
}

void optimizer_step(const OptimizerDef& def, Options options, std::span<StepItem> items) {
  const profile::Span span(profile::Kind::OptimizerStep, def.name().c_str());
  const NoGrad guard;
  for (const StepItem& item : items) check_item(def, options, item);
  std::vector<Work> works;
  works.reserve(items.size());
  for (StepItem& item : items) works.push_back(work_of(def, options, item));
  run(def.spec().loops(options), works);
  for (size_t i = 0; i < works.size(); i++) {
    if (works[i].reader) works[i].reader->finish();
    copy_back(def, options, works[i], items[i]);
  }
}

}  // namespace gotorch
