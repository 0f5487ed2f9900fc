#pragma once
// Handles that can only send or only receive. A chan<T> becomes either where one is asked for; neither becomes a chan
// again. They have the methods of chan.h for their direction, and are thread-safe as it is.
//
//   void produce(send_chan<int> out) { for (int i = 0; i < 3; i++) out.send(i); out.close(); }
//   int sum(receive_chan<int> in) { int n = 0; for (int v : in) n += v; return n; }
//
//   chan<int> c(3); produce(c); sum(c);
#include <concepts>
#include <type_traits>
#include <utility>

#include "runtime/chan.h"

namespace gotorch::runtime {

// Go's chan<- T.
template <class T>
class send_chan : private chan<T> {
 public:
  using value_type = T;

  send_chan() = default;  // nil
  send_chan(chan<T> c) : chan<T>(std::move(c)) {}

  using chan<T>::send;
  using chan<T>::try_send;
  using chan<T>::try_send_for;
  using chan<T>::close;
  using chan<T>::size;
  using chan<T>::capacity;
  using chan<T>::core;
  using chan<T>::operator bool;
  friend bool operator==(const send_chan&, const send_chan&) = default;
  friend bool operator==(const send_chan& a, const chan<T>& b) { return a == send_chan(b); }
};

// Go's <-chan T.
template <class T>
class receive_chan : private chan<T> {
 public:
  using value_type = T;

  receive_chan() = default;  // nil
  receive_chan(chan<T> c) : chan<T>(std::move(c)) {}

  using chan<T>::receive;
  using chan<T>::try_receive;
  using chan<T>::try_receive_for;
  using chan<T>::begin;
  using chan<T>::end;
  using chan<T>::size;
  using chan<T>::capacity;
  using chan<T>::core;
  using chan<T>::operator bool;
  friend bool operator==(const receive_chan&, const receive_chan&) = default;
  friend bool operator==(const receive_chan& a, const chan<T>& b) { return a == receive_chan(b); }
};

// The type of what a handle carries.
template <class C>
using value_of = typename std::remove_cvref_t<C>::value_type;

// A handle that can send, and one that can receive.
template <class C>
concept SendHandle = std::convertible_to<C, send_chan<value_of<C>>>;
template <class C>
concept ReceiveHandle = std::convertible_to<C, receive_chan<value_of<C>>>;

}  // namespace gotorch::runtime
