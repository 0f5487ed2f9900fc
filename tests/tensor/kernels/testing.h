#pragma once
// What the kernel tests share: sizes, data, and the checks that bits depend on nothing but the
// input.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "runtime/parallel.h"

namespace gotorch::kernels {

inline const std::vector<int64_t> kSizes = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 1000};

template <class T>
std::vector<T> uniform(int64_t n, double lo = -4, double hi = 4, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::vector<T> x(n);
  for (T& v : x) v = static_cast<T>(lo + (hi - lo) * (random() / 4294967296.0));
  return x;
}

inline std::vector<int64_t> random_indices(int64_t n, int64_t bound, uint32_t seed = 2) {
  std::mt19937 random(seed);
  std::vector<int64_t> x(n);
  for (int64_t& v : x) v = random() % bound;
  return x;
}

template <class T>
constexpr double eps = std::is_same_v<T, float> ? 0x1p-24 : 0x1p-53;

// Checks |got - want| <= bound, where NaN and infinities have to be equal in kind.
template <class T>
::testing::AssertionResult near(T got, long double want, double bound) {
  if (std::isnan(want)   ? std::isnan(got)
      : std::isinf(want) ? got == static_cast<T>(want)
                         : std::abs(static_cast<long double>(got) - want) <= bound)
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "got " << got << ", expected " << want << " +- " << bound;
}

// Appends the bytes of arrays to one string, to compare bits.
template <class... V>
std::string bytes(const V&... vectors) {
  std::string all;
  (all.append(reinterpret_cast<const char*>(vectors.data()), vectors.size() * sizeof(vectors[0])),
   ...);
  return all;
}

// f() returns the bytes of a result: they must not depend on the number of workers, nor on the
// instruction set. For the latter, the running test is run again in processes with GOTORCH_ISA set.
template <class F>
void expect_same_bits_everywhere(F f) {
  const int workers = runtime::num_workers();
  runtime::set_num_workers(1);
  const std::string one = f();
  const auto hash = std::to_string(std::hash<std::string>()(one));
  if (const char* file = std::getenv("GOTORCH_TEST_BITS")) {
    std::ofstream(file) << hash;
    return;
  }
  for (int n : {2, 3, 8}) {
    runtime::set_num_workers(n);
    EXPECT_TRUE(f() == one) << "other bits with " << n << " workers";
  }
  runtime::set_num_workers(workers);

  char exe[4096] = {};
  ASSERT_GT(readlink("/proc/self/exe", exe, sizeof exe - 1), 0);
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::string file = ::testing::TempDir() + "gotorch_bits_" + std::to_string(getpid());
  for (const char* isa : {"v2", "v3", "v4"}) {
    const std::string command = "GOTORCH_ISA=" + std::string(isa) + " GOTORCH_TEST_BITS='" + file +
                                "' '" + exe + "' --gtest_filter=" + test->test_suite_name() + "." +
                                test->name() + " > /dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    std::string other;
    std::ifstream(file) >> other;
    EXPECT_EQ(other, hash) << "other bits with GOTORCH_ISA=" << isa;
  }
  std::remove(file.c_str());
}

}  // namespace gotorch::kernels
