#pragma once
// The caching allocator of tensor memory. Freed blocks are kept by size class and handed out again,
// so a training step touches no fresh page after the first one.
//
// Thread-safety: all functions may be called from any thread; a block may be freed by another
// thread than the one that allocated it.
#include <cstddef>
#include <cstdint>

namespace gotorch {

// At least `bytes` bytes, aligned to 64. Throws OutOfMemoryError that names the size: where the system refuses, and before
// more would be held than there is memory, where a system that promises more than it has would end the process later.
void* allocate(size_t bytes);
// `bytes` must be the size that was asked for.
void deallocate(void* block, size_t bytes) noexcept;

// Throws OutOfMemoryError if so many bytes could not be had even if nothing else were in use.
void expect_room(size_t bytes);

struct MemoryStats {
  int64_t allocated;      // bytes in live blocks, rounded up to their size classes
  int64_t max_allocated;  // the largest `allocated` since start or reset
  int64_t reserved;       // bytes held from the system: live blocks and cached ones
};
MemoryStats memory_stats();
// Starts max_allocated anew, at `allocated`, and returns what it was.
int64_t reset_peak_memory();
// Makes max_allocated at least `bytes`.
void raise_peak_memory(int64_t bytes);
// Gives cached blocks of more than a page class back to the system.
void empty_cache();
// Cached large blocks beyond this many bytes go back to the system at once. Default: a quarter of RAM.
void set_cache_limit(int64_t bytes);

}  // namespace gotorch
