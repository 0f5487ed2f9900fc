// What gotorch.utils.data is built of besides channels: collating.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "data/collate.h"
#include "grad/mode.h"
#include "python/src/bind.h"
#include "python/src/casters.h"
#include "python/src/gil.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

// A batch from here on is copied without the GIL; below, handing it over would cost more than the copy.
constexpr int64_t kUnlockedBytes = 256 * 1024;

// The batch of a list of tensors; None if something else than copying is asked for.
py::object collate_tensors(const py::list& items) {
  std::vector<Tensor> tensors;
  tensors.reserve(items.size());
  for (const py::handle item : items) {
    if (!is_tensor(item.ptr())) return py::none();
    const Tensor& t = unwrap(item.ptr());
    if ((t.requires_grad() && grad_mode().enabled) ||
        (!tensors.empty() && t.dtype() != tensors[0].dtype())) {
      return py::none();
    }
    tensors.push_back(t);
  }
  if (tensors.empty()) return py::none();
  Tensor batch;
  {
    const int64_t bytes = tensors[0].bytes() * static_cast<int64_t>(tensors.size());
    const Unlocked unlocked(bytes >= kUnlockedBytes);
    batch = collate(tensors);
  }
  return py::reinterpret_steal<py::object>(expect(wrap(std::move(batch))));
}

}  // namespace

void bind_data(py::module_& m) { m.def("_collate_tensors", &collate_tensors); }

}  // namespace gotorch::python
