// Invariants
//  - Small classes (up to 32 KiB) are multiples of 64 bytes up to 1 KiB, then eight per power of two. Their blocks are
//    cut from 1 MiB slabs that are never returned; large classes are mapped one by one.
//  - A block lies in exactly one place: with its user, in one thread's cache, or in one shared list.
//  - A thread's cache is touched by that thread only; shared lists are under the mutex.
//  - The first 8 bytes of a free block link it to the next; no other byte of a free block is read.
//  - AddressSanitizer knows the bounds and the fate of blocks that it hands out itself. Caching would hide both from it, so
//    there every block comes from the system and goes back at once.
#include "tensor/allocator.h"

#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <new>

#include "runtime/sanitizer.h"
#include "tensor/buffer.h"
#include "tensor/error.h"

namespace gotorch {
namespace {

constexpr size_t kSmallest = 64;
constexpr size_t kLinearLimit = 1024;
constexpr size_t kSmallLimit = 32 << 10;
constexpr size_t kSlab = 1 << 20;
constexpr size_t kHugePage = 2 << 20;
constexpr int kLinearClasses = kLinearLimit / kSmallest;
constexpr int kPerDoubling = 8;
constexpr int kClasses = kLinearClasses + kPerDoubling * 40;  // up to 2^50 bytes
constexpr int kSmallClasses = kLinearClasses + kPerDoubling * 5;
constexpr int kThreadCacheBytes = 256 << 10;  // per small class

struct FreeBlock {
  FreeBlock* next;
};

int class_of(size_t bytes) {
  if (bytes <= kLinearLimit) return bytes ? static_cast<int>((bytes - 1) / kSmallest) : 0;
  const int log = std::bit_width(bytes - 1) - 1;  // 2^log < bytes <= 2^(log+1)
  const size_t step = (size_t{1} << log) / kPerDoubling;
  const int within = static_cast<int>((bytes - 1 - (size_t{1} << log)) / step);
  return kLinearClasses + (log - 10) * kPerDoubling + within;
}

size_t size_of_class(int c) {
  if (c < kLinearClasses) return (c + 1) * kSmallest;
  const int log = 10 + (c - kLinearClasses) / kPerDoubling;
  const int within = (c - kLinearClasses) % kPerDoubling;
  return (size_t{1} << log) + (within + 1) * ((size_t{1} << log) / kPerDoubling);
}

int64_t physical_memory() {
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

// Memory and swap space; or less, where the process is held to less.
int64_t default_limit() {
  struct sysinfo s {};
  int64_t limit = physical_memory();
  if (sysinfo(&s) == 0) limit += static_cast<int64_t>(s.totalswap) * s.mem_unit;
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    if (int64_t held_to; file >> held_to && held_to > 0) limit = std::min(limit, held_to);
  }
  return limit;
}

struct Shared {
  std::mutex mutex;
  std::array<FreeBlock*, kClasses> free{};
  std::byte* slab = nullptr;
  size_t slab_left = 0;
  int64_t cached_large = 0;
  int64_t cache_limit = physical_memory() / 4;
  const int64_t limit = default_limit();
  // Statistics: relaxed, since they order nothing.
  std::atomic<int64_t> allocated{0}, peak{0}, reserved{0};
};

// Never destroyed: tensors in static objects may be freed after static destructors have run.
Shared& shared() {
  static Shared* s = new Shared;
  return *s;
}

void count(int64_t bytes) {
  Shared& s = shared();
  const int64_t now = s.allocated.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  raise_peak_memory(now);
}

[[noreturn]] void out_of_memory(size_t bytes) {
  fail<OutOfMemoryError>("cannot allocate ", bytes, " bytes: out of memory (",
                         memory_stats().allocated, " bytes are in use by tensors)");
}

void* map(size_t bytes) {
  // Relaxed: two threads may pass the limit together by one block each.
  const int64_t held = shared().reserved.load(std::memory_order_relaxed);
  if (static_cast<int64_t>(bytes) > shared().limit - held) return nullptr;
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  if (bytes >= kHugePage) madvise(p, bytes, MADV_HUGEPAGE);
  shared().reserved.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  return p;
}

void unmap(void* p, size_t bytes) {
  munmap(p, bytes);
  shared().reserved.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
}

struct ThreadCache {
  std::array<FreeBlock*, kSmallClasses> free{};
  std::array<uint32_t, kSmallClasses> count{};
  int64_t uncounted = 0;  // change of `allocated` not yet told to the shared counter

