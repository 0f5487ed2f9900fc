// Images in other resolutions: interpolation one dimension after the other, and channels to space and back.
#include <array>
#include <cmath>

#include "tensor/allocator.h"
#include "tensor/buffer.h"
#include "tensor/copy.h"
#include "tensor/ops.h"

namespace gotorch::ops {
namespace {

enum class Mode { Nearest, NearestExact, Linear, Cubic, Area };

Mode mode_of(std::string_view mode, int64_t spatial) {
  if (mode == "nearest") return Mode::Nearest;
  if (mode == "nearest-exact") return Mode::NearestExact;
  if (mode == "area") return Mode::Area;
  if ((mode == "linear" && spatial == 1) || (mode == "bilinear" && spatial == 2) ||
      (mode == "trilinear" && spatial == 3))
    return Mode::Linear;
  if (mode == "bicubic" && spatial == 2) return Mode::Cubic;
  fail<NotImplementedError>(
      "Got ", spatial + 2, "D input, but mode '", mode,
      "' is not one of those for it: nearest, nearest-exact, area, linear (3D), "
      "bilinear and bicubic (4D), trilinear (5D)");
}

// For each place along one dimension of the result: the places it is computed from, and their weights.
struct Taps {
  std::vector<Buffer<int64_t>> places;  // [tap][output]
  std::vector<Buffer<double>> weights;  // the same; empty: one tap of weight 1
};

// Weights of the four points around x (Keys 1981), a = -0.75, for t in [0, 1) past the second.
std::array<double, 4> cubic_weights(double t) {
  constexpr double a = -0.75;
  const auto near = [](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  return {far(t + 1), near(t), near(1 - t), far(2 - t)};
}

// Positions are computed in float, as PyTorch does for all but double: a nearest place depends on it.
template <class T>
Taps taps(Mode mode, int64_t in, int64_t out, std::optional<double> factor, bool align_corners) {
  const int64_t n = mode == Mode::Linear ? 2 : mode == Mode::Cubic ? 4 : 1;
  Taps t;
  t.places.resize(static_cast<size_t>(n));
  t.weights.resize(n > 1 ? static_cast<size_t>(n) : 0);
  const T scale = align_corners ? (out > 1 ? T(in - 1) / T(out - 1) : T(0))
                  : factor      ? T(1 / *factor)
                                : T(in) / T(out);
  for (int64_t i = 0; i < out; i++) {
    T at = mode == Mode::Nearest ? T(i) * scale
           : align_corners       ? scale * T(i)
                           : scale * (T(i) + T(0.5)) - T(mode == Mode::NearestExact ? 0 : 0.5);
    if (mode == Mode::Linear) at = std::max(at, T(0));
    const T floor = std::floor(at);
    const auto first = static_cast<int64_t>(floor) - (mode == Mode::Cubic ? 1 : 0);
    for (int64_t k = 0; k < n; k++)
      t.places[static_cast<size_t>(k)].push_back(std::clamp<int64_t>(first + k, 0, in - 1));
    if (mode == Mode::Linear) {
      const T past = at - floor;
      t.weights[0].push_back(T(1) - past);
      t.weights[1].push_back(past);
    } else if (mode == Mode::Cubic) {
      const auto w = cubic_weights(at - floor);
      for (size_t k = 0; k < 4; k++) t.weights[k].push_back(w[k]);
    }
  }
  return t;
}

Tensor resized(const Tensor& x, int64_t d, const Taps& t) {
  const auto picked = [&](size_t k) {
    const auto n = static_cast<int64_t>(t.places[k].size());
    return index_select(x, d, tensor_of<int64_t>(t.places[k], n));
  };
  if (t.weights.empty()) return picked(0);
  DimVector shape(static_cast<size_t>(x.dim()), 1);
  shape[static_cast<size_t>(d)] = static_cast<int64_t>(t.places[0].size());
  Tensor y;
  for (size_t k = 0; k < t.places.size(); k++) {
    const Tensor weight = as_dtype(tensor_of<double>(t.weights[k], shape), x.dtype());
    const Tensor part = picked(k) * weight;
    y = k == 0 ? part : y + part;
  }
  return y;
}

// The size of the result along spatial dim i.
int64_t result_size(const Args& a, int64_t in, size_t i) {
  if (a.given(1)) return a.ints(1).size() == 1 ? a.ints(1)[0] : a.ints(1)[i];
  return static_cast<int64_t>(std::floor(static_cast<double>(in) * a.number(2)));
}

void check_interpolation(const Args& a, int64_t spatial, Mode mode) {
  check<NotImplementedError>(spatial >= 1 && spatial <= 3,
                             "Input Error: Only 3D, 4D and 5D input Tensors supported (got ",
                             a[0].dim(), "D)");
  check<ValueError>(a.given(1) || a.given(2), "either size or scale_factor should be defined");
  check<ValueError>(!a.given(1) || !a.given(2),
                    "only one of size or scale_factor should be defined");
  check<ValueError>(
      !a.given(1) || a.ints(1).size() == 1 || static_cast<int64_t>(a.ints(1).size()) == spatial,
      "Input and output must have the same number of spatial dimensions, but got "
      "input with spatial dimensions of ",
      a[0].shape().subspan(2), " and output size of ", a.given(1) ? a.ints(1) : Dims());
  check<ValueError>(!a.given(4) || mode == Mode::Linear || mode == Mode::Cubic,
                    "align_corners option can only be set with the interpolating modes: linear | "
                    "bilinear | bicubic | trilinear");
  check<NotImplementedError>(!a.flag(6), "antialias=True is not implemented");
}

DimVector shuffled_shape(const Tensor& x, const char* op) {
  check(x.dim() >= 3, op, " expects input to have at least 3 dimensions, but got input with ",
        x.dim(), " dimension(s)");
  return DimVector(x.shape().first(x.shape().size() - 3));
}

// The order that keeps the leading dims and puts the last five in the order given.
DimVector last_five(size_t leading, std::initializer_list<int64_t> order) {
  DimVector out;
  for (size_t i = 0; i < leading; i++) out.push_back(static_cast<int64_t>(i));
  for (int64_t d : order) out.push_back(static_cast<int64_t>(leading) + d);
  return out;
}

}  // namespace

const Op interpolate{{
    .sig = "interpolate(Tensor input, int[]? size=None, float? scale_factor=None, str "
           "mode='nearest', bool? align_corners=None, bool? recompute_scale_factor=None, bool "
           "antialias=False) -> Tensor",
    .doc = "input [n, c, spatial...] at another resolution: of `size`, or scale_factor times its "
           "own. Modes: nearest, nearest-exact, linear, bilinear, trilinear, bicubic, area.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const int64_t spatial = a[0].dim() - 2;
      const Mode mode = mode_of(a.str(3), spatial);
      check_interpolation(a, spatial, mode);
      DimVector size;
      for (int64_t i = 0; i < spatial; i++) {
        size.push_back(result_size(a, a[0].size(i + 2), static_cast<size_t>(i)));
        check(size.back() > 0 && a[0].size(i + 2) > 0,
              "Input and output sizes should be greater than 0, but got input (", a[0].shape(),
              ") and output size ", size);
      }
      DimVector whole(a[0].shape().first(2));
      whole.append(size.begin(), size.end());
      expect_room(static_cast<size_t>(bytes_of(whole, a[0].item_size())));
      if (mode == Mode::Area)
        return spatial == 1   ? adaptive_avg_pool1d(a[0], size)
               : spatial == 2 ? adaptive_avg_pool2d(a[0], size)
                              : adaptive_avg_pool3d(a[0], size);
      std::optional<double> factor;
      if (a.given(2) && !(a.given(5) && a.flag(5))) factor = a.number(2);
      const bool align = a.given(4) && a.flag(4);
      Tensor x = a[0];
      for (int64_t i = 0; i < spatial; i++) {
        const int64_t in = x.size(i + 2), out = size[static_cast<size_t>(i)];
        x = resized(x, i + 2,
                    x.dtype() == Dtype::Double ? taps<double>(mode, in, out, factor, align)
                                               : taps<float>(mode, in, out, factor, align));
      }
      return x;
    }),
    .samples = {{in(-1, 1, {2, 3, 5}), dims({8})},
                {in(-1, 1, {1, 2, 3, 4}), dims({5, 3}), none, "bilinear"},
                {in(-1, 1, {1, 2, 3, 4}), none, 2.0, "bilinear", true},
                {in(-1, 1, {1, 2, 3, 4}), none, 1.5, "nearest-exact"},
                {in(-1, 1, {1, 2, 3, 4}), 5, none, "bicubic"},
                {in(-1, 1, {1, 2, 4, 4}), dims({2, 3}), none, "area"},
                {in(-1, 1, {1, 1, 2, 3, 2}), none, 2.0, "trilinear"}},
    .errors = {{{in(-1, 1, {2, 3, 5})}, "either size or scale_factor should be defined"},
               {{in(-1, 1, {2, 3, 5}), dims({4}), 2.0}, "only one of size or scale_factor"},
               {{in(-1, 1, {2, 3, 5}), dims({4}), none, "nearest", true},
                "align_corners option can only be set"}},
    .ulp = 32,
}};

