// Files for Python: the atomic writer, the memory of tensors as bytes, safetensors.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstring>
#include <memory>

#include "data/atomic_file.h"
#include "data/safetensors.h"
#include "python/src/bind.h"
#include "python/src/casters.h"
#include "python/src/gil.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

// Contiguous bytes of an object with the buffer protocol, for as long as this lives.
class Bytes {
 public:
  explicit Bytes(const py::object& o) {
    if (PyObject_GetBuffer(o.ptr(), &view_, PyBUF_SIMPLE) != 0) throw py::error_already_set();
  }
  ~Bytes() { PyBuffer_Release(&view_); }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  const char* data() const { return static_cast<const char*>(view_.buf); }
  size_t size() const { return static_cast<size_t>(view_.len); }

 private:
  Py_buffer view_;
};

class PythonAtomicFile {
 public:
  explicit PythonAtomicFile(const py::object& path) {
    const Owned encoded([&] {
      PyObject* bytes = nullptr;
      if (!PyUnicode_FSConverter(path.ptr(), &bytes)) throw py::error_already_set();
      return bytes;
    }());
    file_ = std::make_unique<AtomicFile>(PyBytes_AsString(encoded.get()));
  }
  int64_t write(const py::object& content) {
    const Bytes bytes(content);
    const Unlocked unlocked;
    open().write(bytes.data(), bytes.size());
    return static_cast<int64_t>(bytes.size());
  }
  void commit() {
    {
      const Unlocked unlocked;
      open().commit();
    }
    abandon();
  }
  void abandon() { file_.reset(); }

 private:
  AtomicFile& open() const {
    check<ValueError>(file_ != nullptr, "the file is closed");
    return *file_;
  }
  std::unique_ptr<AtomicFile> file_;
};

// A storage's bytes, to read. Unlike NumPy, which may write at any time, whoever has this promises to be done with
// it before the tensor changes; so the tensor's expressions stay deferred.
struct StorageBytes {
  Ref<Storage> storage;
};

// (a number that is the storage's own, its bytes)
py::tuple storage_of(const Tensor& t) {
  const Ref<Storage>& storage = t.storage();
  return py::make_tuple(reinterpret_cast<uintptr_t>(storage.get()), StorageBytes{storage});
}

// Copies bytes into a contiguous tensor that nobody else knows yet.
void fill_bytes(const Tensor& t, int64_t at, const py::object& content) {
  const Bytes bytes(content);
  const int64_t n = static_cast<int64_t>(bytes.size());
  check<ValueError>(t.is_contiguous() && at >= 0 && n <= t.bytes() - at, "bytes ", at, " to ",
                    at + n, " of a tensor of ", t.bytes());
  char* to = static_cast<char*>(t.raw()) + at;
  const Unlocked unlocked;
  if (n) std::memcpy(to, bytes.data(), bytes.size());
}

NamedTensors named_tensors(const py::dict& tensors) {
  NamedTensors out;
  for (const auto& [name, value] : tensors) {
    check<TypeError>(py::isinstance<py::str>(name) && is_tensor(value.ptr()),
                     "safetensors: expected a dictionary of names and tensors, got ",
                     Py_TYPE(value.ptr())->tp_name, " under a ", Py_TYPE(name.ptr())->tp_name);
    out.emplace_back(py::cast<std::string>(name), unwrap(value.ptr()));
  }
  return out;
}

Metadata metadata_of(const py::dict& metadata) {
  Metadata out;
  for (const auto& [key, value] : metadata) {
    check<TypeError>(py::isinstance<py::str>(key) && py::isinstance<py::str>(value),
                     "safetensors: metadata is a dictionary of strings");
    out.emplace_back(py::cast<std::string>(key), py::cast<std::string>(value));
  }
  return out;
}

py::tuple to_python(SafeTensors&& loaded) {
  py::dict tensors, metadata;
  for (auto& [name, t] : loaded.tensors) tensors[py::str(name)] = py::cast(t);
  for (auto& [key, value] : loaded.metadata) metadata[py::str(key)] = value;
  return py::make_tuple(tensors, metadata);
}

}  // namespace

void bind_files(py::module_& m) {
  py::class_<PythonAtomicFile>(m, "_AtomicFile")
      .def(py::init<py::object>())
      .def("write", &PythonAtomicFile::write)
      .def("commit", &PythonAtomicFile::commit)
      .def("abandon", &PythonAtomicFile::abandon);
  py::class_<StorageBytes>(m, "_StorageBytes", py::buffer_protocol())
      .def_buffer([](StorageBytes& s) {
        return py::buffer_info(static_cast<uint8_t*>(s.storage->data()),
                               static_cast<py::ssize_t>(s.storage->bytes()), true);
      })
      .def("__len__", [](const StorageBytes& s) { return s.storage->bytes(); });
  m.def("_storage_of", &storage_of);
  m.def("_fill_bytes", &fill_bytes);
  m.def("_save_safetensors",
        [](const std::string& path, const py::dict& tensors, const py::dict& metadata) {
          const NamedTensors named = named_tensors(tensors);
          const Metadata texts = metadata_of(metadata);
          const Unlocked unlocked;
          save_safetensors(path, named, texts);
        });
  m.def("_load_safetensors", [](const std::string& path) {
    SafeTensors loaded;
    {
      const Unlocked unlocked;
      loaded = load_safetensors(path);
    }
    return to_python(std::move(loaded));
  });
  m.def("_to_safetensors", [](const py::dict& tensors, const py::dict& metadata) {
    return py::bytes(to_safetensors(named_tensors(tensors), metadata_of(metadata)));
  });
  m.def("_from_safetensors", [](const py::object& data) {
    const Bytes bytes(data);
    return to_python(from_safetensors(std::string_view(bytes.data(), bytes.size())));
  });
}

}  // namespace gotorch::python
