// Addresses, Unix sockets, and what goes wrong with connections.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "runtime/scheduler.h"
#include "tests/runtime/io/echo.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

class Net : public OnWorkers {};
RUN_ON_WORKERS(Net);

std::string temporary(const std::string& name) {
  return (std::filesystem::temp_directory_path() / (name + std::to_string(getpid()))).string();
}

// The error of f, which must throw one.
template <class E = IoError>
std::error_code error_of(auto f, std::string_view text = "") {
  try {
    f();
  } catch (const E& e) {
    EXPECT_NE(std::string_view(e.what()).find(text), std::string_view::npos) << e.what();
    return e.code();
  }
  ADD_FAILURE() << "no error";
  return {};
}

// No descriptor can be opened while this lives.
struct NoMoreFiles {
  NoMoreFiles() {
    getrlimit(RLIMIT_NOFILE, &before);
    const int next = dup(0);
    close(next);
    const rlimit few{static_cast<rlim_t>(next), before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
  }
  ~NoMoreFiles() { setrlimit(RLIMIT_NOFILE, &before); }
  rlimit before;
};

TEST_P(Net, UnixSocketsEcho) {
  const std::string path = temporary("echo");
  for (const std::string& address : {path, "@" + path}) {
    scope s;
    const listener l = listen("unix", address);
    EXPECT_EQ(l.address(), address);
    serve(s, l);
    s.go([&] {
      const conn c = dial("unix", address);
      EXPECT_EQ(c.remote_address(), address);
      const std::string question(100'000, 'q');
      s.go([c, question] { c.write(question); });
      std::string answer(question.size(), ' ');
      EXPECT_EQ(c.read_full(answer), question.size());
      EXPECT_EQ(answer, question);
      s.cancel();
    });
    s.join();
    l.close();
    EXPECT_FALSE(std::filesystem::exists(path));
  }
}

TEST_P(Net, NamesAreLookedUp) {
  scope s;
  const listener l = listen("tcp4", "localhost:0");
  serve(s, l);
  const std::string port = l.address().substr(l.address().find(':'));
  EXPECT_EQ(l.address(), "127.0.0.1" + port);
  s.go([&] {
    const conn c = dial("tcp", "localhost" + port, in(60s));
    EXPECT_EQ(c.remote_address(), l.address());
    EXPECT_EQ(ask(c, "hello"), "hello");
    EXPECT_EQ(ask(dial("tcp", port), "all"), "all");
    s.cancel();
  });
  s.join();
}

TEST_P(Net, SixToo) {
  listener l;
  try {
    l = listen("tcp", "[::1]:0");
  } catch (const IoError& e) {  // the machine has none
    EXPECT_TRUE(e.code() == std::errc::address_not_available ||
                e.code() == std::errc::address_family_not_supported);
    return;
  }
  EXPECT_EQ(l.address().substr(0, 6), "[::1]:");
  const conn c = dial("tcp6", l.address());
  EXPECT_EQ(l.accept().remote_address(), c.local_address());
}

TEST_P(Net, BadAddressesAreRefused) {
  for (const char* address :
       {"", "127.0.0.1", "1.2.3.4:99999", "1.2.3.4:x", "::1:80", "1.2.3.4:"}) {
    EXPECT_THROW(listen("tcp", address), std::invalid_argument) << address;
    EXPECT_THROW(dial("tcp", address), std::invalid_argument) << address;
  }
  EXPECT_THROW(dial("udp", "127.0.0.1:80"), std::invalid_argument);
  error_of([] { dial("tcp6", "127.0.0.1:80"); }, "dial 127.0.0.1:80");
  error_of([] { listen("unix", ""); });
  EXPECT_EQ(error_of([] { listen("unix", std::string(200, 'x')); }), std::errc::filename_too_long);
  error_of([] { dial("tcp", "no.such.name.invalid:80", in(60s)); },
           "dial no.such.name.invalid:80: ");
}

TEST_P(Net, NobodyListens) {
  listener l = listen("tcp", "127.0.0.1:0");
  const std::string address = l.address();
  EXPECT_EQ(error_of([&] { listen("tcp", address); }, "listen " + address + ": Address"),
            std::errc::address_in_use);
  l.close();
  EXPECT_EQ(error_of([&] { dial("tcp", address); }, "dial " + address + ": Connection refused"),
            std::errc::connection_refused);
  EXPECT_EQ(error_of([&] { dial("unix", temporary("nothing")); }),
            std::errc::no_such_file_or_directory);
}

TEST_P(Net, TheOtherSideIsGone) {
  const listener l = listen("tcp", "127.0.0.1:0");
  conn c = dial("tcp", l.address());
  conn accepted = l.accept();
  c.write("never read");
  accepted.close();  // with bytes unread: a reset
  char room[10];
  EXPECT_EQ(error_of([&] { c.read(room); }, "read " + l.address() + ": Connection reset"),
            std::errc::connection_reset);
  EXPECT_EQ(error_of([&] {
              for (;;) c.write("and nobody kills us");
            }),
            std::errc::broken_pipe);
  scope s;
  s.go([&] { EXPECT_EQ(error_of([&] { c.write("here neither"); }), std::errc::broken_pipe); });
  s.join();
}

TEST_P(Net, ManyFailAtOnce) {
  constexpr int kMany = kManyStacks / 10;
  const listener l = listen("tcp", "127.0.0.1:0");
  std::vector<conn> accepted;
  std::atomic<int> failed{0};
  scope s;
  for (int i = 0; i < kMany; i++) {
    const conn c = dial("tcp", l.address());
    accepted.push_back(l.accept());
    c.write("never read");
    s.go([&failed, c] {
      char room[10];
      failed += error_of([&] { c.read(room); }) == std::errc::connection_reset;
    });
  }
  for (const conn& c : accepted) c.close();
  s.join();
  EXPECT_EQ(failed, kMany);
}

TEST_P(Net, TooManyOpenFiles) {
  const listener l = listen("tcp", "127.0.0.1:0");
  const conn c = dial("tcp", l.address());
  c.write("still there");
  scope s;
  s.go([&] {
    {
      const NoMoreFiles none;
      EXPECT_EQ(error_of([&] { l.accept(); }, "accept "), std::errc::too_many_files_open);
      EXPECT_EQ(error_of([&] { dial("tcp", l.address()); }), std::errc::too_many_files_open);
      EXPECT_EQ(error_of([&] { listen("tcp", "127.0.0.1:0"); }), std::errc::too_many_files_open);
      EXPECT_EQ(error_of([] { make_pipe(); }), std::errc::too_many_files_open);
    }
    c.close_write();
    EXPECT_EQ(l.accept().read_all(), "still there");
  });
  s.join();
}

TEST_P(Net, ReadAllHasALimit) {
  const listener l = listen("tcp", "127.0.0.1:0");
  for (const size_t size : {0, 10, 11}) {
    const conn c = dial("tcp", l.address());
    c.write(std::string(size, 'x'));
    c.close_write();
    if (size <= 10) EXPECT_EQ(l.accept().read_all(10).size(), size);
    else EXPECT_EQ(error_of([&] { l.accept().read_all(10); }), std::errc::file_too_large);
  }
}

TEST_P(Net, ClosingTheReadingSide) {
  const listener l = listen("tcp", "127.0.0.1:0");
  const conn c = dial("tcp", l.address());
  scope s;
  s.go([&] {
    char room[1];
    EXPECT_EQ(c.read(room), 0u);
  });
  c.close_read();
  s.join();
  c.set_no_delay(false);
  c.write("ok");
  c.close_write();
  EXPECT_EQ(l.accept().read_all(), "ok");
}

// A peer may send urgent data, at which reads stop early. The rest must not be forgotten.
TEST_P(Net, UrgentDataDoesNotStallReads) {
  const listener l = listen("tcp", "127.0.0.1:0");
  const std::string port = l.address().substr(10);
  const conn receiver = [&] {
    const process p = spawn({.arguments = {"python3", "-c",
                                           "import socket\n"
                                           "s = socket.create_connection(('127.0.0.1', " +
                                               port +
                                               "))\n"
                                               "s.send(b'abc', socket.MSG_OOB)\n"
                                               "s.send(b'defg')\n"}});
    const conn c = l.accept();
    EXPECT_TRUE(p.wait().ok());
    return c;
  }();
  EXPECT_EQ(receiver.read_all(), "abdefg");  // the urgent byte is not in the stream
}

TEST_P(Net, WaitsSurviveAShutdown) {
  const listener l = listen("tcp", "127.0.0.1:0");
  scope s;
  std::string got;
  s.go([&] { got = l.accept().read_all(); });
  yield();
  shutdown();
  const conn c = dial("tcp", l.address());
  shutdown();
  c.write("after");
  c.close_write();
  s.join();
  EXPECT_EQ(got, "after");
}

TEST(NetAlone, SimulationsRefuseIo) {
  const listener l = listen("tcp", "127.0.0.1:0");
  EXPECT_THROW(simulate(1, [&] { l.accept(); }), std::logic_error);
  EXPECT_THROW(simulate(1, [&] { read_file("/dev/null"); }), std::logic_error);
}

TEST_P(Net, AForkedChildHasItsOwn) {
  const listener l = listen("tcp", "127.0.0.1:0");
  const conn c = dial("tcp", l.address());
  const conn accepted = l.accept();
  scope s;
  s.go([&] { echo(accepted); });
  EXPECT_EQ(ask(c, "before"), "before");
  const pid_t child = fork();
  if (child == 0) {
    int wrong = 0;
    char room[1];
    try {
      c.read(room);
      wrong |= 1;
    } catch (const std::logic_error&) {
    }
    {
      const conn drop = c;
      const listener mine = listen("tcp", "127.0.0.1:0");
      scope scope;
      scope.go([&] { echo(mine.accept()); });
      const conn d = dial("tcp", mine.address());
      if (ask(d, "child") != "child") wrong |= 2;
      d.close_write();
      scope.join();
      if (read_file("/proc/self/comm").empty()) wrong |= 4;
    }
    _exit(wrong);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(ask(c, "after"), "after");
  c.close_write();
  s.join();
}

}  // namespace
}  // namespace gotorch::runtime
