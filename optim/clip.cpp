#include "optim/clip.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "grad/autograd.h"
#include "runtime/parallel.h"
#include "tensor/ops.h"
#include "tensor/program.h"
#include "tensor/promote.h"
#include "tensor/simd/isa.h"

namespace gotorch {
namespace {

// Partial results are of so many elements of one tensor, and combined in order: the same bits at any worker count.
constexpr int64_t kChunk = 32 * kTile;
constexpr int kLanes = 8;

enum class Order : uint8_t { One, Two, Inf, MinusInf, Zero, Other };

Order order_of(double p) {
  if (p == 2) return Order::Two;
  if (p == 1) return Order::One;
  if (p == 0) return Order::Zero;
  if (std::isinf(p)) return p > 0 ? Order::Inf : Order::MinusInf;
  return Order::Other;
}

// NaN wins.
inline double larger(double a, double b) { return a > b || a != a ? a : b; }
inline double smaller(double a, double b) { return a < b || a != a ? a : b; }

double start_of(Order order) { return order == Order::MinusInf ? INFINITY : 0; }

template <Order kOrder>
inline double joined(double a, double b) {
  if constexpr (kOrder == Order::Inf) return larger(b, a);
  else if constexpr (kOrder == Order::MinusInf) return smaller(b, a);
  else return a + b;
}

// Sums in double, so squares of large floats do not overflow.
template <Order kOrder, class T>
inline double fold(const T* x, int64_t n, double start, double p) {
  double lane[kLanes];
  for (double& l : lane) l = start;
  const auto add = [&](int j, T value) {
    const double v = value < 0 ? -value : value;
    double term = v;
    if constexpr (kOrder == Order::Two) term = v * v;
    else if constexpr (kOrder == Order::Zero) term = v != 0 ? 1 : 0;
    else if constexpr (kOrder == Order::Other) term = std::pow(v, p);
    lane[j] = joined<kOrder>(lane[j], term);
  };
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int j = 0; j < kLanes; j++) add(j, x[i + j]);
  for (; i < n; i++) add(static_cast<int>(i % kLanes), x[i]);
  double all = lane[0];
  for (int j = 1; j < kLanes; j++) all = joined<kOrder>(all, lane[j]);
  return all;
}

struct Folder {
  double (*of_float)(const float*, int64_t, double, double);
  double (*of_double)(const double*, int64_t, double, double);
  double (*join)(double, double);
};

template <Order kOrder>
Folder folder() {
  return {best_variant<&fold<kOrder, float>>(), best_variant<&fold<kOrder, double>>(),
          &joined<kOrder>};
}

Folder folder_of(Order order) {
  switch (order) {
    case Order::One: return folder<Order::One>();
    case Order::Two: return folder<Order::Two>();
    case Order::Inf: return folder<Order::Inf>();
    case Order::MinusInf: return folder<Order::MinusInf>();
    case Order::Zero: return folder<Order::Zero>();
    default: return folder<Order::Other>();
  }
}

template <class T>
double fold_range(double (*f)(const T*, int64_t, double, double), double (*join)(double, double),
                  const TileReader& x, int64_t begin, int64_t end, double start, double p) {
  if (x.direct()) return f(static_cast<const T*>(x.base()) + begin, end - begin, start, p);
  alignas(64) T room[kTile];
  double all = start;
  for (int64_t at = begin; at < end; at += kTile) {
    const int64_t n = std::min(kTile, end - at);
    all = join(all, f(x.read(at, n, room), n, start, p));
  }
  return all;
}

struct Input {
  std::unique_ptr<TileReader> reader;
  bool is_double;
  int64_t first_chunk;
};

// PyTorch takes the norm of the tensors' norms: of order 0, the number of tensors that are not all zero.
int64_t count_nonzero(const std::vector<Input>& inputs, const std::vector<double>& parts) {
  int64_t count = 0;
  for (size_t i = 0; i < inputs.size(); i++) {
    const auto from = parts.begin() + inputs[i].first_chunk;
    const auto to = i + 1 < inputs.size() ? parts.begin() + inputs[i + 1].first_chunk : parts.end();
    count += std::any_of(from, to, [](double part) { return part > 0; });
  }
  return count;
}

double norm_of(std::span<const Tensor> tensors, double p) {
  const Order order = order_of(p);
  const Folder folder = folder_of(order);
  const double start = start_of(order);
  std::vector<Input> inputs;
  int64_t chunks = 0;
  for (const Tensor& t : tensors) {
    const Dtype compute = compute_dtype(t.dtype());
    inputs.push_back({std::make_unique<TileReader>(t, compute), compute == Dtype::Double, chunks});
    chunks += (t.numel() + kChunk - 1) / kChunk;
  }
  std::vector<double> parts(static_cast<size_t>(chunks), start);
  const auto run = [&](int64_t chunk) {
    auto i = static_cast<size_t>(
        std::upper_bound(inputs.begin(), inputs.end(), chunk,
                         [](int64_t c, const Input& input) { return c < input.first_chunk; }) -
        inputs.begin() - 1);
    while (tensors[i].numel() == 0) i--;
    const Input& in = inputs[i];
    const int64_t begin = (chunk - in.first_chunk) * kChunk;
    const int64_t end = std::min(begin + kChunk, in.reader->numel());
    parts[static_cast<size_t>(chunk)] =
        in.is_double ? fold_range(folder.of_double, folder.join, *in.reader, begin, end, start, p)
                     : fold_range(folder.of_float, folder.join, *in.reader, begin, end, start, p);
  };
  // Small tensors have small chunks: several go together.
  int64_t elements = 0;
  for (const Tensor& t : tensors) elements += t.numel();
  const int64_t grain =
      chunks == 0 ? 1 : std::max<int64_t>(1, kChunk * chunks / std::max<int64_t>(elements, 1));
  runtime::parallel_for(chunks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; c++) run(c);
  });
  for (const Input& in : inputs) in.reader->finish();
  if (order == Order::Zero) return static_cast<double>(count_nonzero(inputs, parts));
  double all = start;
  for (const double part : parts) all = folder.join(all, part);
  if (order == Order::Two) return std::sqrt(all);
  return order == Order::Other ? std::pow(all, 1 / p) : all;
}

