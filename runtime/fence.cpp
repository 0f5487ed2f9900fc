#include "runtime/fence.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gotorch::runtime {
namespace {

bool membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

bool registered() { return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); }

}  // namespace

const bool kHasMembarrier = registered();

void heavy_fence() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!kHasMembarrier) return;
  // A forked child may have to register anew.
  while (!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) registered();
}

}  // namespace gotorch::runtime
