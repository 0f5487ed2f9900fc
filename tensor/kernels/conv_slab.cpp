#include "tensor/kernels/conv_slab.h"

#include <algorithm>
#include <cstring>

#include "tensor/kernels/gemm_plan.h"
#include "tensor/kernels/gemm_vec.h"

namespace gotorch::kernels {
namespace {

int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// Few elements as a rule: the border of a row. Whole vectors, so up to 7 elements too many.
template <class T>
inline void fill_zeros(T* dst, int64_t n) {
  using V = VecOf<T, 8>;
  if (n <= 0) return;
  V::store(dst, typename V::Type{});
  if (n > 8) std::memset(dst + 8, 0, (n - 8) * sizeof(T));
}

// One row: n outputs from `begin` on read src[0], src[step], ...; all others are zero. May write up
// to 7 elements too many, which the next row overwrites.
template <class T>
inline void fill_row(T* dst, int64_t width, int64_t begin, int64_t n, const T* src, int64_t step,
                     const T* end) {
  constexpr int L = 8;
  using V = VecOf<T, L>;
  fill_zeros(dst, begin);
  T* inside = dst + begin;
  if (step == 2 && end - src >= 2 * n + 2 * L - 2) {
    for (int64_t j = 0; j < n; j += L) {
      const typename V::Type low = V::load(src + 2 * j), high = V::load(src + 2 * j + L);
      V::store(inside + j, __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14));
    }
  } else if (step != 1) {
    for (int64_t j = 0; j < n; j++) inside[j] = src[j * step];
  } else if (end - src >= n + L - 1) {
    for (int64_t j = 0; j < n; j += L) V::store(inside + j, V::load(src + j));
  } else {
    for (int64_t j = 0; j < n; j++) inside[j] = src[j];
  }
  fill_zeros(inside + n, width - begin - n);
}

// The rows of one phase of one plane for one horizontal tap.
template <class T>
struct RowRun {
  T* dst;
  int64_t count, width, begin, n;    // of rows; of outputs, as in fill_row
  const T* plane;                    // input plane at the first column
  int64_t first, step, rows, pitch;  // input rows first, first + step, ...; `rows` exist
  int64_t column_step;
  const T* end;
};

// Rows of N vectors, or of a number if N is 0, that lie inside the image, as most do: without the questions of fill_row.
template <class T, int N>
inline void fill_inside(const RowRun<T>& r, int64_t begin, int64_t end, int64_t number) {
  using V = VecOf<T, 8>;
  const bool behind = r.begin + r.n < r.width;
  const T* src = r.plane + (r.first + begin * r.step) * r.pitch;
  T* dst = r.dst + begin * r.width;
  for (int64_t i = begin; i < end; i++, src += r.step * r.pitch, dst += r.width) {
    V::store(dst, typename V::Type{});
    T* inside = dst + r.begin;
#pragma GCC unroll 4
    for (int k = 0; k < N; k++) V::store(inside + 8 * k, V::load(src + 8 * k));
    for (int64_t k = N; k < number; k++) V::store(inside + 8 * k, V::load(src + 8 * k));
    if (behind) V::store(inside + r.n, typename V::Type{});
  }
}

// Rows [begin, end) of the run.
template <class T>
inline void fill_some(const RowRun<T>& r, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const int64_t y = r.first + i * r.step;
    const bool inside = y >= 0 && y < r.rows;
    const T* src = inside ? r.plane + y * r.pitch : r.plane;
    fill_row(r.dst + i * r.width, r.width, inside ? r.begin : 0, inside ? r.n : 0, src,
             r.column_step, r.end);
  }
}

