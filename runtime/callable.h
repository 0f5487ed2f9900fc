#pragma once
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace gotorch::runtime {

// std::invalid_argument if f is a null pointer to a function, or an empty std::function.
template <class F>
void require_callable(const F& f, const char* op) {
  if constexpr (requires { f == nullptr; }) {
    if (f == nullptr) throw std::invalid_argument(std::string(op) + ": the function is null");
  }
}

// A function that is run later, perhaps more than once.
struct Action {
  virtual ~Action() = default;
  virtual void run() = 0;
};

template <class F>
std::unique_ptr<Action> make_action(F f, const char* op) {
  require_callable(f, op);
  struct Of : Action {
    explicit Of(F&& f) : f(std::move(f)) {}
    void run() override { f(); }
    F f;
  };
  return std::make_unique<Of>(std::move(f));
}

}  // namespace gotorch::runtime
