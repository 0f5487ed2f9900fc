// Matrix products.
#include "runtime/parallel.h"
#include "tensor/copy.h"
#include "tensor/kernels/cast.h"
#include "tensor/kernels/gemm.h"
#include "tensor/ops.h"

namespace gotorch::ops {
namespace {

constexpr int64_t kIntegerChunk = 64;

// Integer products are not on any fast path: a plain loop, which wraps like the machine.
template <class T>
void integer_product(const kernels::Gemm<T>& g) {
  runtime::parallel_for(g.batch * g.m, kIntegerChunk, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const int64_t z = row / g.m, i = row % g.m;
      for (int64_t j = 0; j < g.n; j++) {
        std::make_unsigned_t<T> sum = 0;
        for (int64_t p = 0; p < g.k; p++)
          sum += static_cast<std::make_unsigned_t<T>>(g.a[z * g.a_bs + i * g.a_rs + p * g.a_cs]) *
                 static_cast<std::make_unsigned_t<T>>(g.b[z * g.b_bs + p * g.b_rs + j * g.b_cs]);
        g.c[z * g.c_bs + i * g.c_rs + j * g.c_cs] = static_cast<T>(sum);
      }
    }
  });
}

Tensor in_compute_type(const Tensor& x) {
  return is_half(x.dtype()) ? copy_of(x, Dtype::Float) : x;
}

// a [batch, m, k] times b [batch, k, n], any strides; the batch may be left out of both. bias: n values.
Tensor product(const Tensor& a, const Tensor& b, const Tensor& bias = {}) {
  check(a.dtype() == b.dtype(), "expected both matrices to have the same dtype, but got ",
        a.dtype(), " and ", b.dtype());
  const bool batched = a.dim() == 3;
  const Tensor z = bias.defined() ? packed(in_compute_type(bias)) : Tensor();
  DimVector shape{a.size(-2), b.size(-1)};
  if (batched) shape.insert(0, a.size(0));
  const auto fill = [&]<class T>(const Tensor& x, const Tensor& y, const Tensor& out) {
    const size_t r = batched ? 1 : 0;
    kernels::Gemm<T> g;
    g.m = x.size(-2);
    g.k = x.size(-1);
    g.n = y.size(-1);
    g.a = x.data<T>();
    g.a_rs = x.strides()[r];
    g.a_cs = x.strides()[r + 1];
    g.b = y.data<T>();
    g.b_rs = y.strides()[r];
    g.b_cs = y.strides()[r + 1];
    if (x.dtype() == out.dtype()) g.c = out.data<T>();
    g.c_rs = g.n;
    if (batched) {
      g.batch = x.size(0);
      g.a_bs = x.strides()[0];
      g.b_bs = y.strides()[0];
      g.c_bs = g.m * g.n;
    }
    return g;
  };
  const Tensor out = gotorch::empty(shape, a.dtype());
  if (a.dtype() == Dtype::BFloat16) {
    if (kernels::gemm_bfloat16(fill.template operator()<BFloat16>(a, b, out),
                               z.defined() ? z.data<float>() : nullptr))
      return out;
  }
  const Tensor x = in_compute_type(a), y = in_compute_type(b);
  const auto multiply = [&]<class T>() {
    kernels::Gemm<T> g = fill.template operator()<T>(x, y, out);
    if (x.dtype() != a.dtype()) {
      g.convert = cast_loop(x.dtype(), a.dtype());
      g.out = static_cast<std::byte*>(out.raw()), g.item = out.item_size();
    }
    if constexpr (std::is_floating_point_v<T>) {
      if (z.defined()) g.bias_col = z.data<T>();
      kernels::gemm(g);
    } else {
      integer_product(g);
    }
  };
  switch (x.dtype()) {
    case Dtype::Float: multiply.template operator()<float>(); break;
    case Dtype::Double: multiply.template operator()<double>(); break;
    case Dtype::Int64: multiply.template operator()<int64_t>(); break;
    case Dtype::Int32: multiply.template operator()<int32_t>(); break;
    case Dtype::Int16: multiply.template operator()<int16_t>(); break;
    case Dtype::Int8: multiply.template operator()<int8_t>(); break;
    default: multiply.template operator()<uint8_t>(); break;
  }
  return out;
}

// All leading dimensions of x as one.
int64_t row_count(const Tensor& x) {
  return x.size(-1) == 0 ? numel_of(x.shape().first(x.dim() - 1)) : x.numel() / x.size(-1);
}

Tensor flat_rows(const Tensor& x) {
  return x.dim() == 2 ? x : reshape(x, DimVector{row_count(x), x.size(-1)});
}

