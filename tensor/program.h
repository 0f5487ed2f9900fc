#pragma once
// The evaluator of pointwise expressions: turns one into a list of loops over tiles and runs them while
// each tile is in the first-level cache.
//
//   TileReader reader(x, Dtype::Float);          // x pending, strided, or of another dtype
//   const float* tile = reader.read<float>(begin, n, buffer);   // elements [begin, begin + n) in row-major order
//
// Thread-safety: building and finishing under the evaluation lock (the constructor takes it); read() from any number of threads.
#include <memory>
#include <optional>
#include <utility>

#include "tensor/buffer.h"
#include "tensor/pending.h"
#include "tensor/strided.h"

namespace gotorch {

inline constexpr int64_t kTile = 1024;

class Program {
 public:
  enum class Root : uint8_t {
    Read,       // tiles of it are read, any number of times
    Stored,     // and each is also written to its own storage
    Evaluated,  // it is written by one run(), perhaps over an operand that nobody else refers to
  };
  // Computes `root` as `result` dtype.
  Program(Pending& root, Dtype result, Root becomes);
  // Converts a tensor that is in memory.
  Program(const Tensor& x, Dtype result);
  // One op on operands that need not be pending, writing to `destination` (contiguous, of the op's dtype).
  Program(const PointwiseKernel& kernel, std::span<const Operand> operands, Dtype compute,
          Dtype dtype, Dims shape, void* destination);

  // Computes elements [begin, begin + n), n <= kTile. They come into `buffer`, or lie in memory already.
  const void* run_tile(int64_t begin, int64_t n, void* buffer) const;
  // Computes everything, all chunks in parallel, and publishes it.
  void run();
  // Marks what was written as evaluated. Every tile must have been run.
  void publish();
  int64_t numel() const { return numel_; }

 private:
  enum class Place : uint8_t { Fixed, Direct, Gathered, Temporary, Stored };
  struct Slot {
    Place place;
    Dtype dtype;
    int16_t buffer = -1;          // Fixed, Gathered, Temporary: which scratch tile
    int16_t last_use = -1;        // step that reads it last
    std::byte* memory = nullptr;  // Direct, Stored
    Scalar scalar;                // Fixed, from a number
    int16_t access = -1;          // Gathered
  };
  struct Step {
    Loop loop;
    int16_t out;
    uint8_t count;
    std::array<int16_t, kMaxOperands> in;
  };
  struct Node {
    Pending* value;    // borrowed: the root keeps all alive
    int16_t uses = 0;  // operand places inside this program
    int16_t slot = -1;
    bool stored = false;
  };

  void collect(Pending& p);
  int find(const PendingState* value) const;
  void choose_stored();
  void write_over_dead_operand(Pending& root);
  void emit_nodes();
  int16_t emit(const PointwiseKernel& k, std::span<const Pending::Source> sources, Dims shape,
               Dtype compute, Dtype dtype, void* destination);
  int16_t source_slot(const Pending::Source& s, Dims shape, Dtype wanted);
  int16_t cast_slot(int16_t slot, Dtype to);
  int16_t leaf_slot(const Tensor& x, Dims shape);
  int16_t add_slot(Slot s);
  void add_step(Loop loop, int16_t out, std::span<const int16_t> in);
  void assign_buffers();
  int64_t row_length() const;
  std::byte* prepared(Buffer<std::byte>& room) const;
  std::byte* prologue() const;
  void run_tiles(std::byte* scratch, int64_t begin, int64_t end) const;
  void run_over_operand(int64_t chunk);
  // `result`: where the result goes, if it has no place of its own.
  void** tile(std::byte* scratch, int64_t begin, int64_t n, void* result = nullptr) const;

  int64_t numel_ = 0;
  int64_t tile_ = kTile;
  int16_t result_slot_ = -1;
  Dtype result_dtype_;
  int buffers_ = 0;
  uint64_t id_;  // tells one program's scratch from another's on the same thread
  SmallVector<Node, 8> nodes_;
  SmallVector<Slot, 16> slots_;
  SmallVector<Step, 8> steps_;
  SmallVector<StridedAccess, 2> accesses_;
  struct Leaf {
    const TensorImpl* impl;
    Dims shape;  // that it broadcasts to
    int16_t slot;
  };
  SmallVector<Leaf, 8> leaves_;
  // The root is written over an operand's data, which the one owns in the end and until then the other.
  struct Loan {
    Storage *operand = nullptr, *root = nullptr;
    ~Loan() {
      if (operand) root->forget_data();
    }
    void keep() { std::exchange(operand, nullptr)->forget_data(); }
  };
  Loan loan_;
};

// Reads any tensor as contiguous tiles of one dtype, whatever its layout, dtype or state.
class TileReader {
 public:
  TileReader(const Tensor& x, Dtype dtype);
  ~TileReader();
  TileReader(const TileReader&) = delete;
  TileReader& operator=(const TileReader&) = delete;

  // True if all elements lie together in memory as `dtype`: base() is then the first.
  bool direct() const { return direct_ != nullptr || numel_ == 0; }
  const void* base() const { return direct_; }
  int64_t numel() const { return numel_; }
  // Elements [begin, begin + n): in place, or put into `buffer`, which has room for n.
  const void* read(int64_t begin, int64_t n, void* buffer) const;
  template <class T>
  const T* read(int64_t begin, int64_t n, T* buffer) const {
    return static_cast<const T*>(read(begin, n, static_cast<void*>(buffer)));
  }
  // To be called when every element has been read: inner results that were written become visible.
  void finish();

 private:
  Tensor x_;
  int64_t numel_;
  int64_t item_;
  const std::byte* direct_ = nullptr;
  std::optional<StridedAccess> strided_;
  std::optional<EvaluationLock> lock_;
  std::unique_ptr<Program> program_;
};

}  // namespace gotorch
