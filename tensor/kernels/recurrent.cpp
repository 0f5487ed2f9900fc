#include "tensor/kernels/recurrent.h"

#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/buffer.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_plan.h"
#include "tensor/kernels/recurrent_cells.h"

namespace gotorch::kernels {
namespace {

constexpr double kSplitFlops = 4e6;    // from so much work a step on, its units are shared out
constexpr double kChunkFlops = 1e6;    // of those, a chunk: about 15 microseconds
constexpr double kSerialFlops = 4e6;   // a whole call that one thread had better do
constexpr int64_t kDepth = 192;        // 192 x 32 floats are 24 KiB of L1
constexpr int64_t kRows = 64;          // pointers on the stack
constexpr int64_t kSerialSteps = 256;  // between two looks for an interrupt

// The recurrent weight as panels of the micro-kernel: block j holds units j * width ..., once for each gate in forward
// (hidden deep), once in all in backward (gates * hidden deep).
template <class T>
class PackedWeight {
 public:
  PackedWeight(const Recurrent<T>& p, bool backward)
      : hidden_(p.hidden),
        kernels_(micro_kernels<T>()),
        width_(kernels_.nr()),
        blocks_(ceil_div(hidden_, width_)),
        parts_(backward ? 1 : gates_of(p.cell)),
        depth_(backward ? gates_of(p.cell) * hidden_ : hidden_),
        panels_(blocks_ * parts_ * depth_ * width_),
        bias_(blocks_ * parts_ * width_) {
    runtime::parallel_for(blocks_, ceil_div(1 << 15, parts_ * depth_ * width_ + 1),
                          [&](int64_t begin, int64_t end) {
                            for (int64_t i = begin; i < end; i++) pack_block(p, i, backward);
                          });
  }

  int64_t blocks() const { return blocks_; }
  int64_t width() const { return width_; }
  int64_t parts() const { return parts_; }
  int64_t units(int64_t block) const { return std::min(width_, hidden_ - block * width_); }
  double flops(int64_t rows) const {
    return 2.0 * static_cast<double>(rows * parts_ * depth_ * width_);  // of a block
  }

  // sums[row][part][unit of the block], bias included.
  void multiply(const T* const* rows, int64_t count, int64_t block, T* sums) const {
    const int64_t ld = padded(block);
    // Several tiles of rows read a panel: as much of it at a time as stays in the L1 cache. The cut follows from the depth
    // alone, so it changes no bit.
    const int64_t cuts = ceil_div(depth_, kDepth);
    const T* row[kRows];
    for (int64_t first = 0; first < count; first += kRows) {
      const int64_t n = std::min(kRows, count - first);
      for (int64_t cut = 0; cut < cuts; cut++) {
        const Range depth = even_part(depth_, 8, cuts, cut);
        for (int64_t i = 0; i < n; i++) row[i] = rows[first + i] + depth.begin;
        for (int64_t part = 0; part < parts_; part++) {
          const int64_t at = block * parts_ + part;
          run_panel(kernels_, row, n, depth.size(),
                    panels_.get() + at * depth_ * width_ + depth.begin * ld, ld,
                    TileOut<T>{.c = sums + (first * parts_ + part) * width_,
                               .c_rs = parts_ * width_,
                               .cols = static_cast<int>(ld),
                               .alpha = 1,
                               .beta = T(cut > 0),
                               .relu = false,
                               .bias_row = nullptr,
                               .bias_col = cut > 0 ? nullptr : bias_.get() + at * width_});
        }
      }
    }
  }

 private:
  int64_t padded(int64_t block) const { return round_up(units(block), kernels_.lanes); }
  T* panel(int64_t block, int64_t part) const {
    return panels_.get() + (block * parts_ + part) * depth_ * width_;
  }

  void pack_block(const Recurrent<T>& p, int64_t block, bool backward) {
    const int64_t ld = padded(block), unit = block * width_, n = units(block);
    for (int64_t part = 0; part < parts_; part++) {
      const int64_t row = part * hidden_ + unit;
      if (backward)
        pack(panel(block, part), ld, ld, depth_, n, p.weight + unit, hidden_, int64_t{1});
      else
        pack(panel(block, part), ld, ld, depth_, n, p.weight + row * hidden_, int64_t{1}, hidden_);
      T* bias = bias_.get() + (block * parts_ + part) * width_;
      std::fill_n(bias, width_, T(0));
      if (p.bias && !backward) std::copy_n(p.bias + row, n, bias);
    }
  }

