// Normalisations. The fused kernels give the gradient; where a gradient of the gradient is wanted, it is composed of
// public ops instead.
#include "tensor/kernels/norm.h"

#include "tensor/copy.h"
#include "tensor/ops.h"

namespace gotorch::ops {
namespace {

template <class T>
const T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}
template <class T>
T* out_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

Tensor optional_packed(const Tensor& x, Dtype compute) {
  return x.defined() ? packed(x, compute) : Tensor();
}

Tensor rounded(const Tensor& x, Dtype dtype) {
  return !x.defined() || x.dtype() == dtype ? x : copy_of(x, dtype);
}

// f.operator()<T>() with the compute type of `dtype`.
template <class F>
void in_compute_type(Dtype compute, F&& f) {
  if (compute == Dtype::Double) f.template operator()<double>();
  else f.template operator()<float>();
}

// The last dims of x that normalized_shape names, checked.
int64_t normalized_size(const Tensor& x, Dims normalized, const Tensor& weight,
                        const Tensor& bias) {
  check(!normalized.empty(), "Expected normalized_shape to be at least 1-dimensional");
  const bool fits = x.dim() >= static_cast<int64_t>(normalized.size()) &&
                    same(x.shape().last(normalized.size()), normalized);
  check(fits, "Given normalized_shape=", normalized, ", expected input with shape [*, ", normalized,
        "], but got input of size ", x.shape());
  for (const Tensor& t : {weight, bias})
    check(!t.defined() || same(t.shape(), normalized),
          "Expected weight and bias to be of the same shape as normalized_shape ", normalized,
          ", but got ", t.defined() ? t.shape() : Dims());
  return numel_of(normalized);
}

DimVector last_dims(int64_t n) {
  DimVector dims;
  for (int64_t i = -n; i < 0; i++) dims.push_back(i);
  return dims;
}

// Dims 0 and 2.. : everything but the channel.
DimVector all_but_channel(int64_t dims) {
  DimVector out{0};
  for (int64_t i = 2; i < dims; i++) out.push_back(i);
  return out;
}

// A [c] tensor that broadcasts over [n, c, ...].
Tensor per_channel(const Tensor& x, int64_t dims) {
  DimVector shape(static_cast<size_t>(dims), 1);
  shape[1] = x.numel();
  return reshape(x, shape);
}

// Gradient through y = (x - mean) * rstd, all statistics taken over `dims`.
Tensor normalized_gradient(const Tensor& g, const Tensor& x, double eps, Dims over) {
  const Tensor centred = x - mean(x, over, true);
  const Tensor rstd = rsqrt(mean(square(centred), over, true) + eps);
  const Tensor xhat = centred * rstd;
  return rstd * (g - mean(g, over, true) - xhat * mean(g * xhat, over, true));
}

Tensor normalized(const Tensor& x, double eps, Dims over) {
  const Tensor centred = x - mean(x, over, true);
  return centred * rsqrt(mean(square(centred), over, true) + eps);
}

Tensors layer_norm_gradient(const GradArgs& s) {
  const Tensor &x = s[0], &g = s.g();
  const Tensor weight = s.tensor_or(2);
  const DimVector over = last_dims(static_cast<int64_t>(s.ints(1).size()));
  const double eps = s.number(4);
  if (grad_mode().enabled)
    return {normalized_gradient(weight.defined() ? g * weight : g, x, eps, over),
            g * normalized(x, eps, over), g};
  const Dtype compute = compute_dtype(x.dtype());
  const Tensor xc = packed(x, compute), gc = packed(g, compute),
               wc = optional_packed(weight, compute);
  const Tensor mean_ = packed(s.y(1), compute), rstd = packed(s.y(2), compute);
  const int64_t n = numel_of(s.ints(1));
  const Tensor gx = s.needs(0) ? gotorch::empty(x.shape(), compute) : Tensor();
  const Tensor gw = s.needs(2) ? gotorch::empty(s.ints(1), compute) : Tensor();
  const Tensor gb = s.needs(3) ? gotorch::empty(s.ints(1), compute) : Tensor();
  in_compute_type(compute, [&]<class T>() {
    kernels::RowNorm<T> p{n ? x.numel() / n : 0, n};
    p.weight = data_or_null<T>(wc);
    p.mean = mean_.data<T>();
    p.rstd = rstd.data<T>();
    p.eps = eps;
    kernels::layer_norm_backward(p, gc.data<T>(), xc.data<T>(), out_or_null<T>(gx),
                                 out_or_null<T>(gw), out_or_null<T>(gb));
  });
  return {gx, gw, gb};
}

Tensors group_norm_gradient(const GradArgs& s) {
  const Tensor &x = s[0], &g = s.g();
  const Tensor weight = s.tensor_or(2);
  const int64_t groups = s.integer(1), n = x.size(0), c = x.size(1);
  const double eps = s.number(4);
  const int64_t space = n * c != 0 ? x.numel() / (n * c) : 0;
  if (grad_mode().enabled) {
    const DimVector grouped{n, groups, -1}, over{2};
    const Tensor xg = reshape(x, grouped);
    const Tensor gw = weight.defined() ? g * per_channel(weight, x.dim()) : g;
    const Tensor xhat = reshape(normalized(xg, eps, over), x.shape());
    return {reshape(normalized_gradient(reshape(gw, grouped), xg, eps, over), x.shape()),
            sum(g * xhat, all_but_channel(x.dim())), sum(g, all_but_channel(x.dim()))};
  }
  const Dtype compute = compute_dtype(x.dtype());
  const Tensor xc = packed(x, compute), gc = packed(g, compute),
               wc = optional_packed(weight, compute);
  const Tensor mean_ = packed(s.y(1), compute), rstd = packed(s.y(2), compute);
  const Tensor gx = s.needs(0) ? gotorch::empty(x.shape(), compute) : Tensor();
  const Tensor gw = s.needs(2) ? gotorch::empty(c, compute) : Tensor();
  const Tensor gb = s.needs(3) ? gotorch::empty(c, compute) : Tensor();
  in_compute_type(compute, [&]<class T>() {
    kernels::GroupNorm<T> p{n,       c,   space,           groups,        data_or_null<T>(wc),
                            nullptr, eps, mean_.data<T>(), rstd.data<T>()};
    kernels::group_norm_backward(p, gc.data<T>(), xc.data<T>(), out_or_null<T>(gx),
                                 out_or_null<T>(gw), out_or_null<T>(gb));
  });
  return {gx, gw, gb};
}

Tensors batch_norm_gradient(const GradArgs& s) {
  const Tensor &x = s[0], &g = s.g();
  const Tensor weight = s.tensor_or(3);
  const bool training = s.flag(5);
  const double eps = s.number(7);
  const int64_t n = x.size(0), c = x.size(1);
  const int64_t space = n * c != 0 ? x.numel() / (n * c) : 0;
  const DimVector over = all_but_channel(x.dim());
  if (grad_mode().enabled) {
    const Tensor gw = weight.defined() ? g * per_channel(weight, x.dim()) : g;
    if (training)
      return {normalized_gradient(gw, x, eps, over), sum(g * normalized(x, eps, over), over),
              sum(g, over)};
    const Tensor rstd = per_channel(s.y(2), x.dim());
    const Tensor xhat = (x - per_channel(s.y(1), x.dim())) * rstd;
    return {gw * rstd, sum(g * xhat, over), sum(g, over)};
  }
  const Dtype compute = compute_dtype(x.dtype());
  const Tensor xc = packed(x, compute), gc = packed(g, compute),
               wc = optional_packed(weight, compute);
  const Tensor mean_ = packed(s.y(1), compute), rstd = packed(s.y(2), compute);
  const Tensor gx = s.needs(0) ? gotorch::empty(x.shape(), compute) : Tensor();
  const Tensor gw = s.needs(3) ? gotorch::empty(c, compute) : Tensor();
  const Tensor gb = s.needs(4) ? gotorch::empty(c, compute) : Tensor();
  in_compute_type(compute, [&]<class T>() {
    kernels::BatchNorm<T> p{n,       c,   space,           data_or_null<T>(wc),
                            nullptr, eps, mean_.data<T>(), rstd.data<T>()};
    kernels::batch_norm_backward(p, training, gc.data<T>(), xc.data<T>(), out_or_null<T>(gx),
                                 out_or_null<T>(gw), out_or_null<T>(gb));
  });
  return {gx, gw, gb};
}

void check_channels(const Tensor& x, std::initializer_list<Tensor> per_channel_tensors) {
  check(x.dim() >= 2, "expected at least 2 dimensions [n, c, ...], got shape ", x.shape());
  for (const Tensor& t : per_channel_tensors)
    check(!t.defined() || (t.dim() == 1 && t.size(0) == x.size(1)), "expected a tensor of ",
          x.size(1), " values, one per channel, got shape ", t.defined() ? t.shape() : Dims());
}

// Moves running statistics towards the mean of those of the samples.
void follow_instances(const Args& a) {
  const Unrecorded inside;
  const Tensor& x = a[0];
  DimVector space;
  for (int64_t d = 2; d < x.dim(); d++) space.push_back(d);
  const auto follow = [&](const Tensor& running, const Tensor& now) {
    if (running.defined())
      lerp.inplace(running, as_dtype(mean(now, 0), running.dtype()), a.number(6));
  };
  follow(a.tensor_or(1), mean(x, space));
  follow(a.tensor_or(2), var(x, space));
}

}  // namespace

