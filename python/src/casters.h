#pragma once
// pybind11 conversions, so that plain pybind11 functions take and return the library's types.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "python/src/convert.h"
#include "python/src/dtype_object.h"
#include "python/src/tensor_object.h"

namespace pybind11::detail {

template <>
struct type_caster<gotorch::Tensor> {
  PYBIND11_TYPE_CASTER(gotorch::Tensor, const_name("Tensor"));
  bool load(handle src, bool) {
    if (!gotorch::python::is_tensor(src.ptr())) return false;
    value = gotorch::python::unwrap(src.ptr());
    return true;
  }
  static handle cast(const gotorch::Tensor& t, return_value_policy, handle) {
    return gotorch::python::wrap(t);
  }
};

template <>
struct type_caster<gotorch::Dtype> {
  PYBIND11_TYPE_CASTER(gotorch::Dtype, const_name("dtype"));
  bool load(handle src, bool) { return gotorch::python::to_dtype(src.ptr(), value); }
  static handle cast(gotorch::Dtype d, return_value_policy, handle) {
    return handle(gotorch::python::dtype_object(d)).inc_ref();
  }
};

template <>
struct type_caster<gotorch::Scalar> {
  PYBIND11_TYPE_CASTER(gotorch::Scalar, const_name("Number"));
  bool load(handle src, bool) { return gotorch::python::to_scalar(src.ptr(), value); }
  static handle cast(gotorch::Scalar s, return_value_policy, handle) {
    return gotorch::python::from_scalar(s);
  }
};

// A list or tuple of tensors; returned as a tuple.
template <>
struct type_caster<gotorch::Tensors> {
  PYBIND11_TYPE_CASTER(gotorch::Tensors, const_name("tuple of Tensors"));
  bool load(handle src, bool) {
    if (!isinstance<list>(src) && !isinstance<tuple>(src)) return false;
    for (handle item : src) {
      if (!gotorch::python::is_tensor(item.ptr())) return false;
      value.push_back(gotorch::python::unwrap(item.ptr()));
    }
    return true;
  }
  static handle cast(const gotorch::Tensors& list, return_value_policy, handle) {
    tuple out(list.size());
    for (size_t i = 0; i < list.size(); i++) out[i] = pybind11::cast(list[i]);
    return out.release();
  }
};

// A list or tuple of integers, or one integer.
template <>
struct type_caster<gotorch::DimVector> {
  PYBIND11_TYPE_CASTER(gotorch::DimVector, const_name("tuple of ints"));
  bool load(handle src, bool) { return gotorch::python::to_dims(src.ptr(), value); }
  static handle cast(const gotorch::DimVector& d, return_value_policy, handle) {
    return gotorch::python::from_dims(d);
  }
};

}  // namespace pybind11::detail