const Op pixel_shuffle{{
    .sig = "pixel_shuffle(Tensor input, int upscale_factor) -> Tensor",
    .doc = "[*, c r^2, h, w] as [*, c, h r, w r] (Shi et al. 2016).",
    .scope = Scope::Nn,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const Tensor& x = a[0];
      const int64_t r = a.integer(1);
      DimVector shape = shuffled_shape(x, "pixel_shuffle"), whole = shape;
      check(r > 0, "pixel_shuffle expects a positive upscale_factor, but got ", r);
      const int64_t c = x.size(-3), h = x.size(-2), w = x.size(-1);
      check<ValueError>(r <= INT32_MAX, "upscale factor is too large: got upscale_factor=", r);
      check(c % (r * r) == 0,
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            "of upscale_factor, but input.size(-3)=",
            c, " is not divisible by the square of ", r);
      const size_t leading = shape.size();
      for (int64_t n : {c / (r * r), r, r, h, w}) shape.push_back(n);
      for (int64_t n : {c / (r * r), numel_of({{h, r}}), numel_of({{w, r}})}) whole.push_back(n);
      return reshape(permute(reshape(x, shape), last_five(leading, {0, 3, 1, 4, 2})), whole);
    }),
    .samples = {{in(-1, 1, {2, 8, 2, 3}), 2}},
    .errors = {{{in(-1, 1, {2, 6, 2, 3}), 2}, "to be divisible by the square of upscale_factor"}},
}};

