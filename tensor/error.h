#pragma once
// Errors: one base class, one class per Python exception type, and one way to build the text.
//   check<IndexError>(i < n, "index ", i, " is out of bounds for dimension ", d, " with size ", n);
// The call path puts the op's name in front. Text is built only when the check fails.
#include <concepts>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tensor/dtype.h"

namespace gotorch {

// Maps to Python's RuntimeError.
class Error : public std::exception {
 public:
  explicit Error(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }
  // Called once by the call path: "matmul: " + text. Inner ops of a composed op keep the first name.
  void in_op(std::string_view op) {
    if (named_) return;
    text_.insert(0, std::string(op) + ": ");
    named_ = true;
  }

 private:
  std::string text_;
  bool named_ = false;
};

struct TypeError : Error {
  using Error::Error;
};
struct ValueError : Error {
  using Error::Error;
};
struct IndexError : Error {
  using Error::Error;
};
struct NotImplementedError : Error {
  using Error::Error;
};
struct OutOfMemoryError : Error {
  using Error::Error;
};
struct ZeroDivisionError : Error {
  using Error::Error;
};

void append_text(std::string& out, std::string_view s);
void append_text(std::string& out, bool b);
void append_text(std::string& out, double d);
template <std::integral T>
void append_text(std::string& out, T i) {
  out += std::to_string(i);
}
void append_text(std::string& out, std::span<const int64_t> shape);  // [2, 3]
inline void append_text(std::string& out, const char* s) { append_text(out, std::string_view(s)); }
inline void append_text(std::string& out, const std::string& s) {
  append_text(out, std::string_view(s));
}
inline void append_text(std::string& out, Dtype d) { append_text(out, name(d)); }

template <class... A>
std::string text(const A&... parts) {
  std::string out;
  (append_text(out, parts), ...);
  return out;
}

template <class E = Error, class... A>
[[noreturn, gnu::cold, gnu::noinline]] void fail(const A&... parts) {
  throw E(text(parts...));
}

template <class E = Error, class... A>
inline void check(bool ok, const A&... parts) {
  if (!ok) [[unlikely]]
    fail<E>(parts...);
}

}  // namespace gotorch
