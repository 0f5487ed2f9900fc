// Invariants
//  - TensorImpl::python of a wrapped tensor is its object, borrowed; the object holds the tensor. Both change under the GIL.
//  - Objects of the exact type are recycled through a free list. They are tracked by the garbage collector only once they
//    have a __dict__: without one they cannot be part of a cycle.
#include "python/src/tensor_object.h"

#include <cstddef>
#include <new>

#include "python/src/bind.h"
#include "python/src/errors.h"
#include "python/src/export.h"
#include "python/src/tensor_slots.h"

namespace gotorch::python {

PyTypeObject* tensor_type = nullptr;

namespace {

constexpr int kFreeList = 64;
TensorObject* free_list[kFreeList];
int free_count = 0;

TensorObject* cast(PyObject* o) { return reinterpret_cast<TensorObject*>(o); }

// With an undefined tensor.
TensorObject* allocate_object() {
  TensorObject* self;
  if (free_count > 0) {
    self = free_list[--free_count];
    PyObject_Init(reinterpret_cast<PyObject*>(self), tensor_type);
  } else {
    self = PyObject_GC_New(TensorObject, tensor_type);
    if (!self) return nullptr;
  }
  self->dict = nullptr;
  self->weakrefs = nullptr;
  return self;
}

void dealloc(PyObject* o) {
  PyObject_GC_UnTrack(o);
  TensorObject* self = cast(o);
  PyTypeObject* type = Py_TYPE(o);
  if (self->weakrefs) PyObject_ClearWeakRefs(o);
  Py_CLEAR(self->dict);
  if (self->tensor.defined()) self->tensor->python = nullptr;
  self->tensor.~Tensor();
  if (type == tensor_type && free_count < kFreeList) free_list[free_count++] = self;
  else type->tp_free(o);
  Py_DECREF(type);
}

int traverse(PyObject* o, visitproc visit, void* arg) {
#if PY_VERSION_HEX >= 0x03090000
  Py_VISIT(Py_TYPE(o));
#endif
  Py_VISIT(cast(o)->dict);
  return 0;
}

int clear(PyObject* o) {
  Py_CLEAR(cast(o)->dict);
  return 0;
}

// A new __dict__ makes the object reachable from itself, so it is tracked from then on.
int set_attribute(PyObject* o, PyObject* name, PyObject* value) {
  const bool had = cast(o)->dict;
  const int status = PyObject_GenericSetAttr(o, name, value);
  if (!had && cast(o)->dict && Py_TYPE(o) == tensor_type) PyObject_GC_Track(o);
  return status;
}

PyObject* get_dict(PyObject* o, void* context) {
  const bool had = cast(o)->dict;
  PyObject* dict = PyObject_GenericGetDict(o, context);
  if (!had && dict && Py_TYPE(o) == tensor_type) PyObject_GC_Track(o);
  return dict;
}

int set_dict(PyObject* o, PyObject* value, void* context) {
  const bool had = cast(o)->dict;
  const int status = PyObject_GenericSetDict(o, value, context);
  if (!had && cast(o)->dict && Py_TYPE(o) == tensor_type) PyObject_GC_Track(o);
  return status;
}

// By identity, since == compares elements.
Py_hash_t hash(PyObject* o) {
  const auto address = reinterpret_cast<size_t>(o);
  return static_cast<Py_hash_t>(address >> 4 | address << (8 * sizeof(size_t) - 4));
}

PyGetSetDef dict_attribute[] = {{"__dict__", get_dict, set_dict, nullptr, nullptr}, {}};

}  // namespace

PyObject* wrap(Tensor t) {
  if (!t.defined()) Py_RETURN_NONE;
  if (void* known = t->python) {
    auto* object = static_cast<PyObject*>(known);
    Py_INCREF(object);
    return object;
  }
  TensorObject* self = allocate_object();
  if (!self) return nullptr;
  new (&self->tensor) Tensor(std::move(t));
  self->tensor->python = self;
  return reinterpret_cast<PyObject*>(self);
}

PyObject* wrap_as(Tensor t, PyTypeObject* type) {
  if (type == tensor_type) return wrap(std::move(t));
  if (t->python) fail("this tensor already has a Python object");
  PyObject* object = expect(type->tp_alloc(type, 0));  // zeroed, and tracked
  new (&cast(object)->tensor) Tensor(std::move(t));
  cast(object)->tensor->python = object;
  return object;
}

PyTypeObject* make_tensor_type() {
  std::vector<PyType_Slot> slots{{Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                                 {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                                 {Py_tp_clear, reinterpret_cast<void*>(clear)},
                                 {Py_tp_setattro, reinterpret_cast<void*>(set_attribute)},
                                 {Py_tp_hash, reinterpret_cast<void*>(hash)},
                                 {Py_tp_getset, dict_attribute}};
  add_number_slots(slots);
  add_sequence_slots(slots);
  add_creation_slots(slots);
  slots.push_back({0, nullptr});
  PyType_Spec spec{"gotorch.Tensor", sizeof(TensorObject), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots.data()};
  tensor_type = reinterpret_cast<PyTypeObject*>(expect(PyType_FromSpec(&spec)));
  tensor_type->tp_dictoffset = offsetof(TensorObject, dict);
  tensor_type->tp_weaklistoffset = offsetof(TensorObject, weakrefs);
  tensor_type->tp_as_buffer->bf_getbuffer = tensor_buffer_procs()->bf_getbuffer;
  tensor_type->tp_as_buffer->bf_releasebuffer = tensor_buffer_procs()->bf_releasebuffer;
  add_attributes();
  return tensor_type;
}

void bind_tensor(PyObject* module) {
  expect(PyObject_SetAttrString(module, "Tensor", reinterpret_cast<PyObject*>(make_tensor_type())));
}

}  // namespace gotorch::python
