#pragma once
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gotorch::runtime {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// "127.0.0.1:80", "[::1]:80", or a path.
std::string address_text(const sockaddr_storage& address, socklen_t size);

// What an address of this network stands for. Looks up names, and waits for that. IoError, IoTimeout,
// naming `op`.
std::vector<SocketAddress> resolve(const std::string& network, const std::string& address,
                                   const char* op, int64_t deadline_ns);

std::vector<SocketAddress> look_up_host(const std::string& network, const std::string& host,
                                        uint16_t port, const char* op, int64_t deadline_ns);

}  // namespace gotorch::runtime
