#include "runtime/io/fork.h"

#include "runtime/io/poller.h"
#include "runtime/io/pool.h"
#include "runtime/io/signals.h"

namespace gotorch::runtime {

void forget_io_after_fork() {
  forget_poller_after_fork();
  forget_pools_after_fork();
  forget_signals_after_fork();
}

}  // namespace gotorch::runtime
