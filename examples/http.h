#pragma once
// As much of HTTP/1.1 as a server behind a trusted proxy needs: requests with a body of known
// length, one after the other on a connection.
#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/io/net.h"

namespace http {

using gotorch::runtime::conn;

struct Request {
  std::string method, target, body;
  bool keep_alive = true;
};

// What a client did wrong, or what we do not do; the connection ends after the reply.
struct Refused {
  int status;
  std::string why;
};

inline constexpr size_t kMaxHead = 8 << 10, kMaxBody = 64 << 10;

inline const char* reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 413: return "Content Too Large";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
  }
}

inline std::string reply(int status, std::string_view body, bool keep_alive) {
  std::string text =
      "HTTP/1.1 " + std::to_string(status) + " " + reason(status) +
      "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n";
  if (status == 503) text += "Retry-After: 1\r\n";
  if (!keep_alive) text += "Connection: close\r\n";
  return text.append("\r\n").append(body);
}

// The requests of one connection.
class Reader {
 public:
  explicit Reader(const conn& c) : c_(c) {}

  // Waits until a request begins. False: the client has closed its side.
  bool begin() { return !buffer_.empty() || more(); }

  // The one that has begun. Refused; IoError.
  Request next() {
    size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (buffer_.size() > kMaxHead) throw Refused{431, "the head is too long"};
      if (!more()) throw Refused{400, "the request ends early"};
    }
    if (end > kMaxHead) throw Refused{431, "the head is too long"};
    Request request;
    const size_t length = parse_head(std::string_view(buffer_).substr(0, end), request);
    if (expects_continue_ && buffer_.size() < end + 4 + length) {
      c_.write("HTTP/1.1 100 Continue\r\n\r\n");
    }
    while (buffer_.size() < end + 4 + length) {
      if (!more()) throw Refused{400, "the body ends early"};
    }
    request.body = buffer_.substr(end + 4, length);
    buffer_.erase(0, end + 4 + length);
    return request;
  }

 private:
  bool more() {
    char room[16 << 10];
    const size_t n = c_.read(room);
    buffer_.append(room, n);
    return n > 0;
  }

  static bool same(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return (x | 32) == (y | 32); });
  }

  static std::string_view cut(std::string_view& text, std::string_view at) {
    const size_t i = text.find(at);
    const std::string_view before = text.substr(0, i);
    text = i == std::string_view::npos ? std::string_view() : text.substr(i + at.size());
    return before;
  }

  // The length of the body.
  size_t parse_head(std::string_view head, Request& request) {
    std::string_view line = cut(head, "\r\n");
    request.method = cut(line, " ");
    request.target = cut(line, " ");
    if (request.method.empty() || request.target.empty() ||
        (line != "HTTP/1.1" && line != "HTTP/1.0")) {
      throw Refused{400, "not a request of HTTP/1.1"};
    }
    request.keep_alive = line == "HTTP/1.1";
    std::optional<size_t> length;
    expects_continue_ = false;
    while (!head.empty()) {
      std::string_view value = cut(head, "\r\n");
      const std::string_view name = cut(value, ":");
      if (name.empty() || name.find_first_of(" \t") != std::string_view::npos) {
        throw Refused{400, "a malformed header"};
      }
      while (!value.empty() && (value[0] == ' ' || value[0] == '\t')) value.remove_prefix(1);
      while (!value.empty() && (value.back() == ' ' || value.back() == '\t'))
        value.remove_suffix(1);
      if (same(name, "content-length")) take_length(value, length);
      if (same(name, "expect")) expects_continue_ = true;
      if (same(name, "transfer-encoding")) throw Refused{501, "only bodies with a Content-Length"};
      if (same(name, "connection")) {
        request.keep_alive =
            !same(value, "close") && (request.keep_alive || same(value, "keep-alive"));
      }
    }
    return length.value_or(0);
  }

  static void take_length(std::string_view value, std::optional<size_t>& length) {
    size_t n = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (error != std::errc() || end != value.data() + value.size() || (length && *length != n)) {
      throw Refused{400, "a malformed Content-Length"};
    }
    if (n > kMaxBody) throw Refused{413, "at most 65536 bytes"};
    length = n;
  }

  const conn& c_;
  std::string buffer_;
  bool expects_continue_ = false;
};

}  // namespace http
