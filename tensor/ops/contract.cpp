// Sums of products over chosen dimensions, as matrix products of rearranged tensors.
#include <algorithm>
#include <array>
#include <string>

#include "runtime/parallel.h"
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/ops/axis.h"
#include "tensor/promote.h"
#include "tensor/simd/wrapping.h"
#include "tensor/view.h"

namespace gotorch::ops {
namespace {

constexpr int kLetters = 52;

int letter_index(char c) {
  if (c >= 'a' && c <= 'z') return c - 'a';
  if (c >= 'A' && c <= 'Z') return c - 'A' + 26;
  return -1;
}

char letter(int index) { return static_cast<char>(index < 26 ? 'a' + index : 'A' + index - 26); }

// The subscripts of one operand or of the result: letters by index, -1 where the ellipsis stands.
struct Subscripts {
  SmallVector<int, 8> labels;
  bool ellipsis = false;

  explicit Subscripts(std::string_view text) {
    for (size_t i = 0; i < text.size(); i++) {
      if (text.substr(i, 3) == "...") {
        check(!ellipsis, "found more than one ellipsis in the subscripts '", text, "'");
        ellipsis = true;
        labels.push_back(-1);
        i += 2;
        continue;
      }
      const int label = letter_index(text[i]);
      check(label >= 0, "invalid subscript '", text.substr(i, 1), "' in '", text,
            "': subscripts must be in [a-zA-Z]");
      labels.push_back(label);
    }
  }
  int64_t letters() const { return static_cast<int64_t>(labels.size()) - ellipsis; }
};

// What an equation says about its operands. Every operand gets all axes, in one order: the result's, then those
// that are summed. Axes that an operand lacks have size 1.
struct Equation {
  std::vector<Subscripts> inputs;
  int64_t ellipsis_dims = 0;           // what "..." stands for, the most of any operand
  std::array<int64_t, kLetters> axis;  // of each letter; -1 if it does not occur
  int64_t ellipsis_axis = 0;           // of the ellipsis' first dimension
  int64_t output_axes = 0, axes = 0;

  Equation(std::string_view text, std::span<const Tensor> operands) {
    std::string plain(text);
    std::erase(plain, ' ');
    const size_t arrow = plain.find("->");
    std::string_view left = std::string_view(plain).substr(0, arrow);
    check(!operands.empty(), "must provide at least one operand");
    while (true) {
      const size_t comma = left.find(',');
      inputs.emplace_back(left.substr(0, comma));
      if (comma == std::string_view::npos) break;
      left.remove_prefix(comma + 1);
    }
    check(inputs.size() == operands.size(), "the equation '", text, "' has ", inputs.size(),
          " operands, but ", operands.size(), " were provided");
    std::array<int, kLetters> uses{};
    for (size_t i = 0; i < inputs.size(); i++) {
      const int64_t dims = operands[i].dim(), letters = inputs[i].letters();
      check(inputs[i].ellipsis ? letters <= dims : letters == dims, "operand ", i, " has ", dims,
            " dimensions, but the equation '", text, "' gives it ", letters, " subscripts",
            inputs[i].ellipsis ? "" : " and no ellipsis");
      if (inputs[i].ellipsis) ellipsis_dims = std::max(ellipsis_dims, dims - letters);
      for (int label : inputs[i].labels)
        if (label >= 0) uses[label]++;
    }
    place_output(arrow == std::string::npos ? implicit_output(uses)
                                            : Subscripts(std::string_view(plain).substr(arrow + 2)),
                 uses);
  }

 private:
  // Without "->": the ellipsis, then the letters that occur once, in the order of the alphabet.
  static Subscripts implicit_output(const std::array<int, kLetters>& uses) {
    std::string text = "...";
    for (int upper = 1; upper >= 0; upper--)  // as characters are ordered: capitals first
      for (int i = 0; i < 26; i++)
        if (uses[i + 26 * upper] == 1) text += letter(i + 26 * upper);
    return Subscripts(text);
  }

