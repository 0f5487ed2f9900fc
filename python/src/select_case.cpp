#include "python/src/select_case.h"

#include "python/src/bind.h"
#include "python/src/contexts.h"

namespace gotorch::python {

namespace py = pybind11;
using runtime::SelectCase;

// Channels and cells have their places before the cases point to them.
Choice::Choice(const py::args& stated, int64_t deadline_ns,
               const runtime::chan<runtime::unit>& stop)
    : stop_(stop) {
  const size_t n = stated.size();
  channels_.reserve(n);
  for (const py::handle o : stated) {
    if (!py::isinstance<StatedCase>(o)) {
      throw py::type_error(
          std::string("select: expected gotorch.recv(c) or gotorch.send(c, value), got ") +
          Py_TYPE(o.ptr())->tp_name);
    }
    const auto& s = py::cast<const StatedCase&>(o);
    channels_.push_back(channel_of(s.of, s.sends, s.sends ? "send" : "recv"));
    if (s.sends) channels_.back().check_sends();
  }
  cells_.resize(n);
  cases_.reserve(n + 2);
  for (size_t i = 0; i < n; i++) {
    const auto& s = py::cast<const StatedCase&>(stated[i]);
    if (s.sends) channels_[i].element().put(&cells_[i], s.value.ptr());
    cases_.push_back(
        {s.sends ? SelectCase::Send : SelectCase::Receive, channels_[i].core().get(), &cells_[i]});
  }
  if (deadline_ns == kDefault) cases_.push_back({SelectCase::Default});
  else if (deadline_ns != runtime::kForever)
    cases_.push_back({SelectCase::Timeout, nullptr, nullptr, false, deadline_ns});
  if (stop_) cases_.push_back({SelectCase::Receive, stop_.core(), &none_});
}

// Cells to be sent are ours still, be it as moved from; a received one is unless result() has taken it.
Choice::~Choice() {
  for (size_t i = 0; i < channels_.size(); i++) {
    const bool received =
        cases_[i].kind == SelectCase::Receive && static_cast<int>(i) == taken_ && cases_[i].ok;
    if (cases_[i].kind == SelectCase::Send || received) channels_[i].element().end(&cells_[i]);
  }
}

void Choice::run() {
  taken_ = runtime::select_case(cases_.data(), static_cast<int>(cases_.size()));
  if (stop_ && taken_ + 1 == static_cast<int>(cases_.size())) throw runtime::Cancelled();
}

py::tuple Choice::result() {
  if (taken_ < 0 || taken_ >= static_cast<int>(channels_.size()))
    return py::make_tuple(-1, py::none(), false);
  const auto i = static_cast<size_t>(taken_);
  SelectCase& c = cases_[i];
  if (c.error) std::rethrow_exception(c.error);
  if (c.kind == SelectCase::Send) return py::make_tuple(taken_, py::none(), true);
  if (!c.ok) return py::make_tuple(taken_, py::none(), false);
  c.ok = false;  // the cell is the tuple's from here on
  return py::make_tuple(
      taken_, py::reinterpret_steal<py::object>(channels_[i].element().take(&cells_[i])), true);
}

void Choice::undo() {
  if (taken_ < 0 || taken_ >= static_cast<int>(channels_.size())) return;
  const auto i = static_cast<size_t>(taken_);
  if (cases_[i].kind != SelectCase::Receive || !cases_[i].ok) return;
  channels_[i].core()->give_back(&cells_[i]);
}

void bind_select(py::module_& m) {
  py::class_<StatedCase>(m, "_Case");
  m.def(
      "recv", [](const py::object& c) { return StatedCase{c, py::none(), false}; }, py::arg("c"),
      "A case of gotorch.select: receives from `c`, a chan or Receiver. None, or a nil channel, is "
      "never ready.");
  m.def(
      "send",
      [](const py::object& c, const py::object& value) { return StatedCase{c, value, true}; },
      py::arg("c"), py::arg("value"),
      "A case of gotorch.select: sends to `c`, a chan or Sender. None, or a nil channel, is never "
      "ready.");
  m.def("_select", [](bool wait, const py::object& timeout, const py::args& cases) {
    Choice choice(cases, wait ? deadline_after(timeout, "select") : Choice::kDefault);
    if (wait) cancellably([&] { choice.run(); });
    else choice.run();
    return choice.result();
  });
}

}  // namespace gotorch::python
