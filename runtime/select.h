#pragma once
// Waiting for the first of several channel operations, as Go's select.
//
//   select(on_receive(a, [&](std::optional<int> v) { ... }),   // empty: a is closed; or [&] { ... }
//          on_send(b, 42, [&] { ... }),
//          on_timeout(10ms, [&] { ... }),                      // or on_default([&] { ... })
//          );
//
// If several cases can go on, one of them is taken at random. A nil channel's case never is; with
// no case at all, select waits for ever. Returns the number of the case, counted from 0, after its function
// has run; what that throws passes to the caller, and the operation has happened. ChanError if a send case
// meets a closed channel; the error a channel was closed with comes out of its receive case.
//
// Channels and values are evaluated once, before anything waits. A value that was given with std::move is
// moved from only if it is sent: else, and if select throws, it is unchanged where it was. C++ does not say in which order
// arguments of a function are evaluated; in a list it is that of the list.
//
// The cases may be a list, such as a std::vector<any_case>; then it is selected as often as one likes:
//
//   std::vector<any_case> cases;
//   for (size_t i = 0; i < inputs.size(); i++) {
//     cases.push_back(on_receive(inputs[i], [&, i](std::optional<int> v) { v ? sum += *v : cases[i] = {}; }));
//   }
//   select(cases);
#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/chan.h"
#include "runtime/chan_direction.h"

namespace gotorch::runtime {

struct SelectCase {
  enum Kind { Receive, Send, Default, Timeout };
  Kind kind = Receive;
  ChanCore* chan = nullptr;  // null: never ready
  void* slot = nullptr;      // the value to send, or room for one
  bool ok = false;           // Receive: a value came; false: closed
  int64_t deadline_ns = kForever;
  std::exception_ptr error{};  // Receive: what the channel was closed with
  const void* lent =
      nullptr;  // Send: where the value stays unless it is sent, if it is in a box meanwhile
};

// The core: no types, no functions. std::invalid_argument for more than one default.
int select_case(SelectCase* cases, int count);

// What select() needs of a case: its description, given those of the cases before it; settle() after the attempt, then
// it may be described again; run() if it was taken. keep() makes one that owns what it refers to.
using CasesBefore = std::span<const SelectCase>;
template <class Case>
concept Selectable = requires(Case& c, CasesBefore before, const SelectCase& done) {
  { c.describe(before) } -> std::same_as<SelectCase>;
  c.settle();
  c.run(done);
};

// C is a handle or a reference to one.
template <class C, class F>
class ReceiveCase {
 public:
  ReceiveCase(C&& c, F&& then) : chan_(std::forward<C>(c)), then_(std::move(then)) {}
  ReceiveCase(const ReceiveCase&) = delete;

  SelectCase describe(CasesBefore) { return {SelectCase::Receive, chan_.core(), slot_.room()}; }
  void settle() {}
  void run(const SelectCase& done) {
    using Value = std::optional<value_of<C>>;
    if (done.error) std::rethrow_exception(done.error);
    Value value;
    if (done.ok) slot_.take(value);
    if constexpr (std::invocable<F&, Value>) then_(std::move(value));
    else then_();
  }
  auto keep() && {
    using Handle = std::remove_cvref_t<C>;
    return ReceiveCase<Handle, F>(Handle(chan_), std::move(then_));
  }

 private:
  C chan_;
  F then_;
  ChanSlot<value_of<C>> slot_;
};
template <ReceiveHandle C, class F>
ReceiveCase<C, F> on_receive(C&& c, F then) {
  return {std::forward<C>(c), std::move(then)};
}

// V is the value, or a reference to where it stays unless it is sent.
template <class C, class V, class F>
class SendCase {
 public:
  SendCase(C&& c, V&& value, F&& then)
      : chan_(std::forward<C>(c)), value_(std::forward<V>(value)), then_(std::move(then)) {}
  SendCase(const SendCase&) = delete;

  SelectCase describe(CasesBefore before) {
    SelectCase c{SelectCase::Send, sent_ ? nullptr : chan_.core()};
    if constexpr (ChanCell<value_of<C>>::kBoxed && std::is_reference_v<V>) {
      // One value may be offered to several channels: it is in one box.
      c.lent = &value_;
      const auto same = [&](const SelectCase& other) { return other.lent == c.lent; };
      const auto first = std::ranges::find_if(before, same);
      if (first != before.end()) return c.slot = first->slot, c;
    }
    if (!sent_) c.slot = offer_.slot();
    return c;
  }
  void settle() { offer_.settle(); }
  void run(const SelectCase&) {
    sent_ = true;
    then_();
  }
  auto keep() && {
    using Handle = std::remove_cvref_t<C>;
    return SendCase<Handle, value_of<C>, F>(Handle(chan_), std::move(value_), std::move(then_));
  }

