#include "runtime/select.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>

#include "runtime/scheduler.h"
#include "runtime/worker.h"
#include "runtime/xorshift.h"

namespace gotorch::runtime {

// Invariants
//  - All channels of a select are locked in the order of their addresses, each once, so selects
//    cannot deadlock. Taking the default, or waiting, is decided with all locks held: at that moment
//    no case was ready.
//  - While it waits, a select has one waiter per case, in the queues of their channels. Who claims
//    the goroutine through one of them serves that case; the others then fail to claim it and drop
//    its waiters, and the select removes those that are left before it returns.
class Selection {
 public:
  Selection(SelectCase* cases, int count) : cases_(cases), count_(count) {}
  int run();

 private:
  static constexpr int kInline = 8;

  void sort_out();
  int find_ready_apart();
  bool try_case(int i, Goroutine** woken);
  int find_ready(Goroutine** woken);
  int wait();
  void enqueue(Goroutine& me);
  void dequeue();
  void order_locks();
  void lock_all();
  void unlock_all();
  static bool unlock_for_park(void* selection) {
    static_cast<Selection*>(selection)->unlock_all();
    return true;
  }
  bool is_channel(int i) const { return cases_[i].chan && cases_[i].kind <= SelectCase::Send; }
  WaitQueue& queue(int i) {
    return cases_[i].kind == SelectCase::Send ? cases_[i].chan->senders_
                                              : cases_[i].chan->receivers_;
  }
  int finish(int taken);