  ~ThreadCache() {
    for (int c = 0; c < kSmallClasses; c++) give_back(c, count[c]);
    gotorch::count(std::exchange(uncounted, 0));
  }

  void tally(int64_t bytes) {
    uncounted += bytes;
    if (uncounted > kThreadCacheBytes || uncounted < -kThreadCacheBytes)
      gotorch::count(std::exchange(uncounted, 0));
  }

  void* take(int c, size_t bytes) {
    if (!free[c] && !refill(c)) [[unlikely]] {
      empty_cache();
      if (!refill(c)) out_of_memory(bytes);
    }
    FreeBlock* block = free[c];
    free[c] = block->next;
    count[c]--;
    tally(static_cast<int64_t>(size_of_class(c)));
    return block;
  }

  void put(int c, void* p) {
    auto* block = static_cast<FreeBlock*>(p);
    block->next = free[c];
    free[c] = block;
    count[c]++;
    const size_t size = size_of_class(c);
    tally(-static_cast<int64_t>(size));
    if (count[c] * size > kThreadCacheBytes) [[unlikely]]
      give_back(c, count[c] / 2 + 1);
  }

  // Fills class c from the shared list or from a slab.
  bool refill(int c) {
    Shared& s = shared();
    const size_t size = size_of_class(c);
    const uint32_t wanted = std::max<uint32_t>(1, static_cast<uint32_t>(4096 / size));
    std::lock_guard lock(s.mutex);
    for (uint32_t i = 0; i < wanted; i++) {
      FreeBlock* block = s.free[c];
      if (block) {
        s.free[c] = block->next;
      } else {
        if (s.slab_left < size) {
          s.slab = static_cast<std::byte*>(map(kSlab));
          s.slab_left = s.slab ? kSlab : 0;
          if (!s.slab) return count[c] > 0;
        }
        block = reinterpret_cast<FreeBlock*>(s.slab);
        s.slab += size;
        s.slab_left -= size;
      }
      block->next = free[c];
      free[c] = block;
      count[c]++;
    }
    return true;
  }

