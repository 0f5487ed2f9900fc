#pragma once
// Random numbers: PyTorch's CPU generator. The same seed gives the same numbers.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tensor/kernels/mt19937.h"

namespace gotorch {

// A handle to a Mersenne Twister; copies share it. Thread-safe: a fill draws its numbers as one
// uninterrupted run.
//   Generator g(42);
//   uint32_t word = g.random();
class Generator {
 public:
  static constexpr uint64_t kDefaultSeed = 67280421310721u;
  static constexpr int64_t kStateBytes = 5056;

  explicit Generator(uint64_t seed = kDefaultSeed);

  // Only the low 32 bits choose the sequence; all 64 are remembered.
  void manual_seed(uint64_t seed);
  // Seeds from the operating system's entropy and returns the seed.
  uint64_t seed();
  uint64_t initial_seed() const;

  uint32_t random();
  uint64_t random64();  // two words, the upper half first

  // The state in PyTorch's byte layout, so either library continues where the other stopped.
  std::vector<uint8_t> get_state() const;
  // Throws Error if the bytes are not such a state.
  void set_state(std::span<const uint8_t> bytes);
  // An independent generator in the same state.
  Generator clone() const;

  bool operator==(const Generator&) const = default;

 private:
  friend class RandomStream;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// The one used where none is given: this thread's own, or the program's, which is seeded from the
// system's entropy when it starts.
Generator& default_generator();
// Gives the calling native thread a default generator of its own, as loader workers have; or takes it away.
void set_thread_generator(std::optional<Generator> generator);

// Exclusive use of a generator for one fill.
class RandomStream {
 public:
  explicit RandomStream(const Generator& generator);
  ~RandomStream();
  RandomStream(const RandomStream&) = delete;
  RandomStream& operator=(const RandomStream&) = delete;

  void words(uint32_t* out, int64_t n);
  uint32_t word() {
    uint32_t w;
    words(&w, 1);
    return w;
  }

  // Box-Muller gives normal numbers in pairs: the second of a pair that was split between two
  // fills. Set by the scalar path only, and it lives until it is used or the generator is seeded.
  std::optional<double>& spare_normal();

 private:
  std::shared_ptr<Generator::Impl> impl_;
};

}  // namespace gotorch
