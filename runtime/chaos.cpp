#include "runtime/chaos.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "runtime/edges.h"
#include "runtime/park.h"
#include "runtime/simulation.h"
#include "runtime/worker.h"
#include "runtime/xorshift.h"

namespace gotorch::runtime {
namespace {

constexpr int64_t kLongestDelayNs = 50'000;

std::atomic<uint64_t> seed{0};
std::atomic<uint32_t> threshold{0};  // of 2^32; 0: off
std::atomic<uint64_t> threads{0};    // each has its own numbers

uint64_t next_random() {
  thread_local uint64_t state = 0, from_seed = ~uint64_t{0};
  const uint64_t now = seed.load(std::memory_order_relaxed);
  if (from_seed != now) {
    from_seed = now;
    state = (now + 1) * 0x9e3779b97f4a7c15u +
            threads.fetch_add(1, std::memory_order_relaxed) * 0xbf58476d1ce4e5b9u;
    state |= 1;  // xorshift must not start from zero
  }
  return xorshift64(state);
}

void delay(uint64_t random) {
  if (random % 4 == 0) {
    sched_yield();
    return;
  }
  const int64_t until = real_now_ns() + static_cast<int64_t>(random % kLongestDelayNs);
  while (real_now_ns() < until) cpu_relax();
}

bool chaos_at(Edge edge) {
  const uint64_t random = next_random();
  if (static_cast<uint32_t>(random) >= threshold.load(std::memory_order_relaxed)) return false;
  const uint64_t choice = next_random();
  switch (edge) {
    case Edge::Operation:
      if (choice % 2) yield();  // last: we may be on another thread now
      else delay(choice);
      return false;
    case Edge::Waking:
    case Edge::Sleeping:
      if (choice % 2) return true;
      break;
    case Edge::Stealing: return true;
    default: break;
  }
  delay(choice);
  return false;
}

}  // namespace

bool watched_edge(Edge edge) {
  if (Simulation* simulation = this_simulation()) return simulation->at_edge(edge);
  return threshold.load(std::memory_order_relaxed) != 0 && chaos_at(edge);
}

chaos::chaos(uint64_t s, double probability)
    : seed_before_(seed.load()), threshold_before_(threshold.load()) {
  if (!(probability >= 0 && probability <= 1)) {
    throw std::invalid_argument("chaos: probability must be between 0 and 1, got " +
                                std::to_string(probability));
  }
  seed = s;
  threshold = static_cast<uint32_t>(probability * UINT32_MAX);
  edge_watchers++;
}

chaos::~chaos() {
  edge_watchers--;
  seed = seed_before_;
  threshold = threshold_before_;
}

void chaos_from_environment() {
  const char* text = std::getenv("GOTORCH_CHAOS");
  if (!text) return;
  char* end = nullptr;
  const uint64_t s = std::strtoull(text, &end, 10);
  if (end != text && *end == ':') {
    const char* number = end + 1;
    const double probability = std::strtod(number, &end);
    if (end != number && *end == 0) {
      static const chaos always(s, probability);
      return;
    }
  }
  throw std::invalid_argument("GOTORCH_CHAOS must be seed:probability, got " + std::string(text));
}

}  // namespace gotorch::runtime