  const int64_t hidden_;
  const MicroKernels<T>& kernels_;
  const int64_t width_, blocks_, parts_, depth_;
  CallMemory<T> panels_, bias_;
};

// Arrays that a cell does without are null.
template <class T>
T* at_offset(T* array, int64_t offset) {
  return array ? array + offset : nullptr;
}

// Calls visit(t, sequences of the step among `rows`) for each step that has any, in the order of time or against it.
template <class F>
void for_steps(const Sequences& at, Range rows, bool against, F visit) {
  runtime::serial_for(at.steps, kSerialSteps, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t t = at.reverse != against ? at.steps - 1 - i : i;
      const int64_t n = std::min(at.count[t], rows.end) - rows.begin;
      if (n > 0) visit(t, n);
    }
  });
}

// Runs run(rows, split): for all sequences with the units of each step shared out, or for some of them as they are.
template <class T, class F>
void share_out(const Recurrent<T>& p, F run) {
  const double step = 2.0 * static_cast<double>(p.at.batch * p.hidden) *
                      static_cast<double>(gates_of(p.cell) * p.hidden);
  if (step >= kSplitFlops) return run(Range{0, p.at.batch}, true);
  const bool small = step * static_cast<double>(p.at.steps) < kSerialFlops;
  // How the sequences are cut changes no bit.
  const int64_t workers = small ? 1 : runtime::num_workers();
  const int64_t chunk = round_up(ceil_div(p.at.batch, workers), 4);
  runtime::parallel_for(p.at.batch, chunk,
                        [&](int64_t begin, int64_t end) { run(Range{begin, end}, false); });
}

template <class F>
void for_blocks(int64_t blocks, double flops, bool split, F body) {
  if (!split) return body(0, blocks);
  runtime::parallel_for(blocks, std::max<int64_t>(1, static_cast<int64_t>(kChunkFlops / flops)),
                        body);
}

template <class T>
void forward_rows(const Recurrent<T>& p, const RecurrentOut<T>& out, const PackedWeight<T>& weight,
                  Range rows, bool split) {
  const int64_t h = p.hidden, gates = gates_of(p.cell) * h, kept = kept_of(p.cell) * h;
  const Sequences& at = p.at;
  Buffer<const T*> before(rows.size());  // the latest state of each sequence
  for (int64_t i = 0; i < rows.size(); i++) before[i] = p.h0 + (rows.begin + i) * h;
  for_steps(at, rows, false, [&](int64_t t, int64_t n) {
    const int64_t row = at.first[t] + rows.begin * at.stride;
    for_blocks(weight.blocks(), weight.flops(n), split, [&](int64_t begin, int64_t end) {
      T* sums = scratch<T>(Scratch::C, n * weight.parts() * weight.width());
      for (int64_t block = begin; block < end; block++) {
        const int64_t unit = block * weight.width();
        weight.multiply(before.data(), n, block, sums);
        cell_forward<T>(p.cell, {.sequences = n,
                                 .units = weight.units(block),
                                 .hidden = h,
                                 .unit = unit,
                                 .sums = sums,
                                 .width = weight.width(),
                                 .gates = out.gates + row * gates + unit,
                                 .kept = at_offset(out.kept, row * kept + unit),
                                 .y = out.y + row * h + unit,
                                 .c = at_offset(out.cn, rows.begin * h + unit),
                                 .gates_rs = at.stride * gates,
                                 .kept_rs = at.stride * kept,
                                 .y_rs = at.stride * h,
                                 .before = before.data()});
      }
    });
    for (int64_t i = 0; i < n; i++) before[i] = out.y + (row + i * at.stride) * h;
  });
  for (int64_t i = 0; i < rows.size(); i++)
    std::copy_n(before[i], h, out.hn + (rows.begin + i) * h);
}

// Backward over some sequences. States of a step are looked up where forward left them.
template <class T>
class BackwardRows {
 public:
  BackwardRows(const Recurrent<T>& p, const RecurrentBackward<T>& b, const PackedWeight<T>& weight,
               Range rows, bool split)
      : p_(p),
        b_(b),
        weight_(weight),
        rows_(rows),
        split_(split),
        later_(rows.size()),
        before_(rows.size()),
        c_before_(rows.size()) {}

