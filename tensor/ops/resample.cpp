// Images in other resolutions: interpolation one dimension after the other, and channels to space and back.
#include <array>
#include <cmath>

#include "tensor/allocator.h"
#include "tensor/buffer.h"
#include "tensor/copy.h"
#include "tensor/kernels/bad_index.h"
#include "tensor/kernels/resample.h"
#include "tensor/ops.h"
#include "tensor/ops/axis.h"
#include "tensor/ops/expect.h"

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
  int64_t count, size;
  Buffer<int64_t> places;  // [tap][output]
  Buffer<double> weights;  // the same
  Taps(int64_t count, int64_t size) : count(count), size(size), places(count * size), weights(count * size) {}
  void put(int64_t tap, int64_t output, int64_t place, double weight) {
    places[tap * size + output] = place;
    weights[tap * size + output] = weight;
  }
};

// Weights by distance (Keys 1981): those of points less than one away, and of the others, up to two.
double cubic_near(double x, double a) { return ((a + 2) * x - (a + 3)) * x * x + 1; }
double cubic_far(double x, double a) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; }

template <class T>
T scale_of(int64_t in, int64_t out, std::optional<double> factor, bool align_corners) {
  if (align_corners) return out > 1 ? T(in - 1) / T(out - 1) : T(0);
  return factor ? T(1 / *factor) : T(in) / T(out);
}

// Positions are computed in float, as PyTorch does for all but double: a nearest place depends on it.
template <class T>
Taps taps(Mode mode, int64_t in, int64_t out, std::optional<double> factor, bool align_corners) {
  Taps t(mode == Mode::Linear ? 2 : mode == Mode::Cubic ? 4 : 1, out);
  const T scale = scale_of<T>(in, out, factor, align_corners);
  for (int64_t i = 0; i < out; i++) {
    T at = mode == Mode::Nearest ? T(i) * scale
           : align_corners       ? scale * T(i)
                           : scale * (T(i) + T(0.5)) - T(mode == Mode::NearestExact ? 0 : 0.5);
    if (mode == Mode::Linear) at = std::max(at, T(0));
    const T floor = std::floor(at), past = at - floor;
    const double x = past, a = -0.75;
    const std::array<double, 4> cubic = {cubic_far(x + 1, a), cubic_near(x, a), cubic_near(1 - x, a),
                                         cubic_far(2 - x, a)};
    const auto first = static_cast<int64_t>(floor) - (mode == Mode::Cubic ? 1 : 0);
    for (int64_t k = 0; k < t.count; k++) {
      const double weight = mode == Mode::Cubic ? cubic[k] : t.count == 1 ? 1.0 : k == 0 ? T(1) - past : past;
      t.put(k, i, std::clamp<int64_t>(first + k, 0, in - 1), weight);
    }
  }
  return t;
}

// With a kernel as wide as what one place of a smaller result stands for, so that nothing is left out.
template <class T>
Taps smooth_taps(Mode mode, int64_t in, int64_t out, std::optional<double> factor, bool align_corners) {
  const T scale = scale_of<T>(in, out, factor, align_corners), stretch = std::max(scale, T(1));
  const T support = (mode == Mode::Cubic ? 2 : 1) * stretch;
  const auto weight = [&](double x) {
    x = std::abs(x);
    if (mode == Mode::Linear) return x < 1 ? 1 - x : 0.0;
    return x < 1 ? cubic_near(x, -0.5) : x < 2 ? cubic_far(x, -0.5) : 0.0;
  };
  Taps t(std::min(in, static_cast<int64_t>(std::ceil(support)) * 2 + 1), out);
  for (int64_t i = 0; i < out; i++) {
    const T center = scale * (T(i) + T(0.5));
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(center - support + T(0.5)), 0);
    const int64_t end = std::min(static_cast<int64_t>(center + support + T(0.5)), in);
    const int64_t n = std::clamp<int64_t>(end - first, 0, t.count);
    double total = 0;
    for (int64_t k = 0; k < t.count; k++) {
      const double w = k < n ? weight((static_cast<double>(first + k) - center + 0.5) / stretch) : 0.0;
      t.put(k, i, std::min(first + k, in - 1), w);
      total += w;
    }
    for (int64_t k = 0; k < n; k++) t.weights[k * out + i] /= total == 0 ? 1 : total;
  }
  return t;
}

// Along dim `d`. One place alone is copied: nothing is rounded.
Tensor resized(const Tensor& x, int64_t d, const Taps& t) {
  const DimVector shape{t.count, t.size};
  const Tensor places = tensor_of<int64_t>(t.places, shape);
  if (t.count == 1) return index_select(x, d, flatten(places));
  return resampled(x, d, places, tensor_of<double>(t.weights, shape));
}

