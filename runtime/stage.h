#pragma once
// Stages of a pipeline: goroutines that take values from one channel and put results in another.
//
//   scope s;
//   chan<Batch> batches = stage(s, files, load, {.workers = 4, .capacity = 8});
//   chan<float> losses = stage(s, batches, train_step);
//   for (float loss : losses) print(loss);
//   s.join();
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/chan_direction.h"
#include "runtime/scope.h"

namespace gotorch::runtime {

struct StageOptions {
  int workers = 1;       // calls of the function that run at once
  int64_t capacity = 0;  // results that may wait for their receiver
};

// Runs f() as a goroutine that fills `out`: then closes it, with the error if f throws, which also fails the scope. If f was
// cancelled because another goroutine failed, receivers are told that one's error.
template <SendHandle C, class F>
void fill(scope& s, const C& out, F f) {
  s.go([out, f = std::move(f)]() mutable {
    std::exception_ptr error, told;
    try {
      f();
    } catch (const Cancelled&) {
      error = std::current_exception();
      told = this_context().cause();
    } catch (...) {
      error = std::current_exception();
    }
    out.close(told ? told : error);
    if (error) std::rethrow_exception(error);
  });
}

// Applies f to each value of `in`; results come out in the order of the values, however many
// workers there are. The result channel is closed after the last one. If f throws, receivers get
// the results before it, then the error; and the scope fails with it, so that stages upstream are cancelled. If `in` was
// closed with an error, they get that one; of the results before it the cancelled stage may lose some. f may wait; with several workers it is called
// concurrently. std::invalid_argument for options below their minimum.
template <ReceiveHandle C, class F>
auto stage(scope& s, C in, F f, StageOptions options = {}) {
  using In = value_of<C>;
  using Out = std::decay_t<std::invoke_result_t<F&, In>>;
  // One-shot channels, in the order of the inputs: each gets one result or an error.
  using Promise = chan<Out>;
  struct Job {
    In input;
    Promise result;
  };
  if (options.workers < 1) {
    throw std::invalid_argument("stage: workers must be at least 1, got " +
                                std::to_string(options.workers));
  }
  chan<Out> out(options.capacity);
  chan<Job> jobs(0);
  chan<Promise> order(options.workers);

  s.go([in, jobs, order] {
    std::exception_ptr error;
    try {
      while (std::optional<In> input = in.receive()) {
        Promise result(1);
        order.send(result);
        jobs.send(Job{std::move(*input), result});
      }
    } catch (...) {
      error = std::current_exception();
    }
    jobs.close();
    order.close(error);
    if (error) std::rethrow_exception(error);
  });
  for (int i = 0; i < options.workers; i++) {
    s.go([jobs, f]() mutable {
      while (std::optional<Job> job = jobs.receive()) {
        try {
          job->result.send(f(std::move(job->input)));
        } catch (...) {
          job->result.close(std::current_exception());
        }
      }
    });
  }
  fill(s, out, [out, order] {
    while (std::optional<Promise> result = order.receive()) out.send(*result->receive());
  });
  return out;
}

// Sends what `next` returns until it returns an empty optional: the beginning of a pipeline.
//   chan<int> numbers = source(s, [i = 0]() mutable { return i < 10 ? std::optional(i++) : std::nullopt; });
template <class F>
auto source(scope& s, F next, int64_t capacity = 0) {
  using T = typename std::invoke_result_t<F&>::value_type;
  chan<T> out(capacity);
  fill(s, out, [out, next]() mutable {
    while (std::optional<T> value = next()) out.send(std::move(*value));
  });
  return out;
}

// The values of `in` in vectors of `size`, in order; the last may be shorter. Errors pass as through a stage.
//   chan<std::vector<Image>> batches = grouped(s, images, 64);
template <ReceiveHandle C>
auto grouped(scope& s, C in, int64_t size, int64_t capacity = 0) {
  using T = value_of<C>;
  if (size < 1) {
    throw std::invalid_argument("grouped: size must be at least 1, got " + std::to_string(size));
  }
  chan<std::vector<T>> out(capacity);
  fill(s, out, [in, out, size] {
    std::vector<T> group;
    while (std::optional<T> value = in.receive()) {
      group.push_back(std::move(*value));
      if (std::ssize(group) == size) out.send(std::exchange(group, {}));
    }
    if (!group.empty()) out.send(std::move(group));
  });
  return out;
}

}  // namespace gotorch::runtime
