#include "data/safetensors.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>
#include <set>

#include "data/atomic_file.h"
#include "data/crc32.h"
#include "data/input_file.h"
#include "data/safetensors_header.h"
#include "tensor/copy.h"

namespace gotorch {
namespace {

constexpr uint64_t kLargestHeader = 100'000'000;
constexpr const char* kChecksum = "gotorch.crc32";
constexpr std::string_view kReserved = "__metadata__";

// The tensors packed and in the order of the file, their bytes between header and end.
struct Layout {
  std::string header;  // with its length in front
  std::vector<Tensor> tensors;
};

std::string hex(uint32_t value) {
  char digits[8];
  return {digits, std::to_chars(digits, digits + sizeof digits, value, 16).ptr};
}

Layout lay_out(const NamedTensors& tensors, const Metadata& metadata) {
  std::set<std::string_view> names;
  for (const auto& [name, t] : tensors) {
    check<ValueError>(t.defined(), "safetensors: '", name, "' is no tensor");
    check<ValueError>(name != kReserved && names.insert(name).second, "safetensors: the name '",
                      name, "' is taken");
  }
  // Large elements first, so that each is aligned; then by name, as the reference implementation has it.
  std::vector<const std::pair<std::string, Tensor>*> order;
  for (const auto& entry : tensors) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(-a->second.item_size(), std::string_view(a->first)) <
           std::pair(-b->second.item_size(), std::string_view(b->first));
  });
  Layout out;
  SafeTensorsHeader header{.metadata = metadata};
  uint32_t crc = 0;
  uint64_t at = 0;
  for (const auto* entry : order) {
    const Tensor t = packed(entry->second);
    const uint64_t bytes = static_cast<uint64_t>(t.bytes());
    header.entries.push_back({entry->first, t.dtype(), DimVector(t.shape()), at, at + bytes});
    at += bytes;
    if (bytes) crc = crc32(crc, t.raw(), bytes);
    out.tensors.push_back(t);
  }
  std::erase_if(header.metadata, [](const auto& pair) { return pair.first == kChecksum; });
  header.metadata.emplace_back(kChecksum, hex(crc));
  const std::string text = format_safetensors_header(header);
  const uint64_t length = text.size();
  check(length <= kLargestHeader, "safetensors: the header has ", length, " bytes, at most ",
        kLargestHeader);
  out.header.assign(reinterpret_cast<const char*>(&length), sizeof length);
  out.header += text;
  return out;
}

using Read = std::function<void(void* to, size_t n)>;

SafeTensors read_all(uint64_t size, const Read& read) {
  uint64_t length = 0;
  check(size >= sizeof length, "safetensors: a file of ", size, " bytes has no header");
  read(&length, sizeof length);
  check(length <= kLargestHeader && length <= size - sizeof length, "safetensors: the header has ",
        length, " bytes, the file ", size);
  std::string text(length, '\0');
  read(text.data(), length);
  SafeTensorsHeader header = parse_safetensors_header(text, size - sizeof length - length);

  SafeTensors out;
  for (const SafeTensorsEntry& e : header.entries)
    out.tensors.emplace_back(e.name, empty(e.shape, e.dtype));
  std::vector<size_t> order(header.entries.size());
  for (size_t i = 0; i < order.size(); i++) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return header.entries[a].begin < header.entries[b].begin; });
  uint32_t crc = 0;
  for (const size_t i : order) {
    const Tensor& t = out.tensors[i].second;
    const size_t bytes = static_cast<size_t>(t.bytes());
    if (bytes == 0) continue;
    read(t.raw(), bytes);
    crc = crc32(crc, t.raw(), bytes);
  }
  for (auto& [key, value] : header.metadata) {
    if (key != kChecksum) out.metadata.emplace_back(std::move(key), std::move(value));
    else
      check(value == hex(crc), "safetensors: the data is damaged: its CRC is ", hex(crc),
            ", expected ", value);
  }
  return out;
}

}  // namespace

void save_safetensors(const std::string& path, const NamedTensors& tensors,
                      const Metadata& metadata) {
  const Layout layout = lay_out(tensors, metadata);
  AtomicFile file(path);
  file.write(layout.header.data(), layout.header.size());
  for (const Tensor& t : layout.tensors)
    if (t.numel()) file.write(t.raw(), static_cast<size_t>(t.bytes()));
  file.commit();
}

std::string to_safetensors(const NamedTensors& tensors, const Metadata& metadata) {
  const Layout layout = lay_out(tensors, metadata);
  std::string out = layout.header;
  for (const Tensor& t : layout.tensors)
    if (t.numel()) out.append(static_cast<const char*>(t.raw()), static_cast<size_t>(t.bytes()));
  return out;
}

SafeTensors load_safetensors(const std::string& path) {
  InputFile file(path);
  return read_all(file.size(), [&](void* to, size_t n) { file.read(to, n); });
}

SafeTensors from_safetensors(std::string_view bytes) {
  return read_all(bytes.size(), [rest = bytes](void* to, size_t n) mutable {
    std::memcpy(to, rest.data(), n);
    rest.remove_prefix(n);
  });
}

}  // namespace gotorch
