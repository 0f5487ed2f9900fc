#pragma once
// Tensor: a handle to dtype, shape, strides and either memory or a pending expression.
//   Tensor x = gotorch::randn({2, 3});
//   Tensor y = relu(x) + 1;
//   float first = y.data<float>()[0];
// Copies share the data. Thread-safety: as for std::shared_ptr; reading one tensor from several threads is safe, also
// while it is pending; writing needs outside order.
#include <memory>
#include <string>

#include "tensor/dtype.h"
#include "tensor/error.h"
#include "tensor/ref.h"
#include "tensor/scalar.h"
#include "tensor/shape.h"
#include "tensor/storage.h"

namespace gotorch {

// The part of a pending expression that a tensor sees. The rest is in tensor/pending.h.
struct PendingState : RefCounted<PendingState> {
  static constexpr bool kObserved = true;  // reader lists point here without a reference
  std::atomic<bool> done{false};           // set, with release order, once the data is complete
  static void destroy(PendingState* p);
};

// What autograd attaches to a tensor. Defined in grad/; the tensor only owns it.
struct GradMeta {
  virtual ~GradMeta() = default;
};

struct TensorImpl : RefCounted<TensorImpl> {
  Dtype dtype = Dtype::Float;
  bool contiguous = true;
  bool requires_grad = false;  // a leaf that asks for a gradient, or a result that has a grad_fn
  bool counts_writes = true;   // false for `.data`: its writes do not bump the shared version
  bool inference = false;      // made in inference mode: never recorded
  uint32_t view_version = 0;   // of a view: the version of the memory when its grad_fn was right
  int64_t numel = 0;
  int64_t offset = 0;  // in elements
  DimVector shape, strides;
  Ref<Storage> storage;       // has no data yet while pending
  Ref<PendingState> pending;  // what the data will be, or was, computed from; may be null
  Ref<TensorImpl> base;       // of a view: the tensor it was taken from, never itself a view
  std::unique_ptr<GradMeta> grad;
  void* python = nullptr;  // the Python object that wraps this, borrowed; guarded by the GIL

  static void destroy(TensorImpl* impl);
  static TensorImpl* create();
};

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}

  bool defined() const { return static_cast<bool>(impl_); }
  TensorImpl* impl() const { return impl_.get(); }
  TensorImpl* operator->() const { return impl_.get(); }
  bool is(const Tensor& other) const { return impl_ == other.impl_; }

  Dtype dtype() const { return impl_->dtype; }
  Dims shape() const { return impl_->shape; }
  Dims strides() const { return impl_->strides; }
  int64_t dim() const { return static_cast<int64_t>(impl_->shape.size()); }
  // size(-1) is the last dimension. Throws IndexError.
  int64_t size(int64_t d) const;
  int64_t numel() const { return impl_->numel; }
  int64_t offset() const { return impl_->offset; }
  int64_t item_size() const { return size_of(dtype()); }
  int64_t bytes() const { return numel() * item_size(); }
  bool is_contiguous() const { return impl_->contiguous; }
  bool is_floating() const { return gotorch::is_floating(dtype()); }
  // A view also does once its base has been given a history by a write through another view.
  bool requires_grad() const {
    return impl_->requires_grad ||
           (impl_->base && impl_->base->requires_grad && version() != impl_->view_version);
  }

  // The first element. Evaluates a pending expression. T must be the dtype's type.
  template <class T>
  T* data() const {
    check(dtype_of<T>() == dtype(), "data: expected a tensor of ", dtype_of<T>(), ", got ",
          dtype());
    return static_cast<T*>(raw());
  }
  void* raw() const {
    if (is_pending()) evaluate();
    return static_cast<std::byte*>(impl_->storage->data()) + impl_->offset * item_size();
  }
  const Ref<Storage>& storage() const {
    if (is_pending()) evaluate();
    return impl_->storage;
  }
  bool is_pending() const;
  // Makes sure that the data is in memory.
  void evaluate() const;

  // Before a write to this tensor's memory: evaluates pending readers, refuses read-only memory and layouts in which two
  // indices share an element.
  void prepare_write() const;
  // The same, and bumps the version.
  void before_write() const {
    prepare_write();
    count_write();
  }
  // The same around write(), which may refuse its arguments with an Error before it has written: then the version stays.
  template <class F>
  void written_by(F write) const {
    prepare_write();
    try {
      write();
    } catch (const OutOfMemoryError&) {  // from a worker, when others may have written
      count_write();
      throw;
    } catch (const Error&) {
      throw;
    } catch (...) {  // interrupted
      count_write();
      throw;
    }
    count_write();
  }
  uint32_t version() const { return impl_->storage->version(); }

  // The one element as T. Throws if there is more than one.
  template <class T>
  T item() const {
    return item_scalar().to<T>();
  }
  Scalar item_scalar() const;

 private:
  void count_write() const;

  Ref<TensorImpl> impl_;
};

inline bool Tensor::is_pending() const {
  return impl_->pending && !impl_->pending->done.load(std::memory_order_acquire);
}

using Tensors = SmallVector<Tensor, 3>;

// Uninitialised, contiguous. Throws OutOfMemoryError, and Error for negative or overflowing shapes.
Tensor empty(IntList shape, Dtype dtype);
// A tensor on given memory; every reachable element must lie inside the storage (checked).
Tensor make_view(Ref<Storage> storage, Dtype dtype, Dims shape, Dims strides, int64_t offset);
// A view of x's memory; version counting follows x. Checked as above. A pending x stays pending if the view has the same
// elements in the same order.
Tensor alias(const Tensor& x, Dims shape, Dims strides, int64_t offset);
// Another tensor on the same memory and expression, with no autograd history and no base.
Tensor twin(const Tensor& x);
// A 0-d tensor.
Tensor scalar_tensor(Scalar value, Dtype dtype);
template <class T>
Tensor tensor_of(std::span<const T> values, IntList shape) {
  Tensor out = empty(shape, dtype_of<T>());
  check(out.numel() == static_cast<int64_t>(values.size()), values.size(),
        " values given for shape ", out.shape());
  std::copy(values.begin(), values.end(), out.data<T>());
  return out;
}
// The element at a 0-d or one-element tensor's memory.
Scalar load_scalar(const void* at, Dtype dtype);
void store_scalar(void* at, Dtype dtype, Scalar value);

}  // namespace gotorch
