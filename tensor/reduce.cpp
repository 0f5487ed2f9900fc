#include "tensor/reduce.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "runtime/parallel.h"
#include "tensor/buffer.h"
#include "tensor/ops.h"
#include "tensor/program.h"
#include "tensor/view.h"

namespace gotorch {
namespace {

using kernels::kPanelRows;
using kernels::kRowBlock;
using kernels::ReduceKernel;

// Elements that a parallel chunk covers, about. Long reductions are cut into segments of so many. A segment is a power
// of two of blocks, so cutting does not change the tree in which blocks are merged.
constexpr int64_t kUnit = 65536;
constexpr int64_t kBatch = 256;      // short rows whose states are finished together

int64_t ceil_div(int64_t a, int64_t b) { return (a - 1) / b + 1; }
// So that a field of 8-byte numbers may follow one of bytes.
int64_t whole_words(int64_t n) { return (n + 7) & ~int64_t{7}; }

// States of consecutive parts of the same outputs. Two neighbours of the same level are merged as soon as both are
// there, so the tree of merges depends only on the number of parts.
class Merger {
 public:
  Merger(const ReduceKernel& k, int64_t cols)
      : k_(k),
        cols_(cols),
        room_(whole_words(cols)),
        slot_((room_ * k.column_bytes + 63) & ~int64_t{63}) {}

  int64_t room() const { return room_; }
  int64_t slot_bytes() const { return slot_; }
  // Where the next part's state goes.
  void* next() {
    if (static_cast<int64_t>(memory_.size()) < (depth_ + 1) * slot_)
      memory_.resize(2 * (depth_ + 1) * slot_);
    return at(depth_);
  }
  // next() now holds the state of n elements.
  void push(double n) {
    counts_[depth_++] = n;
    for (int64_t i = ++parts_; i % 2 == 0; i /= 2) merge_last();
  }
  // The state of all parts.
  const void* all() {
    while (depth_ > 1) merge_last();
    return at(0);
  }
  void clear() { depth_ = parts_ = 0; }

 private:
  std::byte* at(int64_t i) { return memory_.data() + i * slot_; }
  void merge_last() {
    depth_--;
    k_.merge(at(depth_ - 1), at(depth_), cols_, room_, counts_[depth_ - 1], counts_[depth_]);
    counts_[depth_ - 1] += counts_[depth_];
  }

  const ReduceKernel& k_;
  int64_t cols_, room_, slot_;
  int64_t depth_ = 0, parts_ = 0;
  std::array<double, 64> counts_;
  Buffer<std::byte> memory_;
};

// One reduction of [outer, n, inner] over n.
struct Reduction {
  const ReduceKernel& kernel;
  double option;
  int64_t outer, n, inner;
  std::byte *y0, *y1;
  int64_t item0, item1;
  const TileReader* reader = nullptr;

  void run() const;

