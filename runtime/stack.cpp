#include "runtime/stack.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "runtime/spin.h"

namespace gotorch::runtime {
namespace {

constexpr size_t kPage = 4096;
constexpr int kStacksPerMap = 16;
constexpr size_t kColours = 65536;
// Each guard page costs two of the 65530 mappings a process may have by default.
constexpr int kMaxGuarded = 16384;

struct Region {
  SpinLock lock;
  char* next = nullptr;
  int left = 0;
  int made = 0;
};
Region region;

}  // namespace

size_t stack_bytes() {
  static const size_t bytes = [] {
    const char* text = std::getenv("GOTORCH_STACK_KB");
    const long kb = text ? std::strtol(text, nullptr, 10) : 256;
    return static_cast<size_t>(std::clamp(kb, 32L, 65536L)) * 1024 / kPage * kPage;
  }();
  return bytes;
}

int stacks_made() {
  region.lock.lock();
  const int made = region.made;
  region.lock.unlock();
  return made;
}

boost::context::stack_context StackAllocator::allocate() {
  const size_t bytes = stack_bytes() + kColours;
  region.lock.lock();
  if (region.left == 0) {
    void* p = mmap(nullptr, bytes * kStacksPerMap, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
      region.lock.unlock();
      throw std::bad_alloc();
    }
    madvise(p, bytes * kStacksPerMap, MADV_NOHUGEPAGE);  // a huge page per stack would be touched
    region.next = static_cast<char*>(p);
    region.left = kStacksPerMap;
  }
  char* base = region.next;
  region.next += bytes;
  region.left--;
  const int number = region.made++;
  region.lock.unlock();
  if (number < kMaxGuarded) mprotect(base, kPage, PROT_NONE);
  // Tops at equal offsets would compete for the same few sets of the caches. 37 is odd, so all
  // offsets come up; untouched pages above a top cost no memory.
  const size_t colour = static_cast<size_t>(number) * 37 % (kColours / 64) * 64;
  boost::context::stack_context stack;
  stack.size = bytes - kPage - colour;
  stack.sp = base + bytes - colour;
  return stack;
}

void lock_stacks_for_fork() { region.lock.lock(); }
void unlock_stacks_after_fork() { region.lock.unlock(); }

}  // namespace gotorch::runtime
