// DLPack: memory exchanged with other array libraries. The structures below are its binary interface, version 1.0
// (https://dmlc.github.io/dlpack/latest/c_api.html).
#include <pybind11/pybind11.h>

#include "python/src/bind.h"
#include "python/src/casters.h"
#include "python/src/export.h"
#include "python/src/gil.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

struct DLDevice {
  int32_t type, id;
};
struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  uint64_t flags;
  DLTensor tensor;
};

constexpr int32_t kCpu = 1;
constexpr uint64_t kReadOnly = 1;
enum Code : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBFloat = 4, kBool = 6 };

// Names of the capsules: as offered, and once somebody has taken the content.
template <class M>
constexpr const char* kOffered =
    std::is_same_v<M, DLManagedTensor> ? "dltensor" : "dltensor_versioned";
template <class M>
constexpr const char* kTaken =
    std::is_same_v<M, DLManagedTensor> ? "used_dltensor" : "used_dltensor_versioned";

DLDataType type_of(Dtype d) {
  const uint8_t code = d == Dtype::Bool       ? kBool
                       : d == Dtype::UInt8    ? kUInt
                       : d == Dtype::BFloat16 ? kBFloat
                       : is_floating(d)       ? kFloat
                                              : kInt;
  return {code, static_cast<uint8_t>(size_of(d) * 8), 1};
}

Dtype dtype_from(DLDataType t) {
  for (int i = 0; i < kDtypes; i++) {
    const DLDataType own = type_of(static_cast<Dtype>(i));
    if (own.code == t.code && own.bits == t.bits && t.lanes == 1) return static_cast<Dtype>(i);
  }
  fail("from_dlpack: elements of code ", int{t.code}, ", ", int{t.bits}, " bits and ", int{t.lanes},
       " lanes are not supported");
}

// The managed tensor and what it points to.
template <class M>
struct Exported {
  M managed{};
  Tensor tensor;
  DimVector shape, strides;
};

template <class M>
void offer(PyObject*& capsule, const Tensor& t) {
  auto* e = new Exported<M>{{}, t, t->shape, t->strides};
  M& m = e->managed;
  if constexpr (std::is_same_v<M, DLManagedTensorVersioned>) {
    m.major = 1;
    m.flags = t.storage()->writable() ? 0 : kReadOnly;
  }
  m.context = e;
  m.deleter = [](M* managed) { delete static_cast<Exported<M>*>(managed->context); };
  m.tensor = {shared_data(t),
              {kCpu, 0},
              static_cast<int32_t>(t.dim()),
              type_of(t.dtype()),
              e->shape.data(),
              e->strides.data(),
              0};
  capsule = PyCapsule_New(&m, kOffered<M>, [](PyObject* c) {
    if (!PyCapsule_IsValid(c, kOffered<M>)) return;  // taken
    auto* managed = static_cast<M*>(PyCapsule_GetPointer(c, kOffered<M>));
    managed->deleter(managed);
  });
  if (!capsule) delete e;
}

py::object to_dlpack(const Tensor& t, bool versioned) {
  check(versioned || t.storage()->writable(),
        "__dlpack__: read-only memory needs DLPack 1.0; ask for max_version=(1, 0)");
  PyObject* capsule = nullptr;
  if (versioned) offer<DLManagedTensorVersioned>(capsule, t);
  else offer<DLManagedTensor>(capsule, t);
  return py::reinterpret_steal<py::object>(expect(capsule));
}

struct Layout {
  Dtype dtype;
  DimVector shape, strides;
  size_t bytes;
  void* data;
};

Layout checked_layout(const DLTensor& d) {
  check(d.device.type == kCpu, "from_dlpack: the array is on device type ", int{d.device.type},
        ", not on the CPU");
  check(d.ndim >= 0, "from_dlpack: negative number of dimensions");
  Layout l{dtype_from(d.dtype), DimVector(Dims(d.shape, static_cast<size_t>(d.ndim)))};
  l.strides = d.strides ? DimVector(Dims(d.strides, l.shape.size())) : contiguous_strides(l.shape);
  for (int64_t s : l.strides)
    check<ValueError>(s >= 0, "from_dlpack: negative strides are not supported: ", Dims(l.strides));
  l.bytes =
      static_cast<size_t>(numel_of(l.shape) ? span_of(l.shape, l.strides) * size_of(l.dtype) : 0);
  l.data = static_cast<std::byte*>(d.data) + d.byte_offset;
  return l;
}

template <class M>
Tensor take(PyObject* capsule) {
  auto* m = static_cast<M*>(PyCapsule_GetPointer(capsule, kOffered<M>));
  if (!m) throw PythonError();
  bool writable = true;
  if constexpr (std::is_same_v<M, DLManagedTensorVersioned>) {
    check(m->major == 1, "from_dlpack: version ", int64_t{m->major},
          " of DLPack is not supported, only 1");
    writable = !(m->flags & kReadOnly);
  }
  const Layout l = checked_layout(m->tensor);
  auto release = [m] {
    if (!m->deleter || !Py_IsInitialized()) return;
    const Locked gil;
    m->deleter(m);
  };
  expect(PyCapsule_SetName(capsule, kTaken<M>) ? -1
                                               : 0);  // from here on the content is ours to release
  Ref<Storage> storage = Storage::borrow(l.data, l.bytes, release, writable);
  storage->share_outside();
  return make_view(std::move(storage), l.dtype, l.shape, l.strides, 0);
}

Tensor from_dlpack(const py::object& capsule) {
  PyObject* c = capsule.ptr();
  if (PyCapsule_IsValid(c, kOffered<DLManagedTensorVersioned>))
    return take<DLManagedTensorVersioned>(c);
  check(PyCapsule_IsValid(c, kOffered<DLManagedTensor>),
        "from_dlpack: expected a DLPack capsule that nobody has used yet");
  return take<DLManagedTensor>(c);
}

}  // namespace

void bind_dlpack(py::module_& m) {
  m.def("_to_dlpack", &to_dlpack);
  m.def("_from_dlpack", &from_dlpack);
}

}  // namespace gotorch::python
