#include "grad/pass.h"

#include <algorithm>

#include "grad/accumulate.h"
#include "grad/mode.h"
#include "runtime/futex.h"
#include "runtime/interrupt.h"
#include "runtime/parallel.h"
#include "runtime/thread_state.h"
#include "runtime/trace.h"
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/profile.h"
#include "tensor/reduce.h"

namespace gotorch {
namespace {

// A node whose results have at least this many elements is likely to take longer than it takes to wake a worker for it,
// about 5 microseconds.
constexpr int64_t kTaskElements = 1024;
// The clock is read once in so many nodes.
constexpr int64_t kPollNodes = 16;

bool broadcasts_to(Dims from, Dims to) {
  if (from.size() > to.size()) return false;
  const size_t lead = to.size() - from.size();
  for (size_t i = 0; i < from.size(); i++)
    if (from[i] != to[lead + i] && from[i] != 1) return false;
  return true;
}

// The gradient in the shape and dtype of what it is the gradient of.
Tensor fitted(Tensor g, const Edge& e, const Node& from) {
  const ResultMeta& meta = e.node->results[e.slot];
  if (!same(g.shape(), meta.shape)) {
    if (!broadcasts_to(meta.shape, g.shape())) {
      fail(from.name(), " returned a gradient of shape ", g.shape(), " for a tensor of shape ",
           Dims(meta.shape));
    }
    g = sum_to(g, meta.shape);
  }
  if (g.dtype() != meta.dtype) g = _to_dtype(g, meta.dtype);
  return g;
}

bool runs_on_caller(const Node& node) {
  if (node.on_caller()) return true;
  for (const auto& [slot, list] : node.hooks)
    if (list->on_caller) return true;
  return false;
}

bool is_task(const Node& node) {
  if (node.accumulates()) return false;
  int64_t elements = 0;
  for (const ResultMeta& r : node.results) elements += numel_of(r.shape);
  return elements >= kTaskElements;
}

}  // namespace

// Holds the mutex if somebody else may be there.
class Pass::Lock {
 public:
  explicit Lock(Pass& pass) : mutex_(pass.shared_ ? &pass.mutex_ : nullptr) {
    if (mutex_) mutex_->lock();
  }
  ~Lock() {
    if (mutex_) mutex_->unlock();
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  std::mutex* mutex_;
};

Pass::Pass(std::span<const Edge> roots, const BackwardOptions& options)
    : roots_(roots), options_(options) {
  // Recording changes what tensors know of their history, which only one thread may do. A loop's body must not wait.
  if (!options.create_graph && runtime::loop_depth() == 0) max_lanes_ = runtime::num_workers() - 1;
  count_uses();
}

void Pass::count_uses() {
  std::vector<Node*> stack;
  const auto visit = [&](Node* node) -> State& {
    State& s = states_[node];
    if (!s.visited) {
      s.visited = true;
      stack.push_back(node);
      order_.push_back(node);
    }
    return s;
  };
  for (const Edge& root : roots_) visit(root.node.get());
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    for (const Edge& e : node->edges)
      if (e) visit(e.node.get()).waiting_for++;
  }
}

void Pass::restrict_to(std::span<const Edge> targets, bool capture) {
  restricted_ = true;
  captures_ = capture;
  for (const Edge& e : targets) {
    if (e) states_[e.node.get()].wanted = true;
    if (capture) captured_at_.push_back({e.node.get(), e.slot});
  }
  captured_.resize(captured_at_.size());
  // Users have higher sequence numbers than what they use; accumulators use nothing.
  std::sort(order_.begin(), order_.end(), [](const Node* a, const Node* b) {
    return (a->accumulates() ? 0 : a->sequence) < (b->accumulates() ? 0 : b->sequence);
  });
  for (Node* node : order_) {
    State& s = state_of(*node);
    s.needed = s.wanted || leads_on(*node);
  }
}

bool Pass::leads_on(const Node& node) const {
  for (const Edge& e : node.edges)
    if (e && state_of(*e.node).needed) return true;
  return false;
}

bool Pass::runs(const Node& node, const State& s) const {
  if (!restricted_) return true;
  return node.accumulates() ? s.wanted && !captures_ : leads_on(node);
}

// The edges on which nothing that was asked for lies.
uint32_t Pass::without(const Node& node) const {
  uint32_t edges = 0;
  if (!restricted_) return edges;
  for (size_t i = 0; i < std::min<size_t>(node.edges.size(), 32); i++)
    if (const Edge& e = node.edges[i]; e && !state_of(*e.node).needed) edges |= 1u << i;
  return edges;
}

Tensors Pass::run(std::span<const Tensor> grads) {
  const GradModeGuard mode(options_.create_graph);
  for (size_t i = 0; i < roots_.size(); i++)
    state_of(*roots_[i].node).inbox.push_back({roots_[i].slot, UINT64_MAX - i, grads[i]});
  for (const Edge& root : roots_) {
    State& s = state_of(*root.node);
    if (s.waiting_for != 0) continue;
    s.waiting_for = -1;  // a root may be named twice
    put(*root.node);
  }
  try {
    if (lane_pays()) start_lane();
    do work(true);
    while (wait_for_lanes());
    if (scope_) scope_->join();
  } catch (...) {
    fail();
    scope_.reset();
  }
  if (error_) std::rethrow_exception(error_);
  return std::move(captured_);
}

// What arrived, added slot by slot, after the hooks of the tensors that these are the gradients of.
Tensors Pass::collect(const Node& node, State& s) {
  Tensors grads(node.results.size(), Tensor());
  if (s.inbox.size() > 1) {  // it asks for memory in any case
    std::stable_sort(s.inbox.begin(), s.inbox.end(),
                     [](const Message& a, const Message& b) { return a.sender > b.sender; });
  }
  for (Message& m : s.inbox) {
    Tensor& sum = grads[m.slot];
    sum = sum.defined() ? sum + m.gradient : std::move(m.gradient);
  }
  s.inbox.clear();
  for (size_t i = 0; i < node.hooks.size(); i++) {  // a hook may add to the list
    const auto [slot, list] = node.hooks[i];
    if (grads[slot].defined()) grads[slot] = list->run(std::move(grads[slot]));
  }
  return grads;
}

void Pass::step(Node& node) {
  State& s = state_of(node);
  Tensors grads = collect(node, s);
  for (size_t i = 0; i < captured_at_.size(); i++)
    if (captured_at_[i].node == &node) captured_[i] = grads[captured_at_[i].slot];
  Tensors out;
  if (runs(node, s)) {
    const bool seen = runtime::trace::on() || profile::on();
    const profile::Span span(profile::Kind::Backward,
                             seen ? runtime::trace::keep(node.name()) : "");
    out = node.apply(grads, {options_.create_graph, without(node)});
    if (!options_.keep_graph && !options_.create_graph) node.release_saved();
    if (node.accumulates() && options_.ready) options_.ready.send({leaf_of(node)});
  }
  deliver(node, out);
}

void Pass::deliver(Node& node, Tensors& out) {
  for (size_t i = 0; i < out.size() && i < node.edges.size(); i++)
    if (node.edges[i] && out[i].defined()) out[i] = fitted(std::move(out[i]), node.edges[i], node);
  bool start = false;
  {
    const Lock lock(*this);
    for (size_t i = 0; i < node.edges.size(); i++) {
      const Edge& e = node.edges[i];
      if (!e) continue;
      State& to = state_of(*e.node);
      if (i < out.size() && out[i].defined())
        to.inbox.push_back({e.slot, node.sequence, std::move(out[i])});
      if (--to.waiting_for == 0) put(*e.node);
    }
    if (caller_waits_ && ((tasks_ > 0 && branches_ > 1) || !for_caller_.empty())) wake_caller();
    else start = lane_pays();
  }
  if (start) start_lane();
}

void Pass::put(Node& node) {
  if (runs_on_caller(node)) {
    for_caller_.push(&node);
  } else {
    ready_.push(&node);
    branches_ += !node.accumulates();
    tasks_ += max_lanes_ > 0 && is_task(node);
  }
}

Node* Pass::take(bool caller) {
  if (error_) return nullptr;
  Queue* queue = &ready_;
  if (caller && !for_caller_.empty() &&
      (ready_.empty() || Earlier()(ready_.top(), for_caller_.top())))
    queue = &for_caller_;
  if (queue->empty()) return nullptr;
  Node* node = queue->top();
  queue->pop();
  if (queue == &ready_) {
    branches_ -= !node->accumulates();
    tasks_ -= max_lanes_ > 0 && is_task(*node);
  }
  return node;
}

void Pass::work(bool caller) {
  for (;;) {
    Node* node;
    {
      const Lock lock(*this);
      node = take(caller);
    }
    if (!node) return;
    step(*node);
    if (caller && poll_interrupt()) throw runtime::Interrupted();
  }
}

// Whoever delivers takes one of the ready nodes itself. A small node may be the beginning of a branch of large ones.
bool Pass::lane_pays() const {
  return tasks_ > 0 && branches_ > 1 + starting_ && lanes_ < max_lanes_ && !error_;
}

void Pass::start_lane() {
  if (!shared_) {
    scope_.emplace();
    wake_ = runtime::chan<runtime::unit>(1);
    shared_ = true;
  }
  {
    const Lock lock(*this);
    lanes_++;
    starting_++;
  }
  scope_->go([this] { lane(); });
}

void Pass::lane() {
  const NoGrad mode;
  {
    const Lock lock(*this);
    starting_--;
  }
  try {
    work(false);
  } catch (...) {
    fail();
  }
  const Lock lock(*this);
  lanes_--;
  if (caller_waits_ && lanes_ == 0) wake_caller();
}

bool Pass::wait_for_lanes() {
  if (!shared_) return false;
  {
    const Lock lock(*this);
    if (error_) return false;
    if (!ready_.empty() || !for_caller_.empty()) return true;
    if (lanes_ == 0) return false;
    caller_waits_ = true;
  }
  wake_.receive();
  return true;
}

void Pass::wake_caller() {
  caller_waits_ = false;
  wake_.try_send(runtime::unit{});
}

void Pass::fail() {
  {
    const Lock lock(*this);
    if (!error_) error_ = std::current_exception();
    if (caller_waits_) wake_caller();
  }
  if (scope_) scope_->cancel();  // a lane may wait for the receiver of `ready`
}

bool Pass::poll_interrupt() {
  if (++steps_ % kPollNodes != 0 || runtime::this_worker()) return false;
  const int64_t now = runtime::real_now_ns();
  if (poll_at_ns_ == 0) poll_at_ns_ = now + runtime::kInterruptSliceNs;
  if (now < poll_at_ns_) return false;
  poll_at_ns_ = now + runtime::kInterruptSliceNs;
  return runtime::interrupt_requested();
}

}  // namespace gotorch