template <class T>
void fill_rows(const RowRun<T>& r) {
  const int64_t vectors = (r.n + 7) / 8;
  if (r.column_step != 1 || vectors < 1 || r.begin > 8 || r.width - r.begin - r.n > 8)
    return fill_some(r, 0, r.count);
  // Rows inside, of which vectors may be read as far as 7 elements behind them.
  const int64_t before = r.first < 0 ? (-r.first + r.step - 1) / r.step : 0;
  int64_t inside = r.first < r.rows ? (r.rows - 1 - r.first) / r.step + 1 : 0;
  const auto last = [&] { return r.plane + (r.first + (inside - 1) * r.step) * r.pitch; };
  inside = std::min(inside, r.count);
  while (inside > before && r.end - last() < 8 * vectors) inside--;
  const int64_t begin = std::min(before, r.count), end = std::max(begin, inside);
  fill_some(r, 0, begin);
  if (vectors == 1) fill_inside<T, 1>(r, begin, end, 1);
  else if (vectors == 2) fill_inside<T, 2>(r, begin, end, 2);
  else fill_inside<T, 0>(r, begin, end, vectors);
  fill_some(r, end, r.count);
}

}  // namespace

SlabLayout::SlabLayout(const Spatial& in, const Spatial& out, const Spatial& stride,
                       const std::vector<int64_t> (&taps)[3], int64_t rows)
    : in_(in), stride_(stride), width_(out[2]), planes_(taps[0]) {
  for (int64_t tap : taps[1]) {
    const int64_t first = floor_div(tap, stride[1]), remainder = tap - first * stride[1];
    auto it = std::find_if(phases_.begin(), phases_.end(),
                           [&](const Phase& p) { return p.remainder == remainder; });
    if (it == phases_.end()) it = phases_.insert(it, Phase{remainder, first, 0, 0});
    const int64_t last = std::max(it->first + it->extra, first);
    it->first = std::min(it->first, first);
    it->extra = last - it->first;
  }
  for (Phase& phase : phases_) {
    phase.base = rows_;
    rows_ += rows + phase.extra;
  }
  for (int64_t tap : taps[2]) {
    const int64_t begin = std::clamp<int64_t>(-floor_div(tap, stride[2]), 0, width_);
    const int64_t end =
        std::clamp<int64_t>(ceil_div(std::max<int64_t>(0, in[2] - tap), stride[2]), begin, width_);
    columns_.push_back({tap, begin, end});
  }
  const int64_t plane_size = rows_ * width_;
  channel_size_ = static_cast<int64_t>(planes_.size() * columns_.size()) * plane_size;
  for (size_t z = 0; z < planes_.size(); z++) {
    for (int64_t tap : taps[1]) {
      const int64_t first = floor_div(tap, stride[1]), remainder = tap - first * stride[1];
      const Phase& phase = *std::find_if(phases_.begin(), phases_.end(),
                                         [&](const Phase& p) { return p.remainder == remainder; });
      const int64_t row = phase.base + first - phase.first;
      for (size_t x = 0; x < columns_.size(); x++) {
        offsets_.push_back((z * columns_.size() + x) * plane_size + row * width_);
      }
    }
  }
}

template <class T>
void SlabLayout::fill(T* slab, const T* image, const T* end, int64_t channels, int64_t z,
                      int64_t row, int64_t count) const {
  static const auto kernel = best_variant<&fill_rows<T>>();
  const int64_t plane_size = in_[1] * in_[2];
  for (int64_t c = 0; c < channels; c++) {
    T* dst = slab + c * channel_size_;
    for (int64_t tap : planes_) {
      const int64_t plane = z * stride_[0] + tap;
      const bool inside = plane >= 0 && plane < in_[0];
      const T* src = image + (c * in_[0] + (inside ? plane : 0)) * plane_size;
      for (const Column& column : columns_) {
        for (const Phase& phase : phases_) {
          const int64_t x = column.begin * stride_[2] + column.tap;
          kernel({.dst = dst + phase.base * width_,
                  .count = count + phase.extra,
                  .width = width_,
                  .begin = column.begin,
                  .n = column.end - column.begin,
                  .plane = src + (column.end > column.begin ? x : 0),
                  .first = (row + phase.first) * stride_[1] + phase.remainder,
                  .step = stride_[1],
                  .rows = inside ? in_[1] : 0,
                  .pitch = in_[2],
                  .column_step = stride_[2],
                  .end = end});
        }
        dst += rows_ * width_;
      }
    }
  }
}

