#pragma once
// Runs a small concurrent program again and again, each time with other interleavings and other values read, and looks for one
// that fails: all of them within bounds, or many at random. The program is our real source: prelude.h gives it these
// atomics, threads, futexes and clock in place of the real ones.
//
// The memory is that of C++20 as a machine of views: each atomic keeps all values ever written, in order; a thread may read any that
// is not older than what it, or whom it synchronised with, has seen. So missing fences, acquires and releases are found that
// no x86 would show. Not covered: reads of values that are written later (which C++ allows for relaxed accesses), and
// the order of modification is the order in which writes were executed.
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace explorer {

// What a mutant of the machine gets wrong; a model that does not fail on the right one proves nothing.
struct Mutation {
  bool no_acquire = false;
  bool no_release = false;
  bool no_fences = false;       // of memory_order_seq_cst
  bool no_heavy_fence = false;  // membarrier
  bool split_exchange = false;  // another thread may come between the two halves
  bool split_claim = false;     // the same, but only of exchanges of 8 bytes, as claims are
};

struct Bounds {
  int preemptions = 2;  // a thread that could go on is left for another
  int stale = 1;        // a value is read that is not the newest
  int64_t runs = 3'000'000;
  int64_t steps = 2'000;  // of one run: more is taken for an endless one
};

struct Result {
  int64_t runs = 0;
  bool complete = false;  // all that is within the bounds
  std::string failure;    // empty: none was found
};

// Every schedule within the bounds.
Result explore(const std::function<void()>& program, const Bounds& bounds = {},
               const Mutation& mutation = {});
// `runs` of them at random, in which a thread is left with a probability of 1/8, and old values are read with 1/4.
Result wander(const std::function<void()>& program, uint64_t seed, int64_t runs,
              const Mutation& mutation = {});

// Inside a program, which begins as one thread:
int spawn(std::function<void()> f);
void join(int thread);
void join_all();
int pick(int count);  // any of 0 to count - 1
// Ends the run as failed.
void check(bool condition, const char* what);

// What the atomics and so on are made of: a few bytes of memory, which hold the newest value also between runs.
struct Word {
  void* at;
  size_t size;  // at most 8
};
void begin(const void* at);  // a new atomic is here
uint64_t load(Word word, std::memory_order order);
void store(Word word, uint64_t value, std::memory_order order);
// The value before. `next` is told that and says what to write.
uint64_t modify(Word word, const std::function<uint64_t(uint64_t)>& next, std::memory_order order);
bool compare_exchange(Word word, uint64_t& expected, uint64_t value, std::memory_order order);
void fence(std::memory_order order);
void heavy_fence();

void relax();  // lets others go on until something has changed
void futex_wait(Word word, uint32_t expected, int64_t timeout_ns);  // INT64_MAX: for ever
void futex_wake(Word word, int count);
void wait_until(const std::function<bool()>& condition);  // of what is no atomic
int64_t now_ns();
int this_thread();  // 0: the first

}  // namespace explorer
