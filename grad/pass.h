#pragma once
// One backward pass over a graph.
//
// Invariants
//  - A node runs once, when all its uses that can be reached have sent their gradient.
//  - Gradients that arrive at one slot are kept apart until the node runs, then added in descending order of the senders'
//    sequence numbers: the sum does not depend on which sender was first.
//  - Of the nodes that are ready, the one that was recorded last runs first; nodes that must run on the caller's thread
//    run there.
//  - Until the first lane is started the caller is alone and takes no lock. From then on `mutex_` guards the inboxes, the
//    counts and the queues; a node that has been taken from a queue belongs to who took it, with its inbox.
//  - A lane is a goroutine that runs ready nodes until there are none. No lane outlives run().
#include <exception>
#include <mutex>
#include <optional>
#include <queue>
#include <unordered_map>

#include "grad/engine.h"
#include "runtime/scope.h"

namespace gotorch {

class Pass {
 public:
  Pass(std::span<const Edge> roots, const BackwardOptions& options);

  // Restricts the pass to what leads to these. `capture`: keep what arrives there; otherwise accumulators run.
  void restrict_to(std::span<const Edge> targets, bool capture);
  // Returns what was captured, by target.
  Tensors run(std::span<const Tensor> grads);

 private:
  struct Message {
    uint32_t slot;
    uint64_t sender;
    Tensor gradient;
  };
  struct State {
    bool visited = false;
    bool wanted = false;  // somebody asked for what arrives here
    bool needed = true;   // wanted, or on the way to something that is
    int waiting_for = 0;  // uses that have not sent yet
    SmallVector<Message, 2> inbox;
  };
  struct Capture {
    const Node* node;
    uint32_t slot;
  };
  struct Earlier {
    bool operator()(const Node* a, const Node* b) const { return a->sequence < b->sequence; }
  };
  using Queue = std::priority_queue<Node*, std::vector<Node*>, Earlier>;
  class Lock;

  void count_uses();
  bool leads_on(const Node& node) const;
  uint32_t without(const Node& node) const;
  bool runs(const Node& node, const State& s) const;
  State& state_of(const Node& node) { return states_.find(&node)->second; }
  const State& state_of(const Node& node) const { return states_.find(&node)->second; }

  static Tensors collect(const Node& node, State& s);
  void step(Node& node);
  void deliver(Node& node, Tensors& out);
  void put(Node& node);     // it is ready
  Node* take(bool caller);  // null: nothing for this thread now
  void work(bool caller);   // runs what it can take
  bool lane_pays() const;
  void start_lane();
  void lane();
  bool wait_for_lanes();  // false: nothing is left
  void wake_caller();
  void fail();  // with the current exception
  bool poll_interrupt();

  std::span<const Edge> roots_;
  const BackwardOptions& options_;
  bool restricted_ = false;
  bool captures_ = false;
  std::unordered_map<const Node*, State> states_;
  std::vector<Node*> order_;
  std::vector<Capture> captured_at_;
  Tensors captured_;
  Queue ready_, for_caller_;
  int branches_ = 0;  // nodes in ready_ that do not accumulate
  int tasks_ = 0;     // of these, those that are large

  bool shared_ = false;
  std::mutex mutex_;
  int max_lanes_ = 0;
  int lanes_ = 0;     // that have not ended
  int starting_ = 0;  // of these, those that have not taken their first node
  bool caller_waits_ = false;
  std::exception_ptr error_;
  runtime::chan<runtime::unit> wake_;
  int64_t steps_ = 0, poll_at_ns_ = 0;
  std::optional<runtime::scope> scope_;  // last: its end waits for the lanes
};

}  // namespace gotorch
