#pragma once
// Whole pipelines: parts put together by `|`, which start when they are run.
//
//   run(from(read_line)
//       | through(parse, {.workers = 4, .capacity = 16})
//       | in_groups(64, {.delay = 2ms})
//       | into([&](std::vector<Row> rows) { table.insert(rows); }));
//
// Channels between the parts are bounded, so a slow part holds up those before it. The first error stops what is before it, comes out
// behind the results that were ahead of it, and leaves run().
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/stage.h"

namespace gotorch::runtime {

// Connects what comes before, a channel, with what comes after, which may be nothing. F: f(scope&, chan<T>).
template <class F>
struct Part {
  F connect;
};
template <class F>
Part(F) -> Part<F>;

// The beginning of a pipeline, with all parts up to here. F: f(scope&), gives the channel of results or, with a sink, nothing.
template <class F>
struct Pipeline {
  F start;
};
template <class F>
Pipeline(F) -> Pipeline<F>;

template <class F, class G>
auto operator|(Pipeline<F> before, Part<G> part) {
  return Pipeline{[before = std::move(before), part = std::move(part)](scope& s) mutable {
    return part.connect(s, before.start(s));
  }};
}
template <class F, class G>
auto operator|(Part<F> first, Part<G> second) {
  return Part{[first = std::move(first), second = std::move(second)](scope& s, auto in) mutable {
    return second.connect(s, first.connect(s, std::move(in)));
  }};
}

// A beginning: values from a function, until that returns an empty optional, or from a channel.
template <class F>
  requires std::is_invocable_v<F&>
auto from(F next, int64_t capacity = 0) {
  return Pipeline{[next = std::move(next), capacity](scope& s) mutable {
    return source(s, std::move(next), capacity);
  }};
}
template <ReceiveHandle C>
auto from(C in) {
  return Pipeline{[in](scope&) { return in; }};
}

// f applied to each value, see stage().
template <class F>
auto through(F f, StageOptions options = {}) {
  return Part{[f = std::move(f), options](scope& s, auto in) mutable {
    return stage(s, in, std::move(f), options);
  }};
}

// See grouped().
inline auto in_groups(int64_t size, GroupOptions options = {}) {
  return Part{[size, options](scope& s, auto in) { return grouped(s, in, size, options); }};
}

// The first n values; then what is before is stopped. std::invalid_argument for a negative n.
template <ReceiveHandle C>
auto first(scope& s, C in, int64_t n) {
  using T = value_of<C>;
  if (n < 0) throw std::invalid_argument("first: n must be at least 0, got " + std::to_string(n));
  chan<T> out(0);
  fill<T>(s, {out}, {filler_of(in)}, [in, out, n](scope&) {
    if (n == 0) stop(in);
    for (int64_t i = 1; i <= n; i++) {
      std::optional<T> value = in.receive();
      if (!value) return;
      if (i == n) stop(in);
      out.send(*std::move(value));
    }
  });
  return out;
}
inline auto first(int64_t n) {
  return Part{[n](scope& s, auto in) { return first(s, in, n); }};
}

// An end: f called with each value.
template <class F>
auto into(F f) {
  return Part{[f = std::move(f)](scope& s, auto in) mutable { sink(s, in, std::move(f)); }};
}

// Runs a pipeline that has an end, until all is done; rethrows the first error.
template <class F>
void run(Pipeline<F> pipeline) {
  static_assert(std::is_void_v<std::invoke_result_t<F&, scope&>>,
                "run: a pipeline ends with into()");
  scope s;
  pipeline.start(s);
  s.join();
}

// Starts a pipeline whose results are received here.
template <class F>
auto start(scope& s, Pipeline<F> pipeline) {
  return pipeline.start(s);
}

// All values of several channels, each channel's in their order, fairly chosen among those that are ready. Closed when all are; an error
// of one stops the others.
template <ReceiveHandle C>
auto merge(scope& s, std::vector<C> ins, int64_t capacity = 0) {
  using T = value_of<C>;
  chan<T> out(capacity);
  std::vector<context> upstream;
  for (const auto& in : ins) upstream.push_back(filler_of(in));
  fill<T>(s, {out}, upstream, [ins = std::move(ins), out](scope&) mutable {
    ChanSlot<T> slot;  // one case at most uses it
    std::optional<T> value;
    while (!ins.empty()) {
      std::vector<SelectCase> cases;
      for (const auto& in : ins) cases.push_back({SelectCase::Receive, in.core(), slot.room()});
      const auto taken = select_case(cases.data(), static_cast<int>(cases.size()));
      const SelectCase& done = cases[static_cast<size_t>(taken)];
      if (done.error) std::rethrow_exception(done.error);
      if (done.ok) {
        slot.take(value);
        out.send(*std::move(value));
      } else ins.erase(ins.begin() + taken);
    }
  });
  return out;
}

// n channels, each of which gets a copy of every value. The slowest receiver holds up all; when one stops, all end.
template <ReceiveHandle C>
auto tee(scope& s, C in, int n, int64_t capacity = 0) {
  using T = value_of<C>;
  if (n < 1) throw std::invalid_argument("tee: n must be at least 1, got " + std::to_string(n));
  std::vector<chan<T>> outs;
  for (int i = 0; i < n; i++) outs.emplace_back(capacity);
  fill<T>(s, outs, {filler_of(in)}, [in, outs](scope&) {
    while (std::optional<T> value = in.receive()) {
      for (const auto& out : outs) out.send(*value);
    }
  });
  return outs;
}

}  // namespace gotorch::runtime
