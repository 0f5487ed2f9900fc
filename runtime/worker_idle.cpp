// What a worker does between finding nothing to run and sleeping, and how it is told of new work.
#include <algorithm>

#include "runtime/clock.h"
#include "runtime/coarse_clock.h"
#include "runtime/fence.h"
#include "runtime/io/poller.h"
#include "runtime/parallel.h"
#include "runtime/park.h"
#include "runtime/process_threads.h"
#include "runtime/scheduler.h"
#include "runtime/ticks.h"
#include "runtime/trace.h"
#include "runtime/watchdog.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

// A worker that has run out of work stays awake for about twice the usual time between two pieces
// of work, so that a training step finds it hot; never longer than this, and hardly at all where
// work comes more rarely.
constexpr int64_t kLongestSpinNs = 200'000;
constexpr int64_t kShortestSpinNs = 10'000;
// After this long somebody else may need the processor we spin on.
constexpr int64_t kPoliteSpinNs = 5'000;
// How long a woken goroutine stays with its waker before a thief may have it.
constexpr int64_t kAgedNs = 4'000;
// While others run goroutines the watcher looks at their next_ from time to time, for one that was
// readied by a goroutine that computes on.
constexpr int64_t kShortestNapNs = 50'000, kLongestNapNs = 10'000'000;

// In ticks. What was stolen should keep the thief busy for so long, or each goroutine of it at least for so long. How often
// waits for locks are added up, and which part of the time is too much.
constexpr int64_t kBusy = 20'000, kBusyEach = 3'000;
constexpr int64_t kFightWindow = 60'000, kFightShare = 4;
// How long a worker then keeps away from goroutines that were woken.
constexpr int64_t kShortestAwayNs = 20'000, kLongestAwayNs = 400'000;
constexpr int64_t kFirstWakeInterval = 50'000, kLastWakeInterval = 20'000'000;

}  // namespace

void Worker::ready(Goroutine* g) {
  counts_.wakes.add();
  // release: publishes the goroutine. Only we put one in, so an empty place stays empty.
  Goroutine* displaced = nullptr;
  if (!has_next()) next_.store(g, std::memory_order_release);
  else
    displaced =
        next_.exchange(g, std::memory_order_acq_rel);  // acquire: we pass on the one we displace
  if (displaced) {
    push_ring(displaced);
    return scheduler_.wake(1, false);
  }
  if (!scheduler_.could_wake()) return;
  // Two goroutines that talk through a channel come here each time, and waking another worker
  // would only tear them apart; one that computes on needs it. Whether thieves get anything tells.
  // Without a wake, the watcher will find it.
  const int64_t now = ticks();
  const int64_t interval = wake_interval_.load(std::memory_order_relaxed);
  if (now - last_wake_ < interval && scheduler_.watched()) return;
  wake_interval_.store(std::clamp(2 * interval, kFirstWakeInterval, kLastWakeInterval),
                       std::memory_order_relaxed);
  last_wake_ = now;
  scheduler_.wake(1, false);
}

void Worker::spawn(Goroutine* g) {
  counts_.spawned.add();
  deque_.push(g);
  scheduler_.wake(1);
}

void Worker::steal_paid_off(Worker& victim) {
  victim.wake_interval_.store(0, std::memory_order_relaxed);
}

void Worker::keep_away() {
  away_for_ns_ = std::clamp(2 * away_for_ns_, kShortestAwayNs, kLongestAwayNs);
  away_until_ns_ = real_now_ns() + away_for_ns_;
}

bool Worker::is_away() const { return away_until_ns_ > 0 && real_now_ns() < away_until_ns_; }

// Sleeps, unless this worker is the last that is there. Its own goroutines may be stolen meanwhile.
bool Worker::go_away() {
  const bool left = scheduler_.begin_away();
  seat_.away = left;
  if (left) look_for_work(true);
  else away_until_ns_ = 0;  // somebody has to be there
  seat_.away = false;
  scheduler_.end_away();
  return left;
}

// Goroutines that were woken, and taken from who woke them only to wait again at once, are better off there: those they talk to
// run there, and else each word crosses from one processor's cache to another's. So who takes them in vain keeps away for a
// while, ever longer.
void Worker::judge_last_steal() {
  if (stole_woken_at_ == 0) return;
  const int64_t busy = ticks() - std::exchange(stole_woken_at_, 0);
  const uint32_t switches = tick_.load(std::memory_order_relaxed) - stole_woken_tick_;
  if (busy < kBusy && busy < (switches + 1) * kBusyEach) keep_away();
  else away_for_ns_ = 0;
}

