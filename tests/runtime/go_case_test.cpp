#include "tests/runtime/go_case.h"

#include <cstdlib>
#include <functional>
#include <string>

#include "runtime/chaos.h"
#include "runtime/parallel.h"
#include "runtime/scope.h"
#include "runtime/simulate.h"

namespace gotorch::runtime {
namespace {

void run_with_workers(int workers, GoCaseBody body) {
  set_num_workers(workers);
  scope s;
  s.go(body);
  s.join();
}

// A number from the environment.
uint64_t setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

void run_with_seeds(GoCaseBody body, const std::string& name) {
  const bool one = std::getenv("GOTORCH_SEED");
  const uint64_t first = setting("GOTORCH_SEED", 0);
  const uint64_t count = one ? 1 : setting("GOTORCH_SEEDS", 20);
  for (uint64_t seed = first; seed < first + count; seed++) {
    try {
      simulate(seed, body);
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    } catch (...) {
      ADD_FAILURE() << "something that is no std::exception was thrown";
    }
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "replay it with: GOTORCH_SEED=" << seed
                    << " runtime_test --gtest_filter=" << name;
      return;
    }
  }
}

class GoCase : public testing::Test {
 public:
  explicit GoCase(std::function<void()> run) : run_(std::move(run)) {}
  void TestBody() override { run_(); }

 private:
  const std::function<void()> run_;
};

}  // namespace

bool register_go_case(const char* suite, const char* name, const char* file, int line,
                      GoCaseBody body) {
  const auto add = [=](const std::string& how, std::function<void()> run) {
    testing::RegisterTest(suite, (std::string(name) + "/" + how).c_str(), nullptr, nullptr, file,
                          line, [run]() -> testing::Test* { return new GoCase(run); });
  };
  for (const int workers : {1, 2, 3, 8}) {
    add(std::to_string(workers), [=] { run_with_workers(workers, body); });
  }
  for (const int workers : {1, 2, 3, 8, 32}) {
    add("chaos" + std::to_string(workers), [=] {
      const chaos trouble(static_cast<uint64_t>(workers), 0.02);
      run_with_workers(workers, body);
    });
  }
  add("seeds", [=] { run_with_seeds(body, std::string(suite) + "." + name + "/seeds"); });
  return true;
}

}  // namespace gotorch::runtime
