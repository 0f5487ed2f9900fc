#pragma once
// Waiting for the first of several channel operations, as Go's select.
//
//   select(on_receive(a, [&](std::optional<int> v) { ... }),   // empty: a is closed
//          on_send(b, 42, [&] { ... }),
//          on_timeout(10ms, [&] { ... }),                      // or on_default([&] { ... })
//          );
//
// If several cases can go on, one of them is taken at random. A nil channel's case never is; with
// no case at all, select waits for ever. Returns the number of the case, counted from 0.
#include <array>
#include <chrono>
#include <optional>
#include <tuple>
#include <utility>

#include "runtime/chan.h"

namespace gotorch::runtime {

struct SelectCase {
  enum Kind { Receive, Send, Default, Timeout };
  Kind kind = Receive;
  ChanCore* chan = nullptr;  // null: never ready
  void* slot = nullptr;      // the value to send, or room for one
  bool ok = false;           // Receive: a value came; false: closed
  int64_t deadline_ns = kForever;
  std::exception_ptr error{};  // Receive: what the channel was closed with
};

// The core, for a number of cases that is not known when compiling.
int select_case(SelectCase* cases, int count);

// C: a channel, or a reference to one that lives longer than the case.
template <class T, class C, class F>
struct ReceiveCase {
  C c;
  F then;
  ChanSlot<T> slot{};
  SelectCase describe() { return {SelectCase::Receive, c.core(), slot.room()}; }
  void run(const SelectCase& done) {
    if (done.error) std::rethrow_exception(done.error);
    if (done.ok) then(std::optional<T>(slot.take()));
    else then(std::optional<T>());
  }
};
template <class T, class F>
ReceiveCase<T, const chan<T>&, F> on_receive(const chan<T>& c, F then) {
  return {c, std::move(then)};
}
template <class T, class F>
ReceiveCase<T, chan<T>, F> on_receive(chan<T>&& c, F then) {
  return {std::move(c), std::move(then)};
}

template <class T, class C, class F>
struct SendCase {
  C c;
  typename ChanCell<T>::Type cell;
  F then;
  SelectCase describe() { return {SelectCase::Send, c.core(), &cell}; }
  void run(const SelectCase&) { then(); }
};
template <class T, class V, class F>
SendCase<T, const chan<T>&, F> on_send(const chan<T>& c, V&& value, F then) {
  return {c, ChanCell<T>::wrap(T(std::forward<V>(value))), std::move(then)};
}
template <class T, class V, class F>
SendCase<T, chan<T>, F> on_send(chan<T>&& c, V&& value, F then) {
  return {std::move(c), ChanCell<T>::wrap(T(std::forward<V>(value))), std::move(then)};
}

template <class F>
struct DefaultCase {
  F then;
  SelectCase describe() { return {SelectCase::Default}; }
  void run(const SelectCase&) { then(); }
};
template <class F>
DefaultCase<F> on_default(F then) {
  return {std::move(then)};
}

template <class F>
struct TimeoutCase {
  int64_t deadline_ns;
  F then;
  SelectCase describe() { return {SelectCase::Timeout, nullptr, nullptr, false, deadline_ns}; }
  void run(const SelectCase&) { then(); }
};
template <class F>
TimeoutCase<F> on_timeout(std::chrono::nanoseconds timeout, F then) {
  return {now_ns() + timeout.count(), std::move(then)};
}

template <class... Case>
int select(Case&&... cases) {
  constexpr int kCount = sizeof...(Case);
  std::array<SelectCase, kCount + 1> described{cases.describe()...};
  const int taken = select_case(described.data(), kCount);
  int i = 0;
  ((i++ == taken ? cases.run(described[static_cast<size_t>(taken)]) : void()), ...);
  return taken;
}

}  // namespace gotorch::runtime