const Op layer_norm_kernel{{
    .sig = "_layer_norm(Tensor input, int[] normalized_shape, Tensor? weight, Tensor? bias, float "
           "eps) -> (Tensor result, Tensor mean, Tensor rstd)",
    .doc = "layer_norm, and the statistics of each row.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) -> Tensors {
      const Tensor& x = a[0];
      const int64_t n = normalized_size(x, a.ints(1), a.tensor_or(2), a.tensor_or(3));
      const Dtype compute = compute_dtype(x.dtype());
      const int64_t rows = n ? x.numel() / n : 0;
      const Tensor xc = packed(x, compute), w = optional_packed(a.tensor_or(2), compute),
                   b = optional_packed(a.tensor_or(3), compute);
      const Tensor y = gotorch::empty(x.shape(), compute), mean_ = gotorch::empty(rows, compute),
                   rstd = gotorch::empty(rows, compute);
      in_compute_type(compute, [&]<class T>() {
        kernels::RowNorm<T> p{
            rows,          n, data_or_null<T>(w), data_or_null<T>(b), a.number(4), mean_.data<T>(),
            rstd.data<T>()};
        kernels::layer_norm(p, xc.data<T>(), y.data<T>());
      });
      return {rounded(y, x.dtype()), mean_, rstd};
    }),
    .grad = {wrt("input weight bias", "input weight mean rstd",
                 [](auto& s) { return layer_norm_gradient(s); })},
    .samples = {{in(-1, 1, {3, 5}), dims({5}), in(0.5, 1, {5}), in(-1, 1, {5}), 1e-5}},
    .ulp = 16,
    .untested = "grad, gradgrad: only the first result has a gradient",
}};