  void place_output(const Subscripts& output, const std::array<int, kLetters>& uses) {
    axis.fill(-1);
    ellipsis_axis = -1;
    for (int label : output.labels) {
      if (label < 0) {
        ellipsis_axis = output_axes;
        output_axes += ellipsis_dims;
        continue;
      }
      check(axis[label] < 0, "output subscript ", std::string(1, letter(label)),
            " appears more than once in the output");
      check(uses[label] > 0, "output subscript ", std::string(1, letter(label)),
            " does not appear in the equation for any input operand");
      axis[label] = output_axes++;
    }
    axes = output_axes;
    if (ellipsis_axis < 0) {
      ellipsis_axis = axes;
      axes += ellipsis_dims;
    }
    for (int label = 0; label < kLetters; label++)
      if (uses[label] > 0 && axis[label] < 0) axis[label] = axes++;
  }
};

// x with all axes of the equation; a letter that occurs twice takes the diagonal.
Tensor aligned(Tensor x, const Subscripts& subscripts, const Equation& e) {
  DimVector axis_of;  // of each dimension of x
  const int64_t dots = x.dim() - subscripts.letters();
  for (int label : subscripts.labels) {
    if (label >= 0) {
      axis_of.push_back(e.axis[label]);
      continue;
    }
    for (int64_t i = 0; i < dots; i++)
      axis_of.push_back(e.ellipsis_axis + e.ellipsis_dims - dots + i);
  }
  for (size_t i = 0; i < axis_of.size(); i++)
    for (size_t j = i + 1; j < axis_of.size();) {
      if (axis_of[i] != axis_of[j]) {
        j++;
        continue;
      }
      check(x.size(i) == x.size(j), "a subscript is repeated in one operand, but its sizes ",
            x.size(i), " and ", x.size(j), " differ");
      // The diagonal becomes the last dimension.
      x = movedim(diagonal(x, 0, static_cast<int64_t>(i), static_cast<int64_t>(j)), -1,
                  static_cast<int64_t>(i));
      axis_of.erase(j);
    }
  DimVector order(axis_of.size(), 0);
  for (size_t i = 0; i < order.size(); i++) order[i] = static_cast<int64_t>(i);
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return axis_of[a] < axis_of[b]; });
  x = permute(x, order);
  DimVector shape(static_cast<size_t>(e.axes), 1);
  for (size_t i = 0; i < order.size(); i++) shape[axis_of[order[i]]] = x.size(i);
  return reshape(x, shape);
}

// Dimensions of `order` whose place in `kinds` is `kind`.
DimVector of_kind(const SmallVector<int, 8>& kinds, int kind) {
  DimVector dims;
  for (size_t d = 0; d < kinds.size(); d++)
    if (kinds[d] == kind) dims.push_back(static_cast<int64_t>(d));
  return dims;
}

int64_t volume(const Tensor& x, Dims dims) {
  int64_t n = 1;
  for (int64_t d : dims) n *= x.size(d);
  return n;
}

// Sum over the dimensions `summed` of x * y, which have the same number of dimensions; sizes of 1 broadcast. The
// summed dimensions stay, with size 1.
Tensor contract(Tensor x, Tensor y, Dims summed) {
  enum { Batch, OfX, OfY, Sum };
  SmallVector<int, 8> kinds(static_cast<size_t>(x.dim()), Batch);
  DimVector only_x, only_y;
  for (int64_t d = 0; d < x.dim(); d++) {
    const bool has_x = x.size(d) != 1, has_y = y.size(d) != 1;
    if (std::find(summed.begin(), summed.end(), d) != summed.end()) {
      kinds[d] = Sum;
      if (has_x && !has_y) only_x.push_back(d);
      if (has_y && !has_x) only_y.push_back(d);
    } else if (!has_x || !has_y) {
      kinds[d] = has_y ? OfY : OfX;
    }
  }
  if (!only_x.empty()) x = sum(x, only_x, true);
  if (!only_y.empty()) y = sum(y, only_y, true);
  const DimVector batch = of_kind(kinds, Batch), left = of_kind(kinds, OfX),
                  right = of_kind(kinds, OfY), inner = of_kind(kinds, Sum);
  if (volume(x, inner) == 1 && volume(y, inner) == 1) return mul(x, y);

  const auto ordered = [](const DimVector& a, const DimVector& b, const DimVector& c,
                          const DimVector& d) {
    DimVector all(a);
    for (const DimVector* part : {&b, &c, &d}) all.append(part->begin(), part->end());
    return all;
  };
  const int64_t n = volume(x, batch), k = volume(x, inner);
  const Tensor a =
      reshape(permute(x, ordered(batch, left, inner, right)), DimVector{n, volume(x, left), k});
  const Tensor b =
      reshape(permute(y, ordered(batch, inner, right, left)), DimVector{n, k, volume(y, right)});
  const DimVector order = ordered(batch, left, right, inner);
  DimVector shape, back(order.size(), 0);
  for (size_t i = 0; i < order.size(); i++) {
    const int64_t d = order[i];
    shape.push_back(kinds[d] == Sum ? 1 : kinds[d] == OfY ? y.size(d) : x.size(d));
    back[d] = static_cast<int64_t>(i);
  }
  return permute(reshape(bmm(a, b), shape), back);
}

