#include "optim/optimizer.h"

#include <memory>

#include "grad/mode.h"
#include "runtime/parallel.h"
#include "tensor/copy.h"
#include "tensor/program.h"

namespace gotorch {
namespace {

constexpr int64_t kChunk = 16 * kTile;

void check_same(const Tensor& p, const Tensor& t, const char* what) {
  check(same(p.shape(), t.shape()), "optimizer: a ", what, " has shape ", t.shape(),
        ", its parameter ", p.shape());
  check(p.dtype() == t.dtype(), "optimizer: a ", what, " is of ", t.dtype(), ", its parameter of ",
        p.dtype());
}

// One parameter in the type it is computed in. What is not contiguous in that type is copied there and back.
struct Work {
  Tensor p;
  std::vector<Tensor> state;
  std::unique_ptr<TileReader> g;
  StepScalars scalars;
};

Tensor in_place(const Tensor& t, Dtype compute) {
  return t.is_contiguous() && t.dtype() == compute ? t : copy_of(t, compute);
}

template <class T>
void run(const OptimizerRule& rule, Work& w, int64_t begin, int64_t end) {
  alignas(64) T room[kTile];
  T* state[kMaxStates] = {};
  for (int64_t at = begin; at < end; at += kTile) {
    const int64_t n = std::min(kTile, end - at);
    const T* g = w.g->read(at, n, room);
    for (size_t k = 0; k < w.state.size(); k++) state[k] = w.state[k].data<T>() + at;
    if constexpr (std::is_same_v<T, float>)
      rule.float_loop(w.scalars, w.p.data<T>() + at, g, state, n);
    else rule.double_loop(w.scalars, w.p.data<T>() + at, g, state, n);
  }
}

}  // namespace

const OptimizerRule* find_rule(std::string_view name) {
  for (const OptimizerRule& rule : optimizer_rules())
    if (rule.name == name) return &rule;
  return nullptr;
}

void optimizer_step(const OptimizerRule& rule, std::span<const double> hyper,
                    std::span<const Tensor> parameters, std::span<const Tensor> gradients,
                    std::span<const std::vector<Tensor>> states, std::span<const double> steps) {
  NoGrad guard;
  for (size_t i = 0; i < parameters.size(); i++) {
    check(parameters[i].is_floating(), "optimizer: a parameter is of ", parameters[i].dtype());
    check_same(parameters[i], gradients[i], "gradient");
    for (const auto& state : states) check_same(parameters[i], state[i], "state");
  }
  std::vector<Work> works(parameters.size());
  std::vector<int64_t> first_chunk{0};
  for (size_t i = 0; i < parameters.size(); i++) {
    const Tensor& p = parameters[i];
    const Dtype compute = compute_dtype(p.dtype());
    // Evaluates what is pending on the old values before they change.
    p.before_write();
    Work& w = works[i];
    w.p = in_place(p, compute);
    for (const auto& state : states) {
      state[i].before_write();
      w.state.push_back(in_place(state[i], compute));
    }
    w.g = std::make_unique<TileReader>(gradients[i], compute);
    w.scalars = rule.prepare(hyper, steps[i]);
    first_chunk.push_back(first_chunk.back() + (p.numel() + kChunk - 1) / kChunk);
  }
  // Chunks of small parameters are cheap: several go together.
  const int64_t chunks = first_chunk.back();
  runtime::parallel_for(chunks, 4, [&](int64_t begin, int64_t end) {
    size_t i = static_cast<size_t>(std::upper_bound(first_chunk.begin(), first_chunk.end(), begin) -
                                   first_chunk.begin()) -
               1;
    for (int64_t c = begin; c < end; c++) {
      while (c >= first_chunk[i + 1]) i++;
      Work& w = works[i];
      const int64_t from = (c - first_chunk[i]) * kChunk, to = std::min(from + kChunk, w.p.numel());
      if (w.p.dtype() == Dtype::Double) run<double>(rule, w, from, to);
      else run<float>(rule, w, from, to);
    }
  });
  for (size_t i = 0; i < works.size(); i++) {
    works[i].g->finish();
    if (!works[i].p.is(parameters[i])) copy_elements(parameters[i], works[i].p);
    for (size_t k = 0; k < states.size(); k++)
      if (!works[i].state[k].is(states[k][i])) copy_elements(states[k][i], works[i].state[k]);
  }
}

}  // namespace gotorch
