// Threads, memory statistics, grad mode and other settings of the process.
#include <pybind11/pybind11.h>

#include "python/src/bind.h"
#include "python/src/casters.h"
#include "python/src/overload.h"
#include "runtime/parallel.h"
#include "tensor/allocator.h"
#include "tensor/promote.h"

namespace gotorch::python {
namespace py = pybind11;

void bind_runtime(py::module_& m) {
  m.def("get_num_threads", &runtime::num_workers,
        "The threads that compute, the calling one included.");
  m.def("set_num_threads", &runtime::set_num_workers, py::arg("int"));
  m.def("get_default_dtype", &default_dtype);
  m.def("set_default_dtype", &set_default_dtype, py::arg("d"));
  m.def("memory_allocated", [] { return memory_stats().allocated; }, "Bytes in use by tensors.");
  m.def("max_memory_allocated", [] { return memory_stats().max_allocated; });
  m.def("memory_reserved", [] { return memory_stats().reserved; }, "Bytes held from the system.");
  m.def("reset_peak_memory_stats", &reset_peak_memory);
  m.def("empty_cache", &empty_cache, "Gives memory that no tensor uses back to the system.");
  m.def("_set_cpu_device", [](py::object device) { cpu_device = device.release().ptr(); });
  m.def("_check_device", [](const py::object& device) { check_device(device.ptr()); });
  m.def("_promote_types", &promote);
  m.def("_result_type", [](const py::object& a, const py::object& b) {
    Promotion p;
    for (PyObject* o : {a.ptr(), b.ptr()}) {
      Scalar s;
      if (is_tensor(o)) p.add(unwrap(o));
      else if (to_number(o, s)) p.add(s);
      else fail<TypeError>("result_type() takes tensors and numbers, not ", Py_TYPE(o)->tp_name);
    }
    return p.result();
  });
  m.def("_broadcast_shapes", [](const DimVector& a, const DimVector& b) {
    return py::reinterpret_steal<py::object>(expect(make_size(broadcast_shapes(a, b))));
  });
  m.def("_can_cast", &can_cast);
  static bool anomaly = false, check_nan = true;
  m.def("_anomaly_mode", [] { return std::make_pair(anomaly, check_nan); });
  m.def("_set_anomaly_mode", [](bool on, bool nan) {
    anomaly = on;
    check_nan = nan;
  });
}

}  // namespace gotorch::python
