#include "tensor/pending.h"

#include <mutex>

#include "tensor/allocator.h"
#include "tensor/program.h"

namespace gotorch {
namespace {

// Guards all reader lists. Held for a few instructions at a time.
std::mutex& readers_mutex() {
  static auto* m = new std::mutex;
  return *m;
}

std::recursive_mutex& evaluation_mutex() {
  static auto* m = new std::recursive_mutex;
  return *m;
}

void add_reader(Storage& s, TensorImpl* reader) {
  auto* r = new (allocate(sizeof(Storage::Reader))) Storage::Reader{reader, nullptr};
  std::lock_guard lock(readers_mutex());
  r->next = s.readers.load(std::memory_order_relaxed);
  s.readers.store(r, std::memory_order_release);  // a writer that sees the list sees the entry
}

void remove_reader(Storage& s, const TensorImpl* reader) {
  Storage::Reader* r;
  {
    std::lock_guard lock(readers_mutex());
    r = s.readers.load(std::memory_order_relaxed);
    if (r->tensor == reader) {
      s.readers.store(r->next, std::memory_order_release);
    } else {
      Storage::Reader* before = r;
      while (before->next->tensor != reader) before = before->next;
      r = before->next;
      before->next = r->next;
    }
  }
  deallocate(r, sizeof(Storage::Reader));
}

// The first reader that is not on its way out, if any.
Tensor first_reader(Storage& s) {
  std::lock_guard lock(readers_mutex());
  for (auto* r = s.readers.load(std::memory_order_relaxed); r; r = r->next)
    if (r->tensor->try_retain()) return Tensor(Ref<TensorImpl>::adopt(r->tensor));
  return {};
}

}  // namespace

EvaluationLock::EvaluationLock() { evaluation_mutex().lock(); }
EvaluationLock::~EvaluationLock() { evaluation_mutex().unlock(); }

void* Pending::operator new(size_t n) { return allocate(n); }
void Pending::operator delete(void* p) { deallocate(p, sizeof(Pending)); }

Pending::~Pending() {
  for (int i = 0; i < count; i++)
    if (operands[i].tensor.defined()) remove_reader(*operands[i].tensor->storage, owner);
}

Tensor defer(const PointwiseKernel& kernel, std::span<const Operand> operands, Dtype compute, Dtype dtype,
             Dims shape) {
  int nodes = 1;
  for (const Operand& o : operands) {
    if (!o.tensor.defined() || !o.tensor.is_pending()) continue;
    const int size = o.tensor->pending_nodes.load(std::memory_order_relaxed);
    if (nodes + size > kMaxPendingNodes) o.tensor.evaluate();
    else nodes += size;
  }
  auto impl = Ref<TensorImpl>::adopt(TensorImpl::create());
  impl->dtype = dtype;
  impl->shape = DimVector(shape);
  impl->strides = contiguous_strides(shape);
  impl->numel = numel_of(shape);
  impl->storage = Storage::create_later(static_cast<size_t>(impl->numel * size_of(dtype)));
  auto* pending = new Pending{&kernel, compute, 0, {}, impl.get()};
  for (const Operand& o : operands) {
    if (o.tensor.defined()) add_reader(*o.tensor->storage, impl.get());
    pending->operands[pending->count++] = o;
  }
  impl->pending_nodes.store(static_cast<uint16_t>(nodes), std::memory_order_relaxed);
  impl->pending.store(pending, std::memory_order_release);
  return Tensor(std::move(impl));
}

void evaluate(const Tensor& x) {
  EvaluationLock lock;
  if (!x.is_pending()) return;
  Program program(x, x.dtype(), true);
  program.run();
  program.publish();
}

void evaluate_readers(Storage& storage) {
  // A reader that is being destroyed takes itself off the list without our help.
  while (storage.readers.load(std::memory_order_acquire)) {
    const Tensor reader = first_reader(storage);
    if (reader.defined()) reader.evaluate();
  }
}

}  // namespace gotorch
