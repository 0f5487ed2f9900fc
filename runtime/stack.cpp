#include "runtime/stack.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "runtime/sanitizer.h"
#include "runtime/spin.h"

namespace gotorch::runtime {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kGuard = 2 * kPage;  // frames of up to this size cannot step over it
constexpr size_t kMapBytes = size_t{4} << 20;
// Tops at equal places in their pages would compete for the same few sets of the caches.
constexpr size_t kColours = 32, kColourBytes = 64;
static_assert(kColours * kColourBytes <= kPage / 2);
constexpr int kMaxMappedGuards = 16384;
constexpr int kMadviseGuard = 102;  // MADV_GUARD_INSTALL, which needs no mapping of its own

struct Region {
  SpinLock lock;
  char* next = nullptr;
  size_t left = 0;
  size_t made = 0;
  std::vector<Stack> freed;
};

Region& region(StackClass size) {
  static auto* regions = new std::array<Region, kStackClasses>;  // threads may outlive statics
  return (*regions)[size];
}

// With guard, a page for the colours, and an odd number of pages: else few sets of the TLB would have all tops.
size_t spacing(StackClass size) {
  const size_t bytes = kGuard + stack_bytes(size) + kPage;
  return bytes / kPage % 2 ? bytes : bytes + kPage;
}

bool add_guard(char* p) {
  static std::atomic<bool> by_madvise{true};
  static std::atomic<int> mapped{0};
  if (by_madvise.load(std::memory_order_relaxed)) {
    if (madvise(p, kGuard, kMadviseGuard) == 0) return true;
    by_madvise.store(false, std::memory_order_relaxed);
  }
  return mapped.fetch_add(1, std::memory_order_relaxed) < kMaxMappedGuards &&
         mprotect(p, kGuard, PROT_NONE) == 0;
}

// Under the lock of the region.
char* take_room(Region& r, StackClass size) {
  const size_t each = spacing(size);
  if (r.left == 0) {
    const size_t count = std::max<size_t>(1, kMapBytes / each);
    void* p = mmap(nullptr, each * count, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return nullptr;
    madvise(p, each * count, MADV_NOHUGEPAGE);  // a huge page per stack would be touched
    r.next = static_cast<char*>(p);
    r.left = count;
  }
  r.left--;
  r.made++;
  return std::exchange(r.next, r.next + each);
}

}  // namespace

size_t stack_bytes(StackClass size) {
  static const auto sizes = [] {
    const char* text = std::getenv("GOTORCH_STACK_KB");
    const long usual = text ? std::strtol(text, nullptr, 10) : 256;
    std::array<size_t, kStackClasses> kb{
        static_cast<size_t>(std::clamp(usual, 32L, 65536L)), 16, 64, 256, 1024, 8192};
    for (size_t& n : kb) {
      if (GOTORCH_SANITIZED) n = std::max<size_t>(n, 128);  // instrumented frames are larger
      n = n * 1024 / kPage * kPage;
    }
    return kb;
  }();
  return sizes[size];
}

StackClass stack_class(int64_t kb) {
  const auto size_kb = [](int c) {
    return static_cast<int64_t>(stack_bytes(static_cast<StackClass>(c)) / 1024);
  };
  if (kb == 0) return 0;
  int best = -1;
  for (int c = 0; c < kStackClasses; c++) {
    const int64_t has = size_kb(c);
    if (has < kb) continue;
    if (best < 0 || has < size_kb(best)) best = c;
  }
  if (kb < 0 || best < 0) {
    throw std::invalid_argument("go: stack_kb must be between 0 and 8192, got " +
                                std::to_string(kb));
  }
  return static_cast<StackClass>(best);
}

Stack allocate_stack(StackClass size) {
  Region& r = region(size);
  r.lock.lock();
  if (!r.freed.empty()) {
    const Stack stack = r.freed.back();
    r.freed.pop_back();
    r.lock.unlock();
    return stack;
  }
  char* base = take_room(r, size);
  const size_t colour = r.made % kColours * kColourBytes;
  r.lock.unlock();
  if (!base) throw std::bad_alloc();
  return {base + kGuard, base + spacing(size) - colour, size, add_guard(base)};
}

void free_stack(const Stack& stack) {
  char* end = stack.low - kGuard + spacing(stack.size);
  madvise(stack.low, static_cast<size_t>(end - stack.low), MADV_DONTNEED);
  Region& r = region(stack.size);
  r.lock.lock();
  r.freed.push_back(stack);
  r.lock.unlock();
}

bool Stack::guards(const void* address) const {
  const char* p = static_cast<const char*>(address);
  return p >= low - kGuard && p < low;
}

// Volatile: an optimiser may know that nobody ever writes there.
bool Stack::overflowed() const {
  const auto* word = reinterpret_cast<const volatile uint64_t*>(low);
  uint64_t seen = 0;
  for (int i = 1; i <= 8; i++) seen |= word[-i];
  return seen != 0;
}

void lock_stacks_for_fork() {
  for (int c = 0; c < kStackClasses; c++) region(static_cast<StackClass>(c)).lock.lock();
}
void unlock_stacks_after_fork() {
  for (int c = 0; c < kStackClasses; c++) region(static_cast<StackClass>(c)).lock.unlock();
}

}  // namespace gotorch::runtime