std::vector<Tensor> gradients_of(std::span<const Tensor> parameters) {
  std::vector<Tensor> grads;
  for (const Tensor& p : parameters)
    if (Tensor g = grad_of(p); g.defined()) grads.push_back(std::move(g));
  return grads;
}

}  // namespace

Tensor total_norm(std::span<const Tensor> tensors, double order, bool error_if_nonfinite) {
  if (tensors.empty()) return scalar_tensor(0, Dtype::Float);
  Dtype dtype = tensors[0].dtype();
  for (const Tensor& t : tensors) {
    check(t.is_floating(), "total_norm: got a tensor of ", t.dtype(),
          "; expected a floating dtype");
    dtype = promote(dtype, t.dtype());
  }
  const NoGrad guard;
  const Tensor norm = scalar_tensor(norm_of(tensors, order), dtype);
  const bool whole = std::isfinite(order) && order == std::floor(order);
  check(!error_if_nonfinite || std::isfinite(norm.item<double>()), "The total norm of order ",
        order, whole ? ".0" : "",  // as Python prints it
        " for gradients from `parameters` is non-finite, so it cannot be clipped. To disable this "
        "error and scale the gradients by the non-finite norm anyway, set "
        "`error_if_nonfinite=False`");
  return norm;
}

void scale_to_norm_(std::span<const Tensor> tensors, double max_norm, const Tensor& norm) {
  const NoGrad guard;
  // In float, as the norm of float tensors is.
  const double total = norm.item<double>();
  const double factor = norm.dtype() == Dtype::Double
                            ? max_norm / (total + 1e-6)
                            : static_cast<float>(max_norm) / (static_cast<float>(total) + 1e-6f);
  if (factor >= 1) return;
  for (const Tensor& t : tensors) ops::mul.inplace(t, Scalar(factor));
}

Tensor clip_grad_norm_(std::span<const Tensor> parameters, double max_norm, double order,
                       bool error_if_nonfinite) {
  const std::vector<Tensor> grads = gradients_of(parameters);
  const Tensor norm = total_norm(grads, order, error_if_nonfinite);
  scale_to_norm_(grads, max_norm, norm);
  return norm;
}

void clip_grad_value_(std::span<const Tensor> parameters, double limit) {
  const NoGrad guard;
  for (const Tensor& g : gradients_of(parameters))
    ops::clamp.inplace(g, Operand(-limit), Operand(limit));
}

}  // namespace gotorch
