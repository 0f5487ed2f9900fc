#pragma once
// Items to a batch.
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace gotorch {

// Tensors of one shape and dtype, one above the other in a new first dimension, without history. Error
// if they differ, naming the first that does.
Tensor collate(const std::vector<Tensor>& items);

template <class T>
  requires std::is_arithmetic_v<T>
Tensor collate(const std::vector<T>& items) {
  Tensor out = empty(static_cast<int64_t>(items.size()), dtype_of<T>());
  std::copy(items.begin(), items.end(), out.data<T>());
  return out;
}

// Tuples are collated place by place.
template <class... T>
auto collate(std::vector<std::tuple<T...>> items) {
  const auto place = [&]<size_t I>() {
    std::vector<std::tuple_element_t<I, std::tuple<T...>>> column;
    column.reserve(items.size());
    for (auto& item : items) column.push_back(std::move(std::get<I>(item)));
    return collate(std::move(column));
  };
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return std::tuple(place.template operator()<I>()...);
  }(std::index_sequence_for<T...>());
}

template <class A, class B>
auto collate(std::vector<std::pair<A, B>> items) {
  std::vector<std::tuple<A, B>> tuples(std::make_move_iterator(items.begin()),
                                       std::make_move_iterator(items.end()));
  return collate(std::move(tuples));
}

struct DefaultCollate {
  template <class Item>
  auto operator()(std::vector<Item> items) const {
    return collate(std::move(items));
  }
};

}  // namespace gotorch
