#include <pybind11/pybind11.h>

#include "runtime/parallel.h"

PYBIND11_MODULE(_C, m) {
  m.attr("__version__") = GOTORCH_VERSION;
  m.def("get_num_threads", &gotorch::runtime::num_workers);
}