void check_broadcast(const Equation& e, const Tensors& operands) {
  for (int64_t d = 0; d < e.axes; d++) {
    int64_t size = 1;
    for (const Tensor& x : operands) {
      check(x.size(d) == size || x.size(d) == 1 || size == 1, "a subscript has size ", x.size(d),
            " in one operand, which does not broadcast with size ", size, " in another");
      if (x.size(d) != 1) size = x.size(d);
    }
  }
}

Tensor einsum_of(std::string_view text, std::span<const Tensor> given) {
  const Equation e(text, given);
  Tensors operands;
  for (size_t i = 0; i < given.size(); i++) operands.push_back(aligned(given[i], e.inputs[i], e));
  check_broadcast(e, operands);
  // An axis is summed as soon as no later operand has it.
  SmallVector<size_t, 8> last(static_cast<size_t>(e.axes), 0);
  for (size_t i = 0; i < operands.size(); i++)
    for (int64_t d = 0; d < e.axes; d++)
      if (operands[i].size(d) != 1) last[d] = i;
  const auto summed_at = [&](size_t i) {
    DimVector dims;
    for (int64_t d = e.output_axes; d < e.axes; d++)
      if (last[d] == i) dims.push_back(d);
    return dims;
  };
  Tensor y = operands[0];
  if (const DimVector alone = summed_at(0); !alone.empty()) y = sum(y, alone, true);
  for (size_t i = 1; i < operands.size(); i++) y = contract(y, operands[i], summed_at(i));
  DimVector shape(y.shape());
  while (static_cast<int64_t>(shape.size()) > e.output_axes) shape.pop_back();
  return reshape(y, shape);
}

// The dim of (input, other, dim) whose products are taken: the first of size 3 if none is given.
int64_t cross_dim(const Args& a, Dims shape) {
  const auto dims = static_cast<int64_t>(shape.size());
  int64_t dim = 0;
  if (a.given(2)) dim = wrap_dim(a.integer(2), dims);
  else
    while (dim < dims && shape[dim] != 3) dim++;
  if (dim < dims && shape[dim] == 3) return dim;
  // Not where a gradient asks, which may have saved one of them only.
  fail("a dimension of size 3 is needed, got shapes ", a[0].shape(), " and ", a[1].shape());
}

// Of `n` vectors whose components lie `apart` elements from each other, neighbours `step`.
template <class T, int Step>
inline void cross_row(const T* __restrict x, const T* __restrict y, T* __restrict out, int64_t n,
                      int64_t apart) {
  using math::minus, math::times;
  for (int64_t i = 0; i < n * Step; i += Step) {
    const T x0 = x[i], x1 = x[i + apart], x2 = x[i + 2 * apart];
    const T y0 = y[i], y1 = y[i + apart], y2 = y[i + 2 * apart];
    out[i] = minus(times(x1, y2), times(x2, y1));
    out[i + apart] = minus(times(x2, y0), times(x0, y2));
    out[i + 2 * apart] = minus(times(x0, y1), times(x1, y0));
  }
}

template <class T>
void cross_products(kernels::Axis a, const T* x, const T* y, T* out) {
  static const auto together = best_variant<&cross_row<T, 1>>();
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(a.inner, 1));
  runtime::parallel_for(a.outer, grain, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * 3 * a.inner;
    if (a.inner == 1) return cross_row<T, 3>(x + first, y + first, out + first, end - begin, 1);
    for (int64_t at = first; at < end * 3 * a.inner; at += 3 * a.inner)
      together(x + at, y + at, out + at, a.inner, a.inner);
  });
}

}  // namespace

