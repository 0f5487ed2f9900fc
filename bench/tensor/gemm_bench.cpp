// Matrix products, convolutions and pooling on shapes of small and middle-sized models.
// Items per second are multiply-adds times two, or outputs for pooling.
#include <benchmark/benchmark.h>

#include <vector>

#include "tensor/kernels/conv.h"
#include "tensor/kernels/gemm.h"
#include "tensor/kernels/pool.h"

namespace gotorch::kernels {
namespace {

// C[m, n] = A[m, k] B[k, n]; the flags say which operand is stored transposed.
template <class T>
void product(benchmark::State& state, bool a_transposed, bool b_transposed) {
  const int64_t m = state.range(0), k = state.range(1), n = state.range(2);
  std::vector<T> a(m * k, T(0.5)), b(k * n, T(0.25)), c(m * n);
  const Gemm<T> g{.m = m,
                  .n = n,
                  .k = k,
                  .a = a.data(),
                  .a_rs = a_transposed ? 1 : k,
                  .a_cs = a_transposed ? m : 1,
                  .b = b.data(),
                  .b_rs = b_transposed ? 1 : n,
                  .b_cs = b_transposed ? k : 1,
                  .c = c.data(),
                  .c_rs = n};
  for (auto _ : state) gemm(g);
  state.SetItemsProcessed(state.iterations() * 2 * m * n * k);
}
void matmul_f32(benchmark::State& state) { product<float>(state, false, false); }
void matmul_f64(benchmark::State& state) { product<double>(state, false, false); }
// The three products of a linear layer: x W^T, dy W and dy^T x.
void linear_forward(benchmark::State& state) { product<float>(state, false, true); }
void linear_weight_gradient(benchmark::State& state) { product<float>(state, true, false); }

void squares(benchmark::internal::Benchmark* b) {
  for (int64_t n : {8, 64, 128, 256, 512, 1024}) b->Args({n, n, n});
}
void layers(benchmark::internal::Benchmark* b) {
  b->Args({8, 8, 8})->Args({32, 64, 64})->Args({64, 784, 512})->Args({64, 512, 512});
  b->Args({64, 512, 10})->Args({1, 512, 512})->Args({1, 2048, 2048});
}
BENCHMARK(matmul_f32)->Apply(squares)->Apply(layers)->UseRealTime();
BENCHMARK(matmul_f64)->Apply(squares)->UseRealTime();
BENCHMARK(linear_forward)->Apply(layers)->UseRealTime();
BENCHMARK(linear_weight_gradient)->Apply(layers)->UseRealTime();

// batch, channels in, height and width, channels out, kernel, padding, stride, groups
void images(benchmark::internal::Benchmark* b) {
  b->Args({64, 1, 28, 6, 5, 2, 1, 1})->Args({64, 6, 14, 16, 5, 0, 1, 1});
  b->Args({64, 1, 28, 32, 3, 1, 1, 1})->Args({64, 32, 14, 64, 3, 1, 1, 1});
  b->Args({8, 64, 56, 64, 3, 1, 1, 1})->Args({8, 512, 7, 512, 3, 1, 1, 1});
  b->Args({8, 3, 224, 64, 7, 3, 2, 1})->Args({8, 64, 56, 256, 1, 0, 1, 1});
  b->Args({8, 64, 56, 64, 3, 1, 1, 64});
}

struct Tensors {
  ConvShape s;
  std::vector<float> x, w, y;
  explicit Tensors(const benchmark::State& t)
      : s{.batch = t.range(0),
          .groups = t.range(7),
          .in_channels = t.range(1),
          .out_channels = t.range(3),
          .in = {1, t.range(2), t.range(2)},
          .kernel = {1, t.range(4), t.range(4)},
          .stride = {1, t.range(6), t.range(6)},
          .padding = {0, t.range(5), t.range(5)}} {
    s.set_out();
    x.assign(s.batch * s.in_channels * s.in[1] * s.in[2], 0.5f);
    w.assign(s.out_channels * s.in_channels / s.groups * s.kernel[1] * s.kernel[2], 0.25f);
    y.assign(s.batch * s.out_channels * s.out[1] * s.out[2], 0.125f);
  }
  void count(benchmark::State& state) const {
    const int64_t products = y.size() * s.in_channels / s.groups * s.kernel[1] * s.kernel[2];
    state.SetItemsProcessed(state.iterations() * 2 * products);
  }
};

void convolution_forward(benchmark::State& state) {
  Tensors t(state);
  for (auto _ : state) conv_forward<float>(t.s, t.x.data(), t.w.data(), nullptr, t.y.data());
  t.count(state);
}
void convolution_data_gradient(benchmark::State& state) {
  Tensors t(state);
  for (auto _ : state) conv_backward_data<float>(t.s, t.y.data(), t.w.data(), nullptr, t.x.data());
  t.count(state);
}
void convolution_weight_gradient(benchmark::State& state) {
  Tensors t(state);
  for (auto _ : state) conv_backward_weight(t.s, t.x.data(), t.y.data(), t.w.data());
  t.count(state);
}
BENCHMARK(convolution_forward)->Apply(images)->UseRealTime();
BENCHMARK(convolution_data_gradient)->Apply(images)->UseRealTime();
BENCHMARK(convolution_weight_gradient)->Apply(images)->UseRealTime();

// planes, height and width, kernel, stride, padding
void pools(benchmark::internal::Benchmark* b) {
  b->Args({64 * 6, 28, 2, 2, 0})->Args({64 * 16, 10, 2, 2, 0})->Args({8 * 64, 112, 3, 2, 1});
}
PoolShape pool_shape(const benchmark::State& t) {
  PoolShape s{.in = {1, t.range(1), t.range(1)},
              .kernel = {1, t.range(2), t.range(2)},
              .stride = {1, t.range(3), t.range(3)},
              .padding = {0, t.range(4), t.range(4)}};
  s.set_out(false);
  return s;
}

void max_pooling(benchmark::State& state) {
  const PoolShape s = pool_shape(state);
  const PoolWindows w = max_windows(s);
  const int64_t planes = state.range(0), out = planes * s.out[1] * s.out[2];
  std::vector<float> x(planes * s.in[1] * s.in[2], 0.5f), y(out);
  std::vector<int64_t> index(out);
  for (auto _ : state) max_pool(planes, w, x.data(), y.data(), index.data());
  state.SetItemsProcessed(state.iterations() * out);
}
void average_pooling(benchmark::State& state) {
  const PoolShape s = pool_shape(state);
  const PoolWindows w = average_windows(s, true);
  const int64_t planes = state.range(0), out = planes * s.out[1] * s.out[2];
  std::vector<float> x(planes * s.in[1] * s.in[2], 0.5f), y(out);
  for (auto _ : state) average_pool(planes, w, 0, x.data(), y.data());
  state.SetItemsProcessed(state.iterations() * out);
}
BENCHMARK(max_pooling)->Apply(pools)->UseRealTime();
BENCHMARK(average_pooling)->Apply(pools)->UseRealTime();

}  // namespace
}  // namespace gotorch::kernels
