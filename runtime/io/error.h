#pragma once
#include <string>
#include <system_error>

namespace gotorch::runtime {

// What failed, on what, and why: "read 127.0.0.1:80: Connection reset by peer". code() is errno's
// value, so `e.code() == std::errc::connection_refused` asks for one reason.
struct IoError : std::system_error {
  IoError(std::error_code error, const std::string& op, const std::string& target);
  IoError(int error, const std::string& op, const std::string& target)
      : IoError(std::error_code(error, std::generic_category()), op, target) {}
  const std::string op, target;
};

// The deadline passed before it was done; code() is ETIMEDOUT.
struct IoTimeout : IoError {
  IoTimeout(const std::string& op, const std::string& target);
};

// It was closed here, before or meanwhile; code() is EBADF.
struct IoClosed : IoError {
  IoClosed(const std::string& op, const std::string& target);
};

// std::logic_error in a simulation: what the world does would not be the same each time.
void refuse_in_simulation(const char* op);

}  // namespace gotorch::runtime
