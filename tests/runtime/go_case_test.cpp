#include "tests/runtime/go_case.h"

#include <string>

#include "runtime/parallel.h"
#include "runtime/scope.h"

namespace gotorch::runtime {
namespace {

class OnManyWorkers : public testing::Test {
 public:
  OnManyWorkers(int workers, GoCaseBody body) : workers_(workers), body_(body) {}
  void TestBody() override {
    set_num_workers(workers_);
    scope s;
    s.go(body_);
    s.join();
  }

 private:
  const int workers_;
  const GoCaseBody body_;
};

}  // namespace

bool register_go_case(const char* suite, const char* name, const char* file, int line,
                      GoCaseBody body) {
  for (const int workers : {1, 2, 3, 8}) {
    testing::RegisterTest(suite, (std::string(name) + "/" + std::to_string(workers)).c_str(),
                          nullptr, nullptr, file, line,
                          [=]() -> testing::Test* { return new OnManyWorkers(workers, body); });
  }
  return true;
}

}  // namespace gotorch::runtime