  SelectCase* const cases_;
  const int count_;
  int default_ = -1, timeout_ = -1;
  int locks_ = 0;     // channels, without duplicates
  int channels_ = 0;  // cases with a channel
  // Inline for few cases, else on the heap. The last two are filled in to wait.
  int inline_order_[kInline];
  ChanCore* inline_locks_[kInline];
  ChanWaiter inline_waiters_[kInline];
  std::unique_ptr<int[]> heap_order_;
  std::unique_ptr<ChanCore*[]> heap_locks_;
  std::unique_ptr<ChanWaiter[]> heap_waiters_;
  int* order_ = inline_order_;  // the cases with a channel, shuffled
  ChanCore** lock_order_ = inline_locks_;
  ChanWaiter* waiters_ = inline_waiters_;
};

namespace {

uint64_t random_number() {
  if (Worker* worker = this_worker()) return worker->random();
  thread_local uint64_t state = 0x9e3779b97f4a7c15u ^ reinterpret_cast<uintptr_t>(&state);
  return xorshift64(state);
}

// The high half of a product with a random number.
int random_below(int end) {
  return static_cast<int>(random_number() * static_cast<unsigned __int128>(end) >> 64);
}

}  // namespace

void Selection::sort_out() {
  if (count_ > kInline) {
    heap_order_ = std::make_unique_for_overwrite<int[]>(static_cast<size_t>(count_));
    order_ = heap_order_.get();
  }
  for (int i = 0; i < count_; i++) {
    const SelectCase& c = cases_[i];
    if (is_channel(i)) {
      c.chan->check_process();
      order_[channels_++] = i;
    } else if (c.kind == SelectCase::Default) {
      if (default_ >= 0) {
        throw std::invalid_argument("select: cases " + std::to_string(default_) + " and " +
                                    std::to_string(i) + " are both defaults, expected one at most");
      }
      default_ = i;
    } else if (c.kind == SelectCase::Timeout &&
               (timeout_ < 0 || c.deadline_ns < cases_[timeout_].deadline_ns)) {
      timeout_ = i;
    }
  }
}

// What waiting needs: locks in the order of their addresses.
void Selection::order_locks() {
  if (count_ > kInline) {
    heap_locks_ = std::make_unique_for_overwrite<ChanCore*[]>(static_cast<size_t>(count_));
    heap_waiters_ = std::make_unique_for_overwrite<ChanWaiter[]>(static_cast<size_t>(count_));
    lock_order_ = heap_locks_.get();
    waiters_ = heap_waiters_.get();
  }
  for (int k = 0; k < channels_; k++) lock_order_[k] = cases_[order_[k]].chan;
  std::sort(lock_order_, lock_order_ + channels_);
  locks_ = static_cast<int>(std::unique(lock_order_, lock_order_ + channels_) - lock_order_);
}

void Selection::lock_all() {
  for (int i = 0; i < locks_; i++) lock_order_[i]->lock_.lock();
}

void Selection::unlock_all() {
  for (int i = locks_ - 1; i >= 0; i--) lock_order_[i]->lock_.unlock();
}

// After the last lock was released: a closed channel stays as it is.
int Selection::finish(int taken) {
  SelectCase& c = cases_[taken];
  if (c.ok) {
    const bool sent = c.kind == SelectCase::Send;
    if (trace::on()) [[unlikely]]
      trace::event(sent ? trace::Kind::Send : trace::Kind::Receive, c.chan, c.chan->size());
    return taken;
  }
  if (c.kind == SelectCase::Send) throw ChanError("select: send on a closed channel");
  c.error = c.chan->error_;
  return taken;
}

// With the lock of its channel held. False: it would have to wait.
bool Selection::try_case(int i, Goroutine** woken) {
  SelectCase& c = cases_[i];
  const ChanResult result = c.kind == SelectCase::Send ? c.chan->try_send(c.slot, woken)
                                                       : c.chan->try_receive(c.slot, woken);
  c.ok = result == ChanResult::Done;
  return result != ChanResult::WouldBlock;
}

// Looks at the cases in a random order, which it makes as it goes, and takes the first that need not wait. That may be taken whatever
// the others are, so its channel is locked alone.
int Selection::find_ready_apart() {
  for (int k = 0; k < channels_; k++) {
    std::swap(order_[k], order_[k + random_below(channels_ - k)]);
    const int i = order_[k];
    ChanCore& chan = *cases_[i].chan;
    const bool sends = cases_[i].kind == SelectCase::Send;
    if (sends ? chan.send_would_block() : chan.receive_would_block()) continue;
    Goroutine* woken = nullptr;
    chan.lock_.lock();
    const bool taken = try_case(i, &woken);
    const bool enough = taken && default_ < 0 && chan.count_operation();
    chan.lock_.unlock();
    if (woken) ready(woken);
    if (enough) yield_to_company();
    if (taken) return i;
  }
  return -1;
}

// With all locks held, or -1.
int Selection::find_ready(Goroutine** woken) {
  for (int k = 0; k < channels_; k++) {
    if (try_case(order_[k], woken)) return order_[k];
  }
  return -1;
}

int Selection::run() {
  sort_out();
  at_edge(default_ < 0 ? Edge::Operation : Edge::Attempt);
  if (channels_ == 0 && default_ < 0 && timeout_ < 0)
    wait_on_nil("select without a channel", true, kForever);
  int taken = find_ready_apart();
  if (taken < 0) taken = wait();
  return is_channel(taken) ? finish(taken) : taken;
}

int Selection::wait() {
  Goroutine* woken = nullptr;
  Goroutine* me = default_ < 0 ? &self() : nullptr;
  order_locks();
  lock_all();
  const int taken = find_ready(&woken);
  if (taken >= 0 || default_ >= 0) {
    unlock_all();
    if (woken) ready(woken);
    return taken < 0 ? default_ : taken;
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
  cases_[fired->number].ok = fired->ok;
  return fired->number;
}

void Selection::enqueue(Goroutine& me) {
  // Shuffled: of two cases of one channel, whoever comes takes the first.
  for (int k = 0; k < channels_; k++) {
    const int i = order_[k];
    waiters_[i] = {.g = &me, .slot = cases_[i].slot, .number = i, .queued = false, .ok = false};
    queue(i).push_back(waiters_[i]);
  }
}

void Selection::dequeue() {
  for (int i = 0; i < count_; i++) {
    if (is_channel(i)) queue(i).remove(waiters_[i]);
  }
}

int select_case(SelectCase* cases, int count) { return Selection(cases, count).run(); }

}  // namespace gotorch::runtime
