#include "tensor/error.h"

#include <cstdio>

namespace gotorch {

void append_text(std::string& out, std::string_view s) { out += s; }
void append_text(std::string& out, bool b) { out += b ? "True" : "False"; }
void append_text(std::string& out, double d) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.9g", d);
  out += buffer;
}
void append_text(std::string& out, std::span<const int64_t> shape) {
  out += '[';
  for (size_t i = 0; i < shape.size(); i++) {
    if (i) out += ", ";
    out += std::to_string(shape[i]);
  }
  out += ']';
}

}  // namespace gotorch
