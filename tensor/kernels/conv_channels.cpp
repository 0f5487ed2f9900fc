// Convolution with output channels along the vectors: panels of the weight, packed once, meet rows
// of positions whose inputs are fetched where they lie. A position has no row of its own in memory;
// the micro-kernel adds the same offsets, one per (tap, channel), to the start of each.
//
// Positions at a border need not meet the taps outside the image. They are computed apart, class by
// class: those with the same taps inside. Taps come first in the depth, so that these are a few runs.
#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/kernels/conv_slab.h"
#include "tensor/kernels/conv_taps.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_plan.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kDepth = 384;              // of a packed panel, as in a matrix product
constexpr int64_t kBlockElements = 1 << 18;  // sums of a task
constexpr int64_t kMinPositions = 96, kMaxPositions = 384;
constexpr int64_t kEnoughPositions = 256;  // to pay for packing the weight
constexpr int64_t kFewTasks = 8;
constexpr double kTaskFlops = 2e6;
constexpr double kWorthSkipping = 0.98;  // of the products; if more lie inside, all are computed
constexpr int64_t kSkipChannels = 16;    // fewer make short sums, of which a class would cost more
constexpr int64_t kPackElements = 1 << 16;

template <class T>
class ChannelRunner {
 public:
  explicit ChannelRunner(const TapConv<T>& conv)
      : c_(conv),
        kernels_(micro_kernels<T>()),
        taps_(c_.tap_count()),
        width_(round_up(c_.out_channels, kernels_.lanes)),
        planes_(c_.batch * c_.out[0]),
        plan_(plan()),
        skips_(c_.in_channels >= kSkipChannels &&
               find_inside(0) * find_inside(1) * find_inside(2) < kWorthSkipping),
        layout_(c_.in, c_.out, c_.stride, c_.taps, plan_.block_rows,
                skips_ ? PaddedLayout::Read::Inside : PaddedLayout::Read::All) {}

