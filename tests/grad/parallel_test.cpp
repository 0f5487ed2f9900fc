// Branches of a graph that run at the same time.
#include <atomic>
#include <cstring>
#include <thread>

#include "grad/autograd.h"
#include "runtime/interrupt.h"
#include "runtime/scope.h"
#include "runtime/select.h"
#include "tensor/ops.h"
#include "tests/runtime/workers.h"

namespace gotorch {
namespace {

Tensor pattern(IntList shape, int seed) {
  Tensor x = empty(shape, Dtype::Float);
  for (int64_t i = 0; i < x.numel(); i++)
    x.data<float>()[i] = static_cast<float>((i * 7 + seed * 13) % 29) * 0.01f - 0.13f;
  return x;
}

// Branches that share their weights and are joined by a sum: each weight gets a message from every branch.
struct Wide {
  static constexpr int kBranches = 9, kDepth = 4;
  std::vector<Tensor> weights;
  std::vector<Tensor> joints;  // the first result of each branch
  Tensor x = requires_grad(pattern({40, 40}, 1));
  Wide() {
    for (int i = 0; i < kDepth; i++) weights.push_back(requires_grad(pattern({40, 40}, i + 2)));
  }
  Tensor loss() {
    Tensor total = scalar_tensor(0, Dtype::Float);
    joints.clear();
    for (int b = 0; b < kBranches; b++) {
      Tensor y = x * (b + 1);
      joints.push_back(y);
      for (const Tensor& w : weights) y = tanh(matmul(y, w));
      total = total + sum(y * y);
    }
    return total;
  }
  std::vector<float> gradients() const {
    std::vector<float> all;
    for (const Tensor& w : weights) append(all, w);
    append(all, x);
    return all;
  }
  static void append(std::vector<float>& all, const Tensor& leaf) {
    const Tensor g = grad_of(leaf);
    all.insert(all.end(), g.data<float>(), g.data<float>() + g.numel());
  }
};

class ParallelBackward : public runtime::OnWorkers {
 protected:
  void TearDown() override { runtime::set_num_workers(2); }
  // What one worker computes.
  static const std::vector<float>& expected() {
    static const std::vector<float> values = [] {
      const int workers = runtime::num_workers();
      runtime::set_num_workers(1);
      Wide wide;
      backward(wide.loss());
      runtime::set_num_workers(workers);
      return wide.gradients();
    }();
    return values;
  }
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST_P(ParallelBackward, AWideGraphGivesTheSameBits) {
  for (int repeat = 0; repeat < 20; repeat++) {
    Wide wide;
    backward(wide.loss());
    ASSERT_TRUE(same_bits(wide.gradients(), expected())) << repeat;
  }
}

TEST_P(ParallelBackward, GradientsAreReturnedWithTheSameBits) {
  Wide wide;
  const Tensor loss = wide.loss();
  const Tensors g = gradients(std::span(&loss, 1), wide.weights);
  const float* values = g[0].data<float>();
  EXPECT_EQ(std::memcmp(values, expected().data(), 1600 * sizeof(float)), 0);
}

TEST_P(ParallelBackward, BranchesMeetWhileTheyRun) {
  if (GetParam() == 1) return;  // needs two workers
  Wide wide;
  const Tensor loss = wide.loss();
  const runtime::chan<int> meeting(0);
  std::atomic<int> met{0};
  const auto meet = [&](auto operation) {
    runtime::select(operation, runtime::on_timeout(std::chrono::minutes(1),
                                                   [] {}));  // fails, and does not hang
    return Tensor();
  };
  add_hook(wide.joints[0],
           [&](const Tensor&) { return meet(runtime::on_send(meeting, 1, [&] { met++; })); });
  add_hook(wide.joints[1],
           [&](const Tensor&) { return meet(runtime::on_receive(meeting, [&](auto) { met++; })); });
  backward(loss);
  EXPECT_EQ(met, 2);
  EXPECT_TRUE(same_bits(wide.gradients(), expected()));
}

TEST_P(ParallelBackward, HooksThatAskForItRunOnTheCaller) {
  Wide wide;
  const Tensor loss = wide.loss();
  std::atomic<int> elsewhere{0}, calls{0};
  const auto caller = std::this_thread::get_id();
  const auto hook = [&](const Tensor&) {
    calls++;
    elsewhere += std::this_thread::get_id() != caller;
    return Tensor();
  };
  for (const Tensor& y : wide.joints) add_hook(y, hook, /*on_caller=*/true);
  for (const Tensor& w : wide.weights) add_hook(w, hook, /*on_caller=*/true);
  backward(loss);
  EXPECT_EQ(calls, Wide::kBranches + Wide::kDepth);
  EXPECT_EQ(elsewhere, 0);
  EXPECT_TRUE(same_bits(wide.gradients(), expected()));
}

TEST_P(ParallelBackward, AnErrorReachesTheCallerAndTheGraphCanBeUsedAgain) {
  Wide wide;
  const Tensor loss = wide.loss();
  bool wrong = true;
  for (const Tensor& y : wide.joints)
    add_hook(y, [&](const Tensor&) -> Tensor {
      if (wrong) throw std::runtime_error("hook");
      return {};
    });
  EXPECT_THROW(backward(loss, {.keep_graph = true}), std::runtime_error);
  wrong = false;
  for (const Tensor& w : wide.weights) set_grad(w, {});
  set_grad(wide.x, {});
  backward(loss);
  EXPECT_TRUE(same_bits(wide.gradients(), expected()));
}

TEST_P(ParallelBackward, RunsFromSeveralGoroutinesAtOnce) {
  runtime::scope s;
  std::atomic<int> right{0};
  for (int i = 0; i < 6; i++)
    s.go([&] {
      Wide wide;
      backward(wide.loss());
      right += same_bits(wide.gradients(), expected());
    });
  s.join();
  EXPECT_EQ(right, 6);
}

TEST_P(ParallelBackward, ReadyLeavesComeOnceEachAndCompleteThenTheChannelEnds) {
  Wide wide;
  const Tensor loss = wide.loss();
  const runtime::chan<GradReady> ready(0);
  runtime::scope s;
  std::vector<float> seen(expected().size());
  int count = 0;
  s.go([&] {
    for (GradReady r : ready) {
      size_t at = 1600 * Wide::kDepth;
      for (size_t i = 0; i < wide.weights.size(); i++)
        if (r.leaf.is(wide.weights[i])) at = 1600 * i;
      std::memcpy(&seen[at], grad_of(r.leaf).data<float>(), 1600 * sizeof(float));
      count++;
    }
  });
  backward(loss, {.ready = ready});
  s.join();
  EXPECT_EQ(count, Wide::kDepth + 1);
  EXPECT_TRUE(same_bits(seen, expected()));
}

TEST_P(ParallelBackward, TheReadyChannelEndsWithTheError) {
  Wide wide;
  const Tensor loss = wide.loss();
  add_hook(wide.joints[3], [](const Tensor&) -> Tensor { throw std::runtime_error("hook"); });
  const runtime::chan<GradReady> ready(8);
  EXPECT_THROW(backward(loss, {.ready = ready}), std::runtime_error);
  EXPECT_THROW(while (ready.receive()){}, std::runtime_error);
}

TEST_P(ParallelBackward, AnInterruptEndsIt) {
  const Tensor x = requires_grad(pattern({8}, 1));
  Tensor y = x;
  for (int i = 0; i < 100; i++) {
    y = y * 1;
    add_hook(y, [](const Tensor&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      return Tensor();
    });
  }
  runtime::set_interrupt_check([] { return true; });
  EXPECT_THROW(backward(sum(y)), runtime::Interrupted);
  runtime::set_interrupt_check(nullptr);
  EXPECT_FALSE(grad_of(x).defined());
}

TEST_P(ParallelBackward, RecordingIsOffForTheGoroutineThatSaidSo) {
  runtime::scope s;
  const Tensor x = requires_grad(pattern({4}, 1));
  std::atomic<int> wrong{0};
  for (int i = 0; i < 8; i++)
    s.go([&, off = i % 2 == 0] {
      if (!grad_mode().enabled) wrong++;
      std::optional<NoGrad> guard;
      if (off) guard.emplace();
      for (int k = 0; k < 100; k++) {
        wrong += (x * 2).requires_grad() == off;
        runtime::yield();
      }
    });
  s.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(grad_mode().enabled);
}

INSTANTIATE_TEST_SUITE_P(Workers, ParallelBackward, testing::Values(1, 2, 3, 8));

}  // namespace
}  // namespace gotorch
