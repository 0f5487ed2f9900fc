#include "tests/models/explorer.h"

#include <cxxabi.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <boost/context/detail/fcontext.hpp>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <unordered_map>

extern "C" char __data_start, _end;  // of the program's static data

namespace explorer {
namespace {

namespace context = boost::context::detail;

// The newest value of each place that somebody has seen.
class View {
 public:
  uint32_t operator[](uint32_t place) const { return place < seen_.size() ? seen_[place] : 0; }
  void see(uint32_t place, uint32_t time) {
    if (place >= seen_.size()) seen_.resize(place + 1, 0);
    seen_[place] = std::max(seen_[place], time);
  }
  void join(const View& other) {
    if (other.seen_.size() > seen_.size()) seen_.resize(other.seen_.size(), 0);
    for (size_t i = 0; i < other.seen_.size(); i++) seen_[i] = std::max(seen_[i], other.seen_[i]);
  }
  void clear() { seen_.clear(); }

 private:
  std::vector<uint32_t> seen_;
};

struct Message {
  uint64_t value;
  View view;  // what who acquires it has seen
};

constexpr int64_t kNever = INT64_MAX;
constexpr int64_t kShortNapNs = 10'000;  // of who only lets others go on

struct Thread {
  std::function<void()> body;
  context::fcontext_t saved = nullptr;
  void* caught = nullptr;  // exceptions in flight, as the ABI's __cxa_eh_globals begins
  unsigned int uncaught = 0;
  bool ended = false;
  // What it waits for, if anything.
  std::function<bool()> condition;
  int64_t wakes_at_ns = kNever;  // by itself, if nobody else can go on
  const char* waits_for = "";
  View view, to_acquire, released;
  // Reading the same value again and again, with nothing written, is waiting for another.
  uint32_t place = ~0u, time = 0;
  int again = 0;
};

struct Cell {
  uint64_t run = 0;  // of which `place` holds
  uint32_t place = 0;
  size_t size = 0;
  bool written = false;  // ever: what is not, need not be watched
};

std::unordered_map<const void*, Cell>& cells() {
  static std::unordered_map<const void*, Cell> all;
  return all;
}

uint64_t newest_of(Word word) {
  uint64_t value = 0;
  std::memcpy(&value, word.at, word.size);
  return value;
}
void set_newest(Word word, uint64_t value) { std::memcpy(word.at, &value, word.size); }

struct Choice {
  int taken, count;
};

constexpr size_t kStack = 256 * 1024;

std::vector<char*>& stacks() {
  static std::vector<char*> all;
  return all;
}

char* stack(size_t i) {
  while (stacks().size() <= i) {
    void* p = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    stacks().push_back(static_cast<char*>(p));
  }
  return stacks()[i];
}

class Machine {
 public:
  Machine(const Bounds& bounds, const Mutation& mutation, bool random, uint64_t seed)
      : bounds(bounds), mutation(mutation), random_(random), random_state_(seed * 2 + 1) {}

  void begin();
  std::string run(const std::function<void()>& program, uint64_t number);
  bool next_choices();

  Thread& me() { return *threads[current]; }
  int spawn(std::function<void()> f);
  void point();
  void wait(const char* what, std::function<bool()> condition, int64_t timeout_ns = kNever);
  void fail(const std::string& what);
  int choose(int count);
  uint32_t place(Word word);
  std::vector<Message>& history(Word word) { return places[place(word)]; }
  bool spend(int& budget, int one_in);
  bool splits(Word word) const {
    return mutation.split_exchange || (mutation.split_claim && word.size == 8);
  }
  void write(Word word, uint64_t value, std::memory_order order, const View* inherited);
  void acquire(const Message& message, std::memory_order order);

  const Bounds bounds;
  const Mutation mutation;
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<std::vector<Message>> places;
  View sequential;  // what writes and fences of seq_cst have passed on to each other
  std::map<void*, std::vector<std::shared_ptr<bool>>> sleepers;
  uint64_t number = 0, writes = 0;
  int current = 0;
  int preemptions = 0, stale = 0;
  int64_t steps = 0, time_ns = 0;
  std::string failure;