 private:
  // Results [first, first + cols) from their states.
  void finish(const void* state, int64_t cols, int64_t room, int64_t first) const {
    kernel.finish(state, cols, room, static_cast<double>(n), option, y0 + first * item0,
                  y1 ? y1 + first * item1 : nullptr);
  }
  void nothing() const;
  void short_rows() const;
  void long_rows() const;
  void columns() const;
  void row_segment(int64_t row, int64_t begin, int64_t end, Merger& merger) const;
  void column_segment(int64_t at, int64_t begin, int64_t end, int64_t first, int64_t cols,
                      std::byte* room, Merger& merger) const;
};

// Merges the states of the segments of one output or tile of outputs, which lie `stride` bytes apart.
void merge_segments(Merger& merger, const std::byte* states, int64_t segments, int64_t stride,
                    int64_t segment, int64_t n) {
  merger.clear();
  for (int64_t s = 0; s < segments; s++) {
    std::memcpy(merger.next(), states + s * stride, merger.slot_bytes());
    merger.push(static_cast<double>(std::min(segment, n - s * segment)));
  }
}

void Reduction::run() const {
  if (n == 0) nothing();
  else if (inner > 1) columns();
  else if (n <= kRowBlock) short_rows();
  else long_rows();
}

void Reduction::nothing() const {
  alignas(64) std::byte state[kBatch * 16];
  const int64_t outputs = outer * inner;
  for (int64_t i = 0; i < outputs; i += kBatch) {
    const int64_t cols = std::min(kBatch, outputs - i);
    kernel.empty(state, cols, kBatch);
    finish(state, cols, kBatch, i);
  }
}

void Reduction::short_rows() const {
  int64_t batch = std::clamp<int64_t>(kTile / n, 1, kBatch);
  if (batch > 64)
    batch -= batch % 64;  // as many as lanes, or twice: kernels look at so many at once
  const int64_t grain = std::max<int64_t>(1, kUnit / (n + 8) / batch) * batch;
  runtime::parallel_for(outer, grain, [&](int64_t begin, int64_t end) {
    alignas(64) std::byte state[kBatch * 16];
    alignas(64) std::byte buffer[std::max(kTile, kRowBlock) * 8];
    for (int64_t r = begin; r < end; r += batch) {
      const int64_t rows = std::min(batch, end - r);
      kernel.rows(reader->read(r * n, rows * n, buffer), rows, n, 0, state, kBatch);
      finish(state, rows, kBatch, r);
    }
  });
}

void Reduction::row_segment(int64_t row, int64_t begin, int64_t end, Merger& merger) const {
  alignas(64) std::byte buffer[kRowBlock * 8];
  merger.clear();
  for (int64_t i = begin; i < end; i += kRowBlock) {
    const int64_t count = std::min(kRowBlock, end - i);
    kernel.rows(reader->read(row * n + i, count, buffer), 1, count, i, merger.next(),
                merger.room());
    merger.push(static_cast<double>(count));
  }
}

void Reduction::long_rows() const {
  const int64_t segments = ceil_div(n, kUnit);
  if (segments == 1) {
    runtime::parallel_for(outer, std::max<int64_t>(1, kUnit / n), [&](int64_t begin, int64_t end) {
      Merger merger(kernel, 1);
      for (int64_t r = begin; r < end; r++) {
        row_segment(r, 0, n, merger);
        finish(merger.all(), 1, merger.room(), r);
      }
    });
    return;
  }
  Merger whole(kernel, 1);
  const int64_t slot = whole.slot_bytes();
  Buffer<std::byte> states(static_cast<size_t>(outer * segments * slot));
  runtime::parallel_for(outer * segments, 1, [&](int64_t begin, int64_t end) {
    Merger merger(kernel, 1);
    for (int64_t i = begin; i < end; i++) {
      const int64_t first = i % segments * kUnit;
      row_segment(i / segments, first, std::min(first + kUnit, n), merger);
      std::memcpy(states.data() + i * slot, merger.all(), slot);
    }
  });
  for (int64_t r = 0; r < outer; r++) {
    merge_segments(whole, states.data() + r * segments * slot, segments, slot, kUnit, n);
    finish(whole.all(), 1, whole.room(), r);
  }
}

// Rows [begin, end) of columns [first, first + cols) at outer index `at`.
void Reduction::column_segment(int64_t at, int64_t begin, int64_t end, int64_t first, int64_t cols,
                               std::byte* buffer, Merger& merger) const {
  const int64_t item = size_of(kernel.reads);
  merger.clear();
  for (int64_t r = begin; r < end; r += kPanelRows) {
    const int64_t rows = std::min(kPanelRows, end - r), from = (at * n + r) * inner + first;
    const void* panel;
    int64_t stride = inner;
    if (reader->direct()) {
      panel = static_cast<const std::byte*>(reader->base()) + from * item;
    } else if (cols == inner) {
      panel = reader->read(from, rows * cols, buffer);
    } else {
      for (int64_t i = 0; i < rows; i++) {
        std::byte* to = buffer + i * cols * item;
        if (const void* p = reader->read(from + i * inner, cols, to); p != to)
          std::memcpy(to, p, cols * item);
      }
      panel = buffer;
      stride = cols;
    }
    kernel.panel(panel, rows, cols, stride, r, merger.next(), merger.room());
    merger.push(static_cast<double>(rows));
  }
}

void Reduction::columns() const {
  const int64_t width = std::min(inner, kernel.panel_cols), tiles = ceil_div(inner, width);
  int64_t segment = kPanelRows;
  while (segment * width < kUnit) segment *= 2;
  const int64_t segments = ceil_div(n, segment), units = outer * tiles * segments;
  const int64_t work = width * std::min(n, segment);
  Merger whole(kernel, width);
  const int64_t slot = whole.slot_bytes();
  Buffer<std::byte> states(static_cast<size_t>(segments > 1 ? units * slot : 0));
  runtime::parallel_for(units, std::max<int64_t>(1, kUnit / work), [&](int64_t begin, int64_t end) {
    Merger merger(kernel, width);
    const int64_t room = reader->direct() ? 0 : kPanelRows * width * size_of(kernel.reads);
    const auto buffer = std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(room));
    for (int64_t i = begin; i < end; i++) {
      const int64_t s = i % segments, tile = i / segments % tiles, at = i / segments / tiles;
      const int64_t first = tile * width, cols = std::min(width, inner - first);
      column_segment(at, s * segment, std::min(n, (s + 1) * segment), first, cols, buffer.get(),
                     merger);
      if (segments == 1) finish(merger.all(), cols, merger.room(), at * inner + first);
      else std::memcpy(states.data() + i * slot, merger.all(), slot);
    }
  });
  if (segments == 1) return;
  for (int64_t i = 0; i < outer * tiles; i++) {
    const int64_t first = i % tiles * width;
    merge_segments(whole, states.data() + i * segments * slot, segments, slot, segment, n);
    finish(whole.all(), std::min(width, inner - first), whole.room(), i / tiles * inner + first);
  }
}

// Neighbouring dims that are all reduced or all kept.
struct Group {
  int64_t size;
  bool reduced;
};
using Groups = SmallVector<Group, 6>;

Groups groups_of(Dims shape, std::span<const bool> reduced) {
  Groups groups;
  for (size_t d = 0; d < shape.size(); d++) {
    if (shape[d] == 1) continue;
    if (!groups.empty() && groups.back().reduced == reduced[d]) groups.back().size *= shape[d];
    else groups.push_back({shape[d], reduced[d]});
  }
  return groups;
}

// [outer, n, inner], if the groups are that.
bool match(const Groups& groups, Reduction& r) {
  size_t i = 0;
  r.outer = r.n = r.inner = 1;
  if (i < groups.size() && !groups[i].reduced) r.outer = groups[i++].size;
  if (i < groups.size()) r.n = groups[i++].size;
  if (i < groups.size()) r.inner = groups[i++].size;
  return i == groups.size();
}

// An order of dims in which kept ones keep theirs: reduced dims come together, last or before the last kept one.
DimVector gathered_order(Dims shape, std::span<const bool> reduced) {
  int64_t last = static_cast<int64_t>(shape.size()) - 1;
  while (last >= 0 && shape[last] == 1) last--;
  int64_t tail = last;  // the trailing run of kept dims starts behind this
  while (tail >= 0 && !reduced[tail]) tail--;
  DimVector order;
  for (int64_t d = 0; d <= tail; d++)
    if (!reduced[d]) order.push_back(d);
  for (int64_t d = 0; d <= tail; d++)
    if (reduced[d]) order.push_back(d);
  for (auto d = tail + 1; d < static_cast<int64_t>(shape.size()); d++) order.push_back(d);
  return order;
}

// The order in which x lies in memory, dims of size 1 last, if it leaves the kept dims in theirs. Else empty.
DimVector memory_order(const Tensor& x, std::span<const bool> reduced) {
  DimVector order;
  for (int64_t d = 0; d < x.dim(); d++)
    if (x.shape()[d] > 1) order.push_back(d);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return x.strides()[a] > x.strides()[b]; });
  int64_t kept = -1;
  for (int64_t d : order) {
    if (reduced[d]) continue;
    if (d < kept) return {};
    kept = d;
  }
  for (int64_t d = 0; d < x.dim(); d++)
    if (x.shape()[d] == 1) order.push_back(d);
  return order;
}

}  // namespace