DimVector joined(Dims lead, std::initializer_list<int64_t> tail) {
  DimVector out(lead);
  out.append(tail.begin(), tail.end());
  return out;
}

Tensor batched_product(const Tensor& a, const Tensor& b) {
  const Dims a_lead = a.shape().first(a.dim() - 2), b_lead = b.shape().first(b.dim() - 2);
  const DimVector lead = broadcast_shapes(a_lead, b_lead);
  const int64_t n = numel_of(lead);
  const auto spread = [&](const Tensor& x) {
    const Tensor wide = expand(x, joined(lead, {x.size(-2), x.size(-1)}));
    return reshape(wide, DimVector{n, x.size(-2), x.size(-1)});
  };
  const Tensor c = bmm(spread(a), spread(b));
  return reshape(c, joined(lead, {a.size(-2), b.size(-1)}));
}

// beta or alpha. Integer products take whole ones.
Scalar factor(const Args& a, size_t i) {
  return a[0].is_floating() ? a.scalar(i) : Scalar(a.scalar(i).to<int64_t>());
}

SampleArg bytes(std::vector<int64_t> shape) {
  SampleArg sample = indices(-128, 128, std::move(shape));
  sample.dtype = Dtype::Int8;
  return sample;
}

void check_inner(const Tensor& a, const Tensor& b) {
  check(a.size(-1) == b.size(-2), "mat1 and mat2 shapes cannot be multiplied (", a.size(-2), "x",
        a.size(-1), " and ", b.size(-2), "x", b.size(-1), ")");
}

}  // namespace

const Op mm{{
    .sig = "mm(Tensor input, Tensor mat2) -> Tensor",
    .doc = "Product of two matrices, [n, k] and [k, m]. No broadcasting.",
    .dtypes = kNumbers,
    .kernel = function([](auto& a) {
      check(a[0].dim() == 2 && a[1].dim() == 2, "both arguments must be matrices, got shapes ",
            a[0].shape(), " and ", a[1].shape());
      check_inner(a[0], a[1]);
      return product(a[0], a[1]);
    }),
    .grad = {wrt("input", "mat2", [](auto& s) { return mm(s.g(), t(s[1])); }),
             wrt("mat2", "input", [](auto& s) { return mm(t(s[0]), s.g()); })},
    .samples = {{in(-1, 1, {3, 4}), in(-1, 1, {4, 5})}, {in(-1, 1, {1, 7}), in(-1, 1, {7, 1})}},
    .errors = {{{in(-1, 1, {3, 4}), in(-1, 1, {5, 6})},
                "mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)"}},
    .ulp = 16,
}};

const Op int_mm{{
    .sig = "_int_mm(Tensor input, Tensor mat2) -> Tensor",
    .doc = "Product of two int8 matrices, [n, k] and [k, m], as int32.",
    .scope = Scope::Function,
    .dtypes = kInts,
    .kernel = function([](auto& a) {
      const Tensor &x = a[0], &y = a[1];
      check(x.dim() == 2 && y.dim() == 2, "both arguments must be matrices, got shapes ", x.shape(),
            " and ", y.shape());
      check(x.dtype() == Dtype::Int8 && y.dtype() == Dtype::Int8,
            "both matrices must be of int8, got ", x.dtype(), " and ", y.dtype());
      check_inner(x, y);
      const Tensor out = gotorch::empty(DimVector{x.size(0), y.size(1)}, Dtype::Int32);
      kernels::gemm_int8({.m = x.size(0),
                          .n = y.size(1),
                          .k = x.size(1),
                          .a = x.data<int8_t>(),
                          .a_rs = x.strides()[0],
                          .a_cs = x.strides()[1],
                          .b = y.data<int8_t>(),
                          .b_rs = y.strides()[0],
                          .b_cs = y.strides()[1]},
                         out.data<int32_t>());
      return out;
    }),
    .samples = {{bytes({3, 9}), bytes({9, 5})}, {bytes({20, 64}), bytes({64, 40})}},
    .errors = {{{indices(-9, 9, {3, 4}), indices(-9, 9, {4, 6})}, "both matrices must be of int8"}},
}};

