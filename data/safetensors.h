#pragma once
// The safetensors format: named tensors in one file, which other libraries read too, and C++ programs' checkpoints.
//
//   save_safetensors("net.safetensors", net.state_dict());
//   net.load_state_dict(load_safetensors("net.safetensors").tensors);
//
// A file is 8 bytes with the length of a JSON header, the header, and the tensors one after the other. Ours also have a
// CRC of the tensors in the header's metadata, which is checked where it is present. Files from strangers are
// safe to read: what does not hold exactly is an Error before any memory is had for it.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace gotorch {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
using Metadata = std::vector<std::pair<std::string, std::string>>;

struct SafeTensors {
  NamedTensors tensors;
  Metadata metadata;
};

// Replaces the file atomically. ValueError for two tensors of one name; FileError.
void save_safetensors(const std::string& path, const NamedTensors& tensors,
                      const Metadata& metadata = {});
SafeTensors load_safetensors(const std::string& path);

// The same, in memory.
std::string to_safetensors(const NamedTensors& tensors, const Metadata& metadata = {});
SafeTensors from_safetensors(std::string_view bytes);

}  // namespace gotorch
