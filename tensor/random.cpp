#include "tensor/random.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "runtime/parallel.h"
#include "tensor/error.h"

namespace gotorch {

struct Generator::Impl {
  std::atomic<bool> busy{false};
  uint64_t seed = 0;
  // As in the reference implementation: words drawn from this block, and words until the next twist
  // plus one. They start as 0 and 1, so the first draw twists the seeded words.
  uint32_t next = 0;
  int32_t left = 1;
  uint32_t state[kMtWords];
  std::optional<double> spare_normal;

  void reseed(uint64_t s) {
    seed = s;
    next = 0;
    left = 1;
    mt19937_seed(state, static_cast<uint32_t>(s));
    spare_normal.reset();
  }

  // A fill runs parallel loops while it holds the generator, so whoever waits helps them along.
  void lock() {
    if (!busy.exchange(true, std::memory_order_acquire)) return;
    runtime::wait_helping([&] { return !busy.exchange(true, std::memory_order_acquire); });
  }
  void unlock() {
    busy.store(false, std::memory_order_release);
    runtime::wake_helping();
  }
};

namespace {

// PyTorch's state, field by field. 64-bit words hold the 32-bit ones of the twister.
struct StateBytes {
  uint64_t seed;
  int32_t left;
  int32_t seeded;
  uint64_t next;
  uint64_t state[kMtWords];
  double unused_a;
  double spare_normal;
  double unused_b;
  int32_t has_spare_normal;
  int32_t unused_c[3];
};
static_assert(sizeof(StateBytes) == Generator::kStateBytes);

uint64_t entropy() {
  std::random_device device;
  return static_cast<uint64_t>(device()) << 32 | device();
}

}  // namespace

Generator::Generator(uint64_t seed) : impl_(std::make_shared<Impl>()) { impl_->reseed(seed); }

void Generator::manual_seed(uint64_t seed) {
  RandomStream stream(*this);
  impl_->reseed(seed);
}

uint64_t Generator::seed() {
  const uint64_t s = entropy();
  manual_seed(s);
  return s;
}

uint64_t Generator::initial_seed() const {
  RandomStream stream(*this);
  return impl_->seed;
}

uint32_t Generator::random() { return RandomStream(*this).word(); }

uint64_t Generator::random64() {
  RandomStream stream(*this);
  const uint64_t high = stream.word();
  return high << 32 | stream.word();
}

std::vector<uint8_t> Generator::get_state() const {
  RandomStream stream(*this);
  StateBytes b{};
  b.seed = impl_->seed;
  b.left = impl_->left;
  b.seeded = 1;
  b.next = impl_->next;
  std::copy_n(impl_->state, kMtWords, b.state);
  b.spare_normal = impl_->spare_normal.value_or(0.0);
  b.has_spare_normal = impl_->spare_normal.has_value();
  std::vector<uint8_t> bytes(sizeof b);
  std::memcpy(bytes.data(), &b, sizeof b);
  return bytes;
}

void Generator::set_state(std::span<const uint8_t> bytes) {
  check(bytes.size() == sizeof(StateBytes), "RNG state must have ", sizeof(StateBytes),
        " bytes: got ", bytes.size());
  StateBytes b;
  std::memcpy(&b, bytes.data(), sizeof b);
  const uint32_t next = static_cast<uint32_t>(b.next);
  check(b.seeded && b.left >= 1 && b.left <= kMtWords && next <= kMtWords,
        "RNG state is not that of a Mersenne Twister: seeded ", b.seeded, ", words left ", b.left,
        ", next word ", static_cast<int64_t>(next));
  RandomStream stream(*this);
  impl_->seed = b.seed;
  impl_->left = b.left;
  impl_->next = next;
  for (int i = 0; i < kMtWords; i++) impl_->state[i] = static_cast<uint32_t>(b.state[i]);
  impl_->spare_normal.reset();
  if (b.has_spare_normal) impl_->spare_normal = b.spare_normal;
}

Generator Generator::clone() const {
  Generator copy;
  copy.set_state(get_state());
  return copy;
}

static std::optional<Generator>& thread_generator() {
  thread_local std::optional<Generator> generator;
  return generator;
}

Generator& default_generator() {
  static Generator generator(entropy());
  std::optional<Generator>& own = thread_generator();
  return own ? *own : generator;
}

void set_thread_generator(std::optional<Generator> generator) {
  thread_generator() = std::move(generator);
}

RandomStream::RandomStream(const Generator& generator) : impl_(generator.impl_) { impl_->lock(); }
RandomStream::~RandomStream() { impl_->unlock(); }

std::optional<double>& RandomStream::spare_normal() { return impl_->spare_normal; }

void RandomStream::words(uint32_t* out, int64_t n) {
  Generator::Impl& g = *impl_;
  while (n > 0) {
    if (g.left == 1 || g.next == kMtWords) {
      mt19937_twist(g.state);
      g.left = kMtWords + 1;
      g.next = 0;
    }
    const int64_t available = std::min<int64_t>(g.left - 1, kMtWords - g.next);
    const int64_t count = std::min(n, available);
    mt19937_temper(g.state + g.next, out, count);
    g.next += static_cast<uint32_t>(count);
    g.left -= static_cast<int32_t>(count);
    out += count;
    n -= count;
  }
}

}  // namespace gotorch
