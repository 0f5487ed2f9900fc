#include "runtime/goroutine.h"

#include <sys/mman.h>

#include <iterator>
#include <mutex>
#include <new>
#include <utility>

#include "runtime/goroutine_slab.h"
#include "runtime/spin.h"

namespace gotorch::runtime {
namespace {

// Free goroutines are handed on in chains, so that whoever holds the lock never looks at them: they lie in another core's cache.
// `next` links those of a chain, and `fired` of the first one the chains.
constexpr int kChain = 64;
constexpr int64_t kFewGoroutines = 10'000;

struct Pool {
  SpinLock lock;  // guards chains; slabs are only ever added
  Goroutine* chains = nullptr;
  std::atomic<GoroutineSlab*> slabs{nullptr};
  SpinLock region_lock;  // none is taken under it
  std::byte* region = nullptr;
  size_t region_left = 0;
  SpinLock shared_lock;   // taken before the others
  GoroutineCache shared;  // the cache of all threads that are no workers
};

Pool& pool() {
  static Pool* p = new Pool;  // never destroyed: threads may outlive static destructors
  return *p;
}

void put_chain(Pool& p, Goroutine* first) {
  if (!first) return;
  const std::lock_guard guard(p.lock);
  first->fired = std::exchange(p.chains, first);
}

// One by one first; where there are many, from regions that the system may give as one large page.
GoroutineSlab* new_slab(Pool& p) {
  constexpr size_t kRegion = size_t{2} << 20;
  static_assert(kRegion % sizeof(GoroutineSlab) == 0);
  const GoroutineSlab* newest = p.slabs.load(std::memory_order_relaxed);
  if (!newest || newest->first_number < kFewGoroutines) return new GoroutineSlab;
  const std::lock_guard guard(p.region_lock);
  if (p.region_left == 0) {
    p.region = static_cast<std::byte*>(operator new(kRegion, std::align_val_t(kRegion)));
    madvise(p.region, kRegion, MADV_HUGEPAGE);
    p.region_left = kRegion;
  }
  p.region_left -= sizeof(GoroutineSlab);
  return new (p.region + p.region_left) GoroutineSlab;
}

// Adds a slab, except for the chain that it returns.
Goroutine* new_chains(Pool& p) {
  auto* slab = new_slab(p);  // not under the lock: fresh memory takes its time
  Goroutine* chains[(GoroutineSlab::kCount - 1) / kChain + 1] = {};
  for (int i = GoroutineSlab::kCount; i-- > 0;) {
    Goroutine& g = slab->goroutines[i];
    g.next = std::exchange(chains[i / kChain], &g);
  }
  for (size_t i = std::size(chains); i-- > 1;)
    put_chain(p, chains[i]);  // the lowest numbers are taken first
  const std::lock_guard guard(p.lock);
  slab->next = p.slabs.load(std::memory_order_relaxed);
  slab->first_number = slab->next ? slab->next->first_number + GoroutineSlab::kCount : 1;
  // release: who walks the list finds the goroutines constructed.
  p.slabs.store(slab, std::memory_order_release);
  return chains[0];
}

Goroutine* take_chain(Pool& p) {
  {
    const std::lock_guard guard(p.lock);
    if (Goroutine* first = p.chains) {
      p.chains = static_cast<Goroutine*>(std::exchange(first->fired, nullptr));
      return first;
    }
  }
  return new_chains(p);
}

}  // namespace

Goroutine* new_goroutine_shared() {
  Pool& p = pool();
  const std::lock_guard guard(p.shared_lock);
  return p.shared.get();
}

void free_goroutine_shared(Goroutine* g) {
  Pool& p = pool();
  const std::lock_guard guard(p.shared_lock);
  p.shared.put(g);
}

Goroutine* GoroutineCache::get() {
  if (!free_) {
    free_ = full_ ? std::exchange(full_, nullptr) : take_chain(pool());
    count_ = kChain;
  }
  count_--;
  Goroutine* g = std::exchange(free_, free_->next);
  g->next = nullptr;
  return g;
}

void GoroutineCache::put(Goroutine* g) {
  // Whoever looks at it must not take it for what it was.
  g->site.store({}, std::memory_order_relaxed);
  g->scope.store(nullptr, std::memory_order_relaxed);
  g->next = std::exchange(free_, g);
  if (++count_ < kChain) return;
  count_ = 0;
  put_chain(pool(), std::exchange(full_, std::exchange(free_, nullptr)));
}

void GoroutineCache::give_back_all() {
  put_chain(pool(), std::exchange(free_, nullptr));
  put_chain(pool(), std::exchange(full_, nullptr));
  count_ = 0;
}

const std::atomic<GoroutineSlab*>* goroutine_slabs() { return &pool().slabs; }

void for_each_goroutine(FnRef<void(Goroutine&)> visit) {
  for (GoroutineSlab* s = pool().slabs.load(std::memory_order_acquire); s; s = s->next) {
    for (auto& g : s->goroutines) visit(g);
  }
}

void for_each_live_goroutine(FnRef<void(Goroutine&, int64_t)> visit) {
  for (GoroutineSlab* s = pool().slabs.load(std::memory_order_acquire); s; s = s->next) {
    for (auto& g : s->goroutines) {
      if (g.native.load(std::memory_order_relaxed) ||
          g.site.load(std::memory_order_relaxed).line() != 0) {
        visit(g, s->first_number + (&g - s->goroutines));
      }
    }
  }
}

void forget_goroutines_after_fork() {
  for_each_live_goroutine([](Goroutine& g, int64_t) {
    g.site.store({}, std::memory_order_relaxed);
    g.thread.store(0, std::memory_order_relaxed);
  });
}

void lock_goroutine_pool_for_fork() {
  pool().shared_lock.lock();
  pool().region_lock.lock();
  pool().lock.lock();
}

void unlock_goroutine_pool_after_fork() {
  pool().lock.unlock();
  pool().region_lock.unlock();
  pool().shared_lock.unlock();
}

}  // namespace gotorch::runtime
