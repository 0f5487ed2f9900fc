#pragma once
// The places where chaos (chaos.h) and simulation (simulate.h) may interfere. They are in every build, so that what is tested
// is what is shipped: each costs one relaxed load of a word that hardly ever changes. Those in the innermost loops, spin locks and
// run queues, would be felt there: they are in the builds with a sanitizer only.
#include <atomic>

#include "runtime/sanitizer.h"

namespace gotorch::runtime {

enum class Edge {
  Operation,  // a goroutine may wait now: let others run first?
  Attempt,    // it uses a channel, but will not wait
  Parking,    // on the way to wait, or from it
  Waking,     // true: leave the woken one to any worker
  Sleeping,   // on the way to sleep, or from it. true: return early
  Stealing,   // true: do not respect the age of what is stolen
  Locked,     // a spin lock was taken
  Queue,      // between two steps on a queue
};

// How many simulations and chaoses there are.
inline std::atomic<int> edge_watchers{0};
bool watched_edge(Edge edge);

// What is asked for at this edge; see Edge.
inline bool at_edge([[maybe_unused]] Edge edge) {
#if defined(GOTORCH_MODEL)  // tests/models has its own ways
  return false;
#else
  // relaxed: a thread may learn of it late.
  if (edge_watchers.load(std::memory_order_relaxed) == 0) [[likely]]
    return false;
  return watched_edge(edge);
#endif
}

inline void at_fine_edge([[maybe_unused]] Edge edge) {
#if GOTORCH_SANITIZED
  at_edge(edge);
#endif
}

}  // namespace gotorch::runtime
