#include "tensor/tensor.h"

#include "tensor/allocator.h"
#include "tensor/pending.h"

namespace gotorch {

TensorImpl* TensorImpl::create() { return new (allocate(sizeof(TensorImpl))) TensorImpl; }

void TensorImpl::destroy(TensorImpl* impl) {
  impl->~TensorImpl();
  deallocate(impl, sizeof(TensorImpl));
}

int64_t Tensor::size(int64_t d) const {
  check<IndexError>(dim() > 0, "Dimension specified as ", d, " but tensor has no dimensions");
  return impl_->shape[wrap_dim(d, dim())];
}

void Tensor::evaluate() const { gotorch::evaluate(*this); }

void Tensor::prepare_write() const {
  const Ref<Storage>& s = storage();
  check(s->writable(), "the memory of this tensor is read-only");
  if (!is_contiguous())
    for (size_t i = 0; i < impl_->shape.size(); i++)
      check(impl_->strides[i] != 0 || impl_->shape[i] <= 1,
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory "
            "location (stride 0 in dimension ",
            i, " of shape ", shape(), "). Please clone() the tensor before writing");
  if (s->readers.load(std::memory_order_acquire)) evaluate_readers(*s);
}

void Tensor::count_write() const {
  if (impl_->counts_writes) impl_->storage->bump_version();
}

Scalar Tensor::item_scalar() const {
  check(numel() == 1, "a Tensor with ", numel(), " elements cannot be converted to Scalar: shape ",
        shape());
  return load_scalar(raw(), dtype());
}

Tensor empty(IntList shape, Dtype dtype) {
  const int64_t bytes = bytes_of(shape, size_of(dtype));
  auto impl = Ref<TensorImpl>::adopt(TensorImpl::create());
  impl->dtype = dtype;
  impl->shape = DimVector(shape.view());
  impl->strides = contiguous_strides(shape);
  impl->numel = bytes / size_of(dtype);
  impl->storage = Storage::create(static_cast<size_t>(bytes));
  return Tensor(std::move(impl));
}

Tensor make_view(Ref<Storage> storage, Dtype dtype, Dims shape, Dims strides, int64_t offset) {
  check(shape.size() == strides.size(), "shape ", shape, " and strides ", strides,
        " have different lengths");
  for (int64_t stride : strides)
    check(stride >= 0, "negative strides are not supported: ", strides);
  check(offset >= 0, "the storage offset must not be negative, got ", offset);
  const int64_t n = numel_of(shape);
  int64_t end;
  const bool fits = !__builtin_add_overflow(offset, span_of(shape, strides), &end) &&
                    end <= static_cast<int64_t>(storage->bytes()) / size_of(dtype);
  check(fits || n == 0, "setStorage: sizes ", shape, ", strides ", strides, ", storage offset ",
        offset, " of ", dtype, " are out of bounds for storage of size ", storage->bytes());
  auto impl = Ref<TensorImpl>::adopt(TensorImpl::create());
  impl->dtype = dtype;
  impl->shape = DimVector(shape);
  impl->strides = DimVector(strides);
  impl->numel = n;
  impl->offset = offset;
  impl->contiguous = is_contiguous(shape, strides);
  impl->storage = std::move(storage);
  return Tensor(std::move(impl));
}

Tensor twin(const Tensor& x) {
  auto impl = Ref<TensorImpl>::adopt(TensorImpl::create());
  impl->dtype = x.dtype();
  impl->contiguous = x.is_contiguous();
  impl->counts_writes = x->counts_writes;
  impl->inference = x->inference;
  impl->numel = x.numel();
  impl->offset = x.offset();
  impl->shape = x->shape;
  impl->strides = x->strides;
  impl->storage = x->storage;
  if (x.is_pending()) impl->pending = x->pending;
  return Tensor(std::move(impl));
}

Tensor alias(const Tensor& x, Dims shape, Dims strides, int64_t offset) {
  Tensor out;
  if (x.is_pending() && offset == 0 && numel_of(shape) == x.numel() &&
      is_contiguous(shape, strides)) {
    out = twin(x);
    out->shape = DimVector(shape);
    out->strides = DimVector(strides);
  } else {
    out = make_view(x.storage(), x.dtype(), shape, strides, offset);
    out->counts_writes = x->counts_writes;
    out->inference = x->inference;
  }
  out->base = x->base ? x->base : Ref<TensorImpl>::share(x.impl());
  out->view_version = out.version();
  return out;
}

Tensor scalar_tensor(Scalar value, Dtype dtype) {
  Tensor out = empty({}, dtype);
  store_scalar(out.raw(), dtype, value);
  return out;
}

Scalar load_scalar(const void* at, Dtype dtype) {
  return dispatch(dtype, [&]<class T>() {
    return Scalar(static_cast<Compute<T>>(*static_cast<const T*>(at)));
  });
}

void store_scalar(void* at, Dtype dtype, Scalar value) {
  dispatch(dtype, [&]<class T>() { *static_cast<T*>(at) = value.to<T>(); });
}

}  // namespace gotorch
