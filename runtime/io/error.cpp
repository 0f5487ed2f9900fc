#include "runtime/io/error.h"

#include <cerrno>

namespace gotorch::runtime {

IoError::IoError(int error, const std::string& op, const std::string& target)
    : std::system_error(error, std::generic_category(), target.empty() ? op : op + " " + target),
      op(op),
      target(target) {}

IoTimeout::IoTimeout(const std::string& op, const std::string& target)
    : IoError(ETIMEDOUT, op, target + ": the deadline has passed") {}

IoClosed::IoClosed(const std::string& op, const std::string& target)
    : IoError(EBADF, op, target + ": it was closed") {}

}  // namespace gotorch::runtime
