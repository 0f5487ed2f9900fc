#pragma once
// A case of Go's semantics: a function that runs as a goroutine, with each number of workers.
//
//   GO_CASE(Chan, ReceiveOnEmptyBlocks) { ... EXPECT_EQ(...); }
#include <gtest/gtest.h>

namespace gotorch::runtime {

using GoCaseBody = void (*)();

// Registers the tests of a case; `Suite.Name/2` runs it with two workers.
bool register_go_case(const char* suite, const char* name, const char* file, int line,
                      GoCaseBody body);

#define GO_CASE(suite, name)                                                                   \
  static void suite##_##name();                                                                \
  [[maybe_unused]] static const bool suite##_##name##_registered =                             \
      ::gotorch::runtime::register_go_case(#suite, #name, __FILE__, __LINE__, suite##_##name); \
  static void suite##_##name()

}  // namespace gotorch::runtime
