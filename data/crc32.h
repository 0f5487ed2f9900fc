#pragma once
#include <cstddef>
#include <cstdint>

namespace gotorch {

// The CRC-32 of zip files (polynomial 0xEDB88320, reflected), continued from `crc`, which is 0 at first.
uint32_t crc32(uint32_t crc, const void* bytes, size_t n);

}  // namespace gotorch
