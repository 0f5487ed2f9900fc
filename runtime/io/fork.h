#pragma once
namespace gotorch::runtime {

// In a forked child: what the parent has opened stays its own, its threads are not here.
void forget_io_after_fork();

}  // namespace gotorch::runtime
