#pragma once
// Included before everything else in our sources when they are compiled for the explorer (explorer.h): from here on `std::atomic`,
// `std::thread`, `std::mutex`, futexes and the clock are those of the model. All headers of others come first.
#include <cxxabi.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <boost/context/detail/exception.hpp>
#include <boost/context/detail/fcontext.hpp>
#include <boost/context/stack_context.hpp>
#include <boost/version.hpp>
#include <charconv>
#include <chrono>
#include <cmath>
#include <concepts>
#include <coroutine>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <queue>
#include <random>
#include <ranges>
#include <set>
#include <shared_mutex>
#include <source_location>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <type_traits>
#include <typeindex>
#include <typeinfo>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "tests/models/explorer.h"

namespace model_std {

using namespace std;

template <class T>
class atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);

 public:
  using value_type = T;
  static constexpr bool is_always_lock_free = true;

  constexpr atomic() noexcept : atomic(T{}) {}
  constexpr atomic(T value) noexcept : value_(value) {
    if (!std::is_constant_evaluated()) explorer::begin(this);
  }
  atomic(const atomic&) = delete;

  T load(std::memory_order order = std::memory_order_seq_cst) const {
    return from(explorer::load(word(), order));
  }
  void store(T value, std::memory_order order = std::memory_order_seq_cst) {
    explorer::store(word(), bits(value), order);
  }
  T exchange(T value, std::memory_order order = std::memory_order_seq_cst) {
    return modify([&](T) { return value; }, order);
  }
  bool compare_exchange_strong(T& expected, T value,
                               std::memory_order order = std::memory_order_seq_cst,
                               std::memory_order = std::memory_order_relaxed) {
    uint64_t seen = bits(expected);
    const bool done = explorer::compare_exchange(word(), seen, bits(value), order);
    expected = from(seen);
    return done;
  }
  bool compare_exchange_weak(T& expected, T value,
                             std::memory_order order = std::memory_order_seq_cst,
                             std::memory_order failed = std::memory_order_relaxed) {
    return compare_exchange_strong(expected, value, order, failed);
  }
  T fetch_add(T n, std::memory_order order = std::memory_order_seq_cst) {
    return modify([&](T before) { return static_cast<T>(before + n); }, order);
  }
  T fetch_sub(T n, std::memory_order order = std::memory_order_seq_cst) {
    return modify([&](T before) { return static_cast<T>(before - n); }, order);
  }
  T fetch_or(T n, std::memory_order order = std::memory_order_seq_cst) {
    return modify([&](T before) { return static_cast<T>(before | n); }, order);
  }
  T fetch_and(T n, std::memory_order order = std::memory_order_seq_cst) {
    return modify([&](T before) { return static_cast<T>(before & n); }, order);
  }
  operator T() const { return load(); }
  T operator=(T value) {
    store(value);
    return value;
  }
  T operator++(int) { return fetch_add(1); }
  T operator--(int) { return fetch_sub(1); }
  T operator++() { return static_cast<T>(fetch_add(1) + 1); }
  T operator--() { return static_cast<T>(fetch_sub(1) - 1); }

  explorer::Word word() const { return {&value_, sizeof value_}; }

 private:
  static uint64_t bits(T value) {
    uint64_t b = 0;
    std::memcpy(&b, &value, sizeof value);
    return b;
  }
  static T from(uint64_t b) {
    T value;
    std::memcpy(static_cast<void*>(&value), &b, sizeof value);
    return value;
  }
  template <class F>
  T modify(F next, std::memory_order order) {
    return from(
        explorer::modify(word(), [&](uint64_t before) { return bits(next(from(before))); }, order));
  }

  mutable T value_;
};

inline void atomic_thread_fence(std::memory_order order) { explorer::fence(order); }
inline void atomic_signal_fence(std::memory_order) {}

class mutex {
 public:
  void lock() {
    while (locked_.exchange(true, std::memory_order_acquire)) {
      explorer::wait_until([this] { return !*static_cast<bool*>(locked_.word().at); });
    }
  }
  bool try_lock() { return !locked_.exchange(true, std::memory_order_acquire); }
  void unlock() { locked_.store(false, std::memory_order_release); }

 private:
  atomic<bool> locked_{false};
};

class thread {
 public:
  thread() = default;
  template <class F>
  explicit thread(F f) : number_(explorer::spawn(std::move(f))) {}
  void join() { explorer::join(number_); }
  void detach() {}

 private:
  int number_ = 0;
};

inline int atexit(void (*)()) { return 0; }

}  // namespace model_std

namespace gotorch_model {
inline long system_call(long, model_std::atomic<uint32_t>* word, int what, uint32_t value,
                        const timespec* timeout, const void*, int) {
  const int64_t ns = timeout ? timeout->tv_sec * 1'000'000'000 + timeout->tv_nsec : INT64_MAX;
  if (what == FUTEX_WAIT_PRIVATE) explorer::futex_wait(word->word(), value, ns);
  else explorer::futex_wake(word->word(), static_cast<int>(value));
  return 0;
}
inline int read_clock(int, timespec* t) {
  const int64_t now = explorer::now_ns();
  *t = {now / 1'000'000'000, now % 1'000'000'000};
  return 0;
}
inline int handle_fork(void (*)(), void (*)(), void (*)()) { return 0; }
}  // namespace gotorch_model

// No schedule within the bounds fails; prints how many there were.
inline void holds(const std::function<void()>& program, const explorer::Bounds& bounds = {}) {
  const explorer::Result result = explorer::explore(program, bounds);
  EXPECT_EQ(result.failure, "") << "in run " << result.runs;
  EXPECT_TRUE(result.complete) << "not all within " << result.runs << " runs";
  std::cout << "    " << result.runs << " schedules\n";
}

// The model finds what is wrong with a machine like this.
inline void fails(const std::function<void()>& program, const explorer::Mutation& mutation,
                  const explorer::Bounds& bounds = {}) {
  const explorer::Result result = explorer::explore(program, bounds, mutation);
  EXPECT_NE(result.failure, "") << "none in " << result.runs << " runs";
  std::cout << "    found after " << result.runs << ": " << result.failure << "\n";
}

#define std model_std
#define gotorch gotorch_model
#define syscall ::gotorch_model::system_call
#define clock_gettime ::gotorch_model::read_clock
#define pthread_atfork ::gotorch_model::handle_fork
#define sched_yield ::explorer::relax
#define __builtin_ia32_pause ::explorer::relax
#define __rdtsc ::explorer::now_ns
#define private public
#define GOTORCH_MODEL 1
