#pragma once
#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "runtime/chan_core.h"

namespace gotorch::runtime {

// The value of channels that only signal.
struct unit {
  friend bool operator==(unit, unit) { return true; }
};

// How a T travels: as itself if it is small and moves without throwing, else in a box.
template <class T>
struct ChanCell {
  static constexpr bool kBoxed = !std::is_nothrow_move_constructible_v<T> || sizeof(T) > 256;
  using Type = std::conditional_t<kBoxed, std::unique_ptr<T>, T>;

  static T&& open(Type& cell) {
    if constexpr (kBoxed) return std::move(*cell);
    else return std::move(cell);
  }
  static inline const ElementOps ops{
      sizeof(Type), alignof(Type),
      std::is_trivially_copyable_v<Type>&& std::is_trivially_destructible_v<Type>,
      [](void* to, void* from) { new (to) Type(std::move(*static_cast<Type*>(from))); },
      [](void* element) { static_cast<Type*>(element)->~Type(); }};
};

// Room for a value that may come.
template <class T>
class ChanSlot {
 public:
  using Cell = typename ChanCell<T>::Type;
  ChanSlot() {}  // leaves the room as it is
  void* room() { return storage_; }
  void take(std::optional<T>& to) {
    const Received cell(storage_);
    to.emplace(ChanCell<T>::open(*cell.cell));
  }
  T take() {
    const Received cell(storage_);
    return ChanCell<T>::open(*cell.cell);
  }

 private:
  struct Received {
    explicit Received(std::byte* storage) : cell(std::launder(reinterpret_cast<Cell*>(storage))) {}
    ~Received() { cell->~Cell(); }
    Cell* cell;
  };
  alignas(Cell) std::byte storage_[sizeof(Cell)];
};

// A value that leaves its place only if the channel takes it. An exception of T's move passes to the caller.
template <class T>
class ChanOffer {
 public:
  explicit ChanOffer(T& value) : value_(value) {}
  ChanOffer(const ChanOffer&) = delete;

  void* slot() {
    if constexpr (kBoxed) return &(box_ = std::make_unique<T>(std::move(value_)));
    else return &value_;
  }
  // After an attempt, whether it succeeded or not.
  void settle() {
    if constexpr (kBoxed) {
      if (!box_) return;
      static_assert(std::is_move_assignable_v<T> || std::is_nothrow_move_constructible_v<T>,
                    "a T that throws when moved and cannot be assigned: send a std::unique_ptr");
      const auto box = std::move(box_);
      if constexpr (std::is_move_assignable_v<T>) {
        value_ = std::move(*box);
      } else {
        std::destroy_at(&value_);
        std::construct_at(&value_, std::move(*box));
      }
    }
  }

 private:
  static constexpr bool kBoxed = ChanCell<T>::kBoxed;
  T& value_;
  std::conditional_t<kBoxed, std::unique_ptr<T>, unit> box_{};
};

// A Go channel: a handle that is copied freely; `chan<T>()` is the nil channel. Thread-safe, for
// goroutines and native threads alike.
//
//   chan<int> c(8);
//   go([c] { for (int i = 0; i < 100; i++) c.send(i); c.close(); });
//   for (int v : c) sum += v;
//
// The moves and the destructor of a T may run while others wait for the channel: they must not use
// channels or wait. A handle must stay as it is while an operation called on it waits: goroutines
// have their own copies.
template <class T>
class chan {
  static_assert(std::is_object_v<T> && !std::is_array_v<T> && !std::is_const_v<T>,
                "a channel carries values; for references, pointers or std::reference_wrapper");

 public:
  using value_type = T;

  chan() = default;  // nil: sends and receives wait for ever
  // Holds up to `capacity` values nobody has received; 0: senders wait for their receiver.
  // std::invalid_argument if it is negative, or more than a tebibyte.
  explicit chan(int64_t capacity) : core_(ChanCore::make(ChanCell<T>::ops, capacity)) {}

  // ChanError if the channel is closed. Whatever is thrown, also Cancelled and Interrupted: the
  // value was not sent, and is unchanged.
  void send(T&& value) const { give(value, true, kForever); }
  void send(const T& value) const
    requires std::is_copy_constructible_v<T>
  {
    send(T(value));
  }

  // False, and `value` unchanged, if it would have to wait.
  bool try_send(T&& value) const { return give(value, false, kForever); }
  bool try_send(const T& value) const
    requires std::is_copy_constructible_v<T>
  {
    return try_send(T(value));
  }

  // Waits for so long at most.
  bool try_send_for(T&& value, std::chrono::nanoseconds timeout) const {
    return give(value, true, deadline_after(timeout));
  }
  bool try_send_for(const T& value, std::chrono::nanoseconds timeout) const
    requires std::is_copy_constructible_v<T>
  {
    return try_send_for(T(value), timeout);
  }

  // Empty: closed, and all values were received. Rethrows the error the channel was closed with.
  std::optional<T> receive() const {
    std::optional<T> value;
    take(value, true, kForever);
    return value;
  }

  // WouldBlock: nothing to receive now. Done: in `value`.
  ChanResult try_receive(std::optional<T>& value) const { return take(value, false, kForever); }
  std::optional<T> try_receive() const {
    std::optional<T> value;
    try_receive(value);
    return value;
  }

  // Waits for so long at most. WouldBlock: nothing came.
  ChanResult try_receive_for(std::optional<T>& value, std::chrono::nanoseconds timeout) const {
    return take(value, true, deadline_after(timeout));
  }
  std::optional<T> try_receive_for(std::chrono::nanoseconds timeout) const {
    std::optional<T> value;
    try_receive_for(value, timeout);
    return value;
  }

  // No more values will be sent. With an error, receivers get it once they have drained the rest.
  void close(std::exception_ptr error = nullptr) const {
    if (!core_) throw ChanError("close: of a nil channel");
    core_->close(std::move(error));
  }

  int64_t size() const { return core_ ? core_->size() : 0; }
  int64_t capacity() const { return core_ ? core_->capacity() : 0; }
  explicit operator bool() const { return static_cast<bool>(core_); }
  friend bool operator==(const chan&, const chan&) = default;

  ChanCore* core() const { return core_.get(); }

  // for (T v : c) receives until the channel is closed and drained. It is the channel that c is at the beginning.
  class iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    explicit iterator(const chan& c) : c_(c), value_(c_.receive()) {}
    T& operator*() { return *value_; }
    iterator& operator++() {
      c_.take(value_, true, kForever);
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return !value_; }

   private:
    chan c_;
    std::optional<T> value_;
  };
  iterator begin() const { return iterator(*this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  // False: the deadline passed, or it would have to wait and `wait` is false.
  bool give(T& value, bool wait, int64_t deadline_ns) const {
    if (!core_) return wait_on_nil("send on a nil channel", wait, deadline_ns), false;
    ChanOffer<T> offer(value);
    ChanResult result;
    try {
      result = core_->send(offer.slot(), wait, deadline_ns);
    } catch (...) {
      offer.settle();
      throw;
    }
    offer.settle();
    return result == ChanResult::Done;
  }

  ChanResult take(std::optional<T>& value, bool wait, int64_t deadline_ns) const {
    value.reset();
    if (!core_) {
      wait_on_nil("receive on a nil channel", wait, deadline_ns);
      return ChanResult::WouldBlock;
    }
    ChanSlot<T> slot;
    const ChanResult result = core_->receive(slot.room(), wait, deadline_ns);
    if (result == ChanResult::Done) slot.take(value);
    return result;
  }

  ChanRef core_;
};

}  // namespace gotorch::runtime