// What the kernel takes of places and weights, checked.
struct ResampleArgs {
  Dtype compute;
  Tensor places, weights;
  ResampleArgs(const Tensor& x, int64_t in, const Tensor& p, const Tensor& w)
      : compute(compute_dtype(x.dtype())), places(packed(p)), weights(packed(w, compute)) {
    expect_dtype("places", p, Dtype::Int64);
    check(p.dim() == 2 && p.size(0) > 0, "expected places of shape [taps, size], got ", p.shape());
    expect_shape("weights", w, p.shape());
    check<IndexError>(!kernels::any_bad_index(places.data<int64_t>(), p.numel(), 0, in),
                      "places are out of range of a dimension of size ", in);
  }
  template <class F>
  Tensor run(const Tensor& x, Dims shape, F f) const {
    const Tensor from = packed(x, compute), y = gotorch::empty(shape, compute);
    const auto in_type = [&]<class T>() {
      f(kernels::Resample<T>{places.data<int64_t>(), weights.data<T>(), places.size(0), places.size(1)},
        from.data<T>(), y.data<T>());
    };
    if (compute == Dtype::Float) in_type.template operator()<float>();
    else in_type.template operator()<double>();
    return as_dtype(y, x.dtype());
  }
};

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
  check<ValueError>(!a.flag(6) || (spatial == 2 && (mode == Mode::Linear || mode == Mode::Cubic)),
                    "Anti-alias option is restricted to bilinear and bicubic modes and requires a "
                    "4-D tensor as input");
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

const Op resampled{{
    .sig = "_resample(Tensor input, int dim, Tensor places, Tensor weights) -> Tensor",
    .doc = "Along dim, output i is the sum over k of weights[k, i] * input[places[k, i]].",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      const int64_t d = wrap_dim(a.integer(1), a[0].dim());
      const Dims from = a[0].shape();
      const ResampleArgs r(a[0], from.empty() ? 1 : from[d], a[2], a[3]);
      check(!from.empty(), "expected at least one dimension");
      DimVector shape(from);
      shape[d] = r.places.size(1);
      return r.run(a[0], shape, [&](const auto& p, auto* x, auto* y) {
        kernels::resample(p, x, y, axis_of(from, d));
      });
    }),
    .grad = {wrt("input", "places weights",
                 [](auto& s) {
                   const int64_t d = wrap_dim(s.integer(1), s.g().dim());
                   return resampled_backward(s.g(), d, s.shape(0)[d], s[2], s[3]);
                 })},
    .samples = {{in(-1, 1, {2, 3, 4}), 1, indices(0, 3, {2, 5}), in(0, 1, {2, 5})}},
    .ulp = 16,
}};

const Op resampled_backward{{
    .sig = "_resample_backward(Tensor grad, int dim, int size, Tensor places, Tensor weights) -> "
           "Tensor",
    .doc = "The gradient of _resample for an input of `size` along dim.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      const int64_t d = wrap_dim(a.integer(1), a[0].dim());
      check(a[0].dim() > 0 && a.integer(2) >= 0, "expected at least one dimension, and a size");
      DimVector shape(a[0].shape());
      const ResampleArgs r(a[0], a.integer(2), a[3], a[4]);
      check(shape[d] == r.places.size(1), "expected grad of size ", r.places.size(1), " along dim ", d,
            ", got shape ", shape);
      shape[d] = a.integer(2);
      return r.run(a[0], shape, [&](const auto& p, auto* g, auto* gx) {
        kernels::resample_backward(p, g, gx, axis_of(shape, d));
      });
    }),
    .grad = {wrt("grad", "places weights",
                 [](auto& s) { return resampled(s.g(), s.integer(1), s[3], s[4]); })},
    .samples = {{in(-1, 1, {2, 5, 4}), 1, 3, indices(0, 3, {2, 5}), in(0, 1, {2, 5})}},
    .ulp = 16,
}};

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
        const auto at = [&]<class T>() {
          return a.flag(6) ? smooth_taps<T>(mode, in, out, factor, align)
                           : taps<T>(mode, in, out, factor, align);
        };
        x = resized(x, i + 2,
                    x.dtype() == Dtype::Double ? at.template operator()<double>()
                                               : at.template operator()<float>());
      }
      return x;
    }),
    .samples = {{in(-1, 1, {2, 3, 5}), dims({8})},
                {in(-1, 1, {1, 2, 3, 4}), dims({5, 3}), none, "bilinear"},
                {in(-1, 1, {1, 2, 3, 4}), none, 2.0, "bilinear", true},
                {in(-1, 1, {1, 2, 3, 4}), none, 1.5, "nearest-exact"},
                {in(-1, 1, {1, 2, 3, 4}), 5, none, "bicubic"},
                {in(-1, 1, {1, 2, 4, 4}), dims({2, 3}), none, "area"},
                {in(-1, 1, {1, 2, 7, 9}), dims({3, 5}), none, "bilinear", none, none, true},
                {in(-1, 1, {1, 2, 7, 9}), dims({3, 12}), none, "bicubic", none, none, true},
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
