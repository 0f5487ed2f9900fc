#include "runtime/select.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include "runtime/scheduler.h"
#include "runtime/worker.h"

namespace gotorch::runtime {

// Invariants
//  - All channels of a select are locked in the order of their addresses, each once, so selects
//    cannot deadlock. Taking the default, or waiting, is decided with all locks held: at no moment
//    was a case ready.
//  - While it waits, a select has one waiter per case, in the queues of their channels. Who claims
//    the goroutine through one of them serves that case; the others then fail to claim it and drop
//    its waiters, and the select removes those that are left before it returns.
//  - unlock_all may not touch the selection after its last unlock.
class Selection {
 public:
  Selection(SelectCase* cases, int count);
  int run();

 private:
  static constexpr int kInline = 8;

  int find_ready(Goroutine** woken);
  void enqueue(Goroutine& me);
  void dequeue();
  void lock_all();
  void unlock_all();
  static bool unlock_for_park(void* selection) {
    static_cast<Selection*>(selection)->unlock_all();
    return true;
  }
  bool is_channel(int i) const {
    return cases_[i].chan &&
           (cases_[i].kind == SelectCase::Receive || cases_[i].kind == SelectCase::Send);
  }
  WaitQueue& queue(int i) {
    return cases_[i].kind == SelectCase::Send ? cases_[i].chan->senders_
                                              : cases_[i].chan->receivers_;
  }
  int finish(int taken, ChanResult result);

  SelectCase* const cases_;
  const int count_;
  int default_ = -1, timeout_ = -1;
  int locks_ = 0;     // channels, without duplicates
  int channels_ = 0;  // cases with a channel
  // Inline for few cases, else on the heap.
  ChanWaiter inline_waiters_[kInline];
  ChanCore* inline_locks_[kInline];
  int inline_order_[kInline];
  std::unique_ptr<ChanWaiter[]> heap_waiters_;
  std::unique_ptr<ChanCore*[]> heap_locks_;
  std::unique_ptr<int[]> heap_order_;
  ChanWaiter* waiters_ = inline_waiters_;
  ChanCore** lock_order_ = inline_locks_;
  int* order_ = inline_order_;  // the cases with a channel, shuffled
};

namespace {

uint64_t random_number() {
  if (Worker* worker = this_worker()) return worker->random();
  thread_local uint64_t state = 0x9e3779b97f4a7c15u ^ reinterpret_cast<uintptr_t>(&state);
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

}  // namespace

Selection::Selection(SelectCase* cases, int count) : cases_(cases), count_(count) {
  if (count > kInline) {
    heap_waiters_ = std::make_unique<ChanWaiter[]>(static_cast<size_t>(count));
    heap_locks_ = std::make_unique<ChanCore*[]>(static_cast<size_t>(count));
    heap_order_ = std::make_unique<int[]>(static_cast<size_t>(count));
    waiters_ = heap_waiters_.get();
    lock_order_ = heap_locks_.get();
    order_ = heap_order_.get();
  }
  for (int i = 0; i < count; i++) {
    if (cases[i].kind == SelectCase::Default) default_ = i;
    if (cases[i].kind == SelectCase::Timeout &&
        (timeout_ < 0 || cases[i].deadline_ns < cases[timeout_].deadline_ns)) {
      timeout_ = i;
    }
    if (!is_channel(i)) continue;
    cases[i].chan->check_process();
    lock_order_[channels_] = cases[i].chan;
    const auto j = static_cast<int>(random_number() % static_cast<uint64_t>(channels_ + 1));
    order_[channels_++] = order_[j];
    order_[j] = i;
  }
  std::sort(lock_order_, lock_order_ + channels_);
  locks_ = static_cast<int>(std::unique(lock_order_, lock_order_ + channels_) - lock_order_);
}

void Selection::lock_all() {
  for (int i = 0; i < locks_; i++) lock_order_[i]->lock_.lock();
}

void Selection::unlock_all() {
  ChanCore** const order = lock_order_;
  for (int i = locks_ - 1; i > 0; i--) order[i]->lock_.unlock();
  if (locks_ > 0) order[0]->lock_.unlock();
}

int Selection::finish(int taken, ChanResult result) {
  SelectCase& c = cases_[taken];
  c.ok = result == ChanResult::Done;
  if (c.ok) return taken;
  if (c.kind == SelectCase::Send) throw ChanError("select: send on a closed channel");
  c.error = c.chan->error_;
  return taken;
}

// With all locks held, or -1.
int Selection::find_ready(Goroutine** woken) {
  for (int k = 0; k < channels_; k++) {
    SelectCase& c = cases_[order_[k]];
    const ChanResult result = c.kind == SelectCase::Send ? c.chan->try_send(c.slot, woken)
                                                         : c.chan->try_receive(c.slot, woken);
    if (result == ChanResult::WouldBlock) continue;
    c.ok = result == ChanResult::Done;
    return order_[k];
  }
  return -1;
}

int Selection::run() {
  if (channels_ == 0 && default_ < 0 && timeout_ < 0) wait_forever("select without a channel");
  Goroutine* woken = nullptr;
  Goroutine* me = default_ < 0 ? &self() : nullptr;
  lock_all();
  const int taken = find_ready(&woken);
  if (taken >= 0 || default_ >= 0) {
    unlock_all();
    if (woken) ready(woken);
    return taken < 0 ? default_
                     : finish(taken, cases_[taken].ok ? ChanResult::Done : ChanResult::Closed);
  }
  enqueue(*me);
  me->fired = nullptr;
  const WakeReason reason =
      park(*me, {.what = "select",
                 .object = this,
                 .unlock = unlock_for_park,
                 .argument = this,
                 .deadline_ns = timeout_ < 0 ? kForever : cases_[timeout_].deadline_ns});
  lock_all();
  dequeue();
  unlock_all();
  if (reason == WakeReason::Timeout) return timeout_;
  throw_if_stopped(reason);
  const auto* fired = static_cast<ChanWaiter*>(me->fired);
  return finish(fired->number, fired->ok ? ChanResult::Done : ChanResult::Closed);
}

void Selection::enqueue(Goroutine& me) {
  for (int i = 0; i < count_; i++) {
    if (!is_channel(i)) continue;
    waiters_[i] = {.g = &me, .slot = cases_[i].slot, .number = i};
    queue(i).push(waiters_[i]);
  }
}

void Selection::dequeue() {
  for (int i = 0; i < count_; i++) {
    if (is_channel(i)) queue(i).remove(waiters_[i]);
  }
}

int select_case(SelectCase* cases, int count) { return Selection(cases, count).run(); }

}  // namespace gotorch::runtime
