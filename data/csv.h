#pragma once
// Tables of numbers in text files, one row a line.
#include <string>
#include <vector>

#include "data/input_file.h"
#include "tensor/tensor.h"

namespace gotorch {

struct CsvOptions {
  char delimiter = ',';
  int64_t skip_lines = 0;  // a header
};

// Reads a table row by row, in bounded memory. Fields are decimal numbers, inf or nan, with spaces
// around them or not; empty lines are skipped; lines end with \n or \r\n. Errors name the file and the line.
//   CsvReader rows("digits.csv");
//   for (std::vector<double> row; rows.next(row);) use(row);
// One goroutine at a time.
class CsvReader {
 public:
  // FileError if the file cannot be opened.
  explicit CsvReader(const std::string& path, CsvOptions options = {});

  // False at the end. ValueError for what is not a number and for rows that differ in length.
  bool next(std::vector<double>& row);
  int64_t line() const { return line_; }  // of the last row, from 1

 private:
  bool next_line(std::string_view& text);
  void parse(std::string_view text, std::vector<double>& row) const;

  const std::string& path() const { return file_.path(); }

  InputFile file_;
  CsvOptions options_;
  std::string buffer_;
  size_t at_ = 0;
  bool ended_ = false;
  int64_t line_ = 0;
  size_t columns_ = 0;
};

// The whole table: rows x columns.
Tensor read_csv(const std::string& path, CsvOptions options = {}, Dtype dtype = Dtype::Float);
// The opposite, with the fewest digits that read back as the same numbers. x has two dimensions.
void write_csv(const std::string& path, const Tensor& x, CsvOptions options = {});

}  // namespace gotorch
