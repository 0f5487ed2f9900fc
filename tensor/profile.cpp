#include "tensor/profile.h"

#include <unistd.h>

#include <mutex>
#include <stdexcept>
#include <utility>

#include "runtime/clock.h"
#include "runtime/park.h"
#include "tensor/allocator.h"

namespace gotorch::profile {
namespace {

struct State {
  std::mutex lock;  // guards all of it; nothing waits for a goroutine under it
  std::vector<Event> events;
  Options options;
  uint64_t run = 0;  // counts starts: what began in an earlier run is not of this one
};
State& state() {
  static auto* s = new State;  // never destroyed: threads may outlive static destructors
  return *s;
}

uint64_t this_line() {
  if (const runtime::Goroutine* me = runtime::current_goroutine())
    return reinterpret_cast<uint64_t>(me);
  return static_cast<uint64_t>(gettid());
}

std::string full_name(Kind kind, const char* name) {
  switch (kind) {
    case Kind::Op: return std::string("aten::") + name;
    case Kind::InplaceOp: return std::string("aten::") + name + "_";
    case Kind::OptimizerStep: return std::string("Optimizer.step#") + name + ".step";
    case Kind::Backward:
    case Kind::Evaluation:
    case Kind::Region: break;
  }
  return name;
}

std::vector<int64_t> shape_of(const Value& v) {
  if (!v.is_tensor() || !v.tensor().defined()) return {};
  const Dims shape = v.tensor().shape();
  return {shape.begin(), shape.end()};
}

}  // namespace

struct Span::Running {
  Event event;
  uint64_t run;
  int64_t outer_peak, allocated;
};

void start(Options options) {
  State& s = state();
  const std::lock_guard guard(s.lock);
  if (on()) throw std::logic_error("profile: it is on already");
  s.options = options;
  s.run++;
  switched_on.store(true, std::memory_order_relaxed);
}

std::vector<Event> stop() {
  State& s = state();
  const std::lock_guard guard(s.lock);
  if (!on()) throw std::logic_error("profile: it is not on");
  switched_on.store(false, std::memory_order_relaxed);
  s.run++;
  return std::exchange(s.events, {});
}

void Span::begin(Kind kind, const char* name, std::span<const Value> arguments) {
  auto running = std::make_unique<Running>();
  Event& e = running->event;
  e.name = full_name(kind, name);
  e.line = this_line();
  State& s = state();
  bool shapes = false;
  {
    const std::lock_guard guard(s.lock);
    running->run = s.run;
    shapes = s.options.shapes;
  }
  if (shapes)
    for (const Value& v : arguments) e.shapes.push_back(shape_of(v));
  running->outer_peak = reset_peak_memory();
  running->allocated = memory_stats().allocated;
  running_ = running.release();
  e.start_ns = runtime::now_ns();
}

void Span::end() noexcept {
  const std::unique_ptr<Running> running(running_);
  Event& e = running->event;
  e.end_ns = runtime::now_ns();
  const MemoryStats stats = memory_stats();
  e.memory = stats.allocated - running->allocated;
  e.peak = stats.max_allocated - running->allocated;
  raise_peak_memory(running->outer_peak);
  State& s = state();
  const std::lock_guard guard(s.lock);
  try {
    if (running->run == s.run) s.events.push_back(std::move(e));
  } catch (const std::bad_alloc&) {  // an event is lost, and the program goes on
  }
}

}  // namespace gotorch::profile