 private:
  std::vector<int> enabled();
  std::string waits() const;
  void switch_to(int thread);
  void pick_another();
  static void enter(context::transfer_t from);
  static void arrived(context::transfer_t t);
  void undo();
  static void save(Thread& t);
  static void restore(Thread& t);

  const bool random_;
  uint64_t random_state_;
  std::vector<Choice> choices_;
  size_t depth_ = 0;
  context::fcontext_t home_ = nullptr;
};

Machine* machine = nullptr;

bool releases(std::memory_order o) {
  return (o == std::memory_order_release || o == std::memory_order_acq_rel ||
          o == std::memory_order_seq_cst) &&
         !machine->mutation.no_release;
}
bool acquires(std::memory_order o) {
  return (o == std::memory_order_acquire || o == std::memory_order_acq_rel ||
          o == std::memory_order_seq_cst) &&
         !machine->mutation.no_acquire;
}

struct Handler {
  void* caught;
  unsigned int uncaught;
};
Handler& handler() { return *reinterpret_cast<Handler*>(abi::__cxa_get_globals()); }

void Machine::save(Thread& t) {
  t.caught = handler().caught;
  t.uncaught = handler().uncaught;
}
void Machine::restore(Thread& t) { handler() = {t.caught, t.uncaught}; }

void Machine::enter(context::transfer_t from) {
  arrived(from);
  Thread& t = machine->me();
  try {
    t.body();
  } catch (const std::exception& e) {
    machine->fail(std::string("thrown: ") + e.what());
  } catch (...) {
    machine->fail("thrown: something");
  }
  t.ended = true;
  machine->pick_another();
}

void Machine::begin() {
  threads.clear();
  places.clear();
  sleepers.clear();
  sequential.clear();
  writes = 0;
  steps = time_ns = 0;
  failure.clear();
}

std::string Machine::run(const std::function<void()>& program, uint64_t run_number) {
  number = run_number;
  depth_ = 0;
  preemptions = bounds.preemptions;
  stale = bounds.stale;
  spawn(program);
  current = 0;
  // Comes back when all threads have ended, or the run has failed: its stacks are left as they are then.
  const Handler mine = handler();
  restore(me());
  context::jump_fcontext(me().saved, nullptr);
  handler() = mine;
  if (!failure.empty()) undo();
  return failure;
}

// A run that was left in the middle has left static locks locked, which others use, too.
void Machine::undo() {
  for (auto& [at, cell] : cells()) {
    const auto* p = static_cast<const char*>(at);
    if (cell.run == number && p >= &__data_start && p < &_end)
      set_newest({const_cast<void*>(at), cell.size}, places[cell.place][0].value);
  }
}

int Machine::spawn(std::function<void()> f) {
  const size_t i = threads.size();
  threads.push_back(std::make_unique<Thread>());
  threads[i]->body = std::move(f);
  if (i > 0) threads[i]->view = me().view;
  threads[i]->saved = context::make_fcontext(stack(i) + kStack, kStack, enter);
  return static_cast<int>(i);
}

// The next leaf of the tree of choices, or false: all were seen.
bool Machine::next_choices() {
  while (!choices_.empty() && choices_.back().taken + 1 >= choices_.back().count) {
    choices_.pop_back();
  }
  if (choices_.empty()) return false;
  choices_.back().taken++;
  return true;
}

int Machine::choose(int count) {
  if (count <= 1) return 0;
  if (random_) {
    random_state_ ^= random_state_ << 13;
    random_state_ ^= random_state_ >> 7;
    random_state_ ^= random_state_ << 17;
    return static_cast<int>(random_state_ % static_cast<uint64_t>(count));
  }
  if (depth_ == choices_.size()) choices_.push_back({0, count});
  return std::min(choices_[depth_++].taken, count - 1);
}

// Whether to do something that the budget limits, or at random.
bool Machine::spend(int& budget, int one_in) {
  if (random_) return choose(one_in) == 1;
  if (budget == 0 || choose(2) == 0) return false;
  budget--;
  return true;
}

std::vector<int> Machine::enabled() {
  std::vector<int> all;
  for (size_t i = 0; i < threads.size(); i++) {
    Thread& t = *threads[i];
    if (!t.ended && (!t.condition || t.condition())) all.push_back(static_cast<int>(i));
  }
  if (!all.empty()) return all;
  int64_t first = kNever;  // time passes when nobody can go on
  for (auto& t : threads) {
    if (!t->ended) first = std::min(first, t->wakes_at_ns);
  }
  if (first == kNever) return all;
  time_ns = std::max(time_ns, first);
  for (size_t i = 0; i < threads.size(); i++) {
    if (!threads[i]->ended && threads[i]->wakes_at_ns == first) all.push_back(static_cast<int>(i));
  }
  return all;
}

void Machine::switch_to(int thread) {
  save(me());
  Thread& from = me();
  current = thread;
  Thread& to = me();
  to.condition = nullptr;
  to.wakes_at_ns = kNever;
  restore(to);
  const context::fcontext_t next = to.saved;
  arrived(context::jump_fcontext(next, &from));
}

// Where a jump ends, tells what was left.
void Machine::arrived(context::transfer_t t) {
  if (t.data) static_cast<Thread*>(t.data)->saved = t.fctx;
  else machine->home_ = t.fctx;
}

// For reports.
std::string Machine::waits() const {
  std::string text;
  for (size_t i = 0; i < threads.size(); i++) {
    const Thread& t = *threads[i];
    if (!t.ended)
      text += " thread " + std::to_string(i) + ": " + (t.condition ? t.waits_for : "runs") + ";";
  }
  return text;
}

// Leaves this thread, which cannot go on.
void Machine::pick_another() {
  const std::vector<int> others = enabled();
  if (others.empty()) {
    if (!std::all_of(threads.begin(), threads.end(), [](auto& t) { return t->ended; })) {
      fail("nobody can go on:" + waits());
    }
    context::jump_fcontext(home_, nullptr);
  }
  const int next = others[static_cast<size_t>(choose(static_cast<int>(others.size())))];
  if (next != current) switch_to(next);
}

// Before each step that others can see.
void Machine::point() {
  if (++steps > bounds.steps) fail("endless:" + waits());
  const std::vector<int> all = enabled();
  if (all.size() < 2 || !spend(preemptions, 8)) return;
  std::vector<int> others;
  std::copy_if(all.begin(), all.end(), std::back_inserter(others),
               [&](int i) { return i != current; });
  switch_to(others[static_cast<size_t>(choose(static_cast<int>(others.size())))]);
}

void Machine::wait(const char* what, std::function<bool()> condition, int64_t timeout_ns) {
  Thread& t = me();
  t.waits_for = what;
  if (condition()) return;
  t.condition = std::move(condition);
  t.wakes_at_ns = timeout_ns == kNever ? kNever : time_ns + timeout_ns;
  pick_another();
  me().condition = nullptr;
  me().wakes_at_ns = kNever;
}

void Machine::fail(const std::string& what) {
  failure = what + " (thread " + std::to_string(current) + ", step " + std::to_string(steps) + ")";
  stacks().erase(stacks().begin(), stacks().begin() + static_cast<std::ptrdiff_t>(std::min(
                                                          threads.size(), stacks().size())));
  context::jump_fcontext(home_, nullptr);
}

// A program on a machine that is wrong may follow any pointer. Its stack is left, and the handler's with it.
void catch_crashes() {
  static char handler_stack[64 * 1024];
  const stack_t stack{.ss_sp = handler_stack, .ss_flags = 0, .ss_size = sizeof handler_stack};
  sigaltstack(&stack, nullptr);
  struct sigaction action = {};
  action.sa_handler = [](int signal) {
    if (!machine) std::abort();
    machine->fail("crashed by signal " + std::to_string(signal));
  };
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  for (const int signal : {SIGSEGV, SIGBUS}) sigaction(signal, &action, nullptr);
}

uint32_t Machine::place(Word word) {
  Cell& cell = cells()[word.at];
  if (cell.run != number) {
    cell.run = number;
    cell.size = word.size;
    cell.place = static_cast<uint32_t>(places.size());
    places.push_back({{newest_of(word), {}}});
  }
  return cell.place;
}

void Machine::acquire(const Message& message, std::memory_order order) {
  (acquires(order) ? me().view : me().to_acquire).join(message.view);
}

void Machine::write(Word word, uint64_t value, std::memory_order order, const View* inherited) {
  const uint32_t p = place(word);
  const auto time = static_cast<uint32_t>(places[p].size());
  Thread& t = me();
  t.again = 0;
  t.view.see(p, time);
  Message message{value, releases(order) ? t.view : t.released};
  if (inherited) message.view.join(*inherited);
  message.view.see(p, time);
  places[p].push_back(std::move(message));
  if (order == std::memory_order_seq_cst) sequential.see(p, time);
  set_newest(word, value);
  cells()[word.at].written = true;
  writes++;
}

}  // namespace

void begin(const void* at) { cells().erase(at); }

uint64_t load(Word word, std::memory_order order) {
  if (!machine) return newest_of(word);
  Machine& m = *machine;
  if (!cells()[word.at].written) {
    m.me().place = ~0u;
    return newest_of(word);
  }
  m.point();
  const uint32_t p = m.place(word);
  const auto newest = static_cast<uint32_t>(m.places[p].size() - 1);
  uint32_t oldest = m.me().view[p];
  if (order == std::memory_order_seq_cst) oldest = std::max(oldest, m.sequential[p]);
  uint32_t time = newest;
  if (oldest < newest && m.spend(m.stale, 4)) {
    time = newest - 1 - static_cast<uint32_t>(m.choose(static_cast<int>(newest - oldest)));
  }
  Thread& t = m.me();
  t.again = t.place == p && t.time == time ? t.again + 1 : 0;
  t.place = p;
  t.time = time;
  t.view.see(p, time);
  if (t.again > 3 && time == newest) {
    m.wait(
        "another value", [&m, p, newest] { return m.places[p].size() > newest + 1; }, kShortNapNs);
  }
  m.acquire(m.places[p][time], order);
  return m.places[p][time].value;
}

void store(Word word, uint64_t value, std::memory_order order) {
  if (!machine) {
    set_newest(word, value);
    return;
  }
  machine->point();
  machine->write(word, value, order, nullptr);
}

uint64_t modify(Word word, const std::function<uint64_t(uint64_t)>& next, std::memory_order order) {
  if (!machine) {
    const uint64_t before = newest_of(word);
    set_newest(word, next(before));
    return before;
  }
  machine->point();
  const Message message = machine->history(word).back();
  machine->acquire(message, order);
  if (machine->splits(word)) machine->point();
  machine->write(word, next(message.value), order, &message.view);
  return message.value;
}

bool compare_exchange(Word word, uint64_t& expected, uint64_t value, std::memory_order order) {
  if (!machine) {
    if (newest_of(word) != expected) {
      expected = newest_of(word);
      return false;
    }
    set_newest(word, value);
    return true;
  }
  machine->point();
  const Message message = machine->history(word).back();
  machine->acquire(message, order);
  machine->me().view.see(machine->place(word),
                         static_cast<uint32_t>(machine->history(word).size() - 1));
  if (message.value != expected) {
    expected = message.value;
    return false;
  }
  if (machine->splits(word)) machine->point();
  machine->write(word, value, order, &message.view);
  return true;
}

void fence(std::memory_order order) {
  if (!machine) return;
  Thread& t = machine->me();
  if (acquires(order)) t.view.join(t.to_acquire);
  if (order == std::memory_order_seq_cst && !machine->mutation.no_fences) {
    machine->point();
    Thread& now = machine->me();
    now.view.join(machine->sequential);
    machine->sequential.join(now.view);
  }
  if (releases(order)) machine->me().released = machine->me().view;
}

void heavy_fence() {
  if (!machine || machine->mutation.no_heavy_fence) return;
  machine->point();
  for (auto& t : machine->threads) machine->sequential.join(t->view);
  for (auto& t : machine->threads) t->view.join(machine->sequential);
}

void relax() {
  if (!machine) {
    sched_yield();
    return;
  }
  Machine& m = *machine;
  Thread& t = m.me();
  bool news = false;  // whatever was written becomes visible in the end
  for (uint32_t p = 0; p < m.places.size(); p++) {
    const auto newest = static_cast<uint32_t>(m.places[p].size() - 1);
    news = news || t.view[p] < newest;
    t.view.see(p, newest);
  }
  if (news) return m.point();
  m.wait("whatever may change", [&m, seen = m.writes] { return m.writes != seen; }, kShortNapNs);
}

void futex_wait(Word word, uint32_t expected, int64_t timeout_ns) {
  if (!machine) throw std::logic_error("explorer: a futex outside a run");
  machine->point();
  if (static_cast<uint32_t>(machine->history(word).back().value) != expected) return;
  auto woken = std::make_shared<bool>(false);
  machine->sleepers[word.at].push_back(woken);
  machine->wait("a futex", [woken] { return *woken; }, timeout_ns);
  std::erase(machine->sleepers[word.at], woken);
}

void futex_wake(Word word, int count) {
  if (!machine) return;
  machine->point();
  for (auto& woken : machine->sleepers[word.at]) {
    if (*woken) continue;
    if (count-- == 0) return;
    *woken = true;
  }
}

void wait_until(const std::function<bool()>& condition) {
  if (!machine) throw std::logic_error("explorer: a wait outside a run");
  machine->wait("a condition", condition);
}

int64_t now_ns() {
  static int64_t outside = 0;
  return machine ? machine->time_ns += 50 : outside;
}

int this_thread() { return machine ? machine->current : 0; }

int spawn(std::function<void()> f) { return machine->spawn(std::move(f)); }

void join(int thread) {
  Machine& m = *machine;
  Thread& t = *m.threads[static_cast<size_t>(thread)];
  m.wait("the end of a thread", [&t] { return t.ended; });
  m.me().view.join(t.view);
}

int pick(int count) { return machine->choose(count); }

void join_all() {
  for (size_t i = 0; i < machine->threads.size(); i++) {
    if (static_cast<int>(i) != machine->current) join(static_cast<int>(i));
  }
}

void check(bool condition, const char* what) {
  if (!condition) machine->fail(what);
}

namespace {

Result run_all(const std::function<void()>& program, Bounds bounds, const Mutation& mutation,
               bool random, uint64_t seed) {
  static uint64_t number = 0;
  catch_crashes();
  Result result;
  Machine choices(bounds, mutation, random, seed);
  while (result.runs < bounds.runs) {
    choices.begin();
    machine = &choices;
    result.failure = choices.run(program, ++number);
    machine = nullptr;
    result.runs++;
    if (!result.failure.empty()) return result;
    if (!random && !choices.next_choices()) {
      result.complete = true;
      return result;
    }
  }
  return result;
}

}  // namespace

Result explore(const std::function<void()>& program, const Bounds& bounds,
               const Mutation& mutation) {
  return run_all(program, bounds, mutation, false, 0);
}

Result wander(const std::function<void()>& program, uint64_t seed, int64_t runs,
              const Mutation& mutation) {
  return run_all(program, {.runs = runs}, mutation, true, seed);
}

}  // namespace explorer