const Op layer_norm{{
    .sig = "layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? "
           "bias=None, float eps=1e-05) -> Tensor",
    .doc = "(input - mean) / sqrt(variance + eps) * weight + bias over the last dimensions (Ba et "
           "al. 2016).",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) {
      return std::move(
          layer_norm_kernel.all(a[0], a.ints(1), a.tensor_or(2), a.tensor_or(3), a.number(4))[0]);
    }),
    .samples = {{in(-1, 1, {3, 5}), dims({5})},
                {in(-1, 1, {2, 3, 5}), dims({3, 5}), in(0.5, 1, {3, 5}), in(-1, 1, {3, 5})},
                {in(-1, 1, {3, 5}), dims({5}), in(0.5, 1, {5}), in(-1, 1, {5}), 1e-3}},
    .errors = {{{in(-1, 1, {3, 5}), dims({4})}, "normalized_shape"}},
    .ulp = 16,
}};

const Op rms_norm{{
    .sig = "rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None) "
           "-> Tensor",
    .doc = "input / sqrt(mean(input^2) + eps) * weight over the last dimensions (Zhang and "
           "Sennrich 2019).",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor weight = a.tensor_or(2);
      normalized_size(a[0], a.ints(1), weight, {});
      const double eps = a.given(3)                      ? a.number(3)
                         : a[0].dtype() == Dtype::Double ? 0x1p-52
                                                         : 0x1p-23;
      const DimVector over = last_dims(static_cast<int64_t>(a.ints(1).size()));
      const Tensor y = a[0] * rsqrt(mean(square(a[0]), over, true) + eps);
      return weight.defined() ? y * weight : y;
    }),
    .samples = {{in(-1, 1, {3, 5}), dims({5})},
                {in(-1, 1, {3, 5}), dims({5}), in(0.5, 1, {5}), 1e-5}},
    .ulp = 16,
}};

