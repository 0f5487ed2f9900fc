#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/io/stream.h"

namespace gotorch::runtime {

enum class Stdio {
  Inherit,  // ours
  Null,     // reads nothing, writes nowhere
  Pipe,     // a stream of the process object
};

struct command {
  std::vector<std::string> arguments;  // the first is the program, looked for in PATH
  Stdio in = Stdio::Null, out = Stdio::Inherit, err = Stdio::Inherit;
  std::string folder;                                             // where it runs; empty: here
  std::optional<std::map<std::string, std::string>> environment;  // empty: ours
};

struct exit_status {
  int code = 0;    // what it returned
  int signal = 0;  // or what ended it
  bool ok() const { return code == 0 && signal == 0; }
};

// A child process. A handle that is copied freely; it goes on if nobody has one any more.
//
//   process p = spawn({.arguments = {"sort"}, .in = Stdio::Pipe, .out = Stdio::Pipe});
//   go([=] { p.in().write("b\na\n"); p.in().close(); });
//   std::string sorted = p.out().read_all();
//   p.wait();
class process {
 public:
  process() = default;

  // Until it has ended; then always the same. Cancelled: it goes on.
  exit_status wait() const;
  // False: it has ended.
  bool kill(int signal) const;
  int pid() const;
  // Those that were asked to be pipes.
  const stream& in() const;
  const stream& out() const;
  const stream& err() const;

  struct State;
  explicit process(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  State& checked(const char* op) const;
  std::shared_ptr<State> state_;
};

// IoError if the program is not there or must not be run.
process spawn(const command& what);

}  // namespace gotorch::runtime
