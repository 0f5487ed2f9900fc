#pragma once
#include <boost/context/stack_context.hpp>
#include <cstddef>

namespace gotorch::runtime {

// Stacks for fibers: 256 KB of address space each (GOTORCH_STACK_KB), of which only touched pages
// cost memory, with an inaccessible page below so that an overflow faults instead of corrupting.
// Fibers are pooled and never end, so neither do stacks. Thread-safe.
struct StackAllocator {
  boost::context::stack_context allocate();  // std::bad_alloc if there is no more
  void deallocate(boost::context::stack_context&) noexcept {}
};

size_t stack_bytes();
int stacks_made();

void lock_stacks_for_fork();
void unlock_stacks_after_fork();

}  // namespace gotorch::runtime
