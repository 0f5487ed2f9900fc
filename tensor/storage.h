#pragma once
// The memory behind one or more tensors, shared by reference count.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "tensor/ref.h"

namespace gotorch {

struct Pending;

// Thread-safety: the count, the version and the list of pending readers are safe; the data is not guarded.
class Storage : public RefCounted<Storage> {
 public:
  // Uninitialised memory. Throws OutOfMemoryError.
  static Ref<Storage> create(size_t bytes);
  // Memory that is had only when allocate_data() is called: the storage of a pending tensor. Throws OutOfMemoryError for
  // what no machine could hold.
  static Ref<Storage> create_later(size_t bytes);
  void allocate_data();
  // Whether this is memory of its own that nobody but the one referrer can see, so that a result may take its place.
  bool may_give_data() const;
  // In place of allocate_data(): uses the data of `donor`, which has as many bytes, until one of the two forgets it.
  void share_data(const Storage& donor) { data_ = donor.data_; }
  void forget_data() { data_ = nullptr; }
  // Memory owned by somebody else (NumPy, DLPack, a mapped file); `release` runs when the last tensor is gone.
  static Ref<Storage> borrow(void* data, size_t bytes, std::function<void()> release,
                             bool writable = true);

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  bool writable() const { return writable_; }
  // Somebody else (NumPy) may write this memory at any time from now on, so nothing that reads it is deferred.
  void share_outside() { shared_outside_.store(true, std::memory_order_relaxed); }
  bool shared_outside() const { return shared_outside_.load(std::memory_order_relaxed); }

  // Grows or shrinks in place for resize_; keeps the common prefix. Other tensors see the new memory.
  void resize(size_t bytes);

  uint32_t version() const { return version_.load(std::memory_order_relaxed); }
  // Called by every write that autograd must notice. Relaxed: the data itself is ordered by the caller.
  void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }

  // Pending expressions that will read this memory; a writer evaluates them first. Managed by tensor/pending.cpp.
  struct Reader {
    Pending* expression;
    Reader* next;
  };
  std::atomic<Reader*> readers{nullptr};

 private:
  friend class RefCounted<Storage>;
  Storage() = default;
  ~Storage();
  static void destroy(Storage* s);

  void* data_ = nullptr;
  size_t bytes_ = 0;
  std::atomic<uint32_t> version_{0};
  std::atomic<bool> shared_outside_{false};  // relaxed: who shares memory orders its accesses
  bool writable_ = true;
  bool inside_ = false;  // the data follows this object in one block
  uint32_t block_ = 64;  // bytes of that block
  std::function<void()>* release_ = nullptr;
};

}  // namespace gotorch
