#include "data/csv.h"

#include <algorithm>
#include <charconv>

#include "data/atomic_file.h"
#include "tensor/copy.h"

namespace gotorch {
namespace {

constexpr size_t kBlock = 1 << 16;
constexpr size_t kLongestLine = size_t{1} << 28;

std::string_view trimmed(std::string_view s) {
  const size_t begin = s.find_first_not_of(" \t");
  if (begin == s.npos) return {};
  return s.substr(begin, s.find_last_not_of(" \t") + 1 - begin);
}

bool to_number(std::string_view field, double& out) {
  if (field.size() > 1 && field[0] == '+' && field[1] != '-') field.remove_prefix(1);
  const char* end = field.data() + field.size();
  const auto [stop, error] = std::from_chars(field.data(), end, out);
  return stop == end && !field.empty() && error == std::errc();
}

}  // namespace

CsvReader::CsvReader(const std::string& path, CsvOptions options)
    : file_(path), options_(options) {}

// Valid until the next call.
bool CsvReader::next_line(std::string_view& text) {
  for (;;) {
    const size_t end = buffer_.find('\n', at_);
    if (end != buffer_.npos || (ended_ && at_ < buffer_.size())) {
      text = std::string_view(buffer_).substr(at_, end == buffer_.npos ? end : end - at_);
      at_ = end == buffer_.npos ? buffer_.size() : end + 1;
      if (text.ends_with('\r')) text.remove_suffix(1);
      line_++;
      return true;
    }
    if (ended_) return false;
    buffer_.erase(0, at_);
    at_ = 0;
    const size_t kept = buffer_.size();
    check<ValueError>(kept <= kLongestLine, path(), ":", line_ + 1, ": a line of more than ",
                      kLongestLine, " bytes");
    buffer_.resize(kept + kBlock);
    const size_t got = file_.read_some(buffer_.data() + kept, kBlock);
    buffer_.resize(kept + got);
    ended_ = got == 0;
  }
}

void CsvReader::parse(std::string_view text, std::vector<double>& row) const {
  row.clear();
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(options_.delimiter, begin), text.size());
    const std::string_view field = trimmed(text.substr(begin, end - begin));
    double value = 0;
    check<ValueError>(to_number(field, value), path(), ":", line_, ": column ", row.size() + 1,
                      " is not a number: '", field.substr(0, 40), "'");
    row.push_back(value);
    begin = end + 1;
  }
}

bool CsvReader::next(std::vector<double>& row) {
  for (std::string_view text; next_line(text);) {
    if (line_ <= options_.skip_lines || trimmed(text).empty()) continue;
    parse(text, row);
    if (columns_ == 0) columns_ = row.size();
    check<ValueError>(row.size() == columns_, path(), ":", line_, ": ", row.size(),
                      " columns, expected ", columns_);
    return true;
  }
  return false;
}

Tensor read_csv(const std::string& path, CsvOptions options, Dtype dtype) {
  CsvReader reader(path, options);
  std::vector<double> row, table;
  int64_t rows = 0;
  for (; reader.next(row); rows++) table.insert(table.end(), row.begin(), row.end());
  const int64_t columns = rows ? static_cast<int64_t>(table.size()) / rows : 0;
  return as_dtype(tensor_of(std::span<const double>(table), {rows, columns}), dtype);
}

void write_csv(const std::string& path, const Tensor& x, CsvOptions options) {
  check<ValueError>(x.dim() == 2, "write_csv: expected rows and columns, got shape ", x.shape());
  AtomicFile file(path);
  const Tensor wide = packed(
      x, is_floating(x.dtype()) && x.dtype() != Dtype::Double ? Dtype::Float : Dtype::Double);
  const int64_t columns = x.size(1);
  std::string text;
  for (int64_t i = 0; i < x.numel(); i++) {
    char digits[40];
    const auto end = wide.dtype() == Dtype::Float
                         ? std::to_chars(digits, digits + sizeof digits, wide.data<float>()[i])
                         : std::to_chars(digits, digits + sizeof digits, wide.data<double>()[i]);
    text.append(digits, end.ptr);
    text += (i + 1) % columns == 0 ? '\n' : options.delimiter;
    if (text.size() < kBlock) continue;
    file.write(text.data(), text.size());
    text.clear();
  }
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace gotorch
