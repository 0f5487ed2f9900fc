#include "runtime/trace.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>

#include "runtime/parallel.h"
#include "runtime/scope.h"
#include "runtime/timer.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {

class Trace : public OnWorkers {
 protected:
  void SetUp() override {
    OnWorkers::SetUp();
    folder_ = std::filesystem::temp_directory_path() / ("trace_test_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ / "trace.json"; }
  std::string text() const {
    std::ifstream file(path());
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }
  std::filesystem::path folder_;
};
RUN_ON_WORKERS(Trace);

int64_t count(const std::string& text, const std::string& part) {
  int64_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) n++;
  return n;
}

TEST_P(Trace, HasGoroutinesChannelsAndSpans) {
  trace::start();
  const chan<int> c(4);
  scope s;
  s.go([&] {
    const trace::Span span("producing", 42);
    for (int i = 0; i < 20; i++) {
      c.send(i);
      yield();
    }
    c.close();
  });
  int sum = 0;
  s.go([&] {
    for (const int v : c) sum += v;
  });
  s.join();
  trace::stop(path());
  const std::string json = text();
  EXPECT_EQ(sum, 190);
  EXPECT_EQ(count(json, "\"name\":\"send\""), 20);
  EXPECT_GE(count(json, "\"name\":\"receive\""), 20);
  EXPECT_GE(count(json, "\"name\":\"producing\""), 1);
  EXPECT_GE(count(json, "\"number\":42"), 1);
  EXPECT_GE(count(json, "\"name\":\"trace_test.cpp:"), 2);
  EXPECT_GE(count(json, "\"until\":\"end\""), 2);
  EXPECT_EQ(count(json, "\"ph\":\"s\""), count(json, "\"ph\":\"f\""));
  EXPECT_GE(count(json, "\"ph\":\"s\""), 2);
  EXPECT_GE(count(json, "\"name\":\"worker "), 1);
  EXPECT_EQ(count(json, "{"), count(json, "}"));
}

TEST_P(Trace, HasTheChunksOfLoops) {
  trace::start();
  std::atomic<int64_t> sum{0};
  parallel_for(1000, 10, [&](int64_t b, int64_t e) { sum += e - b; });
  trace::stop(path());
  EXPECT_EQ(sum, 1000);
  if (GetParam() > 1) {
    EXPECT_EQ(count(text(), "\"name\":\"chunk\""), 100);
  }
}

TEST_P(Trace, KeepsTheNewestEventsOfEachThread) {
  trace::start({.events = 64});
  scope s;
  s.go([] {
    for (int i = 0; i < 1000; i++) const trace::Span span("step", i);
  });
  s.join();
  trace::stop(path());
  const std::string json = text();
  EXPECT_EQ(count(json, "\"number\":0}"), 0);
  EXPECT_EQ(count(json, "\"number\":995}"), 1);
  EXPECT_LE(count(json, "\"name\":\"step\""), 64);
}

TEST_P(Trace, StartsOver) {
  for (int round = 0; round < 3; round++) {
    trace::start();
    scope s;
    s.go([round] { const trace::Span span(trace::keep("round " + std::to_string(round))); });
    s.join();
    trace::stop(path());
    EXPECT_EQ(count(text(), "\"name\":\"round "), 1);
    EXPECT_EQ(count(text(), "\"name\":\"round " + std::to_string(round)), 1);
  }
}

TEST_P(Trace, WhileGoroutinesRunOn) {
  std::atomic<bool> stop{false};
  scope s;
  for (int i = 0; i < 4; i++) {
    s.go([&] {
      while (!stop) {
        const trace::Span span("turn");
        yield();
      }
    });
  }
  for (int round = 0; round < 5; round++) {
    trace::start({.events = 256});
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    trace::stop(path());
    EXPECT_EQ(count(text(), "{"), count(text(), "}"));
  }
  stop = true;
  s.join();
}

TEST_P(Trace, BadUseIsAnError) {
  EXPECT_THROW(trace::stop(path()), std::logic_error);
  EXPECT_THROW(trace::start({.events = 0}), std::invalid_argument);
  EXPECT_THROW(trace::start({.events = int64_t{1} << 25}), std::invalid_argument);
  trace::start();
  EXPECT_THROW(trace::start(), std::logic_error);
  EXPECT_THROW(trace::stop(folder_ / "none" / "x.json"), std::system_error);
  EXPECT_THROW(trace::stop(path()), std::logic_error);  // it is off after that
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_P(Trace, AnOldFileStaysIfTheNewOneCannotBeWritten) {
  std::filesystem::create_directories(path());  // a folder cannot be replaced by a file
  trace::start();
  EXPECT_THROW(trace::stop(path()), std::system_error);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}),
            1);  // and nothing else is left
}

}  // namespace gotorch::runtime
