#include "tensor/pending.h"

#include <mutex>

#include "runtime/parallel.h"
#include "tensor/allocator.h"
#include "tensor/profile.h"
#include "tensor/program.h"

namespace gotorch {
namespace {

// Guards all reader lists. Held for a few instructions at a time.
std::mutex& readers_mutex() {
  static auto* m = new std::mutex;
  return *m;
}

struct EvaluationMutex {
  std::recursive_mutex mutex;
  std::atomic<int> waiters{0};
  bool try_lock() { return mutex.try_lock(); }
};

EvaluationMutex& evaluation_mutex() {
  static auto* m = new EvaluationMutex;
  return *m;
}

void add_reader(Storage& s, Pending* reader) {
  auto* r = new (allocate(sizeof(Storage::Reader))) Storage::Reader{reader, nullptr};
  std::lock_guard lock(readers_mutex());
  r->next = s.readers.load(std::memory_order_relaxed);
  s.readers.store(r, std::memory_order_release);  // a writer that sees the list sees the entry
}

void remove_reader(Storage& s, const Pending* reader) {
  Storage::Reader* r;
  {
    std::lock_guard lock(readers_mutex());
    r = s.readers.load(std::memory_order_relaxed);
    if (r->expression == reader) {
      s.readers.store(r->next, std::memory_order_release);
    } else {
      Storage::Reader* before = r;
      while (before->next->expression != reader) before = before->next;
      r = before->next;
      before->next = r->next;
    }
  }
  deallocate(r, sizeof(Storage::Reader));
}

// The first reader that is not on its way out, if any.
Ref<Pending> first_reader(Storage& s) {
  std::lock_guard lock(readers_mutex());
  for (auto* r = s.readers.load(std::memory_order_relaxed); r; r = r->next)
    if (r->expression->try_retain()) return Ref<Pending>::adopt(r->expression);
  return nullptr;
}

Storage& storage_of(const Pending::Source& s) {
  return s.pending ? *static_cast<Pending*>(s.pending.get())->storage : *s.operand.tensor->storage;
}

bool reads_memory(const Pending::Source& s) { return s.pending || s.operand.tensor.defined(); }

}  // namespace

void PendingState::destroy(PendingState* state) {
  auto* p = static_cast<Pending*>(state);
  p->release_sources();
  p->~Pending();
  deallocate(p, sizeof(Pending));
}

void Pending::release_sources() {
  for (int i = 0; i < count; i++) {
    if (reads_memory(sources[i])) remove_reader(storage_of(sources[i]), this);
    sources[i] = {};
  }
  count = 0;
}

EvaluationLock::EvaluationLock() {
  EvaluationMutex& m = evaluation_mutex();
  if (m.try_lock()) return;
  m.waiters.fetch_add(1, std::memory_order_seq_cst);
  runtime::wait_helping([&] { return m.try_lock(); });
  m.waiters.fetch_sub(1, std::memory_order_relaxed);
}

EvaluationLock::~EvaluationLock() {
  EvaluationMutex& m = evaluation_mutex();
  m.mutex.unlock();
  // Either this sees the waiter or the waiter's first try sees the free lock.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (m.waiters.load(std::memory_order_relaxed) > 0) runtime::wake_helping();
}

Tensor defer(const PointwiseKernel& kernel, std::span<const Operand> operands, Dtype compute,
             Dtype dtype, Dims shape) {
  auto p = Ref<Pending>::adopt(new (allocate(sizeof(Pending))) Pending);
  p->kernel = &kernel;
  p->compute = compute;
  p->dtype = dtype;
  p->shape = DimVector(shape);
  const int64_t n = numel_of(shape);
  p->storage = Storage::create_later(static_cast<size_t>(bytes_of(shape, size_of(dtype))));
  bool at_once = false;
  for (const Operand& o : operands) {
    Pending::Source& source = p->sources[p->count];
    source.operand = o;
    if (o.tensor.defined() && o.tensor.is_pending()) {
      // A value that is broadcast would be computed once for each time it is read.
      const bool fits = same(o.tensor.shape(), shape) &&
                        p->nodes + Pending::of(o.tensor)->nodes <= kMaxPendingNodes;
      if (fits) {
        source = {o.tensor->pending, {}};
        p->nodes += Pending::of(o.tensor)->nodes;
      } else {
        o.tensor.evaluate();
      }
    }
    if (reads_memory(source)) {
      add_reader(storage_of(source), p.get());
      at_once |= storage_of(source).shared_outside();
    }
    p->count++;
  }
  auto impl = Ref<TensorImpl>::adopt(TensorImpl::create());
  impl->dtype = dtype;
  impl->shape = p->shape;
  impl->strides = contiguous_strides(shape);
  impl->numel = n;
  impl->storage = p->storage;
  impl->pending = std::move(p);
  const Tensor out(std::move(impl));
  if (at_once) out.evaluate();
  return out;
}

void evaluate(Pending& p) {
  EvaluationLock lock;
  if (p.done.load(std::memory_order_relaxed)) return;
  const profile::Span span(profile::Kind::Evaluation, "evaluate");
  Program program(p, p.dtype, Program::Root::Evaluated);
  program.run();
}

void evaluate(const Tensor& x) {
  if (x.is_pending()) evaluate(*Pending::of(x));
}

void evaluate_readers(Storage& storage) {
  // A reader that is being destroyed takes itself off the list without our help.
  while (storage.readers.load(std::memory_order_acquire))
    if (const Ref<Pending> reader = first_reader(storage)) evaluate(*reader);
}

}  // namespace gotorch
