#include "runtime/parallel.h"

#include <algorithm>

#include "runtime/interrupt.h"
#include "runtime/park.h"
#include "runtime/scheduler.h"
#include "runtime/simulate.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

// Waking a sleeper costs its caller about 2 microseconds and the sleeper 5 to 50: spin that long.
constexpr int64_t kSpinNs = 30'000;
constexpr int64_t kPoliteSpinNs = 5'000;

// Polls the interrupt check on native threads; workers are not interrupted.
class InterruptPoll {
 public:
  explicit InterruptPoll(bool native) : next_(native ? now_ns() + kInterruptSliceNs : kForever) {}
  bool fired() {
    if (fired_ || next_ == kForever || now_ns() < next_) return fired_;
    next_ = now_ns() + kInterruptSliceNs;
    return fired_ = interrupt_requested();
  }

 private:
  int64_t next_;
  bool fired_ = false;
};

void run_alone(int64_t n, int64_t grain, RangeFn body, InterruptPoll& poll) {
  struct Inside {
    Inside() { loop_depth()++; }
    ~Inside() { loop_depth()--; }
  } inside;
  for (int64_t b = 0; b < n;) {
    const int64_t e = n - b <= grain ? n : b + grain;
    body(b, e);
    b = e;
    if (poll.fired()) throw Interrupted();
  }
}

bool spin_until_finished(Loop& loop) {
  const auto finished = [&] {
    // acquire: what the chunks wrote is seen by the caller.
    return loop.unfinished.load(std::memory_order_acquire) == 0;
  };
  if (finished()) return true;
  for (const int64_t start = now_ns();;) {
    for (int i = 0; i < 32; i++) {
      if (finished()) return true;
      cpu_relax();
    }
    const int64_t spent = now_ns() - start;
    if (spent > kSpinNs) return false;
    if (spent > kPoliteSpinNs) sched_yield();
  }
}

// A goroutine does not park here, although the wait may last as long as a chunk: kernels hold thread-local scratch, and
// evaluation holds a lock, across loops, so neither may it move nor may another goroutine run on this thread meanwhile.
void wait_for_helpers(Loop& loop, InterruptPoll& poll) {
  if (spin_until_finished(loop)) return;
  // acquire: if we see zero, all is done and seen. release: `over` is seen as 0 by who sets it.
  if (loop.unfinished.fetch_add(Loop::kParked, std::memory_order_acq_rel) == 0) return;
  while (loop.over.load(std::memory_order_acquire) == 0) {
    futex_wait(loop.over, 0, kInterruptSliceNs);
    poll.fired();
  }
}

}  // namespace

void serial_for(int64_t n, int64_t grain, RangeFn body) {
  InterruptPoll poll(!this_worker());
  run_alone(n, std::max<int64_t>(grain, 1), body, poll);
}

void parallel_chunks(int64_t n, int64_t grain, RangeFn body) {
  grain = std::max<int64_t>(grain, 1);
  const bool native = !this_worker();
  InterruptPoll poll(native);
  const int64_t chunks = (n - 1) / grain + 1;
  if (num_workers() == 1 || chunks > Loop::kMaxChunks || this_simulation())
    return run_alone(n, grain, body, poll);
  Scheduler& s = scheduler();
  Loop* loop = s.loops.acquire();
  if (!loop) return run_alone(n, grain, body, poll);
  const bool takes_a_place = native && loop_depth() == 0;
  if (takes_a_place) s.enter_caller();
  s.loops.open(*loop, n, grain, chunks, body);
  s.wake(std::min<int64_t>({chunks - 1, s.spare_workers(), 2}));
  while (loop->run_first()) {
    if (poll.fired()) loop->cancel();
  }
  s.loops.close(*loop);
  wait_for_helpers(*loop, poll);
  if (takes_a_place) s.leave_caller();
  const std::exception_ptr error = std::exchange(loop->error, nullptr);
  s.loops.release(*loop);
  if (poll.fired()) throw Interrupted();
  if (error) std::rethrow_exception(error);
}

namespace {
alignas(64) std::atomic<uint32_t> helping_epoch{0};
std::atomic<int> helping_sleepers{0};

bool help_once(unsigned turn, FnRef<bool()> keep_on) {
  const HelperPlace place(scheduler());
  return place && scheduler().help(place, turn, keep_on);
}
}  // namespace

void wait_helping(FnRef<bool()> condition) {
  // A condition may take what it waits for, a lock: once it has said yes it is not asked again.
  bool met = false;
  const auto done = [&] { return met || (met = condition()); };
  int64_t idle_since = now_ns(), nap_ns = 50'000;
  for (unsigned turn = 0;; turn++) {
    // seq_cst: the epoch is read before done(), so a wake after our look is not missed.
    const uint32_t epoch = helping_epoch.load(std::memory_order_seq_cst);
    if (done()) return;
    if (num_workers() > 1 && help_once(turn, [&] { return !done(); })) {
      idle_since = now_ns();
      nap_ns = 50'000;
    } else if (const int64_t spent = now_ns() - idle_since; spent < kSpinNs) {
      cpu_relax();
      if (spent > kPoliteSpinNs) sched_yield();
    } else {
      helping_sleepers.fetch_add(1, std::memory_order_seq_cst);
      if (!done()) futex_wait(helping_epoch, epoch, nap_ns);
      helping_sleepers.fetch_sub(1, std::memory_order_relaxed);
      nap_ns = std::min<int64_t>(2 * nap_ns, 1'000'000);
    }
  }
}

void wake_helping() {
  // seq_cst: whatever made done() true comes before our look for sleepers.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (helping_sleepers.load(std::memory_order_seq_cst) == 0) return;
  helping_epoch.fetch_add(1, std::memory_order_seq_cst);
  futex_wake(helping_epoch, INT32_MAX);
}

}  // namespace gotorch::runtime