const Op group_norm_kernel{{
    .sig = "_group_norm(Tensor input, int num_groups, Tensor? weight, Tensor? bias, float eps) -> "
           "(Tensor result, Tensor mean, Tensor rstd)",
    .doc = "group_norm, and the statistics of each group.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) -> Tensors {
      const Tensor& x = a[0];
      const int64_t groups = a.integer(1);
      check_channels(x, {a.tensor_or(2), a.tensor_or(3)});
      check(groups > 0, "Expected num groups to be greater than 0, got ", groups);
      const int64_t n = x.size(0), c = x.size(1);
      check(c % groups == 0,
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            "shape ",
            x.shape(), " and num_groups=", groups);
      const Dtype compute = compute_dtype(x.dtype());
      const Tensor xc = packed(x, compute), w = optional_packed(a.tensor_or(2), compute),
                   b = optional_packed(a.tensor_or(3), compute);
      const Tensor y = gotorch::empty(x.shape(), compute);
      const Tensor mean_ = gotorch::empty({n, groups}, compute),
                   rstd = gotorch::empty({n, groups}, compute);
      in_compute_type(compute, [&]<class T>() {
        kernels::GroupNorm<T> p{n,
                                c,
                                n * c != 0 ? x.numel() / (n * c) : 0,
                                groups,
                                data_or_null<T>(w),
                                data_or_null<T>(b),
                                a.number(4),
                                mean_.data<T>(),
                                rstd.data<T>()};
        kernels::group_norm(p, xc.data<T>(), y.data<T>());
      });
      return {rounded(y, x.dtype()), mean_, rstd};
    }),
    .grad = {wrt("input weight bias", "input weight mean rstd",
                 [](auto& s) { return group_norm_gradient(s); })},
    .samples = {{in(-1, 1, {2, 4, 3}), 2, in(0.5, 1, {4}), in(-1, 1, {4}), 1e-5}},
    .ulp = 16,
    .untested = "grad, gradgrad: only the first result has a gradient",
}};

const Op group_norm{{
    .sig = "group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float "
           "eps=1e-05) -> Tensor",
    .doc = "Normalises each group of channels of each sample of [n, c, ...] (Wu and He 2018).",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) {
      return std::move(group_norm_kernel.all(a[0], a.integer(1), a.tensor_or(2), a.tensor_or(3),
                                             a.number(4))[0]);
    }),
    .samples = {{in(-1, 1, {2, 4, 3}), 2},
                {in(-1, 1, {2, 4, 3, 2}), 4, in(0.5, 1, {4}), in(-1, 1, {4})}},
    .errors = {{{in(-1, 1, {2, 4, 3}), 3}, "divisible"}},
    .ulp = 16,
}};

const Op batch_norm_kernel{{
    .sig = "_batch_norm(Tensor input, Tensor? running_mean, Tensor? running_var, Tensor? weight, "
           "Tensor? bias, bool training, float momentum, float eps) -> (Tensor result, Tensor "
           "mean, Tensor rstd)",
    .doc = "batch_norm, and the statistics it normalised with. Moves the running statistics when "
           "training.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) -> Tensors {
      const Tensor& x = a[0];
      const Tensor rm = a.tensor_or(1), rv = a.tensor_or(2);
      check_channels(x, {rm, rv, a.tensor_or(3), a.tensor_or(4)});
      check<ValueError>(a.flag(5) || (rm.defined() && rv.defined()),
                        "Expected running_mean and running_var to be defined when training=False");
      if (a.flag(5))
        for (const Tensor& running : {rm, rv})
          if (running.defined()) running.prepare_write();
      const int64_t n = x.size(0), c = x.size(1);
      const int64_t space = n * c != 0 ? x.numel() / (n * c) : 0;
      const Dtype compute = compute_dtype(x.dtype());
      const Tensor xc = packed(x, compute), w = optional_packed(a.tensor_or(3), compute),
                   b = optional_packed(a.tensor_or(4), compute);
      const Tensor y = gotorch::empty(x.shape(), compute), mean_ = gotorch::empty(c, compute),
                   rstd = gotorch::empty(c, compute);
      const Tensor rmc = rm.defined() ? copy_of(rm, compute) : Tensor(),
                   rvc = rv.defined() ? copy_of(rv, compute) : Tensor();
      in_compute_type(compute, [&]<class T>() {
        kernels::BatchNorm<T> p{n,
                                c,
                                space,
                                data_or_null<T>(w),
                                data_or_null<T>(b),
                                a.number(7),
                                mean_.data<T>(),
                                rstd.data<T>()};
        if (a.flag(5))
          kernels::batch_norm_train(p, xc.data<T>(), y.data<T>(), out_or_null<T>(rmc),
                                    out_or_null<T>(rvc), a.number(6));
        else
          kernels::batch_norm_eval(p, xc.data<T>(), y.data<T>(), data_or_null<T>(rmc),
                                   data_or_null<T>(rvc));
      });
      if (a.flag(5)) {
        for (const auto& [running, moved] : {std::pair(rm, rmc), std::pair(rv, rvc)}) {
          if (running.defined())
            running.written_by([to = running, from = moved] { copy_elements(to, from); });
        }
      }
      return {rounded(y, x.dtype()), mean_, rstd};
    }),
    .grad = {wrt("input weight bias", "input weight mean rstd",
                 [](auto& s) { return batch_norm_gradient(s); })},
    .samples = {{in(-1, 1, {4, 3, 2}), none, none, in(0.5, 1, {3}), in(-1, 1, {3}), true, 0.1,
                 1e-5}},
    .ulp = 16,
    .untested = "grad, gradgrad: only the first result has a gradient",
}};