void Worker::note_steal_of_woken() {
  stole_woken_at_ = ticks();
  stole_woken_tick_ = tick_.load(std::memory_order_relaxed);
}

// The same where workers have goroutines enough, but wait for each other's spin locks: one of them alone is faster.
bool Worker::fights() {
  const int64_t now = ticks(), spent = now - fights_since_;
  if (spent < kFightWindow) return false;
  const bool much = fought_ > spent / kFightShare;
  fights_since_ = now;
  fought_ = 0;
  if (much) keep_away();
  return much;
}

#if !defined(GOTORCH_MODEL)
void note_wait_for_lock(int64_t ticks) {
  if (Worker* worker = this_worker()) worker->count_fight(ticks);
}
#endif

Goroutine* Worker::steal() {
  judge_last_steal();
  const bool away = is_away();
  const int count = scheduler_.started();
  const auto start = static_cast<int>(random() % static_cast<uint64_t>(count));
  for (int i = 0; i < count; i++) {
    Worker& victim = scheduler_.worker((start + i) % count);
    if (&victim == this || !victim.has_stealable()) continue;
    Goroutine* g = away ? nullptr : ring_.steal_from(victim.ring_);
    if (g) note_steal_of_woken();
    else g = victim.deque_.steal_into(deque_);
    if (!g) continue;
    steal_paid_off(victim);
    counts_.steals.add();
    trace::event(trace::Kind::Steal, g);
    return g;
  }
  return away ? nullptr : steal_aged_next();
}

Goroutine* Worker::steal_aged_next() {
  const int count = scheduler_.started();
  for (int i = 0; i < count; i++) {
    Worker& victim = scheduler_.worker((index_ + 1 + i) % count);
    Goroutine* g = victim.next_.load(std::memory_order_relaxed);
    if (!g || &victim == this) continue;
    const uint32_t tick = victim.tick_.load(std::memory_order_relaxed);
    const bool hasty = at_edge(Edge::Stealing);
    if (!hasty && (watched_ != &victim || watched_next_ != g || watched_tick_ != tick)) {
      watched_ = &victim;
      watched_next_ = g;
      watched_tick_ = tick;
      watched_since_ns_ = real_now_ns();
    } else if ((hasty || real_now_ns() - watched_since_ns_ > kAgedNs) &&
               victim.next_.compare_exchange_strong(g, nullptr, std::memory_order_acquire)) {
      watched_ = nullptr;
      note_steal_of_woken();
      steal_paid_off(victim);
      counts_.steals.add();
      trace::event(trace::Kind::Steal, g);
      return g;
    }
    return nullptr;  // one at a time
  }
  return nullptr;
}

// The last one to find work wakes another if there is more, for submitters who saw somebody
// searching and woke nobody.
void Worker::stop_searching(LooksAgain again) {
  if (!searching_) return;
  searching_ = false;
  if (scheduler_.idle.searching.fetch_sub(1, std::memory_order_relaxed) != 1 ||
      (scheduler_.idle.sleeping() == 0 && !scheduler_.could_wake()))
    return;
  // The decrement comes before the look at the sources, see IdleWorkers. The fence interrupts the other processors, 9
  // microseconds on a virtual machine: too much for each loop. Who helps a loop looks at the sources again after a chunk,
  // and finds then what was still on its way now.
  if (again == LooksAgain::Later) heavy_fence();
  if (scheduler_.has_work()) scheduler_.wake(1, scheduler_.has_work(false));
}

