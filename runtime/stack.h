#pragma once
// Stacks for goroutines: address space, of which only touched pages cost memory.
//
// Invariants
//  - Below each stack lies a guard that faults, so that an overflow is an error and not corruption. Where the system has no
//    room for more guards (each costs two of the 65530 mappings that a process may have before Linux 6.13), the words below
//    the stack, which belong to nobody, are looked at whenever its goroutine waits: they stay zero.
//  - A stack's top lies in the upper half of a page, so that a goroutine that waits with few frames costs one page.
//  - Address space is never given back, the memory of a freed stack is. Thread-safe.
#include <cstddef>
#include <cstdint>

namespace gotorch::runtime {

// An index into the sizes that stacks have; 0 is the usual one: 256 KB, or GOTORCH_STACK_KB.
using StackClass = uint8_t;
inline constexpr StackClass kStackClasses = 6;

// The smallest that has `kb` KB; 0 for the usual one. std::invalid_argument if there is none.
StackClass stack_class(int64_t kb);
size_t stack_bytes(StackClass size);

struct Stack {
  char* low = nullptr;  // the guard ends here
  char* top = nullptr;  // it grows down from here
  StackClass size = 0;
  bool guarded = false;

  bool guards(const void* address) const;
  bool overflowed() const;  // as far as that can be seen; only of one without a guard
};

Stack allocate_stack(StackClass size);  // std::bad_alloc if there is no more
void free_stack(const Stack& stack);

void lock_stacks_for_fork();
void unlock_stacks_after_fork();

}  // namespace gotorch::runtime
