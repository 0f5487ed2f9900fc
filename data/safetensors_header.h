#pragma once
// The header of a safetensors file.
#include <string>
#include <string_view>
#include <vector>

#include "data/safetensors.h"

namespace gotorch {

struct SafeTensorsEntry {
  std::string name;
  Dtype dtype;
  DimVector shape;
  uint64_t begin, end;  // bytes, from the end of the header
};

struct SafeTensorsHeader {
  std::vector<SafeTensorsEntry> entries;  // in the order of the text
  Metadata metadata;
};

// Error if the text is not such a header, or if the entries do not cover `data_bytes` without gaps and overlaps.
SafeTensorsHeader parse_safetensors_header(std::string_view text, uint64_t data_bytes);
std::string format_safetensors_header(const SafeTensorsHeader& header);

}  // namespace gotorch
