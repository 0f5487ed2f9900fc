#pragma once
#include <sys/socket.h>

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

// What an address of this network stands for. Looks up names, which may wait. IoError, naming `op`.
std::vector<SocketAddress> resolve(const std::string& network, const std::string& address,
                                   const char* op);

}  // namespace gotorch::runtime
