// Files at positions, and disks that are full.
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "runtime/go.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {
namespace {

class Files : public OnWorkers {
 protected:
  void SetUp() override {
    OnWorkers::SetUp();
    std::filesystem::create_directories(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string path(const std::string& name) const { return (folder / name).string(); }
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("file_test" + std::to_string(getpid()));
};
RUN_ON_WORKERS(Files);

std::error_code error_of(auto f, std::string_view text = "") {
  try {
    f();
  } catch (const IoError& e) {
    EXPECT_NE(std::string_view(e.what()).find(text), std::string_view::npos) << e.what();
    return e.code();
  }
  ADD_FAILURE() << "no error";
  return {};
}

std::string letters(size_t n, size_t first) {
  std::string s(n, ' ');
  for (size_t i = 0; i < n; i++) s[i] = static_cast<char>('a' + (first + i) % 26);
  return s;
}

TEST_P(Files, ManyWriteAndReadAtTheirPositions) {
  constexpr size_t kPieces = 64, kPiece = 10'000;
  const file f = open_file(path("pieces"), OpenMode::ReadWrite);
  scope writers;
  for (size_t i = 0; i < kPieces; i++) {
    writers.go(
        [&, i] { f.write_at(letters(kPiece, i * kPiece), static_cast<int64_t>(i * kPiece)); });
  }
  writers.join();
  f.sync();
  EXPECT_EQ(f.size(), int64_t{kPieces * kPiece});
  EXPECT_TRUE(read_file(path("pieces")) == letters(kPieces * kPiece, 0));
  scope readers;
  for (size_t i = 0; i < kPieces; i++) {
    readers.go([&, i] {
      std::string room(kPiece, ' ');
      const size_t at = (i * 7919) % (kPieces * kPiece - kPiece);
      EXPECT_EQ(f.read_at(room, static_cast<int64_t>(at)), kPiece);
      EXPECT_TRUE(room == letters(kPiece, at));
    });
  }
  readers.join();
}

TEST_P(Files, TheEndOfAFile) {
  const file f = open_file(path("end"), OpenMode::ReadWrite);
  f.write_at("0123456789", 0);
  char room[8];
  EXPECT_EQ(f.read_at(room, 6), 4u);
  EXPECT_EQ(std::string_view(room, 4), "6789");
  EXPECT_EQ(f.read_at(room, 10), 0u);
  EXPECT_EQ(f.read_at(room, 1000), 0u);
  f.resize(3);
  EXPECT_EQ(read_file(path("end")), "012");
  write_file(path("end"), "");
  EXPECT_EQ(read_file(path("end")), "");
  EXPECT_EQ(read_file("/proc/self/comm").substr(0, 4), "runt");  // its size is said to be 0
}

TEST_P(Files, WrongUse) {
  EXPECT_EQ(error_of([&] { open_file(path("none")); }, "open " + path("none") + ": No such file"),
            std::errc::no_such_file_or_directory);
  EXPECT_EQ(error_of([&] { read_file(folder.string()); }, "read "), std::errc::is_a_directory);
  EXPECT_EQ(error_of([] { open_file(std::string("a\0b", 3)); }), std::errc::invalid_argument);
  const file f = open_file(path("f"), OpenMode::Write);
  char room[1];
  EXPECT_EQ(error_of([&] { f.read_at(room, 0); }), std::errc::bad_file_descriptor);
  EXPECT_EQ(error_of([&] { f.write_at("x", -1); }), std::errc::invalid_argument);
  f.close();
  f.close();
  EXPECT_THROW(f.write_at("x", 0), IoClosed);
  EXPECT_THROW(file().size(), IoClosed);
}

TEST_P(Files, CloseWaitsForThoseWhoUseIt) {
  for (int round = 0; round < 20; round++) {
    const file f = open_file(path("closing"), OpenMode::ReadWrite);
    scope s;
    std::atomic<int> done{0}, late{0};
    for (int i = 0; i < 8; i++) {
      s.go([&, i] {
        try {
          f.write_at(std::string(1000, 'x'), 1000 * i);
          done++;
        } catch (const IoClosed&) {
          late++;
        }
      });
    }
    s.go([&] { f.close(); });
    s.join();
    EXPECT_EQ(done + late, 8);
  }
}

TEST_P(Files, AFullDisk) {
  const file full = open_file("/dev/full", OpenMode::Write);
  size_t written = 0;
  EXPECT_EQ(error_of([&] { full.write_at("x", 0, &written); },
                     "write /dev/full: No space left on device"),
            std::errc::no_space_on_device);
  EXPECT_EQ(written, 0u);
}

// What the channel accepted before the disk was full is on the disk or still in the channel.
TEST_P(Files, APipelineOnAFullDiskLosesNothing) {
  constexpr size_t kPiece = 1000, kRoom = 10'500;
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{kRoom, before.rlim_max};
  const file f = open_file(path("small"), OpenMode::ReadWrite);
  const chan<std::string> pieces(4);
  size_t accepted = 0, written = 0, taken = 0;
  setrlimit(RLIMIT_FSIZE, &small);
  scope s;
  s.go([&] {
    for (;; accepted++) pieces.send(letters(kPiece, accepted * kPiece));
  });
  s.go([&] {
    for (const std::string& piece : pieces) {
      taken++;
      f.write_at(piece, static_cast<int64_t>(written), &written);
    }
  });
  EXPECT_EQ(error_of([&] { s.join(); }, "write " + path("small") + ": File too large"),
            std::errc::file_too_large);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(written, kRoom);
  EXPECT_EQ(taken, kRoom / kPiece + 1);
  EXPECT_TRUE(read_file(path("small")) == letters(kRoom, 0));
  for (; pieces.size() > 0; taken++) EXPECT_EQ(*pieces.receive(), letters(kPiece, taken * kPiece));
  EXPECT_EQ(taken, accepted);
}

}  // namespace
}  // namespace gotorch::runtime
