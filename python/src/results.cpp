#include "python/src/results.h"

#include <structmember.h>

#include <string>
#include <unordered_map>

#include "python/src/errors.h"
#include "python/src/tensor_object.h"

namespace gotorch::python {
namespace {

// torch.return_types.max(
// values=tensor(...),
// indices=tensor(...))
PyObject* repr(PyObject* self) {
  std::string text = Py_TYPE(self)->tp_name;
  text += "(\n";
  PyMemberDef* member = Py_TYPE(self)->tp_members;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); i++) {
    const Owned item(PyObject_Repr(PyTuple_GET_ITEM(self, i)));
    if (!item.get()) return nullptr;
    if (i) text += ",\n";
    text += std::string(member[i].name) + "=" + PyUnicode_AsUTF8(item.get());
  }
  text += ")";
  return PyUnicode_FromString(text.c_str());
}

PyTypeObject* make_result_type(const Op& op) {
  // Kept for good: the type refers to them.
  auto* name = new std::string("torch.return_types." + op.name());
  const auto& results = op.signature().results;
  auto* fields = new PyStructSequence_Field[results.size() + 1]{};
  for (size_t i = 0; i < results.size(); i++) fields[i].name = results[i].c_str();
  auto* desc =
      new PyStructSequence_Desc{name->c_str(), nullptr, fields, static_cast<int>(results.size())};
  PyTypeObject* type = PyStructSequence_NewType(desc);
  if (!type) throw PythonError();
  type->tp_repr = repr;
  return type;
}

PyObject* as_list(Tensors&& results) {
  Owned tuple(expect(PyTuple_New(static_cast<Py_ssize_t>(results.size()))));
  for (size_t i = 0; i < results.size(); i++)
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), expect(wrap(std::move(results[i]))));
  return tuple.leak();
}

}  // namespace

PyTypeObject* result_type(const Op& op) {
  static auto* types = new std::unordered_map<const Op*, PyTypeObject*>;
  const auto& results = op.signature().results;
  if (results.size() < 2 || results[0].empty()) return nullptr;
  PyTypeObject*& type = (*types)[&op];
  if (!type) type = make_result_type(op);
  return type;
}

PyObject* from_results(const Op& op, Tensors&& results) {
  const Signature& s = op.signature();
  if (s.returns_list) return as_list(std::move(results));
  if (s.returns_bool) return PyBool_FromLong(results[0].item<bool>());
  if (s.results.size() == 1) return wrap(std::move(results[0]));
  PyTypeObject* type = result_type(op);
  if (!type) return as_list(std::move(results));
  Owned tuple(expect(PyStructSequence_New(type)));
  for (size_t i = 0; i < results.size(); i++)
    PyStructSequence_SetItem(tuple.get(), static_cast<Py_ssize_t>(i),
                             expect(wrap(std::move(results[i]))));
  return tuple.leak();
}

}  // namespace gotorch::python