const Op batch_norm{{
    .sig =
        "batch_norm(Tensor input, Tensor? running_mean, Tensor? running_var, Tensor? weight=None, "
        "Tensor? bias=None, bool training=False, float momentum=0.1, float eps=1e-05) -> Tensor",
    .doc = "Normalises each channel of [n, c, ...] over batch and space (Ioffe and Szegedy 2015), "
           "in training with the "
           "batch's statistics, which the running ones then follow with `momentum`.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor& x = a[0];
      const bool training = a.flag(5);
      if (training)
        check<ValueError>(x.dim() < 2 || x.size(1) == 0 || x.numel() != x.size(1),
                          "Expected more than 1 value per channel when training, got input size ",
                          x.shape());
      return std::move(batch_norm_kernel.all(x, a.tensor_or(1), a.tensor_or(2), a.tensor_or(3),
                                             a.tensor_or(4), training, a.number(6),
                                             a.number(7))[0]);
    }),
    .samples = {{in(-1, 1, {4, 3}), none, none, none, none, true},
                {in(-1, 1, {4, 3, 2, 2}), in(-1, 1, {3}), in(0.5, 1, {3}), in(0.5, 1, {3}),
                 in(-1, 1, {3}), false}},
    .errors = {{{in(-1, 1, {4, 3}), none, none, in(0, 1, {2}), none, true}, "one per channel"}},
    .ulp = 16,
}};

const Op instance_norm{{
    .sig = "instance_norm(Tensor input, Tensor? running_mean=None, Tensor? running_var=None, "
           "Tensor? weight=None, Tensor? bias=None, bool use_input_stats=True, float momentum=0.1, "
           "float eps=1e-05) -> Tensor",
    .doc =
        "Normalises each channel of each sample of [n, c, ...] over space (Ulyanov et al. 2016), "
        "or, without use_input_stats, by the running statistics.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor& x = a[0];
      check_channels(x, {a.tensor_or(1), a.tensor_or(2), a.tensor_or(3), a.tensor_or(4)});
      check(a.flag(5) || (a.given(1) && a.given(2)),
            "Expected running_mean and running_var to be defined when use_input_stats is false");
      if (!a.flag(5))
        return batch_norm(x, a[1], a[2], a.tensor_or(3), a.tensor_or(4), false, a.number(6),
                          a.number(7));
      check<ValueError>(numel_of(x.shape().subspan(2)) != 1,
                        "Expected more than 1 spatial element when training, got input size ",
                        x.shape());
      if (a.given(1) || a.given(2)) follow_instances(a);
      return group_norm(x, x.size(1), a.tensor_or(3), a.tensor_or(4), a.number(7));
    }),
    .samples = {{in(-1, 1, {2, 4, 3})},
                {in(-1, 1, {2, 4, 3}), in(-1, 1, {4}), in(0.5, 1, {4}), in(-1, 1, {4}),
                 in(-1, 1, {4}), false}},
    .ulp = 16,
}};

const Op local_response_norm{{
    .sig = "local_response_norm(Tensor input, int size, float alpha=0.0001, float beta=0.75, float "
           "k=1.0) -> Tensor",
    .doc = "input / (k + alpha * m)^beta, where m is the mean of input^2 over `size` neighbouring "
           "channels of [n, c, ...] (Krizhevsky et al. 2012).",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor& x = a[0];
      const int64_t size = a.integer(1);
      check<ValueError>(x.dim() >= 3, "Expected 3D or higher dimensionality input (got ", x.dim(),
                        " dimensions)");
      check<ValueError>(size > 0, "size must be positive, got ", size);
      if (x.numel() == 0) return x;
      const Tensor planes = reshape(square(x), DimVector{x.size(0), 1, x.size(1), -1});
      const Tensor padded = constant_pad_nd(planes, DimVector{0, 0, size / 2, (size - 1) / 2});
      const Tensor near = reshape(avg_pool2d(padded, DimVector{size, 1}, 1), DimVector(x.shape()));
      return x / pow(near * a.number(2) + a.number(4), a.scalar(3));
    }),
    .samples = {{in(-1, 1, {2, 4, 3}), 3}, {in(-1, 1, {2, 5, 2, 2}), 2, 0.1, 0.5, 2.0}},
    .ulp = 16,
}};

}  // namespace gotorch::ops
