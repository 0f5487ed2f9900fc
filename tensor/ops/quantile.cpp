// Quantiles, with and without NaN.
#include <algorithm>

#include "tensor/copy.h"
#include "tensor/ops.h"

namespace gotorch::ops {
namespace {

void check_interpolation(std::string_view how) {
  for (std::string_view known : {"linear", "lower", "higher", "midpoint", "nearest"})
    if (how == known) return;
  fail(
      "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but "
      "got ",
      how);
}

// Values between the sorted elements at fractional places `rank` along the last dim.
Tensor at_ranks(const Tensor& sorted, const Tensor& rank, std::string_view how) {
  const auto at = [&](const Tensor& place) {
    return gather(sorted, -1, as_dtype(place, Dtype::Int64));
  };
  if (how == "lower") return at(floor(rank));
  if (how == "higher") return at(ceil(rank));
  if (how == "nearest") return at(round(rank));
  const Tensor low = floor(rank);
  const Tensor weight = how == "midpoint" ? full_like(rank, 0.5) : rank - low;
  return lerp(at(low), at(ceil(rank)), weight);
}

// q: one number or several along a new first dim. `skip`: NaN does not count; else it makes the result NaN.
Tensor quantiles(const Args& a, const Tensor& q, bool skip) {
  const Tensor& x = a[0];
  const std::string_view how = a.str(4);
  check_interpolation(how);
  check(x.numel() > 0, "quantile() input tensor must be non-empty");
  const bool whole = !a.given(2);
  const int64_t dim = whole ? 0 : wrap_dim(a.integer(2), x.dim());
  const Tensor last = whole || x.dim() == 0 ? flatten(x) : movedim(x, dim, -1);
  const Tensor sorted = sort.all(last, -1)[0];
  const Tensor is_nan = isnan(sorted);
  Tensor rank;
  if (skip) {
    const Tensor count = sum(logical_not(is_nan), -1, true);
    rank = clamp(q * (as_dtype(count, x.dtype()) - 1), 0);
  } else {
    const int64_t n = sorted.size(-1);
    // NaN is last in order.
    rank = where(narrow(is_nan, -1, n - 1, 1), n - 1, q * (n - 1));
  }
  Tensor y = at_ranks(sorted, rank, how);
  if (q.dim() == 0) y = squeeze(y, -1);
  else y = movedim(y, -1, 0);
  if (!a.flag(3)) return y;
  DimVector shape(x.shape());
  if (whole) std::fill(shape.begin(), shape.end(), 1);
  else if (x.dim() > 0) shape[static_cast<size_t>(dim)] = 1;
  if (q.dim() > 0) shape.insert(0, q.size(0));
  return reshape(y, shape);
}

template <bool skip>
Tensor of_tensor(const Args& a) {
  const Tensor& q = a[1];
  check(q.dim() <= 1, "quantile() q must be a scalar or 1D tensor, got shape ", q.shape());
  check(q.dtype() == a[0].dtype(),
        "quantile() q tensor must be same dtype as the input tensor, got ", q.dtype(), " and ",
        a[0].dtype());
  {
    const Unrecorded inside;
    check(q.numel() == 0 || all(logical_and(ge(q, 0), le(q, 1))).template item<bool>(),
          "quantile() q values must be in the range [0, 1]");
  }
  return quantiles(a, q, skip);
}

template <bool skip>
Tensor of_number(const Args& a) {
  const double q = a.number(1);
  check(q >= 0 && q <= 1, "quantile() q must be in the range [0, 1] but got ", q);
  return quantiles(a, scalar_tensor(q, a[0].dtype()), skip);
}

constexpr DtypeSet kFloat32And64 = dtype_set(Dtype::Float, Dtype::Double);

}  // namespace

const Op quantile{{
    .sig = "quantile(Tensor input, Tensor q, int? dim=None, bool keepdim=False, *, str "
           "interpolation='linear') -> Tensor",
    .doc = "The q-quantiles along `dim`, or of all elements: linear, lower, higher, midpoint or "
           "nearest between two elements. NaN gives NaN.",
    .dtypes = kFloat32And64,
    .kernel = compose([](auto& a) { return of_tensor<false>(a); }),
    .samples = {{in(-1, 1, {4, 5}), in(0, 1, {3})},
                {in(-1, 1, {4, 5}), in(0, 1, {}), 1, true},
                {in(-1, 1, {4, 5}), in(0, 1, {2}), 0, true, "midpoint"}},
    .errors = {{{in(-1, 1, {4}), in(2, 3, {2})}, "q values must be in the range [0, 1]"},
               {{in(-1, 1, {0}), in(0, 1, {2})}, "input tensor must be non-empty"},
               {{in(-1, 1, {4}), in(0, 1, {2, 2})}, "q must be a scalar or 1D tensor"}},
}};

const Op quantile_scalar{{
    .sig = "quantile.scalar(Tensor input, float q, int? dim=None, bool keepdim=False, *, str "
           "interpolation='linear') -> Tensor",
    .doc = "The q-quantile for one number.",
    .dtypes = kFloat32And64,
    .kernel = compose([](auto& a) { return of_number<false>(a); }),
    .samples = {{in(-1, 1, {4, 5}), 0.3},
                {in(-1, 1, {4, 5}), 0.4, -1, false, "lower"},
                {in(-1, 1, {4, 5}), 0.4, 0, true, "higher"},
                {in(-1, 1, {4, 5}), 0.3, none, true, "nearest"}},
    .errors = {{{in(-1, 1, {4}), 1.5}, "q must be in the range [0, 1] but got 1.5"},
               {{in(-1, 1, {4}), 0.5, none, false, "cubic"}, "interpolation must be one of"}},
}};

const Op nanquantile{{
    .sig = "nanquantile(Tensor input, Tensor q, int? dim=None, bool keepdim=False, *, str "
           "interpolation='linear') -> Tensor",
    .doc = "quantile of the elements that are not NaN; NaN where there is none.",
    .dtypes = kFloat32And64,
    .kernel = compose([](auto& a) { return of_tensor<true>(a); }),
    .samples = {{in(-1, 1, {4, 5}), in(0, 1, {3})}, {in(-1, 1, {4, 5}), in(0, 1, {}), 1, true}},
}};

const Op nanquantile_scalar{{
    .sig = "nanquantile.scalar(Tensor input, float q, int? dim=None, bool keepdim=False, *, str "
           "interpolation='linear') -> Tensor",
    .doc = "nanquantile for one number.",
    .dtypes = kFloat32And64,
    .kernel = compose([](auto& a) { return of_number<true>(a); }),
    .samples = {{in(-1, 1, {4, 5}), 0.3}, {in(-1, 1, {4, 5}), 0.4, -1, false, "higher"}},
}};

}  // namespace gotorch::ops