  void run() const {
    const int64_t steps = ceil_div(c_.in_channels, plan_.step_channels);
    const int64_t depth = c_.in_channels * taps_, nr = kernels_.nr();
    const CallMemory<T> weight(c_.groups * width_ * depth);
    const int64_t panels = ceil_div(c_.out_channels, nr);
    runtime::parallel_for(c_.groups * steps * panels,
                          std::max<int64_t>(1, kPackElements / (nr * plan_.step_channels * taps_)),
                          [&](int64_t begin, int64_t end) {
                            for (int64_t i = begin; i < end; i++) {
                              const int64_t j = i % panels * nr, s = i / panels % steps,
                                            g = i / (panels * steps);
                              pack_panel(weight.get() + g * width_ * depth, g, j, channels_of(s));
                            }
                          });
    std::vector<T> bias(c_.groups * width_);
    for (int64_t i = 0; c_.bias && i < c_.groups * c_.out_channels; i++)
      bias[i / c_.out_channels * width_ + i % c_.out_channels] = c_.bias[i];
    const double flops =
        2.0 * c_.groups * c_.out_channels * depth * planes_ * c_.out[1] * c_.out[2];
    const int64_t grain = std::max<int64_t>(1, static_cast<int64_t>(kTaskFlops * tasks() / flops));
    runtime::parallel_for(tasks(), grain, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; task++) {
        const Block b = block_of(task);
        run_block(b, weight.get() + b.group * width_ * depth, bias.data() + b.group * width_);
      }
    });
  }

 private:
  struct Plan {
    int64_t block_rows, y_parts, plane_parts, channel_parts, step_channels;
  };
  struct Block {
    int64_t group;
    Range channels, planes, rows;
  };

  // Taps of one dimension that lie inside the image at each position: their places in c_.taps, which
  // ascend or descend. Returns the share of all.
  double find_inside(int d) {
    const auto& taps = c_.taps[d];
    const auto count = static_cast<int64_t>(taps.size());
    int64_t total = 0;
    for (int64_t i = 0; i < c_.out[d]; i++) {
      auto outside = [&](int64_t t) {
        const int64_t at = i * c_.stride[d] + taps[t];
        return at < 0 || at >= c_.in[d];
      };
      Range r{0, count};
      while (r.begin < r.end && outside(r.begin)) r.begin++;
      while (r.begin < r.end && outside(r.end - 1)) r.end--;
      inside_[d].push_back(r);
      total += r.size();
    }
    return static_cast<double>(total) / static_cast<double>(count * c_.out[d]);
  }

  // Positions of a block that meet the same taps: rows [rows.begin, rows.end) of its sums.
  struct Class {
    Range taps[3];
    Range rows;
  };

  Range all_taps(int d) const { return {0, static_cast<int64_t>(c_.taps[d].size())}; }

  Plan plan() const {
    Plan p{};
    const int64_t positions = std::clamp(kBlockElements / width_, kMinPositions, kMaxPositions);
    const int64_t plane = c_.out[1] * c_.out[2];
    p.y_parts = std::min(c_.out[1], ceil_div(plane, positions));
    p.block_rows = ceil_div(c_.out[1], p.y_parts);
    p.y_parts = ceil_div(c_.out[1], p.block_rows);
    p.plane_parts =
        p.y_parts > 1 ? planes_ : ceil_div(planes_, std::max<int64_t>(1, positions / plane));
    p.channel_parts = 1;
    while (c_.groups * p.y_parts * p.plane_parts * p.channel_parts < kFewTasks &&
           c_.out_channels >= 2 * kernels_.nr() * p.channel_parts) {
      p.channel_parts *= 2;
    }
    const int64_t steps = ceil_div(c_.in_channels * taps_, kDepth);
    p.step_channels = std::max<int64_t>(1, ceil_div(c_.in_channels, steps));
    return p;
  }

  int64_t tasks() const {
    return c_.groups * plan_.channel_parts * plan_.plane_parts * plan_.y_parts;
  }

  Block block_of(int64_t task) const {
    Block b;
    const int64_t y = task % plan_.y_parts;
    task /= plan_.y_parts;
    b.rows = {y * plan_.block_rows, std::min(c_.out[1], (y + 1) * plan_.block_rows)};
    b.planes = even_part(planes_, 1, plan_.plane_parts, task % plan_.plane_parts);
    task /= plan_.plane_parts;
    b.channels =
        even_part(c_.out_channels, kernels_.nr(), plan_.channel_parts, task % plan_.channel_parts);
    b.group = task / plan_.channel_parts;
    return b;
  }

  // Input channels of a step.
  Range channels_of(int64_t step) const {
    const int64_t first = step * plan_.step_channels;
    return {first, std::min(c_.in_channels, first + plan_.step_channels)};
  }

  // Where the packed panel of output channels from j on is, for some input channels.
  int64_t panel_at(int64_t j, Range in) const {
    return in.begin * taps_ * width_ + j * in.size() * taps_;
  }

  void pack_panel(T* weight, int64_t group, int64_t j, Range in) const {
    const int64_t cols = std::min<int64_t>(kernels_.nr(), c_.out_channels - j);
    const int64_t ld = round_up(cols, kernels_.lanes), depth = c_.in_channels * taps_;
    T* by_channel = scratch<T>(Scratch::B, in.size() * taps_ * ld);
    pack(by_channel, ld, ld, in.size() * taps_, cols,
         c_.weight + (group * c_.out_channels + j) * depth + in.begin * taps_, 1, depth);
    T* panel = weight + panel_at(j, in);
    for (int64_t t = 0; t < taps_; t++)
      pack(panel + t * in.size() * ld, ld, ld, in.size(), ld, by_channel + t * ld, taps_ * ld, 1);
  }

  void run_block(const Block& b, const T* weight, const T* bias) const {
    const int64_t positions = b.planes.size() * b.rows.size() * c_.out[2];
    const int64_t ld = round_up(b.channels.size(), kernels_.lanes);
    T* sums = scratch<T>(Scratch::C, positions * ld);
    std::vector<int64_t> place(positions), offsets;  // which row of the sums a position has
    std::vector<const T*> row(positions);
    const std::vector<Class> classes = classify(b, place.data());
    for (int64_t step = 0; step * plan_.step_channels < c_.in_channels; step++) {
      const Range in = channels_of(step);
      offsets.clear();
      for (int64_t offset : layout_.offsets()) {
        for (int64_t c = 0; c < in.size(); c++)
          offsets.push_back(offset + c * layout_.channel_size());
      }
      find_rows(row.data(), place.data(), b, in);
      const bool last = in.end == c_.in_channels;
      for (int64_t j = 0; j < b.channels.size(); j += kernels_.nr()) {
        const int64_t cols = std::min<int64_t>(kernels_.nr(), ld - j), at = b.channels.begin + j;
        const TileOut<T> out{.c = sums + j,
                             .c_rs = ld,
                             .cols = static_cast<int>(cols),
                             .alpha = 1,
                             .beta = step == 0 ? T(0) : T(1),
                             .bias_col = last && c_.bias ? bias + at : nullptr};
        for (const Class& k : classes)
          run_class(k, row.data(), offsets.data(), weight + panel_at(at, in), in.size(), out);
      }
    }
    write(b, sums, ld, classes.size() > 1 ? place.data() : nullptr);
  }

  // The rows of the sums in the order of their classes: place[p] is that of position p.
  std::vector<Class> classify(const Block& b, int64_t* place) const {
    std::vector<Class> classes;
    if (!skips_) {
      const int64_t positions = b.planes.size() * b.rows.size() * c_.out[2];
      for (int64_t p = 0; p < positions; p++) place[p] = p;
      classes.push_back({{all_taps(0), all_taps(1), all_taps(2)}, {0, positions}});
      return classes;
    }
    const auto each = [&](auto f) {
      for (int64_t plane = b.planes.begin, p = 0; plane < b.planes.end; plane++) {
        const Range z = inside_[0][plane % c_.out[0]];
        for (int64_t y = b.rows.begin; y < b.rows.end; y++) {
          for (int64_t x = 0; x < c_.out[2]; x++, p++) {
            const Range taps[3] = {z, inside_[1][y], inside_[2][x]};
            size_t i = 0;
            while (i < classes.size() && !std::equal(taps, taps + 3, classes[i].taps)) i++;
            if (i == classes.size()) classes.push_back({{taps[0], taps[1], taps[2]}, {0, 0}});
            f(classes[i], p);
          }
        }
      }
    };
    each([](Class& k, int64_t) { k.rows.end++; });
    int64_t first = 0;
    for (Class& k : classes) {
      const int64_t size = k.rows.end;
      k.rows = {first, first};
      first += size;
    }
    each([&](Class& k, int64_t p) { place[p] = k.rows.end++; });
    return classes;
  }

  // One panel of output channels for the positions of a class, run after run of its taps.
  void run_class(const Class& k, const T* const* row, const int64_t* offsets, const T* panel,
                 int64_t channels, TileOut<T> out) const {
    const auto y_taps = static_cast<int64_t>(c_.taps[1].size()),
               x_taps = static_cast<int64_t>(c_.taps[2].size());
    const int64_t ld = round_up(out.cols, kernels_.lanes);
    const T* bias = out.bias_col;
    out.c += k.rows.begin * out.c_rs;
    Range run{0, 0};
    const auto flush = [&](bool last) {
      out.bias_col = last ? bias : nullptr;
      run_panel(kernels_, row + k.rows.begin, offsets + run.begin * channels, k.rows.size(),
                run.size() * channels, panel + run.begin * channels * ld, out);
      out.beta = 1;
    };
    for (int64_t z = k.taps[0].begin; z < k.taps[0].end; z++) {
      for (int64_t y = k.taps[1].begin; y < k.taps[1].end; y++) {
        const int64_t first = (z * y_taps + y) * x_taps;
        const Range next{first + k.taps[2].begin, first + k.taps[2].end};
        if (run.end != next.begin && run.size() > 0) flush(false);
        if (run.end != next.begin || run.size() == 0) run.begin = next.begin;
        run.end = next.end;
      }
    }
    flush(true);
  }

  // row[place[p]] = where the inputs of the block's position p start.
  void find_rows(const T** row, const int64_t* place, const Block& b, Range in) const {
    const int64_t all = c_.groups * c_.in_channels, size = c_.in[0] * c_.in[1] * c_.in[2];
    const int64_t slab_size = in.size() * layout_.channel_size();
    T* slab = layout_.in_place()
                  ? nullptr
                  : scratch<T>(Scratch::A, b.planes.size() * slab_size + SlabLayout::kSlack);
    for (int64_t plane = b.planes.begin; plane < b.planes.end; plane++) {
      const int64_t image = plane / c_.out[0], z = plane % c_.out[0];
      const T* source = c_.input + (image * all + b.group * c_.in_channels + in.begin) * size;
      const T* start = source + layout_.start(z, b.rows.begin);
      if (slab) {
        layout_.fill(slab, source, c_.input + c_.batch * all * size, in.size(), z, b.rows.begin,
                     b.rows.size());
        start = slab;
        slab += slab_size;
      }
      for (int64_t y = 0; y < b.rows.size(); y++) {
        for (int64_t x = 0; x < c_.out[2]; x++) row[*place++] = start + layout_.position(y, x);
      }
    }
  }

  // `place` may be null: then the sums are in the order of the positions.
  void write(const Block& b, const T* sums, int64_t ld, const int64_t* place) const {
    if (place) {
      const int64_t positions = b.planes.size() * b.rows.size() * c_.out[2];
      T* ordered = scratch<T>(Scratch::A, positions * ld);
      for (int64_t p = 0; p < positions; p++)
        std::copy(sums + place[p] * ld, sums + (place[p] + 1) * ld, ordered + p * ld);
      sums = ordered;
    }
    const bool dense = c_.position_stride[2] == 1 && c_.position_stride[1] == c_.out[2];
    const int64_t runs = dense ? 1 : b.rows.size();
    const int64_t length = dense ? b.rows.size() * c_.out[2] : c_.out[2];
    for (int64_t plane = b.planes.begin; plane < b.planes.end; plane++) {
      T* out = c_.output + plane / c_.out[0] * c_.image_stride +
               (b.group * c_.out_channels + b.channels.begin) * c_.channel_stride +
               plane % c_.out[0] * c_.position_stride[0];
      for (int64_t r = 0; r < runs; r++) {
        unpack(out + (b.rows.begin + r) * c_.position_stride[1], c_.position_stride[2],
               c_.channel_stride, length, b.channels.size(), sums, ld);
        sums += length * ld;
      }
    }
  }

  const TapConv<T>& c_;
  const MicroKernels<T>& kernels_;
  const int64_t taps_, width_, planes_;
  const Plan plan_;
  std::vector<Range> inside_[3];
  const bool skips_;
  const PaddedLayout layout_;
};

}  // namespace

template <class T>
bool suits_channels(const TapConv<T>& c) {
  const int64_t positions = c.batch * c.out[0] * c.out[1] * c.out[2];
  return c.in_channels * c.tap_count() > 0 && positions >= kEnoughPositions &&
         c.out_channels >= micro_kernels<T>().lanes;
}

template <class T>
void run_channels(const TapConv<T>& conv) {
  ChannelRunner<T>(conv).run();
}

template bool suits_channels(const TapConv<float>&);
template bool suits_channels(const TapConv<double>&);
template void run_channels(const TapConv<float>&);
template void run_channels(const TapConv<double>&);

}  // namespace gotorch::kernels