  void give_back(int c, uint32_t n) {
    if (n == 0) return;
    Shared& s = shared();
    std::lock_guard lock(s.mutex);
    for (; n; n--) {
      FreeBlock* block = free[c];
      free[c] = block->next;
      count[c]--;
      block->next = s.free[c];
      s.free[c] = block;
    }
  }
};

// This thread's; null: not made yet, or gone, as thread-local objects are destroyed before some tensors are. Found without a call.
[[gnu::tls_model("initial-exec")]] constinit thread_local ThreadCache* cache_here = nullptr;
constinit thread_local bool cache_is_gone = false;

[[gnu::noinline]] ThreadCache* make_thread_cache() {
  struct Holder {
    ThreadCache cache;
    ~Holder() {
      cache_here = nullptr;
      cache_is_gone = true;
    }
  };
  if (cache_is_gone) return nullptr;
  thread_local Holder holder;
  return cache_here = &holder.cache;
}

// Never inlined: a goroutine may continue on another thread, and a cached address would be the old thread's.
[[gnu::noinline]] ThreadCache* thread_cache() {
  ThreadCache* cache = cache_here;
  return cache ? cache : make_thread_cache();
}

void* allocate_large(size_t bytes) {
  expect_room(bytes);
  Shared& s = shared();
  const int c = class_of(bytes);
  if (c >= kClasses) out_of_memory(bytes);
  const size_t size = size_of_class(c);
  {
    std::lock_guard lock(s.mutex);
    if (FreeBlock* block = s.free[c]) {
      s.free[c] = block->next;
      s.cached_large -= static_cast<int64_t>(size);
      count(static_cast<int64_t>(size));
      return block;
    }
  }
  void* p = map(size);
  if (!p) {
    empty_cache();
    p = map(size);
  }
  if (!p) out_of_memory(bytes);
  count(static_cast<int64_t>(size));
  return p;
}

void deallocate_large(void* p, size_t bytes) {
  Shared& s = shared();
  const int c = class_of(bytes);
  const auto size = static_cast<int64_t>(size_of_class(c));
  count(-size);
  {
    std::lock_guard lock(s.mutex);
    if (s.cached_large + size <= s.cache_limit) {
      auto* block = static_cast<FreeBlock*>(p);
      block->next = s.free[c];
      s.free[c] = block;
      s.cached_large += size;
      return;
    }
  }
  unmap(p, static_cast<size_t>(size));
}

void* allocate_uncached(size_t bytes) {
  expect_room(bytes);
  void* p = nullptr;
  if (posix_memalign(&p, kSmallest, bytes)) out_of_memory(bytes);
  const auto size = static_cast<int64_t>(size_of_class(class_of(bytes)));
  shared().reserved.fetch_add(size, std::memory_order_relaxed);
  count(size);
  return p;
}

void deallocate_uncached(void* p, size_t bytes) {
  const auto size = static_cast<int64_t>(size_of_class(class_of(bytes)));
  shared().reserved.fetch_sub(size, std::memory_order_relaxed);
  count(-size);
  std::free(p);
}

}  // namespace

void expect_room(size_t bytes) {
  if (bytes > static_cast<size_t>(shared().limit)) out_of_memory(bytes);
}

void* allocate(size_t bytes) {
  if constexpr (runtime::kAddressSanitizer) return allocate_uncached(bytes);
  if (bytes > kSmallLimit) return allocate_large(bytes);
  const int c = class_of(bytes);
  if (ThreadCache* cache = thread_cache()) [[likely]]
    return cache->take(c, bytes);
  ThreadCache once;  // this thread is ending
  return once.take(c, bytes);
}

void deallocate(void* p, size_t bytes) noexcept {
  if constexpr (runtime::kAddressSanitizer) return deallocate_uncached(p, bytes);
  if (bytes > kSmallLimit) return deallocate_large(p, bytes);
  const int c = class_of(bytes);
  if (ThreadCache* cache = thread_cache()) [[likely]]
    return cache->put(c, p);
  ThreadCache once;
  once.put(c, p);
}

void* allocate_working(size_t bytes) {
  expect_room(bytes);
  void* p = ::operator new(bytes, std::align_val_t{64}, std::nothrow);
  if (!p) out_of_memory(bytes);
  return p;
}

void free_working(void* block) noexcept { ::operator delete(block, std::align_val_t{64}); }

MemoryStats memory_stats() {
  Shared& s = shared();
  if (ThreadCache* cache = thread_cache()) count(std::exchange(cache->uncounted, 0));
  return {s.allocated.load(std::memory_order_relaxed), s.peak.load(std::memory_order_relaxed),
          s.reserved.load(std::memory_order_relaxed)};
}

int64_t reset_peak_memory() {
  return shared().peak.exchange(memory_stats().allocated, std::memory_order_relaxed);
}

void raise_peak_memory(int64_t bytes) {
  std::atomic<int64_t>& peak = shared().peak;
  int64_t before = peak.load(std::memory_order_relaxed);
  while (bytes > before && !peak.compare_exchange_weak(before, bytes, std::memory_order_relaxed)) {
  }
}

void empty_cache() {
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  for (int c = kSmallClasses; c < kClasses; c++) {
    while (FreeBlock* block = s.free[c]) {
      s.free[c] = block->next;
      unmap(block, size_of_class(c));
    }
  }
  s.cached_large = 0;
}

void set_cache_limit(int64_t bytes) {
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  s.cache_limit = bytes;
}

}  // namespace gotorch
