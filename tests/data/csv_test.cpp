#include "data/csv.h"

#include <cmath>

#include "data/atomic_file.h"
#include "tests/data/testing.h"
#include "tests/tensor/values.h"

namespace gotorch {
namespace {

Tensor parsed(const std::string& text, CsvOptions options = {}) {
  const Folder folder;
  put(folder / "t.csv", text);
  return read_csv(folder / "t.csv", options, Dtype::Double);
}

TEST(Csv, ReadsRowsOfNumbers) {
  const Tensor x = parsed("1, 2.5,-3e2\r\n\n +4,\t.5 ,0\n7,8,9");
  EXPECT_EQ(shape_of(x), (Shape{3, 3}));
  EXPECT_EQ(values(x), (Numbers{1, 2.5, -300, 4, .5, 0, 7, 8, 9}));
  EXPECT_EQ(values(parsed("a;b\n1;2\n", {.delimiter = ';', .skip_lines = 1})), (Numbers{1, 2}));
  EXPECT_EQ(shape_of(parsed("")), (Shape{0, 0}));
  const Tensor odd = parsed("inf,-inf,nan\n");
  EXPECT_EQ(odd.data<double>()[1], -INFINITY);
  EXPECT_NE(odd.data<double>()[2], odd.data<double>()[2]);
}

TEST(Csv, ErrorsNameTheLine) {
  EXPECT_ERROR("t.csv:2: column 2 is not a number: 'x'", parsed("1,2\n3,x\n"));
  EXPECT_ERROR("t.csv:1: column 2 is not a number: ''", parsed("1,\n"));
  EXPECT_ERROR("t.csv:3: 3 columns, expected 2", parsed("1,2\n\n3,4,5\n"));
  EXPECT_ERROR("column 1 is not a number: '1e999'", parsed("1e999\n"));
  EXPECT_ERROR("column 1 is not a number: '1.5x'", parsed("1.5x\n"));
  EXPECT_ERROR("column 1 is not a number", parsed(std::string("1\0002\n", 4)));
  EXPECT_ERROR("No such file", read_csv("/nowhere/t.csv"));
  EXPECT_ERROR("directory", read_csv("/"));
}

TEST(Csv, RowsLongerThanABlockAreRead) {
  std::string text;
  for (int i = 0; i < 50'000; i++) text += (i ? "," : "") + std::to_string(i);
  const Tensor x = parsed(text + "\n" + text + "\n");
  EXPECT_EQ(shape_of(x), (Shape{2, 50'000}));
  EXPECT_EQ(x.data<double>()[99'999], 49'999);
}

TEST(Csv, WhatIsWrittenReadsBackTheSame) {
  const Folder folder;
  const Tensor x = tensor_of<float>(std::vector<float>{0.1f, -1e-30f, 3e38f, 7}, {2, 2});
  write_csv(folder / "t.csv", x);
  EXPECT_EQ(contents(folder / "t.csv"), "0.1,-1e-30\n3e+38,7\n");
  EXPECT_EQ(values(read_csv(folder / "t.csv")), values(x));
  write_csv(folder / "t.csv", ramp({30'000, 3}, Dtype::Int64));
  EXPECT_EQ(values(read_csv(folder / "t.csv")), values(ramp({30'000, 3})));
  EXPECT_ERROR("expected rows and columns", write_csv(folder / "t.csv", ramp({3})));
}

TEST(AtomicFile, AppearsWholeOrNotAtAll) {
  const Folder folder;
  put(folder / "f", "old");
  {
    AtomicFile file(folder / "f");
    file.write("new", 3);
    EXPECT_EQ(contents(folder / "f"), "old");
  }
  EXPECT_EQ(contents(folder / "f"), "old");
  EXPECT_EQ(folder.files(), 1);
  AtomicFile file(folder / "f");
  file.write("new", 3);
  file.commit();
  EXPECT_EQ(contents(folder / "f"), "new");
  EXPECT_EQ(folder.files(), 1);
}

TEST(AtomicFile, KeepsPermissionsAndLinks) {
  namespace fs = std::filesystem;
  const Folder folder;
  put(folder / "f", "old");
  fs::permissions(folder / "f", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink(folder / "f", folder / "link");
  AtomicFile file(folder / "link");
  file.write("new", 3);
  file.commit();
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(contents(folder / "f"), "new");
  EXPECT_EQ(fs::status(folder / "f").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST(AtomicFile, ErrorsNameThePath) {
  EXPECT_THROW(AtomicFile("/nowhere/f"), FileError);
  EXPECT_PRED2([](std::string got, std::string part) { return got.find(part) != got.npos; },
               error_of<FileError>([] { AtomicFile("/nowhere/f"); }), "/nowhere/f");
}

}  // namespace
}  // namespace gotorch
