// Looking up names, by Asio.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstring>

#include "runtime/io/address.h"
#include "runtime/io/error.h"
#include "runtime/io/pool.h"
#include "runtime/select.h"

namespace gotorch::runtime {
namespace {

struct Answer {
  std::error_code error{};
  std::vector<SocketAddress> addresses{};
};

// On a thread of the pool.
Answer look_up(const std::string& network, const std::string& host, uint16_t port) {
  using boost::asio::ip::tcp;
  Answer answer;
  try {
    boost::asio::io_context context(1);
    tcp::resolver resolver(context);
    boost::system::error_code error;
    const std::string service = std::to_string(port);
    const auto numeric_port = tcp::resolver::numeric_service;
    const auto found =
        network == "tcp4"   ? resolver.resolve(tcp::v4(), host, service, numeric_port, error)
        : network == "tcp6" ? resolver.resolve(tcp::v6(), host, service, numeric_port, error)
                            : resolver.resolve(host, service, numeric_port, error);
    answer.error = error;
    for (const auto& entry : found) {
      SocketAddress a;
      a.size = static_cast<socklen_t>(entry.endpoint().size());
      std::memcpy(&a.storage, entry.endpoint().data(), a.size);
      answer.addresses.push_back(a);
    }
  } catch (const std::system_error& e) {
    answer.error = e.code();
  } catch (const std::exception&) {
    answer.error = std::make_error_code(std::errc::not_enough_memory);
  }
  return answer;
}

}  // namespace

std::vector<SocketAddress> look_up_host(const std::string& network, const std::string& host,
                                        uint16_t port, const char* op, int64_t deadline_ns) {
  refuse_in_simulation(op);
  const chan<Answer> answers(1);
  on_lookup_thread([=] { answers.try_send(look_up(network, host, port)); });
  std::optional<Answer> answer;
  if (deadline_ns == kForever) answer = answers.receive();
  else {
    select(on_receive(answers, [&](std::optional<Answer> a) { answer = std::move(a); }),
           TimeoutCase{deadline_ns, [] {}});
  }
  const std::string target = host + ":" + std::to_string(port);
  if (!answer) throw IoTimeout(op, target);
  if (answer->error) throw IoError(answer->error, op, target);
  return std::move(answer->addresses);
}

}  // namespace gotorch::runtime
