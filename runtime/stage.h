#pragma once
// Stages of a pipeline: goroutines that take values from one channel and put results in another.
//
//   scope s;
//   chan<Batch> batches = stage(s, files, load, {.workers = 4, .capacity = 8});
//   chan<float> losses = stage(s, batches, train_step);
//   for (float loss : losses) print(loss);
//   s.join();
//
// Invariants
//  - A stage that fails closes its results with the error: so receivers get all results before it, then the error, and pass that on in
//    the same way. Nobody downstream is cancelled. join() rethrows the error.
//  - What fills the channel that a stage received from is cancelled when the stage ends before that channel does, and so on to the source.
//  - A value that was taken from a channel is passed on or, if the stage is cancelled or has failed, is behind the error.
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/chan_direction.h"
#include "runtime/scope.h"
#include "runtime/select.h"

namespace gotorch::runtime {

struct StageOptions {
  int workers = 1;       // calls of the function that run at once
  int64_t capacity = 0;  // results that may wait for their receiver
  bool ordered = true;   // results come in the order of the values; false: as they are ready
};

// Of the stage that fills `c`, if one does.
template <ReceiveHandle C>
context filler_of(const C& c) {
  return c ? context(c.core()->filler) : context();
}

// Nobody will receive from `c` any more: cancels the stage that fills it and those before that. Other channels stay as they are.
template <ReceiveHandle C>
void stop(const C& c, std::exception_ptr cause = nullptr) {
  filler_of(c).cancel(std::move(cause));
}

// Runs f(scope&), which fills `outs`, under a context of its own; then closes them, with the error if f fails. If f does not come to
// its end, those upstream are cancelled; if f is cancelled, receivers are told why.
template <class T, class F>
void fill(scope& s, const std::vector<chan<T>>& outs, const std::vector<context>& upstream, F f) {
  const context own = s.ctx().child();
  for (const auto& out : outs) out.core()->filler = own.state();
  s.go([outs, upstream, own, f = std::move(f)]() mutable {
    std::exception_ptr error;
    bool complete = false;
    try {
      scope inner(own);
      inner.go([&] {
        f(inner);
        complete = true;
      });
      inner.join();
    } catch (...) {
      error = std::current_exception();
      if (error != own.cause()) current_scope().note(error);
    }
    if (!error && !complete) error = own.cause();
    for (const auto& out : outs) out.close(error);
    if (!error) return;
    for (const auto& c : upstream) c.cancel(error);
  });
}

// The results of several workers in the order of their values.
template <class In, class Out, class F>
void work_in_order(scope& s, const receive_chan<In>& in, const chan<Out>& out, F& f, int workers) {
  // One-shot channels, in the order of the inputs: each gets one result or an error.
  using Promise = chan<Out>;
  struct Job {
    In input;
    Promise result;
  };
  chan<Job> jobs(0);
  chan<Promise> order(workers);
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
  });
  for (int i = 0; i < workers; i++) {
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
  while (std::optional<Promise> result = order.receive()) out.send(*result->receive());
}

// The results of several workers as they come. When one fails, the others give the results of what they have begun.
template <class In, class Out, class F>
void work_in_any_order(const receive_chan<In>& in, const chan<Out>& out, F& f, int workers) {
  chan<unit> failed(0);
  std::atomic<bool> told{false};
  const auto work = [&in, &out, &failed, &told, f]() mutable {
    try {
      for (bool more = true; more;) {
        select(on_receive(in,
                          [&](std::optional<In> value) {
                            more = value.has_value();
                            if (more) out.send(f(*std::move(value)));
                          }),
               on_receive(failed, [&](std::optional<unit>) { more = false; }));
      }
    } catch (...) {
      if (!told.exchange(true)) failed.close(std::current_exception());
    }
  };
  scope pool;
  for (int i = 0; i < workers; i++) pool.go(work);
  pool.join();
  if (told) failed.receive();  // rethrows
}

