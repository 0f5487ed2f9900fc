// What a profile measured, and regions that Python names.
#include "tensor/profile.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>

#include "python/src/bind.h"

namespace gotorch::python {
namespace py = pybind11;
namespace {

// A named region, from its making until close() or its end.
class Region {
 public:
  explicit Region(const std::string& name) {
    if (profile::on() || runtime::trace::on())
      span_.emplace(profile::Kind::Region, runtime::trace::keep(name));
  }
  void close() { span_.reset(); }

 private:
  std::optional<profile::Span> span_;
};

py::list events() {
  py::list out;
  for (const profile::Event& e : profile::stop())
    out.append(py::make_tuple(e.name, e.line, e.start_ns, e.end_ns, e.memory, e.peak, e.shapes));
  return out;
}

}  // namespace

void bind_profile(py::module_& m) {
  py::class_<Region>(m, "_Region").def(py::init<const std::string&>()).def("close", &Region::close);
  m.def("_start_profile", [](bool shapes) { profile::start({.shapes = shapes}); });
  m.def("_stop_profile", &events);
}

}  // namespace gotorch::python