void reduce(const Tensor& x, std::span<const bool> reduced, const ReduceKernel& kernel,
            double option, const Tensor& y0, const Tensor& y1) {
  if (y0.numel() == 0) return;
  Reduction r{kernel,  option,         1, 1, 1, static_cast<std::byte*>(y0.raw()),
              nullptr, y0.item_size(), 0};
  if (y1.defined()) {
    r.y1 = static_cast<std::byte*>(y1.raw());
    r.item1 = y1.item_size();
  }
  if (x.numel() == 0) {
    r.outer = y0.numel();
    r.n = 0;
    return r.run();
  }
  Tensor
      other;  // x itself is not copied: one more reference would look like somebody who wants its value
  SmallVector<bool, 8> mask(reduced);
  const auto reorder = [&](const DimVector& order) {
    for (size_t i = 0; i < order.size(); i++) mask[i] = reduced[order[i]];
    other = permuted(x, order);
  };
  if (!x.is_contiguous() && !kernel.indexed)
    if (const DimVector order = memory_order(x, reduced); !order.empty()) reorder(order);
  if (!match(groups_of(other.defined() ? other.shape() : x.shape(), mask), r)) {
    reorder(gathered_order(x.shape(), reduced));
    match(groups_of(other.shape(), mask), r);
  }
  TileReader reader(other.defined() ? other : x, kernel.reads);
  r.reader = &reader;
  r.run();
  reader.finish();
}