PaddedLayout::PaddedLayout(const Spatial& in, const Spatial& out, const Spatial& stride,
                           const std::vector<int64_t> (&taps)[3], int64_t rows, Read read)
    : in_(in), stride_(stride), planes_(taps[0]), in_place_(read != Read::Copy) {
  int64_t first[3] = {}, last[3] = {};
  for (int d = 0; d < 3; d++) {
    const auto [low, high] = std::minmax_element(taps[d].begin(), taps[d].end());
    if (low != taps[d].end()) first[d] = *low, last[d] = *high;
    in_place_ &= first[d] >= 0 && (out[d] - 1) * stride[d] + last[d] < in[d];
  }
  // Channels a multiple of this apart share few sets of a cache.
  in_place_ |= read == Read::Inside && in[0] * in[1] * in[2] % 256 != 0;
  first_row_ = first[1], first_column_ = first[2];
  pitch_ = (out[2] - 1) * stride[2] + last[2] - first[2] + 1;
  extra_rows_ = last[1] - first[1];
  rows_ = (rows - 1) * stride[1] + extra_rows_ + 1;
  channel_size_ = static_cast<int64_t>(planes_.size()) * rows_ * pitch_;
  if (in_place_) {
    pitch_ = in[2];
    channel_size_ = in[0] * in[1] * in[2];
  }
  for (size_t z = 0; z < planes_.size(); z++) {
    for (int64_t y : taps[1]) {
      for (int64_t x : taps[2]) {
        offsets_.push_back(in_place_ ? (planes_[z] * in[1] + y) * in[2] + x
                                     : (static_cast<int64_t>(z) * rows_ + y - first[1]) * pitch_ +
                                           x - first[2]);
      }
    }
  }
}

template <class T>
void PaddedLayout::fill(T* slab, const T* image, const T* end, int64_t channels, int64_t z,
                        int64_t row, int64_t count) const {
  static const auto kernel = best_variant<&fill_rows<T>>();
  const int64_t plane_size = in_[1] * in_[2];
  const int64_t begin = std::clamp<int64_t>(-first_column_, 0, pitch_);
  const int64_t inside_columns = std::clamp<int64_t>(in_[2] - first_column_, begin, pitch_) - begin;
  for (int64_t c = 0; c < channels; c++) {
    for (size_t p = 0; p < planes_.size(); p++) {
      const int64_t plane = z * stride_[0] + planes_[p];
      const bool inside = plane >= 0 && plane < in_[0];
      const T* source = image + (c * in_[0] + (inside ? plane : 0)) * plane_size;
      kernel({.dst = slab + c * channel_size_ + static_cast<int64_t>(p) * rows_ * pitch_,
              .count = (count - 1) * stride_[1] + extra_rows_ + 1,
              .width = pitch_,
              .begin = begin,
              .n = inside_columns,
              .plane = source + (inside_columns > 0 ? begin + first_column_ : 0),
              .first = row * stride_[1] + first_row_,
              .step = 1,
              .rows = inside ? in_[1] : 0,
              .pitch = in_[2],
              .column_step = 1,
              .end = end});
    }
  }
}

template void PaddedLayout::fill(float*, const float*, const float*, int64_t, int64_t, int64_t,
                                 int64_t) const;
template void PaddedLayout::fill(double*, const double*, const double*, int64_t, int64_t, int64_t,
                                 int64_t) const;
template void SlabLayout::fill(float*, const float*, const float*, int64_t, int64_t, int64_t,
                               int64_t) const;
template void SlabLayout::fill(double*, const double*, const double*, int64_t, int64_t, int64_t,
                               int64_t) const;

}  // namespace gotorch::kernels
