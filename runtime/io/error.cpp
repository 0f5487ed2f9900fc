#include "runtime/io/error.h"

#include <cerrno>

#include "runtime/simulate.h"

namespace gotorch::runtime {

IoError::IoError(std::error_code error, const std::string& op, const std::string& target)
    : std::system_error(error, target.empty() ? op : op + " " + target), op(op), target(target) {}

IoTimeout::IoTimeout(const std::string& op, const std::string& target)
    : IoError(ETIMEDOUT, op, target + ": the deadline has passed") {}

IoClosed::IoClosed(const std::string& op, const std::string& target)
    : IoError(EBADF, op, target + ": it was closed") {}

void refuse_in_simulation(const char* op) {
  if (this_simulation()) throw std::logic_error(std::string(op) + ": no I/O in a simulation");
}

}  // namespace gotorch::runtime
