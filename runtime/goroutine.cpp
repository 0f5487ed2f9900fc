#include "runtime/goroutine.h"

#include "runtime/spin.h"

namespace gotorch::runtime {
namespace {

constexpr int kSlabCount = 511;
constexpr int kBatch = 64;

struct Slab {
  Slab* next;
  alignas(128) Goroutine goroutines[kSlabCount];
};

struct Pool {
  SpinLock lock;  // guards free; slabs are only ever added
  Goroutine* free = nullptr;
  std::atomic<Slab*> slabs{nullptr};
};

Pool& pool() {
  static Pool* p = new Pool;  // never destroyed: threads may outlive static destructors
  return *p;
}

void add_slab(Pool& p) {
  auto* slab = new Slab;
  for (auto& g : slab->goroutines) {
    g.next = p.free;
    p.free = &g;
  }
  slab->next = p.slabs.load(std::memory_order_relaxed);
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

void free_goroutine_shared(Goroutine* g) {
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

void for_each_goroutine(FnRef<void(Goroutine&)> visit) {
  for (Slab* s = pool().slabs.load(std::memory_order_acquire); s; s = s->next) {
    for (auto& g : s->goroutines) visit(g);
  }
}

void lock_goroutine_pool_for_fork() { pool().lock.lock(); }
void unlock_goroutine_pool_after_fork() { pool().lock.unlock(); }

}  // namespace gotorch::runtime