const Op einsum{{
    .sig = "einsum(str equation, Tensor[] operands) -> Tensor",
    .doc = "Sums of products by Einstein's convention: \"ij,jk->ik\" is a matrix product. Operands "
           "are contracted from left to right.",
    .scope = Scope::Internal,
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) { return einsum_of(a.str(0), a.tensors(1)); }),
    .samples = {{"ij,jk->ik", tensors({in(-1, 1, {3, 4}), in(-1, 1, {4, 2})})},
                {"bij,bjk->bik", tensors({in(-1, 1, {2, 3, 4}), in(-1, 1, {2, 4, 2})})},
                {"ii->i", tensors({in(-1, 1, {3, 3})})},
                {"ii", tensors({in(-1, 1, {3, 3})})},
                {"ij->ji", tensors({in(-1, 1, {2, 3})})},
                {"i,j->ij", tensors({in(-1, 1, {2}), in(-1, 1, {3})})},
                {"i,i->", tensors({in(-1, 1, {3}), in(-1, 1, {3})})},
                {"...ij,...jk", tensors({in(-1, 1, {2, 1, 3, 4}), in(-1, 1, {5, 4, 2})})},
                {"ij,ik,kl->jl",
                 tensors({in(-1, 1, {2, 3}), in(-1, 1, {2, 4}), in(-1, 1, {4, 2})})}},
    .errors = {{{"ij,jk->ik", tensors({in(-1, 1, {3, 4})})}, "operands"},
               {{"ij->ik", tensors({in(-1, 1, {3, 4})})}, "does not appear"},
               {{"ij->ii", tensors({in(-1, 1, {3, 4})})}, "appears more than once"},
               {{"i1->i", tensors({in(-1, 1, {3, 4})})}, "subscripts must be in"},
               {{"i->i", tensors({in(-1, 1, {3, 4})})}, "no ellipsis"},
               {{"ij,jk->ik", tensors({in(-1, 1, {3, 4}), in(-1, 1, {5, 2})})},
                "does not broadcast"}},
}};

const Op tensordot{{
    .sig = "tensordot(Tensor input, Tensor other, int[] dims_self, int[] dims_other) -> Tensor",
    .doc = "Sum of products over dimensions dims_self of input and dims_other of other, pair by "
           "pair.",
    .scope = Scope::Internal,
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) {
      const DimVector x_dims = wrap_dims(a.ints(2), a[0].dim());
      const DimVector y_dims = wrap_dims(a.ints(3), a[1].dim());
      check(x_dims.size() == y_dims.size(), "both dimension lists should have same length, got ",
            Dims(x_dims), " and ", Dims(y_dims));
      const auto free = [](const Tensor& t, const DimVector& dims) {
        DimVector rest;
        for (int64_t d = 0; d < t.dim(); d++)
          if (std::find(dims.begin(), dims.end(), d) == dims.end()) rest.push_back(d);
        return rest;
      };
      for (size_t i = 0; i < x_dims.size(); i++)
        check(a[0].size(x_dims[i]) == a[1].size(y_dims[i]),
              "contracted dimensions need to match, but first has size ", a[0].size(x_dims[i]),
              " in dim ", x_dims[i], " and second has size ", a[1].size(y_dims[i]), " in dim ",
              y_dims[i]);
      const DimVector x_free = free(a[0], x_dims), y_free = free(a[1], y_dims);
      DimVector x_order(x_free), y_order(y_dims), shape;
      x_order.append(x_dims.begin(), x_dims.end());
      y_order.append(y_free.begin(), y_free.end());
      for (int64_t d : x_free) shape.push_back(a[0].size(d));
      for (int64_t d : y_free) shape.push_back(a[1].size(d));
      const int64_t k = volume(a[0], x_dims);
      const Tensor x = reshape(permute(a[0], x_order), DimVector{volume(a[0], x_free), k});
      const Tensor y = reshape(permute(a[1], y_order), DimVector{k, volume(a[1], y_free)});
      return reshape(mm(x, y), shape);
    }),
    .samples = {{in(-1, 1, {2, 3, 4}), in(-1, 1, {3, 4, 2}), dims({1, 2}), dims({0, 1})},
                {in(-1, 1, {2, 3}), in(-1, 1, {4, 3}), dims({-1}), dims({1})},
                {in(-1, 1, {2}), in(-1, 1, {3}), dims({}), dims({})}},
    .errors = {{{in(-1, 1, {2, 3}), in(-1, 1, {4, 3}), dims({0}), dims({0})}, "need to match"},
               {{in(-1, 1, {2, 3}), in(-1, 1, {4, 3}), dims({0}), dims({})}, "same length"}},
}};

const Op inner{{
    .sig = "inner(Tensor input, Tensor other) -> Tensor",
    .doc = "Sum of products over the last dimension of both.",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) -> Tensor {
      if (a[0].dim() == 0 || a[1].dim() == 0) return mul(a[0], a[1]);
      check(a[0].size(-1) == a[1].size(-1), "the last dimensions must match, got shapes ",
            a[0].shape(), " and ", a[1].shape());
      return tensordot(a[0], a[1], DimVector{-1}, DimVector{-1});
    }),
    .samples = {{in(-1, 1, {2, 3}), in(-1, 1, {4, 3})}, {in(-1, 1, {}), in(-1, 1, {4, 3})}},
    .errors = {{{in(-1, 1, {2, 3}), in(-1, 1, {4, 2})}, "must match"}},
}};

