#pragma once
// A slab holds the part of an image that a block of output rows needs, laid out so that for each
// tap the inputs of all positions of the block are contiguous. For that it has a copy of each row
// per horizontal tap, as long as an output row, with the zeros of the padding in place; rows are
// ordered by their remainder modulo the vertical stride. Vertical taps need no copies: they start
// at another row. So a kernel of 5 x 5 taps costs 5 copies, not the 25 of an im2col buffer, and
// only of the rows at hand.
#include <vector>

#include "tensor/kernels/conv_taps.h"

namespace gotorch::kernels {

class SlabLayout {
 public:
  // For blocks of up to `rows` output rows of one plane.
  SlabLayout(const Spatial& in, const Spatial& out, const Spatial& stride,
             const std::vector<int64_t> (&taps)[3], int64_t rows);

  // Elements of one channel.
  int64_t channel_size() const { return channel_size_; }
  // Offsets within a channel, one per tap, of the input of the block's first position.
  const std::vector<int64_t>& offsets() const { return offsets_; }

  // Fills `channels` channels for the output rows [row, row + count) of plane z. `image` is the
  // first channel; `end` is where the whole input array ends, which no load may cross. Up to
  // kSlack elements beyond the last channel are overwritten.
  template <class T>
  void fill(T* slab, const T* image, const T* end, int64_t channels, int64_t z, int64_t row,
            int64_t count) const;
  static constexpr int64_t kSlack = 64;

 private:
  struct Phase {  // rows with the same remainder modulo the stride
    int64_t remainder;
    int64_t first;  // of the rows that position 0 needs, counted in strides
    int64_t extra;  // rows beyond one per position
    int64_t base;   // where the phase starts, in rows
  };
  struct Column {  // a horizontal tap: positions [begin, end) are inside the image
    int64_t tap, begin, end;
  };
  Spatial in_, stride_;
  int64_t width_, rows_ = 0, channel_size_ = 0;
  std::vector<int64_t> planes_;
  std::vector<Phase> phases_;
  std::vector<Column> columns_;
  std::vector<int64_t> offsets_;
};

// The plain counterpart, for kernels that can fetch each input from a place of its own: rows of the
// image with the zeros of the padding in place. Where no padding is read the image itself is.
class PaddedLayout {
 public:
  // Inside: the caller reads no tap of a position that lies outside the image. Copy: it reads too much
  // at the end of rows.
  enum class Read { All, Inside, Copy };

  // For blocks of up to `rows` output rows of one plane.
  PaddedLayout(const Spatial& in, const Spatial& out, const Spatial& stride,
               const std::vector<int64_t> (&taps)[3], int64_t rows, Read read = Read::All);

  bool in_place() const { return in_place_; }
  // Elements of one channel, of a slab or of the image.
  int64_t channel_size() const { return channel_size_; }
  // Offsets within a channel, one per tap, of the input of the block's first position.
  const std::vector<int64_t>& offsets() const { return offsets_; }
  // How far behind it the input of another position starts.
  int64_t position(int64_t row, int64_t x) const {
    return row * stride_[1] * pitch_ + x * stride_[2];
  }
  // Where in a channel of the image, if it is read in place, the block at this row of plane z starts.
  int64_t start(int64_t z, int64_t row) const {
    return (z * stride_[0] * in_[1] + row * stride_[1]) * in_[2];
  }
  // As SlabLayout::fill.
  template <class T>
  void fill(T* slab, const T* image, const T* end, int64_t channels, int64_t z, int64_t row,
            int64_t count) const;

 private:
  Spatial in_, stride_;
  std::vector<int64_t> planes_;
  bool in_place_;
  int64_t first_row_, first_column_, extra_rows_, pitch_, channel_size_, rows_;
  std::vector<int64_t> offsets_;
};

}  // namespace gotorch::kernels
