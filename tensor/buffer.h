#pragma once
// Working memory of kernels: on the heap, outside the statistics of tensor memory.
//   Buffer<int64_t> order(n);
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gotorch {

// At least `bytes` bytes, aligned to 64. Throws OutOfMemoryError that names the size.
void* allocate_working(size_t bytes);
void free_working(void* block) noexcept;

template <class T>
struct WorkingMemory {
  using value_type = T;
  WorkingMemory() = default;
  template <class U>
  WorkingMemory(const WorkingMemory<U>&) {}
  T* allocate(size_t n) {
    return static_cast<T*>(allocate_working(n > SIZE_MAX / sizeof(T) ? SIZE_MAX : n * sizeof(T)));
  }
  void deallocate(T* p, size_t) noexcept { free_working(p); }
  friend bool operator==(const WorkingMemory&, const WorkingMemory&) { return true; }
};

// A std::vector for sizes that follow from arguments: where there is no memory for it, the error names the bytes.
template <class T>
using Buffer = std::vector<T, WorkingMemory<T>>;

}  // namespace gotorch