const Op kron{{
    .sig = "kron(Tensor input, Tensor other) -> Tensor",
    .doc = "Kronecker product: every element of input times the whole of other.",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) {
      const int64_t dims = std::max(a[0].dim(), a[1].dim());
      DimVector x_shape, y_shape, shape;
      for (int64_t d = 0; d < dims; d++) {
        const auto size = [&](const Tensor& t) {
          const int64_t at = d - (dims - t.dim());
          return at < 0 ? 1 : t.size(at);
        };
        x_shape.push_back(size(a[0]));
        x_shape.push_back(1);
        y_shape.push_back(1);
        y_shape.push_back(size(a[1]));
        shape.push_back(size(a[0]) * size(a[1]));
      }
      return reshape(mul(reshape(a[0], x_shape), reshape(a[1], y_shape)), shape);
    }),
    .samples = {{in(-1, 1, {2, 3}), in(-1, 1, {4, 2})}, {in(-1, 1, {3}), in(-1, 1, {2, 2})}},
}};

const Op trace{{
    .sig = "trace(Tensor input) -> Tensor",
    .doc = "Sum of the diagonal of a matrix.",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) {
      check(a[0].dim() == 2, "expected a matrix, but got a tensor with dim ", a[0].dim());
      return sum(diagonal(a[0]));
    }),
    .samples = {{in(-1, 1, {3, 3})}, {in(-1, 1, {2, 4})}},
    .errors = {{{in(-1, 1, {3})}, "expected a matrix"}},
}};

const Op addr{{
    .sig = "addr(Tensor input, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> "
           "Tensor",
    .doc = "beta * input + alpha * outer(vec1, vec2).",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) -> Tensor {
      check(a[1].dim() == 1 && a[2].dim() == 1, "addr: Expected 1-D arguments, but got ",
            a[1].dim(), "-D and ", a[2].dim(), "-D");
      if (a.number(3) == 0) return mul(outer(a[1], a[2]), a.scalar(4));
      const Tensor x = a.number(3) == 1 ? a[0] : mul(a[0], a.scalar(3));
      if (!x.is_floating()) return add(x, mul(outer(a[1], a[2]), a.scalar(4)));
      return addcmul(x, unsqueeze(a[1], 1), a[2], a.scalar(4));
    }),
    .inplace = true,
    .samples = {{in(-1, 1, {2, 3}), in(-1, 1, {2}), in(-1, 1, {3})},
                {in(-1, 1, {2, 3}), in(-1, 1, {2}), in(-1, 1, {3}), 0.5, 2.0}},
}};

const Op cross{{
    .sig = "cross(Tensor input, Tensor other, int? dim=None) -> Tensor",
    .doc = "Cross product of vectors of 3 along `dim`: by default the first dimension of size 3.",
    .dtypes = kNumbers,
    .kernel = function([](auto& a) {
      const DimVector shape = broadcast_shapes(a[0].shape(), a[1].shape());
      const int64_t dim = cross_dim(a, shape);
      Promotion p;
      p.add(a[0]);
      p.add(a[1]);
      const Dtype compute = compute_dtype(p.result());
      const Tensor x = packed(expanded(a[0], shape), compute);
      const Tensor y = packed(expanded(a[1], shape), compute);
      const Tensor out = gotorch::empty(shape, compute);
      dispatch(compute, [&]<class T>() {
        if constexpr (std::is_same_v<T, Compute<T>> && !std::is_same_v<T, bool>)
          cross_products(axis_of(shape, dim), x.data<T>(), y.data<T>(), out.data<T>());
      });
      return as_dtype(out, p.result());
    }),
    .grad = {wrt("input", "other",
                 [](auto& s) { return cross(s[1], s.g(), cross_dim(s, s.g().shape())); }),
             wrt("other", "input",
                 [](auto& s) { return cross(s.g(), s[0], cross_dim(s, s.g().shape())); })},
    .samples = {{in(-1, 1, {3, 2}), in(-1, 1, {3, 2})}, {in(-1, 1, {2, 3}), in(-1, 1, {2, 3}), -1}},
    .errors = {{{in(-1, 1, {2, 4}), in(-1, 1, {2, 4})}, "size 3"}},
}};

}  // namespace gotorch::ops
