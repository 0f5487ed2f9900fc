#pragma once
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

  static Type wrap(T&& v) {
    if constexpr (kBoxed) return std::make_unique<T>(std::move(v));
    else return std::move(v);
  }
  static T unwrap(Type&& cell) {
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
  void* room() { return storage_; }
  T take() {
    Cell* cell = std::launder(reinterpret_cast<Cell*>(storage_));
    struct Destroy {
      Cell* cell;
      ~Destroy() { cell->~Cell(); }
    } destroy{cell};
    return ChanCell<T>::unwrap(std::move(*cell));
  }

 private:
  alignas(Cell) std::byte storage_[sizeof(Cell)];
};

// A Go channel: a handle that is copied freely; `chan<T>()` is the nil channel. Thread-safe, for
// goroutines and native threads alike.
//
//   chan<int> c(8);
//   go([c] { for (int i = 0; i < 100; i++) c.send(i); c.close(); });
//   for (int v : c) sum += v;
template <class T>
class chan {
 public:
  using value_type = T;

  chan() = default;  // nil: sends and receives wait for ever
  // Holds up to `capacity` values nobody has received; 0: senders wait for their receiver.
  explicit chan(int64_t capacity) : core_(ChanCore::make(ChanCell<T>::ops, capacity)) {}

  // ChanError if the channel is closed. Cancelled, Interrupted: the value was not sent.
  void send(T value) const {
    if (!core_) wait_forever("send on a nil channel");
    auto cell = ChanCell<T>::wrap(std::move(value));
    core_->send(&cell, true);
  }

  // False, and `value` unchanged, if it would have to wait.
  bool try_send(T& value) const {
    if (!core_) return false;
    auto cell = ChanCell<T>::wrap(std::move(value));
    bool sent = false;
    struct Restore {
      T& value;
      decltype(cell)& from;
      bool& sent;
      ~Restore() {
        if (!sent) value = ChanCell<T>::unwrap(std::move(from));
      }
    } restore{value, cell, sent};
    return sent = core_->send(&cell, false) == ChanResult::Done;
  }
  bool try_send(T&& value) const {
    T kept = std::move(value);
    return try_send(kept);
  }

  // Empty: closed, and all values were received. Rethrows the error the channel was closed with.
  std::optional<T> receive() const {
    if (!core_) wait_forever("receive on a nil channel");
    ChanSlot<T> slot;
    if (core_->receive(slot.room(), true) == ChanResult::Closed) return std::nullopt;
    return slot.take();
  }

  // WouldBlock: nothing to receive now. Done: in `value`.
  ChanResult try_receive(std::optional<T>& value) const {
    value.reset();
    if (!core_) return ChanResult::WouldBlock;
    ChanSlot<T> slot;
    const ChanResult result = core_->receive(slot.room(), false);
    if (result == ChanResult::Done) value.emplace(slot.take());
    return result;
  }
  std::optional<T> try_receive() const {
    std::optional<T> value;
    try_receive(value);
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

  // for (T v : c) receives until the channel is closed and drained.
  class iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    explicit iterator(const chan& c) : c_(&c), value_(c.receive()) {}
    T& operator*() { return *value_; }
    iterator& operator++() {
      value_ = c_->receive();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return !value_; }

   private:
    const chan* c_;
    std::optional<T> value_;
  };
  iterator begin() const { return iterator(*this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  ChanRef core_;
};

}  // namespace gotorch::runtime
