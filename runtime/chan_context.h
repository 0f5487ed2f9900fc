#pragma once
// Sending and receiving that another context than the goroutine's own ends, too. Its cause is thrown, such as
// Cancelled or DeadlineExceeded, and at once if it is cancelled already; then nothing was sent or received, and the value to
// send is unchanged.
//
//   std::optional<Job> job = receive(request.ctx, jobs);
//   send(request.ctx, results, std::move(result));
#include <optional>
#include <utility>

#include "runtime/context.h"
#include "runtime/select.h"

namespace gotorch::runtime {

template <ReceiveHandle C>
std::optional<value_of<C>> receive(const context& ctx, const C& c) {
  ctx.check();
  std::optional<value_of<C>> value;
  const auto keep = [&](std::optional<value_of<C>> v) {
    if (v) value.emplace(std::move(*v));
  };
  select(on_receive(c, keep), on_receive(ctx.done(), [&] { ctx.check(); }));
  return value;
}

template <SendHandle C>
void send(const context& ctx, const C& c, value_of<C>&& value) {
  ctx.check();
  select(on_send(c, std::move(value), [] {}), on_receive(ctx.done(), [&] { ctx.check(); }));
}

template <SendHandle C>
void send(const context& ctx, const C& c, const value_of<C>& value) {
  send(ctx, c, value_of<C>(value));
}

}  // namespace gotorch::runtime
