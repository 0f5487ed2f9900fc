#include "python/src/generator.h"

#include <pybind11/stl.h>

#include "python/src/bind.h"
#include "python/src/casters.h"
#include "python/src/overload.h"
#include "tensor/random.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

// Seeds are 64 bits; negative ones stand for their two's complement.
uint64_t seed_of(const py::int_& value) {
  int overflow = 0;
  const long long s = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow == 0) return static_cast<uint64_t>(s);
  const unsigned long long u = overflow > 0 ? PyLong_AsUnsignedLongLong(value.ptr()) : 0;
  if (overflow < 0 || PyErr_Occurred()) {
    PyErr_Clear();
    fail("manual_seed: the seed must lie in [-2**63, 2**64), got ",
         py::cast<std::string>(py::str(value)));
  }
  return u;
}

Tensor state_of(const Generator& g) {
  const std::vector<uint8_t> bytes = g.get_state();
  return tensor_of(std::span<const uint8_t>(bytes), {static_cast<int64_t>(bytes.size())});
}

void set_state(Generator& g, const Tensor& state) {
  check<TypeError>(state.dtype() == Dtype::UInt8 && state.is_contiguous(),
                   "set_state: expected a contiguous uint8 tensor, got ", state.dtype());
  g.set_state(std::span<const uint8_t>(state.data<uint8_t>(), static_cast<size_t>(state.numel())));
}

}  // namespace

bool to_generator(PyObject* o, Value& out) {
  if (!py::isinstance<Generator>(o)) return false;
  out = Value(py::cast<Generator*>(o));
  return true;
}

void bind_generator(py::module_& m) {
  py::class_<Generator>(m, "Generator",
                        "A source of random numbers: the same seed gives the same numbers.")
      .def(py::init([](const py::object& device) {
             check_device(device.ptr());
             return Generator();
           }),
           py::arg("device") = py::none())
      .def("manual_seed",
           [](py::object self, const py::int_& seed) {
             py::cast<Generator&>(self).manual_seed(seed_of(seed));
             return self;
           })
      .def("seed", &Generator::seed)
      .def("initial_seed", &Generator::initial_seed)
      .def("get_state", &state_of)
      .def("set_state",
           [](py::object self, const Tensor& state) {
             set_state(py::cast<Generator&>(self), state);
             return self;
           })
      .def("clone_state", &Generator::clone)
      .def_property_readonly("device", [](const Generator&) {
        return py::reinterpret_borrow<py::object>(cpu_device);
      });
  m.def("_set_thread_generator", &set_thread_generator);
  m.attr("default_generator") = py::cast(&default_generator(), py::return_value_policy::reference);
}

}  // namespace gotorch::python
