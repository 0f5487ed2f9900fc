// Trains a convolutional network on handwritten digits: goroutines joined by channels.
//
//   read -> augment (4 at once) -> batch -> train -> log
//
//   train_digits digits.csv [epochs]
//
// A row of the file has 64 grey values from 0 to 16, then the digit: examples/digits_csv.py writes
// one. A fifth of the rows, chosen at random but always the same, is for testing. The weights go
// to digits.safetensors after every epoch, and are the same bits at any number of threads.
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "data/collate.h"
#include "data/csv.h"
#include "data/dataset.h"
#include "data/safetensors.h"
#include "data/sampler.h"
#include "digits.h"
#include "grad/autograd.h"
#include "layers/layers.h"
#include "optim/optim.h"
#include "runtime/interrupt.h"
#include "runtime/stage.h"
#include "tensor/copy.h"
#include "tensor/operators.h"

using namespace gotorch;
namespace rt = gotorch::runtime;

using Digits = TensorDataset<Tensor, Tensor>;  // images [n, 1, 8, 8] and labels [n]
using Digit = std::tuple<Tensor, Tensor>;      // an image and its label; or a batch of them

struct Draw {
  Digit digit;
  uint64_t seed;  // of what is random about it
};

struct Step {
  int64_t samples;
  double loss;
};

constexpr uint64_t kSeed = 0;
constexpr const char* kWeights = "digits.safetensors";

// (training set, test set)
std::pair<Digits, Digits> read(const std::string& path) {
  const Tensor table = read_csv(path);
  check<ValueError>(table.size(1) == 65, path, ": ", table.size(1), " columns, expected 65");
  const auto part = [&](std::span<const int64_t> rows) {
    const Tensor part = rows_of(table, rows);
    return Digits(reshape(narrow(part, 1, 0, 64) / 16.0, {-1, 1, 8, 8}),
                  as_dtype(select(part, 1, 64), Dtype::Int64));
  };
  const std::vector<int64_t> order = random_permutation(table.size(0), Generator(0));
  const auto rows = std::span(order);
  const size_t for_testing = (rows.size() + 4) / 5;
  return {part(rows.subspan(for_testing)), part(rows.first(for_testing))};
}

// Moves the image by up to a pixel each way. The seed comes with the image, so it does not matter
// which goroutine moves it.
Digit augment(const Draw& draw) {
  Generator random(draw.seed);
  const auto& [image, label] = draw.digit;
  const int64_t down = random.random() % 3, right = random.random() % 3;
  return {narrow(narrow(pad(image, {1, 1, 1, 1}), 1, down, 8), 2, right, 8), label};
}

// The optimizer is a goroutine too: it updates a parameter as soon as its gradient is complete.
Step train(const Sequential& net, Optimizer& optimizer, const Digit& batch) {
  const auto& [x, y] = batch;
  optimizer.zero_grad();
  const Tensor loss = cross_entropy(net(x), y);
  rt::chan<GradReady> ready(4);
  rt::scope s;
  s.go([&] { optimizer.step_as_ready(ready); });
  backward(loss, {.ready = ready});
  s.join();
  return {x.size(0), loss.item<double>()};
}

double accuracy(const Sequential& net, const Digits& digits) {
  NoGrad guard;
  const auto& [x, y] = digits.tensors();
  net.eval();
  const Tensor right = argmax(net(x), 1) == y;
  net.train();
  return mean(right, {}, false, Dtype::Float).item<double>();
}

void run(const std::string& path, int epochs) {
  const auto [train_set, test_set] = read(path);
  default_generator().manual_seed(kSeed);
  Generator random(kSeed);  // of the pipeline, which runs beside training
  const Sequential net = digits_network();
  Optimizer optimizer = AdamW(net.parameters(), {.lr = 2e-3});
  const auto start = std::chrono::steady_clock::now();
  int64_t samples = 0;
  double right = 0;

  for (int epoch = 1; epoch <= epochs; epoch++) {
    rt::scope s;
    auto next = [&, i = size_t{0}, order = random_permutation(train_set.size(), random)]() mutable {
      if (i == order.size()) return std::optional<Draw>();
      return std::optional(Draw{train_set.get(order[i++]), random.random64()});
    };
    auto draws = rt::source(s, next);
    auto digits = rt::stage(s, draws, augment, {.workers = 4, .capacity = 64});
    auto batches = rt::stage(s, rt::grouped(s, digits, 64), DefaultCollate(), {.capacity = 2});
    auto steps = rt::stage(s, batches, [&](Digit b) { return train(net, optimizer, b); });

    double loss = 0;
    int64_t seen = 0;
    for (const Step& step : steps) {
      seen += step.samples;
      loss += step.loss * double(step.samples);
    }
    s.join();
    samples += seen;
    right = accuracy(net, test_set);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    std::printf("epoch %3d/%d loss %.4f accuracy %.3f %7.0f samples/s\n", epoch, epochs,
                loss / double(seen), right, double(samples) / spent.count());
    std::fflush(stdout);
    save_safetensors(kWeights, net.state_dict());
  }
  std::printf("test accuracy %.4f; weights %s\n", right, kWeights);
}

int main(int argc, char** argv) {
  const int epochs = argc == 3 ? std::atoi(argv[2]) : 20;
  if (argc < 2 || argc > 3 || epochs < 1) {
    std::puts("usage: train_digits digits.csv [epochs]");
    return 2;
  }
  rt::interrupt_on(SIGINT);
  try {
    run(argv[1], epochs);
  } catch (const rt::Interrupted&) {
    std::puts("\nstopped");
    return 130;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "train_digits: %s\n", e.what());
    return 1;
  }
}
