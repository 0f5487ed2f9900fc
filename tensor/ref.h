#pragma once
// Intrusive reference counting: one word in the object, no control block.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace gotorch {

// CRTP base. T may declare `static void destroy(T*)`; otherwise delete is used.
template <class T>
class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  // Relaxed: whoever adds a reference already holds one.
  void retain() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  // acq_rel: the last owner must see all writes of the others before it destroys.
  void release() const {
    if ((!requires { T::kObserved; } && refs_.load(std::memory_order_acquire) == 1) ||
        refs_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      T::destroy(const_cast<T*>(static_cast<const T*>(this)));
  }
  // For observers that hold no reference: fails if the last owner is gone. A T that is observed
  // declares kObserved, which gives up the shortcut in release().
  bool try_retain() const {
    uint32_t n = refs_.load(std::memory_order_relaxed);
    while (n != 0)
      if (refs_.compare_exchange_weak(n, n + 1, std::memory_order_relaxed)) return true;
    return false;
  }
  uint32_t ref_count() const { return refs_.load(std::memory_order_acquire); }
  static void destroy(T* object) { delete object; }

 private:
  mutable std::atomic<uint32_t> refs_{1};
};

template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  // Takes over the reference that the object was created with.
  static Ref adopt(T* p) { return Ref(p); }
  static Ref share(T* p) {
    if (p) p->retain();
    return Ref(p);
  }
  Ref(const Ref& o) : p_(o.p_) {
    if (p_) p_->retain();
  }
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  template <class U>
  Ref(Ref<U> o) noexcept : p_(o.leak()) {}
  Ref& operator=(Ref o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~Ref() {
    if (p_) p_->release();
  }

  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  T* leak() { return std::exchange(p_, nullptr); }
  friend bool operator==(const Ref& a, const Ref& b) { return a.p_ == b.p_; }

 private:
  explicit Ref(T* p) : p_(p) {}
  T* p_ = nullptr;
};

}  // namespace gotorch
