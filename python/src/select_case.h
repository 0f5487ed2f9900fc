#pragma once
// The cases of a select as Python states them, and a select that may be run without the GIL.
#include <vector>

#include "python/src/channel.h"
#include "runtime/select.h"

namespace gotorch::python {

// What gotorch.recv(c) and gotorch.send(c, value) return.
struct StatedCase {
  pybind11::object of;  // chan, Sender, Receiver or None
  pybind11::object value;
  bool sends;
};

// Made and asked for its result with the GIL; run() and the end need none.
class Choice {
 public:
  // kForever: no timeout. kDefault: does not wait.
  static constexpr int64_t kDefault = -1;
  // `stop`: run() throws Cancelled when it is closed, unless it is nil.
  Choice(const pybind11::args& stated, int64_t deadline_ns,
         const runtime::chan<runtime::unit>& stop = {});
  ~Choice();
  Choice(const Choice&) = delete;

  void run();
  // (number, value, ok); number -1 for the timeout or default.
  pybind11::tuple result();
  // What was received goes back to its channel.
  void undo();

 private:
  std::vector<Channel> channels_;
  std::vector<Cell> cells_;
  std::vector<runtime::SelectCase>
      cases_;  // one more than stated, if there is a timeout or default; and one to stop
  runtime::chan<runtime::unit> stop_;
  Cell none_;
  int taken_ = -1;
};

}  // namespace gotorch::python