const Op bmm{{
    .sig = "bmm(Tensor input, Tensor mat2) -> Tensor",
    .doc = "Products of pairs of matrices, [b, n, k] and [b, k, m].",
    .dtypes = kNumbers,
    .kernel = function([](auto& a) {
      check(a[0].dim() == 3 && a[1].dim() == 3, "batch1 and batch2 must be 3D tensors, got shapes ",
            a[0].shape(), " and ", a[1].shape());
      check(a[0].size(0) == a[1].size(0) && a[0].size(2) == a[1].size(1),
            "Expected size for first two dimensions of batch2 tensor to be: [", a[0].size(0), ", ",
            a[0].size(2), "] but got: [", a[1].size(0), ", ", a[1].size(1), "].");
      return product(a[0], a[1]);
    }),
    .grad = {wrt("input", "mat2", [](auto& s) { return bmm(s.g(), transpose(s[1], 1, 2)); }),
             wrt("mat2", "input", [](auto& s) { return bmm(transpose(s[0], 1, 2), s.g()); })},
    .samples = {{in(-1, 1, {2, 3, 4}), in(-1, 1, {2, 4, 5})}},
    .errors = {{{in(-1, 1, {2, 3, 4}), in(-1, 1, {2, 5, 6})},
                "Expected size for first two dimensions"}},
    .ulp = 16,
}};

const Op matmul{{
    .sig = "matmul(Tensor input, Tensor other) -> Tensor",
    .doc = "Matrix product of the last two dimensions, broadcast over the others; vectors count as "
           "a row or a column.",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor &x = a[0], &y = a[1];
      check(x.dim() > 0 && y.dim() > 0,
            "both arguments to matmul need to be at least 1D, but they are ", x.dim(), "D and ",
            y.dim(), "D");
      if (x.dim() == 1 && y.dim() == 1) return dot(x, y);
      if (x.dim() == 1) {
        const Tensor row = unsqueeze(x, 0);
        check_inner(row, y);
        return squeeze(matmul(row, y), -2);
      }
      if (y.dim() == 1) {
        check(x.size(-1) == y.size(0), "size mismatch, got input (", x.size(-2), "x", x.size(-1),
              "), vec (", y.size(0), ")");
        return squeeze(matmul(x, unsqueeze(y, 1)), -1);
      }
      check_inner(x, y);
      if (x.dim() == 2 && y.dim() == 2) return mm(x, y);
      if (y.dim() == 2)
        return reshape(mm(flat_rows(x), y), joined(x.shape().first(x.dim() - 1), {y.size(1)}));
      return batched_product(x, y);
    }),
    .samples = {{in(-1, 1, {3, 4}), in(-1, 1, {4, 5})},
                {in(-1, 1, {4}), in(-1, 1, {4})},
                {in(-1, 1, {3, 4}), in(-1, 1, {4})},
                {in(-1, 1, {4}), in(-1, 1, {2, 4, 3})},
                {in(-1, 1, {2, 1, 3, 4}), in(-1, 1, {5, 4, 2})},
                {in(-1, 1, {2, 3, 4}), in(-1, 1, {4, 2})}},
    .errors = {{{in(-1, 1, {3, 4}), in(-1, 1, {5, 6})},
                "mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)"}},
    .ulp = 16,
}};

const Op dot{{
    .sig = "dot(Tensor input, Tensor tensor) -> Tensor",
    .doc = "Sum of the products of two vectors.",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) -> Tensor {
      check(a[0].dim() == 1 && a[1].dim() == 1, "1D tensors expected, but got ", a[0].dim(),
            "D and ", a[1].dim(), "D tensors");
      check(a[0].numel() == a[1].numel(), "inconsistent tensor size, expected tensor [",
            a[0].numel(), "] and src [", a[1].numel(),
            "] to have the same number of elements, but got ", a[0].numel(), " and ", a[1].numel(),
            " elements respectively");
      return reshape(mm(unsqueeze(a[0], 0), unsqueeze(a[1], 1)), DimVector{});
    }),
    .aliases = "vdot",
    .samples = {{in(-1, 1, {7}), in(-1, 1, {7})}},
    .ulp = 16,
}};

const Op mv{{
    .sig = "mv(Tensor input, Tensor vec) -> Tensor",
    .doc = "Product of a matrix and a vector.",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) -> Tensor {
      check(a[0].dim() == 2 && a[1].dim() == 1, "vector + matrix @ vector expected, got ",
            a[1].dim(), ", ", a[0].dim(), ", ", a[1].dim());
      return matmul(a[0], a[1]);
    }),
    .samples = {{in(-1, 1, {3, 4}), in(-1, 1, {4})}},
    .ulp = 16,
}};

const Op outer{{
    .sig = "outer(Tensor input, Tensor vec2) -> Tensor",
    .doc = "All products of an element of input with one of vec2.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) -> Tensor {
      check(a[0].dim() == 1 && a[1].dim() == 1, "outer: Expected 1-D arguments, but got ",
            a[0].dim(), "-D and ", a[1].dim(), "-D");
      return unsqueeze(a[0], 1) * a[1];
    }),
    .aliases = "ger",
    .samples = {{in(-1, 1, {3}), in(-1, 1, {4})}},
}};

