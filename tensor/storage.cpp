#include "tensor/storage.h"

#include <cstring>
#include <new>

#include "tensor/allocator.h"
#include "tensor/error.h"

namespace gotorch {
namespace {

constexpr size_t kHeader = 64;
static_assert(sizeof(Storage) <= kHeader, "small data starts one cache line after the object");
// Up to here object and data share one block: one allocation, one line of cache fewer.
constexpr size_t kInsideLimit = 2048;

}  // namespace

Ref<Storage> Storage::create(size_t bytes) {
  const bool inside = bytes <= kInsideLimit;
  const size_t block_bytes = kHeader + (inside ? bytes : 0);
  void* block = allocate(block_bytes);
  auto* s = new (block) Storage;
  s->block_ = static_cast<uint32_t>(block_bytes);
  s->bytes_ = bytes;
  s->inside_ = inside;
  if (inside) {
    s->data_ = static_cast<std::byte*>(block) + kHeader;
    return Ref<Storage>::adopt(s);
  }
  try {
    s->data_ = allocate(bytes);
  } catch (...) {
    deallocate(block, kHeader);
    throw;
  }
  return Ref<Storage>::adopt(s);
}

Ref<Storage> Storage::create_later(size_t bytes) {
  expect_room(bytes);
  auto* s = new (allocate(kHeader)) Storage;
  s->bytes_ = bytes;
  return Ref<Storage>::adopt(s);
}

void Storage::allocate_data() {
  if (!data_) data_ = allocate(bytes_);
}

bool Storage::may_give_data() const {
  return data_ && !inside_ && !release_ && writable_ && !shared_outside() && ref_count() == 1;
}

Ref<Storage> Storage::borrow(void* data, size_t bytes, std::function<void()> release,
                             bool writable) {
  auto* s = new (allocate(kHeader)) Storage;
  s->data_ = data;
  s->bytes_ = bytes;
  s->writable_ = writable;
  s->release_ = new std::function<void()>(std::move(release));
  return Ref<Storage>::adopt(s);
}

Storage::~Storage() {
  if (release_) {
    (*release_)();
    delete release_;
  } else if (!inside_ && data_) {
    deallocate(data_, bytes_);
  }
}

void Storage::destroy(Storage* s) {
  const size_t block = s->block_;
  s->~Storage();
  deallocate(s, block);
}

void Storage::resize(size_t bytes) {
  if (bytes <= bytes_) return;
  check(!release_ && !shared_outside(), "the memory of a tensor of ", bytes_,
        " bytes is shared with another library and cannot grow to ", bytes);
  void* bigger = allocate(bytes);
  std::memcpy(bigger, data_, bytes_);
  if (!inside_) deallocate(data_, bytes_);
  data_ = bigger;
  bytes_ = bytes;
  inside_ = false;
}

}  // namespace gotorch