SmallVector<bool, 8> reduced_dims(const Tensor& x, const Value& dim) {
  const auto n = static_cast<size_t>(x.dim());
  if (dim.is_none() || dim.ints().empty()) return SmallVector<bool, 8>(n, true);
  SmallVector<bool, 8> mask(n, false);
  for (int64_t d : wrap_dims(dim.ints(), x.dim()))
    if (n > 0) mask[d] = true;
  return mask;
}

DimVector reduced_shape(Dims shape, std::span<const bool> reduced, bool keepdim) {
  DimVector out;
  for (size_t d = 0; d < shape.size(); d++) {
    if (!reduced[d]) out.push_back(shape[d]);
    else if (keepdim) out.push_back(1);
  }
  return out;
}

Tensor reduced(const Tensor& x, const Value& dim, bool keepdim, const ReduceKernel& kernel,
               double option, Tensor* second, Dtype second_dtype) {
  const auto mask = reduced_dims(x, dim);
  const DimVector shape = reduced_shape(x.shape(), mask, keepdim);
  if (!kernel.empty) {
    check(x.numel() > 0 || !std::all_of(mask.begin(), mask.end(), [](bool r) { return r; }),
          "Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
          "dim with the 'dim' argument.");
    for (size_t d = 0; d < mask.size(); d++)
      check<IndexError>(!mask[d] || x.shape()[d] > 0, "Expected reduction dim ", d,
                        " to have non-zero size.");
  }
  const Tensor y = empty(shape, kernel.result);
  if (second) *second = empty(shape, second_dtype);
  reduce(x, mask, kernel, option, y, second ? *second : Tensor());
  return y;
}

Tensor spread(const Tensor& y, Dims shape, const Value& dim, bool keepdim) {
  if (keepdim || y.dim() == static_cast<int64_t>(shape.size())) return y;
  const bool everything = dim.is_none() || dim.ints().empty();
  DimVector kept(shape);
  if (everything) std::fill(kept.begin(), kept.end(), 1);
  else
    for (int64_t d : wrap_dims(dim.ints(), static_cast<int64_t>(shape.size()))) kept[d] = 1;
  return reshape(y, kept);
}

double reduced_count(Dims shape, const Value& dim) {
  double n = 1;
  if (dim.is_none() || dim.ints().empty())
    for (int64_t size : shape) n *= static_cast<double>(size);
  else if (!shape.empty())
    for (int64_t d : wrap_dims(dim.ints(), static_cast<int64_t>(shape.size())))
      n *= static_cast<double>(shape[d]);
  return n;
}

Tensor sum_to(const Tensor& x, Dims shape) { return sum_to_size(x, shape); }

}  // namespace gotorch
