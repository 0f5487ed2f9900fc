#include "runtime/goroutine.h"

#include "runtime/goroutine_slab.h"
#include "runtime/spin.h"

namespace gotorch::runtime {
namespace {

constexpr int kBatch = 64;

struct Pool {
  SpinLock lock;  // guards free; slabs are only ever added
  Goroutine* free = nullptr;
  std::atomic<GoroutineSlab*> slabs{nullptr};
};

Pool& pool() {
  static Pool* p = new Pool;  // never destroyed: threads may outlive static destructors
  return *p;
}

void add_slab(Pool& p) {
  auto* slab = new GoroutineSlab;
  for (int i = GoroutineSlab::kCount;
       i-- > 0;) {  // so that the first one taken has the lowest number
    slab->goroutines[i].next = p.free;
    p.free = &slab->goroutines[i];
  }
  slab->next = p.slabs.load(std::memory_order_relaxed);
  slab->first_number = slab->next ? slab->next->first_number + GoroutineSlab::kCount : 1;
  // release: who walks the list finds the goroutines constructed.
  p.slabs.store(slab, std::memory_order_release);
}

Goroutine* take(Goroutine*& list) {
  Goroutine* g = list;
  list = g->next;
  g->next = nullptr;
  return g;
}

struct Locked {
  explicit Locked(Pool& p) : p(p) { p.lock.lock(); }
  ~Locked() { p.lock.unlock(); }
  Pool& p;
};

}  // namespace

Goroutine* new_goroutine_shared() {
  Pool& p = pool();
  Locked locked(p);
  if (!p.free) add_slab(p);
  return take(p.free);
}

// Whoever looks at it must not take it for what it was.
static void forget(Goroutine& g) {
  g.site.store({}, std::memory_order_relaxed);
  g.scope.store(nullptr, std::memory_order_relaxed);
}

void free_goroutine_shared(Goroutine* g) {
  forget(*g);
  Pool& p = pool();
  Locked locked(p);
  g->next = p.free;
  p.free = g;
}

Goroutine* GoroutineCache::get() {
  if (!free_) {
    Pool& p = pool();
    Locked locked(p);
    for (count_ = 0; count_ < kBatch; count_++) {
      if (!p.free) add_slab(p);
      Goroutine* g = take(p.free);
      g->next = free_;
      free_ = g;
    }
  }
  count_--;
  return take(free_);
}

void GoroutineCache::put(Goroutine* g) {
  forget(*g);
  g->next = free_;
  free_ = g;
  if (++count_ < 4 * kBatch) return;
  Pool& p = pool();
  Locked locked(p);
  for (; count_ > 2 * kBatch; count_--) {
    Goroutine* spare = take(free_);
    spare->next = p.free;
    p.free = spare;
  }
}

void GoroutineCache::give_back_all() {
  for (; free_; count_--) free_goroutine_shared(take(free_));
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

void lock_goroutine_pool_for_fork() { pool().lock.lock(); }
void unlock_goroutine_pool_after_fork() { pool().lock.unlock(); }

}  // namespace gotorch::runtime