 private:
  C chan_;
  V value_;
  F then_;
  bool sent_ = false;
  ChanOffer<value_of<C>> offer_{value_};
};
template <SendHandle C, class V, class F>
auto on_send(C&& c, V&& value, F then) {
  using T = value_of<C>;
  // Other values have been copied or converted: nobody misses them.
  constexpr bool kStays = std::is_same_v<V, T> && !std::is_trivially_copyable_v<T>;
  using Value = std::conditional_t<kStays, T&, T>;
  if constexpr (kStays) return SendCase<C, Value, F>(std::forward<C>(c), value, std::move(then));
  else return SendCase<C, Value, F>(std::forward<C>(c), T(std::forward<V>(value)), std::move(then));
}

template <class F>
struct DefaultCase {
  SelectCase describe(CasesBefore) { return {SelectCase::Default}; }
  void settle() {}
  void run(const SelectCase&) { then(); }
  DefaultCase keep() && { return std::move(*this); }

  F then;
};
template <class F>
DefaultCase<F> on_default(F then) {
  return {std::move(then)};
}

template <class F>
struct TimeoutCase {
  SelectCase describe(CasesBefore) {
    return {.kind = SelectCase::Timeout, .deadline_ns = deadline_ns};
  }
  void settle() {}
  void run(const SelectCase&) { then(); }
  TimeoutCase keep() && { return std::move(*this); }

  int64_t deadline_ns;
  F then;
};
// Counted from this call, also in a list that is selected later.
template <class F>
TimeoutCase<F> on_timeout(std::chrono::nanoseconds timeout, F then) {
  return {deadline_after(timeout), std::move(then)};
}

// Any of these cases, owning its channel and its value: for lists. A handle; copies are the same case. Made without one, it is
// never ready. A send case keeps its value until it is sent, then it is never ready again. One select at a time.
class any_case {
 public:
  any_case() = default;
  template <class Case>
    requires(!std::is_reference_v<Case> && Selectable<Case> && !std::same_as<Case, any_case>)
  any_case(Case&& c) : held_(std::make_shared<Holder<decltype(std::move(c).keep())>>(c)) {}

  SelectCase describe(CasesBefore before) { return held_ ? held_->describe(before) : SelectCase{}; }
  void settle() {
    if (held_) held_->settle();
  }
  void run(const SelectCase& done) {
    const auto held = held_;  // the function may set its own place in the list to another case
    held->run(done);
  }

 private:
  struct Held {
    virtual ~Held() = default;
    virtual SelectCase describe(CasesBefore before) = 0;
    virtual void settle() = 0;
    virtual void run(const SelectCase& done) = 0;
  };
  template <class Case>
  struct Holder final : Held {
    template <class From>
    explicit Holder(From& from) : c(std::move(from).keep()) {}
    SelectCase describe(CasesBefore before) override { return c.describe(before); }
    void settle() override { c.settle(); }
    void run(const SelectCase& done) override { c.run(done); }
    Case c;
  };
  std::shared_ptr<Held> held_;
};

// each(f) calls f for every case, with its description.
template <class Each>
int select_each(SelectCase* described, size_t count, Each each) {
  const auto settle = [](auto& c, SelectCase&) { c.settle(); };
  int taken = -1;
  try {
    each([=](auto& c, SelectCase& d) { d = c.describe({described, &d}); });
    taken = select_case(described, static_cast<int>(count));
  } catch (...) {
    each(settle);
    throw;
  }
  each(settle);  // before the function of the case taken: it may use values that were not sent
  return taken;
}

template <Selectable... Case>
int select(Case&&... cases) {
  constexpr size_t kCount = sizeof...(Case);
  std::array<SelectCase, kCount + 1> described;
  const int taken = select_each(described.data(), kCount, [&]([[maybe_unused]] auto f) {
    size_t i = 0;
    (f(cases, described[i++]), ...);
  });
  int i = 0;
  ((i++ == taken ? cases.run(described[static_cast<size_t>(taken)]) : void()), ...);
  return taken;
}

template <std::ranges::random_access_range Cases>
  requires Selectable<std::ranges::range_value_t<Cases>>
int select(Cases&& cases) {
  std::vector<SelectCase> described(std::ranges::size(cases));
  const int taken = select_each(described.data(), described.size(), [&](auto f) {
    size_t i = 0;
    for (auto& c : cases) f(c, described[i++]);
  });
  std::ranges::begin(cases)[taken].run(described[static_cast<size_t>(taken)]);
  return taken;
}

}  // namespace gotorch::runtime