// Applies f to each value of `in`; results come out in the order of the values, however many
// workers there are, unless the options say otherwise. The result channel is closed after the last one. If f throws, or `in` was
// closed with an error, receivers get all results before it, then the error; and what is upstream is cancelled. f may wait; with several
// workers it is called concurrently. std::invalid_argument for options below their minimum.
template <ReceiveHandle C, class F>
auto stage(scope& s, C in, F f, StageOptions options = {}) {
  using In = value_of<C>;
  using Out = std::decay_t<std::invoke_result_t<F&, In>>;
  if (options.workers < 1) {
    throw std::invalid_argument("stage: workers must be at least 1, got " +
                                std::to_string(options.workers));
  }
  chan<Out> out(options.capacity);
  fill<Out>(s, {out}, {filler_of(in)}, [in, out, f = std::move(f), options](scope& inner) mutable {
    if (options.workers == 1) {
      while (std::optional<In> value = in.receive()) out.send(f(*std::move(value)));
    } else if (options.ordered) {
      work_in_order<In>(inner, in, out, f, options.workers);
    } else {
      work_in_any_order<In>(in, out, f, options.workers);
    }
  });
  return out;
}

// Sends what `next` returns until it returns an empty optional: the beginning of a pipeline.
//   chan<int> numbers = source(s, [i = 0]() mutable { return i < 10 ? std::optional(i++) : std::nullopt; });
template <class F>
auto source(scope& s, F next, int64_t capacity = 0) {
  using T = typename std::invoke_result_t<F&>::value_type;
  chan<T> out(capacity);
  fill<T>(s, {out}, {}, [out, next = std::move(next)](scope&) mutable {
    while (std::optional<T> value = next()) out.send(*std::move(value));
  });
  return out;
}

// Calls f with each value: the end of a pipeline. If f throws, or `in` was closed with an error, the scope fails with that.
template <ReceiveHandle C, class F>
void sink(scope& s, C in, F f) {
  s.go([in, f = std::move(f)]() mutable {
    try {
      while (auto value = in.receive()) f(*std::move(value));
    } catch (...) {
      stop(in, std::current_exception());
      throw;
    }
  });
}

inline constexpr std::chrono::hours kNoDelay{24 * 36500};

struct GroupOptions {
  int64_t capacity = 0;  // groups that may wait for their receiver
  // So long after its first value a group is given out though it is not full.
  std::chrono::nanoseconds delay = kNoDelay;
};

// The values of `in` in vectors of `size`, in order; the last, and one that is late, may be shorter. Errors pass as through a stage.
//   chan<std::vector<Image>> batches = grouped(s, images, 64);
//   chan<std::vector<Request>> batches = grouped(s, requests, 64, {.delay = 2ms});
template <ReceiveHandle C>
auto grouped(scope& s, C in, int64_t size, GroupOptions options = {}) {
  using T = value_of<C>;
  if (size < 1) {
    throw std::invalid_argument("grouped: size must be at least 1, got " + std::to_string(size));
  }
  if (options.delay.count() < 0) {
    throw std::invalid_argument("grouped: delay must be at least 0 ns, got " +
                                std::to_string(options.delay.count()));
  }
  chan<std::vector<T>> out(options.capacity);
  fill<std::vector<T>>(s, {out}, {filler_of(in)}, [=, delay = options.delay](scope&) {
    std::vector<T> group;
    int64_t due_ns = kForever;
    bool more = true, late = false;
    const auto add = [&](std::optional<T> value) {
      more = value.has_value();
      if (!more) return;
      if (group.empty() && delay < kNoDelay) due_ns = now_ns() + delay.count();
      group.push_back(*std::move(value));
    };
    const auto give = [&] {
      due_ns = kForever;
      late = false;
      if (!group.empty()) out.send(std::exchange(group, {}));
    };
    while (more) {
      try {
        if (due_ns == kForever) add(in.receive());
        else
          select(on_receive(in, add),
                 on_timeout(std::chrono::nanoseconds(due_ns - now_ns()), [&] { late = true; }));
      } catch (...) {
        give();
        throw;
      }
      if (std::ssize(group) == size || late) give();
    }
    give();
  });
  return out;
}

}  // namespace gotorch::runtime
