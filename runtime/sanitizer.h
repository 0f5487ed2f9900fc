#pragma once
// What AddressSanitizer and ThreadSanitizer have to be told about stacks that are left and resumed.
// Without a sanitizer everything here is empty.
//
// Invariants
//  - StackMark belongs to one stack. leaving() runs on the stack that is left, arrived() first thing on the one that comes
//    next, on the same thread; between the two runs no instrumented code that could throw or keep a frame elsewhere.
//  - leaving() is always inlined: ThreadSanitizer counts calls and returns by stack, and a call that began on one must
//    not return on the other.
//  - Leak detection does not look at stacks that nobody runs on: what a goroutine that never ends alone refers to is a leak.
//  - ThreadSanitizer takes each stack for a thread of its own. Two that follow each other on one real thread are in order,
//    and leaving() tells it so.
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GOTORCH_SANITIZED 1
#else
#define GOTORCH_SANITIZED 0
#endif

namespace gotorch::runtime {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif

#if defined(__SANITIZE_ADDRESS__)

class StackMark {
 public:
  StackMark() = default;
  StackMark(void* top, size_t size) : bottom_(static_cast<char*>(top) - size), size_(size) {}
  void adopt() {}  // a thread's own bounds become known when it is first left
  [[gnu::always_inline]] void leaving(StackMark& to) {
    __sanitizer_start_switch_fiber(&frames_, to.bottom_, to.size_);
  }
  void arrived(StackMark& from) {
    __sanitizer_finish_switch_fiber(frames_, &from.bottom_, &from.size_);
  }
  void end() { __asan_unpoison_memory_region(bottom_, size_); }  // of frames that were not left

 private:
  void* frames_ = nullptr;  // where it keeps local variables, if not on the stack
  const void* bottom_ = nullptr;
  size_t size_ = 0;
};

#elif defined(__SANITIZE_THREAD__)

class StackMark {
 public:
  StackMark() = default;
  StackMark(void*, size_t) : id_(__tsan_create_fiber(0)) {}
  void adopt() { id_ = __tsan_get_current_fiber(); }
  [[gnu::always_inline]] void leaving(StackMark& to) { __tsan_switch_to_fiber(to.id_, 0); }
  void arrived(StackMark&) {}
  void end() { __tsan_destroy_fiber(id_); }

 private:
  void* id_ = nullptr;
};

#else

class StackMark {
 public:
  StackMark() = default;
  StackMark(void*, size_t) {}
  void adopt() {}
  void leaving(StackMark&) {}
  void arrived(StackMark&) {}
  void end() {}
};

#endif

}  // namespace gotorch::runtime