  void run() {
    const Sequences& at = p_.at;
    for_steps(at, rows_, true, [&](int64_t t, int64_t n) {
      look_back(t, n);
      for_blocks(weight_.blocks(), weight_.flops(n), split_, [&](int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; block++) step(t, n, block);
      });
      const int64_t row = at.first[t] + rows_.begin * at.stride;
      for (int64_t i = 0; i < n; i++) later_[i] = b_.g_sums + (row + i * at.stride) * gates_;
      started_ = std::max(started_, n);
    });
    for_blocks(weight_.blocks(), weight_.flops(started_), split_, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; block++) finish(block);
    });
  }

 private:
  // Where the states before step t are: in the step before it, or in h0 and c0.
  void look_back(int64_t t, int64_t n) {
    const Sequences& at = p_.at;
    const int64_t kept = kept_of(p_.cell) * h_, earlier = at.reverse ? t + 1 : t - 1;
    const bool any = earlier >= 0 && earlier < at.steps;
    const int64_t running = any ? std::min(n, at.count[earlier] - rows_.begin) : 0;
    for (int64_t i = 0; i < n; i++) {
      const int64_t sequence = rows_.begin + i;
      const int64_t row = i < running ? at.first[earlier] + sequence * at.stride : 0;
      before_[i] = i < running ? b_.y + row * h_ : p_.h0 + sequence * h_;
      if (p_.cell == Cell::Lstm)
        c_before_[i] = i < running ? b_.kept + row * kept : p_.c0 + sequence * h_;
    }
  }

  // The gradient that comes through later steps; none for sequences that end here.
  T* product(int64_t n, int64_t block) const {
    T* sums = scratch<T>(Scratch::C, n * weight_.width());
    const int64_t through = std::min(n, started_);
    if (through > 0) weight_.multiply(later_.data(), through, block, sums);
    std::fill(sums + through * weight_.width(), sums + n * weight_.width(), T(0));
    return sums;
  }

  void step(int64_t t, int64_t n, int64_t block) const {
    const Sequences& at = p_.at;
    const int64_t unit = block * weight_.width(), units = weight_.units(block);
    const int64_t row = at.first[t] + rows_.begin * at.stride, kept = kept_of(p_.cell) * h_;
    const T* sums = product(n, block);
    cell_backward<T>(p_.cell, {.sequences = n,
                               .units = units,
                               .hidden = h_,
                               .unit = unit,
                               .sums = sums,
                               .width = weight_.width(),
                               .gates = at_offset(b_.gates, row * gates_ + unit),
                               .kept = at_offset(b_.kept, row * kept + unit),
                               .y = b_.y + row * h_ + unit,
                               .gy = b_.gy + row * h_ + unit,
                               .gates_rs = at.stride * gates_,
                               .kept_rs = at.stride * kept,
                               .y_rs = at.stride * h_,
                               .before = before_.data(),
                               .c_before = c_before_.data(),
                               .gh = b_.gh0 + rows_.begin * h_ + unit,
                               .gc = at_offset(b_.gc0, rows_.begin * h_ + unit),
                               .g_gates = b_.g_gates + row * gates_ + unit,
                               .g_sums = b_.g_sums + row * gates_ + unit});
    for (int64_t i = 0; i < n; i++)
      std::copy_n(before_[i] + unit, units, b_.before + (row + i * at.stride) * h_ + unit);
  }

  void finish(int64_t block) const {
    const int64_t unit = block * weight_.width();
    const T* sums = product(rows_.size(), block);
    for (int64_t i = 0; i < rows_.size(); i++) {
      T* gh = b_.gh0 + (rows_.begin + i) * h_ + unit;
      for (int64_t j = 0; j < weight_.units(block); j++) gh[j] += sums[i * weight_.width() + j];
    }
  }

  const Recurrent<T>& p_;
  const RecurrentBackward<T>& b_;
  const PackedWeight<T>& weight_;
  const Range rows_;
  const bool split_;
  const int64_t h_ = p_.hidden, gates_ = gates_of(p_.cell) * h_;
  int64_t started_ = 0;  // sequences that have a later step
  Buffer<const T*> later_, before_, c_before_;
};

}  // namespace

template <class T>
void recurrent(const Recurrent<T>& p, const RecurrentOut<T>& out) {
  const PackedWeight<T> weight(p, false);
  if (p.cell == Cell::Lstm) std::copy_n(p.c0, p.at.batch * p.hidden, out.cn);
  share_out(p, [&](Range rows, bool split) { forward_rows(p, out, weight, rows, split); });
}

template <class T>
void recurrent_backward(const Recurrent<T>& p, const RecurrentBackward<T>& b) {
  const PackedWeight<T> weight(p, true);
  std::copy_n(b.ghn, p.at.batch * p.hidden, b.gh0);
  if (p.cell == Cell::Lstm) std::copy_n(b.gcn, p.at.batch * p.hidden, b.gc0);
  share_out(p, [&](Range rows, bool split) { BackwardRows<T>(p, b, weight, rows, split).run(); });
}

template void recurrent(const Recurrent<float>&, const RecurrentOut<float>&);
template void recurrent(const Recurrent<double>&, const RecurrentOut<double>&);
template void recurrent_backward(const Recurrent<float>&, const RecurrentBackward<float>&);
template void recurrent_backward(const Recurrent<double>&, const RecurrentBackward<double>&);

}  // namespace gotorch::kernels