const Op addmm{{
    .sig =
        "addmm(Tensor input, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    .doc = "beta * input + alpha * (mat1 @ mat2).",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor c = mm(a[1], a[2]);
      // beta = 0 drops input, whatever it holds.
      const Scalar beta = factor(a, 3), alpha = factor(a, 4);
      if (beta.to<double>() == 0) return c * alpha;
      return beta.to<double>() == 1 ? add(a[0], c, alpha) : add(a[0] * beta, c, alpha);
    }),
    .inplace = true,
    .samples = {{in(-1, 1, {3, 5}), in(-1, 1, {3, 4}), in(-1, 1, {4, 5})},
                {in(-1, 1, {5}), in(-1, 1, {3, 4}), in(-1, 1, {4, 5}), 0.5, 2.0}},
    .ulp = 16,
}};

const Op addmv{{
    .sig =
        "addmv(Tensor input, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    .doc = "beta * input + alpha * (mat @ vec).",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor c = mv(a[1], a[2]) * factor(a, 4);
      const Scalar beta = factor(a, 3);
      return beta.to<double>() == 0 ? c : a[0] * beta + c;
    }),
    .inplace = true,
    .samples = {{in(-1, 1, {3}), in(-1, 1, {3, 4}), in(-1, 1, {4})}},
    .ulp = 16,
}};

const Op baddbmm{{
    .sig = "baddbmm(Tensor input, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) "
           "-> Tensor",
    .doc = "beta * input + alpha * (batch1 @ batch2), matrix by matrix.",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor c = bmm(a[1], a[2]) * factor(a, 4);
      const Scalar beta = factor(a, 3);
      return beta.to<double>() == 0 ? c : a[0] * beta + c;
    }),
    .inplace = true,
    .samples = {{in(-1, 1, {2, 3, 5}), in(-1, 1, {2, 3, 4}), in(-1, 1, {2, 4, 5})}},
    .ulp = 16,
}};

const Op linear{{
    .sig = "linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
    .doc = "input @ weight^T + bias; input [*, in], weight [out, in] or [in], bias [out].",
    .scope = Scope::Nn,
    .kernel = function([](auto& a) {
      const Tensor &x = a[0], &w = a[1];
      check(w.dim() == 2, "the weight must be a matrix, got shape ", w.shape());
      check(x.dim() >= 1 && x.size(-1) == w.size(1), "mat1 and mat2 shapes cannot be multiplied (",
            x.dim() ? row_count(x) : 1, "x", x.dim() ? x.size(-1) : 1, " and ", w.size(1), "x",
            w.size(0), ")");
      const Tensor bias = a.tensor_or(2);
      check(!bias.defined() || (bias.dim() == 1 && bias.size(0) == w.size(0)),
            "the bias must have shape [", w.size(0), "], got ",
            bias.defined() ? bias.shape() : Dims());
      const Tensor flat = x.dim() == 2
                              ? x
                              : alias(packed(x), DimVector{row_count(x), x.size(-1)},
                                      DimVector{x.size(-1), 1}, x.is_contiguous() ? x.offset() : 0);
      const Tensor y = product(flat,
                               alias(w, DimVector{w.size(1), w.size(0)},
                                     DimVector{w.strides()[1], w.strides()[0]}, w.offset()),
                               bias);
      if (x.dim() == 2) return y;
      const DimVector shape = joined(x.shape().first(x.dim() - 1), {w.size(0)});
      y->strides = contiguous_strides(shape);
      y->shape = shape;
      return y;
    }),
    .grad = {wrt("input", "weight", [](auto& s) { return matmul(s.g(), s[1]); }),
             wrt("weight", "input",
                 [](auto& s) { return mm(t(flat_rows(s.g())), flat_rows(s[0])); }),
             wrt("bias", "", [](auto& s) { return s.g(); })},
    .samples = {{in(-1, 1, {3, 4}), in(-1, 1, {5, 4}), in(-1, 1, {5})},
                {in(-1, 1, {2, 3, 4}), in(-1, 1, {5, 4}), in(-1, 1, {5})},
                {in(-1, 1, {4}), in(-1, 1, {5, 4})}},
    .errors = {{{in(-1, 1, {3, 4}), in(-1, 1, {5, 6})},
                "mat1 and mat2 shapes cannot be multiplied (3x4 and 6x5)"}},
    .ulp = 16,
}};

}  // namespace gotorch::ops