const Op pixel_unshuffle{{
    .sig = "pixel_unshuffle(Tensor input, int downscale_factor) -> Tensor",
    .doc = "[*, c, h r, w r] as [*, c r^2, h, w].",
    .scope = Scope::Nn,
    .dtypes = kAll,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor& x = a[0];
      const int64_t r = a.integer(1);
      DimVector shape = shuffled_shape(x, "pixel_unshuffle"), whole = shape;
      check(r > 0, "pixel_unshuffle expects a positive downscale_factor, but got ", r);
      const int64_t c = x.size(-3), h = x.size(-2), w = x.size(-1);
      check(h % r == 0 && w % r == 0,
            "pixel_unshuffle expects height and width to be divisible by downscale_factor, but "
            "got ",
            h, " and ", w, " for ", r);
      if (x.numel() == 0) return x;  // in its own shape, as PyTorch returns it
      const size_t leading = shape.size();
      for (int64_t n : {c, h / r, r, w / r, r}) shape.push_back(n);
      for (int64_t n : {numel_of({{c, r, r}}), h / r, w / r}) whole.push_back(n);
      return reshape(permute(reshape(x, shape), last_five(leading, {0, 2, 4, 1, 3})), whole);
    }),
    .samples = {{in(-1, 1, {2, 2, 4, 6}), 2}},
    .errors = {{{in(-1, 1, {2, 2, 4, 5}), 2}, "to be divisible by downscale_factor"}},
}};

const Op channel_shuffle{{
    .sig = "channel_shuffle(Tensor input, int groups) -> Tensor",
    .doc = "Channels in the order that takes one of each group in turn (Zhang et al. 2018).",
    .scope = Scope::Nn,
    .dtypes = kAll,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor& x = a[0];
      const int64_t groups = a.integer(1);
      check(x.dim() > 2, "channel_shuffle expects input with > 2 dims, but got input with shape ",
            x.shape());
      check(groups > 0,
            "Number of groups to divide channels in must be positive. Value of groups:", groups);
      check(x.size(1) % groups == 0, "Number of channels must be divisible by groups. Got ",
            x.size(1), " channels and ", groups, " groups.");
      if (x.numel() == 0) return x;
      const DimVector split{x.size(0), groups, x.size(1) / groups, -1};
      return reshape(transpose(reshape(x, split), 1, 2), DimVector(x.shape()));
    }),
    .samples = {{in(-1, 1, {2, 6, 2, 3}), 3}},
    .errors = {{{in(-1, 1, {2, 6, 2, 3}), 4}, "must be divisible by groups"}},
}};

}  // namespace gotorch::ops
