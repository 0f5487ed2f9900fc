#include "runtime/io/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <stdexcept>

#include "runtime/io/error.h"

namespace gotorch::runtime {
namespace {

constexpr size_t kPathStart = offsetof(sockaddr_un, sun_path);

SocketAddress unix_address(const std::string& path, const char* op) {
  SocketAddress a;
  auto& un = reinterpret_cast<sockaddr_un&>(a.storage);
  if (path.empty() || path.size() >= sizeof un.sun_path) {
    throw IoError(path.empty() ? EINVAL : ENAMETOOLONG, op, path);
  }
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  a.size = static_cast<socklen_t>(kPathStart + path.size() + 1);
  if (path[0] == '@') {
    un.sun_path[0] = '\0';
    a.size--;
  }
  return a;
}

bool numeric(const std::string& host, uint16_t port, SocketAddress& a) {
  auto& v4 = reinterpret_cast<sockaddr_in&>(a.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    a.size = sizeof v4;
    return true;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(a.storage);
  v6 = {};
  if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) return false;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  a.size = sizeof v6;
  return true;
}

}  // namespace

std::string address_text(const sockaddr_storage& address, socklen_t size) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& a = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &a.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(a.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& a = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(a.sin6_port));
  }
  if (address.ss_family != AF_UNIX || size <= kPathStart) return "";
  const auto& a = reinterpret_cast<const sockaddr_un&>(address);
  if (a.sun_path[0] == '\0') return "@" + std::string(a.sun_path + 1, size - kPathStart - 1);
  return std::string(a.sun_path, strnlen(a.sun_path, size - kPathStart));
}

namespace {

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

HostPort split(const std::string& address, const char* op) {
  const size_t colon = address.rfind(':');
  HostPort hp{address.substr(0, colon == std::string::npos ? 0 : colon)};
  const bool bracketed = hp.host.size() >= 2 && hp.host.front() == '[' && hp.host.back() == ']';
  if (bracketed) hp.host = hp.host.substr(1, hp.host.size() - 2);
  const char* end = address.data() + address.size();
  const char* digits = colon == std::string::npos ? end : address.data() + colon + 1;
  const auto parsed = std::from_chars(digits, end, hp.port);
  if (parsed.ec != std::errc() || parsed.ptr != end ||
      (!bracketed && hp.host.find(':') != std::string::npos)) {
    throw std::invalid_argument(std::string(op) + ": address must be host:port, got '" + address +
                                "'");
  }
  return hp;
}

}  // namespace

std::vector<SocketAddress> resolve(const std::string& network, const std::string& address,
                                   const char* op, int64_t deadline_ns) {
  if (network == "unix") return {unix_address(address, op)};
  if (network != "tcp" && network != "tcp4" && network != "tcp6") {
    throw std::invalid_argument(std::string(op) +
                                ": network must be tcp, tcp4, tcp6 or unix, got '" + network + "'");
  }
  auto [host, port] = split(address, op);
  if (host.empty()) host = network == "tcp6" ? "::" : "0.0.0.0";
  SocketAddress a;
  if (!numeric(host, port, a)) return look_up_host(network, host, port, op, deadline_ns);
  const int other = network == "tcp4" ? AF_INET6 : network == "tcp6" ? AF_INET : -1;
  if (a.family() == other) throw IoError(EAFNOSUPPORT, op, address);
  return {a};
}

}  // namespace gotorch::runtime
