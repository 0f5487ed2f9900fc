// The queues of runnable goroutines: each entry is taken exactly once, by somebody who sees what was written to it before.
#include "runtime/run_queue.h"

namespace gotorch::runtime {
namespace {

using explorer::Mutation;

// Entries of a queue, and who has taken them.
struct Entries {
  explicit Entries(int n)
      : goroutines(new Goroutine[static_cast<size_t>(n)]), taken(static_cast<size_t>(n)) {}
  // What who takes the goroutine has to see.
  Goroutine* prepared(int i) {
    goroutines[i].signal.store(1, std::memory_order_relaxed);
    return &goroutines[i];
  }
  void take(Goroutine* g) {
    if (!g) return;
    explorer::check(g->signal.load(std::memory_order_relaxed) == 1,
                    "it is seen as it was prepared");
    explorer::check(taken[static_cast<size_t>(g - goroutines.get())]++ == 0, "it is taken once");
  }
  void all_taken() {
    for (const int n : taken) explorer::check(n == 1, "nothing is lost");
  }
  std::unique_ptr<Goroutine[]> goroutines;
  std::vector<int> taken;
};

// The owner adds and takes at one end, two thieves at the other.
void deque_with_thieves() {
  SpawnDeque deque;
  Entries entries(3);
  for (int thief = 0; thief < 2; thief++) {
    explorer::spawn([&] { entries.take(deque.steal()); });
  }
  deque.push(entries.prepared(0));
  deque.push(entries.prepared(1));
  entries.take(deque.pop());
  deque.push(entries.prepared(2));
  entries.take(deque.pop());
  entries.take(deque.pop());
  explorer::join_all();
  while (Goroutine* g = deque.pop()) entries.take(g);
  entries.all_taken();
}

// It grows while somebody steals.
void deque_that_grows() {
  SpawnDeque deque(2);
  Entries entries(4);
  deque.push(entries.prepared(0));
  const int thief = explorer::spawn([&] {
    entries.take(deque.steal());
    entries.take(deque.steal());
  });
  for (int i = 1; i < 4; i++) deque.push(entries.prepared(i));
  entries.take(deque.pop());
  explorer::join(thief);
  while (Goroutine* g = deque.pop()) entries.take(g);
  entries.all_taken();
}

// The owner adds and takes; thieves move half to rings of their own.
void ring_with_thieves() {
  RunRing ring;
  Entries entries(4);
  for (int thief = 0; thief < 2; thief++) {
    explorer::spawn([&] {
      RunRing mine;
      entries.take(mine.steal_from(ring));
      while (Goroutine* g = mine.pop()) entries.take(g);
    });
  }
  for (int i = 0; i < 3; i++) ring.push(entries.prepared(i));
  entries.take(ring.pop());
  ring.push(entries.prepared(3));
  entries.take(ring.pop());
  explorer::join_all();
  while (Goroutine* g = ring.pop()) entries.take(g);
  entries.all_taken();
}

// A thief's ring is robbed while it is being filled.
void ring_of_a_thief() {
  RunRing ring, second;
  Entries entries(3);
  for (int i = 0; i < 3; i++) ring.push(entries.prepared(i));
  explorer::spawn([&] {
    entries.take(second.steal_from(ring));
    while (Goroutine* g = second.pop()) entries.take(g);
  });
  explorer::spawn([&] {
    RunRing third;
    entries.take(third.steal_from(second));
    while (Goroutine* g = third.pop()) entries.take(g);
  });
  entries.take(ring.pop());
  explorer::join_all();
  while (Goroutine* g = ring.pop()) entries.take(g);
  while (Goroutine* g = second.pop()) entries.take(g);
  entries.all_taken();
}

TEST(QueueModel, Deque) {
  holds(deque_with_thieves, {.preemptions = 3, .stale = 2});
  fails(deque_with_thieves, {.no_fences = true});
  fails(deque_with_thieves, {.no_release = true});
  fails(deque_with_thieves, {.split_exchange = true});
}

TEST(QueueModel, DequeGrows) {
  holds(deque_that_grows, {.preemptions = 2, .stale = 1});
  fails(deque_that_grows, {.no_release = true});
}

TEST(QueueModel, Ring) {
  holds(ring_with_thieves, {.preemptions = 3, .stale = 1});
  fails(ring_with_thieves, {.no_release = true});
  fails(ring_with_thieves, {.split_exchange = true});
}

TEST(QueueModel, RingOfAThief) {
  holds(ring_of_a_thief, {.preemptions = 3, .stale = 2});
  fails(ring_of_a_thief, {.no_acquire = true});
}

}  // namespace
}  // namespace gotorch::runtime
