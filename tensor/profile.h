#pragma once
// Who took how long and how much memory: ops, nodes of backward, evaluations of deferred expressions, and what a program names.
//
//   profile::start();
//   train(model, batch);
//   for (const profile::Event& e : profile::stop()) print(e.name, e.end_ns - e.start_ns, e.peak);
//
// Switched off it costs one load of a word that hardly ever changes at each place. What is measured shows in the runtime's
// timeline (runtime/trace.h), too.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/trace.h"
#include "tensor/value.h"

namespace gotorch::profile {

enum class Kind : uint8_t { Op, InplaceOp, Backward, Evaluation, OptimizerStep, Region };

struct Event {
  std::string name;  // as PyTorch names it: "aten::add_", "AddBackward", "Optimizer.step#SGD.step"
  uint64_t line;     // the goroutine or native thread: events of one line nest
  int64_t start_ns, end_ns;
  // Of all tensors of the process, so events that overlap on two lines count what both do. Both are bytes relative to what was
  // held when it began: what was held when it ended, and the most that was held in between.
  int64_t memory, peak;
  std::vector<std::vector<int64_t>>
      shapes;  // of the arguments, if asked for; empty for those that are not tensors
};

struct Options {
  bool shapes = false;
};

// std::logic_error if it is on already.
void start(Options options = {});
// What began and ended since, in the order in which it ended. std::logic_error if it is off.
std::vector<Event> stop();

inline std::atomic<bool> switched_on{false};
inline bool on() {
  // relaxed: a thread may learn of it late.
  return switched_on.load(std::memory_order_relaxed);
}

// Something to be measured, as long as it lives. The name must outlive it, and a trace.
class Span {
 public:
  explicit Span(Kind kind, const char* name, std::span<const Value> arguments = {})
      : traced_(name) {
    if (on()) [[unlikely]]
      begin(kind, name, arguments);
  }
  ~Span() {
    if (running_) [[unlikely]]
      end();
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  struct Running;
  void begin(Kind kind, const char* name, std::span<const Value> arguments);
  void end() noexcept;

  const runtime::trace::Span traced_;
  Running* running_ = nullptr;
};

}  // namespace gotorch::profile