void Worker::look_for_work(bool away) {
  IdleWorkers& idle = scheduler_.idle;
  if (!searching_) {
    searching_ = true;
    idle.searching.fetch_add(1, std::memory_order_relaxed);
  }
  const int64_t since = real_now_ns();
  note_time(since);
  if (since >= scheduler_.backlog.carriers.due_ns()) scheduler_.backlog.carriers.free_unused(since);
  if (!away && may_spin() && spin()) return learn_gap(real_now_ns() - since);
  idle.enter(seat_);
  at_edge(Edge::Sleeping);
  searching_ = false;
  idle.searching.fetch_sub(1, std::memory_order_relaxed);
  const bool keeper = scheduler_.become_keeper(*this);
  // We are on the list, and known to keep the time, before we look at every source, and at who runs goroutines, for the
  // last time. Who publishes something, or starts to run goroutines, later finds us there.
  heavy_fence();
  const bool watcher = scheduler_.become_watcher();
  int64_t limit = sleep_limit(keeper, watcher);
  if (away) limit = std::min(limit, away_until_ns_ - real_now_ns());
  const bool polls = may_block_in_poll(watcher);
  Goroutine* found = nullptr;
  at_edge(Edge::Sleeping);
  const bool stay =
      limit > 0 && !scheduler_.has_work(!away) && !scheduler_.stopping() && index_ < num_workers();
  if (stay ? away || !scheduler_.let_time_pass(seat_) : !idle.leave(seat_)) {
    counts_.sleeps.add();
    if (polls) {
      searching_ = idle.sleep_polling(seat_, limit, &found);
    } else {
      const Resting resting;
      searching_ = idle.sleep(seat_, limit);
    }
    if (searching_) {
      nap_ns_ = 0;
      const int64_t now = real_now_ns();
      note_time(now);
      learn_gap(now - since);
    }
  } else {
    // Some of the work was published while we still counted as searching, so nobody was woken for it: whoever takes the
    // first piece has to pass the rest on, see stop_searching().
    searching_ = true;
    idle.searching.fetch_add(1, std::memory_order_relaxed);
  }
  if (keeper) scheduler_.stop_keeping();
  if (watcher) {
    scheduler_.stop_watching();
    watch_for_hogs(scheduler_);
  }
  if (polls) scheduler_.stop_polling();
  ready_all(found);
}

// Workers that are awake poll between two goroutines; waking us for each event would only tear
// apart goroutines that talk over a socket. Unless those workers compute on: the watcher sees
// whether they switch.
bool Worker::may_block_in_poll(bool watcher) {
  if (!io_in_use()) return false;
  if (scheduler_.anybody_awake()) {
    const uint32_t seen = std::exchange(seen_switches_, scheduler_.switches());
    if (!watcher || seen != seen_switches_) return false;
  }
  return scheduler_.become_poller();
}

// Lets goroutines go on, here, whose I/O is ready. False: there was none.
bool Worker::poll_io() {
  if (!io_in_use()) return false;
  Goroutine* first = poller().poll(0);
  ready_all(first);
  return first;
}

void Worker::ready_all(Goroutine* first) {
  int64_t count = 0;
  while (Goroutine* g = first) {
    first = std::exchange(g->next, nullptr);
    if (g->native) {
      runtime::ready(g);
      continue;
    }
    push_ring(g);
    count++;
  }
  if (count > 1) scheduler_.wake(count - 1);
}

int64_t Worker::sleep_limit(bool keeper, bool watcher) {
  int64_t limit = kForever;
  const int64_t unused = scheduler_.backlog.carriers.due_ns();
  if (unused != kForever) limit = std::max<int64_t>(0, unused - real_now_ns());
  const int64_t timer = scheduler_.backlog.timers.earliest();
  if (keeper) limit = std::min(limit, nap_until(timer));
  if (watcher) {
    nap_ns_ = std::clamp(2 * nap_ns_, kShortestNapNs, kLongestNapNs);
    limit = std::min(limit, nap_ns_);
  }
  return limit;
}

// Whoever will publish the next work runs at present, on a thread of its own: if all the others spun, there would be one
// thread more than processors. And where all places are taken, what runs needs the processors.
bool Worker::may_spin() const {
  const int others = scheduler_.idle.searching.load(std::memory_order_relaxed) - 1;
  return others < std::max(1, num_workers() - 1) && scheduler_.has_helper_place();
}

bool Worker::spin() {
  counts_.spins.add();
  const int64_t window = usual_gap_ns_ > kLongestSpinNs
                             ? kShortestSpinNs
                             : std::min(kLongestSpinNs, 2 * usual_gap_ns_ + kShortestSpinNs);
  const int64_t start = real_now_ns();
  for (;;) {
    for (int i = 0; i < 32; i++) {
      if (scheduler_.has_work() || scheduler_.stopping()) return true;
      cpu_relax();
    }
    if (poll_io()) return true;
    if (!may_spin()) return false;
    if ((stolen_ = steal_aged_next())) return true;
    const int64_t spent = real_now_ns() - start;
    if (spent > window) return false;
    if (spent > kPoliteSpinNs) sched_yield();
  }
}

void Worker::learn_gap(int64_t gap_ns) {
  usual_gap_ns_ += (std::min<int64_t>(gap_ns, 1'000'000) - usual_gap_ns_) / 4;
}

}  // namespace gotorch::runtime
