#include "data/npy.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "data/atomic_file.h"
#include "data/input_file.h"
#include "tensor/copy.h"

namespace gotorch {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kAlignment = 64;
constexpr size_t kLongestHeader = 1 << 16;
// By dtype; empty: not in the format.
constexpr std::array<std::string_view, kDtypes> kDescr = {"|b1", "|u1", "|i1", "<i2", "<i4",
                                                          "<i8", "<f2", "",    "<f4", "<f8"};

std::string header_of(const Tensor& x) {
  const std::string_view descr = kDescr[static_cast<size_t>(x.dtype())];
  check<TypeError>(!descr.empty(), "save_npy: the format has no ", x.dtype());
  std::string dict = "{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': (";
  for (const int64_t n : x.shape()) dict += std::to_string(n) + ",";
  dict += "), }";
  std::string out(kMagic);
  out += {'\1', '\0'};
  const size_t before = out.size() + 2, whole = before + dict.size() + 1;
  dict.resize(dict.size() + (kAlignment - whole % kAlignment) % kAlignment, ' ');
  dict += '\n';
  out += static_cast<char>(dict.size() & 255);
  out += static_cast<char>(dict.size() >> 8);
  return out + dict;
}

// What follows `'key':` in the dictionary.
std::string_view value_of(std::string_view dict, std::string_view key, const std::string& path) {
  const std::string quoted = "'" + std::string(key) + "':";
  const size_t at = dict.find(quoted);
  check(at != dict.npos, path, ": the header has no ", key);
  std::string_view value = dict.substr(at + quoted.size());
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  return value;
}

DimVector shape_in(std::string_view value, const std::string& path) {
  DimVector shape;
  const size_t end = value.find(')');
  check(value.starts_with('(') && end != value.npos, path, ": the header has no shape");
  for (std::string_view left = value.substr(1, end - 1);;) {
    left.remove_prefix(std::min(left.find_first_not_of(" ,"), left.size()));
    if (left.empty()) return shape;
    int64_t n = 0;
    const auto [stop, error] = std::from_chars(left.data(), left.data() + left.size(), n);
    check(error == std::errc() && n >= 0, path, ": the shape of the header is not made of sizes");
    shape.push_back(n);
    left.remove_prefix(static_cast<size_t>(stop - left.data()));
  }
}

std::string read_header(InputFile& file) {
  unsigned char start[12];
  file.read(start, 8);
  check(std::equal(kMagic.begin(), kMagic.end(), reinterpret_cast<char*>(start)), file.path(),
        ": not a .npy file");
  const int version = start[6];
  check(version >= 1 && version <= 3, file.path(), ": version ", version, " is not known");
  const size_t width = version == 1 ? 2 : 4;
  file.read(start + 8, width);
  size_t length = 0;
  for (size_t i = 0; i < width; i++) length |= static_cast<size_t>(start[8 + i]) << 8 * i;
  check(length <= kLongestHeader, file.path(), ": a header of ", length, " bytes");
  std::string dict(length, '\0');
  file.read(dict.data(), length);
  return dict;
}

}  // namespace

void save_npy(const std::string& path, const Tensor& x) {
  const std::string header = header_of(x);
  const Tensor t = packed(x);
  AtomicFile file(path);
  file.write(header.data(), header.size());
  if (t.numel()) file.write(t.raw(), static_cast<size_t>(t.bytes()));
  file.commit();
}

Tensor load_npy(const std::string& path) {
  InputFile file(path);
  const uint64_t size = file.size();
  const std::string dict = read_header(file);
  const std::string_view descr = value_of(dict, "descr", path);
  const auto found = std::find_if(kDescr.begin(), kDescr.end(), [&](std::string_view d) {
    return !d.empty() && descr.starts_with("'" + std::string(d) + "'");
  });
  check(found != kDescr.end(), path, ": elements ", descr.substr(0, 12), " are not supported");
  const Dtype dtype = static_cast<Dtype>(found - kDescr.begin());
  const bool columns = value_of(dict, "fortran_order", path).starts_with("True");
  DimVector shape = shape_in(value_of(dict, "shape", path), path);
  // Before memory is had for it: a header may claim anything.
  const int64_t n = numel_of(shape);
  check(static_cast<uint64_t>(n) <= size / static_cast<uint64_t>(size_of(dtype)), path, ": ", n,
        " elements in a file of ", size, " bytes");
  if (columns) std::reverse(shape.begin(), shape.end());
  const Tensor stored = empty(shape, dtype);
  if (n) file.read(stored.raw(), static_cast<size_t>(stored.bytes()));
  if (!columns) return stored;
  DimVector strides(stored.strides());
  std::reverse(shape.begin(), shape.end());
  std::reverse(strides.begin(), strides.end());
  return packed(twin(alias(stored, shape, strides, 0)));
}

}  // namespace gotorch
