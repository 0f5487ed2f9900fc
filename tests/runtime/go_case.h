#pragma once
// A case of Go's semantics: a function that runs as a goroutine, in every way we know to find a fault in it or in the runtime.
//
// No SCOPED_TRACE: GoogleTest keeps those by thread, and a goroutine goes from one to another.
//
//   GO_CASE(Chan, ReceiveOnEmptyBlocks) { ... EXPECT_EQ(...); }
//
// `Suite.Name/2` runs it with two workers, `Suite.Name/chaos2` under chaos, `Suite.Name/seeds` in simulations: with 20 seeds, or
// $GOTORCH_SEEDS of them. One seed that failed is replayed by GOTORCH_SEED=n runtime_test --gtest_filter=Suite.Name/seeds.
#include <gtest/gtest.h>

namespace gotorch::runtime {

using GoCaseBody = void (*)();

// Registers the tests of a case.
bool register_go_case(const char* suite, const char* name, const char* file, int line,
                      GoCaseBody body);

#define GO_CASE(suite, name)                                                                   \
  static void suite##_##name();                                                                \
  [[maybe_unused]] static const bool suite##_##name##_registered =                             \
      ::gotorch::runtime::register_go_case(#suite, #name, __FILE__, __LINE__, suite##_##name); \
  static void suite##_##name()

}  // namespace gotorch::runtime
