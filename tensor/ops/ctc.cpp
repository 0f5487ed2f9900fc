// The loss of sequences without alignment.
#include "tensor/kernels/ctc.h"

#include <algorithm>

#include "tensor/buffer.h"
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/ops/expect.h"
#include "tensor/ops/loss.h"

namespace gotorch::ops {
namespace {

Tensor integers_of(const char* name, const Tensor& t) {
  check(!t.is_floating() && t.dtype() != Dtype::Bool, name, " must be integral, got ", t.dtype());
  return packed(t, Dtype::Int64);
}

// The arguments (log_probs, targets, input_lengths, target_lengths, blank) as the kernel takes them, checked.
struct CtcArgs {
  Tensor probs, targets, steps, labels;
  Buffer<int64_t> begin;
  int64_t blank, width = 1;

  explicit CtcArgs(const Args& a)
      : probs(packed(a[0])),
        targets(integers_of("targets", a[1])),
        steps(integers_of("input_lengths", a[2])),
        labels(integers_of("target_lengths", a[3])),
        blank(a.integer(4)) {
    check(probs.dtype() == Dtype::Float || probs.dtype() == Dtype::Double,
          "ctc_loss: expected log_probs of float32 or float64, got ", probs.dtype());
    check(probs.dim() == 3, "ctc_loss: expected log_probs of shape [steps, batch, classes], got ",
          probs.shape());
    const int64_t batch = probs.size(1), classes = probs.size(2);
    check(blank >= 0 && blank < classes, "blank must be in label range");
    check(steps.dim() == 1 && steps.numel() == batch, "input_lengths must be of size batch_size");
    check(labels.dim() == 1 && labels.numel() == batch, "target_lengths must be of size batch_size");
    place_labels(batch);
    const int64_t* label = targets.data<int64_t>();
    for (int64_t b = 0; b < batch; b++)
      for (int64_t i = 0; i < labels.data<int64_t>()[b]; i++) {
        const int64_t c = label[begin[b] + i];
        check<IndexError>(c >= 0 && c < classes, "ctc_loss: target ", c, " is out of range of ",
                          classes, " classes");
      }
  }

  template <class T>
  kernels::Ctc<T> pack() const {
    return {probs.data<T>(),          probs.size(0), probs.size(1),
            probs.size(2),            blank,         targets.data<int64_t>(),
            begin.data(),             labels.data<int64_t>(),
            steps.data<int64_t>(),    width};
  }

 private:
  void place_labels(int64_t batch) {
    check(targets.dim() == 1 || (targets.dim() == 2 && targets.size(0) == batch),
          "ctc_loss: expected targets of shape [", batch, ", labels] or one after the other, got ",
          targets.shape());
    int64_t used = 0;
    for (int64_t b = 0; b < batch; b++) {
      const int64_t count = labels.data<int64_t>()[b], t = steps.data<int64_t>()[b];
      check(t >= 0 && t <= probs.size(0), "Expected input_lengths to have value at most ",
            probs.size(0), ", but got value ", t);
      check(count >= 0 && count <= targets.size(-1),
            "Expected target_lengths to have value at most ", targets.size(-1), ", but got value ",
            count);
      begin.push_back(targets.dim() == 2 ? b * targets.size(1) : used);
      used += count;
      width = std::max(width, 2 * count + 1);
    }
    check(targets.dim() == 2 || used <= targets.numel(), "ctc_loss: ", used,
          " labels by target_lengths, but only ", targets.numel(), " targets");
  }
};

template <class F>
void in_type_of(const Tensor& x, F f) {
  if (x.dtype() == Dtype::Float) f.template operator()<float>();
  else f.template operator()<double>();
}

const Op ctc_loss_kernel{{
    .sig = "_ctc_loss(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor "
           "target_lengths, int blank, bool zero_infinity) -> (Tensor loss, Tensor log_alpha)",
    .doc = "The loss of each sequence, and what its gradient needs.",
    .scope = Scope::Internal,
    .dtypes = dtype_set(Dtype::Float, Dtype::Double),
    .kernel = function([](auto& a) -> Tensors {
      const CtcArgs c(a);
      const Tensor& x = c.probs;
      const Tensor loss = gotorch::empty({x.size(1)}, x.dtype()),
                   alpha = gotorch::empty({x.size(1), x.size(0), c.width}, x.dtype());
      in_type_of(x, [&]<class T>() {
        kernels::ctc_loss(c.pack<T>(), loss.data<T>(), alpha.data<T>());
      });
      return {loss, alpha};
    }),
    .grad = {wrt("log_probs", "log_probs targets input_lengths target_lengths loss log_alpha",
                 [](auto& s) {
                   const CtcArgs c(s);
                   const Dtype d = c.probs.dtype();
                   const Tensor g = packed(s.g(), d), loss = packed(s.y(0), d),
                                alpha = packed(s.y(1), d);
                   expect_shape("alpha", alpha,
                                DimVector{c.probs.size(1), c.probs.size(0), c.width});
                   const Tensor gx = gotorch::empty(c.probs.shape(), d);
                   in_type_of(gx, [&]<class T>() {
                     kernels::ctc_loss_backward(c.pack<T>(), loss.data<T>(), alpha.data<T>(),
                                                g.data<T>(), s.flag(5), gx.data<T>());
                   });
                   return gx;
                 })},
    .samples = {{in(-3, -1, {6, 2, 4}), indices(1, 4, {2, 3}), indices(5, 7, {2}),
                 indices(1, 4, {2}), 0, false}},
    .untested = "grad, gradgrad: of inputs whose probabilities add up to 1, as PyTorch's",
}};

// (log_probs, targets, input_lengths, target_lengths) in tensors, the rest as ctc_loss has it.
Tensor reduced_ctc(const Args& a, const Tensor& input_lengths, const Tensor& target_lengths) {
  const bool batched = a[0].dim() != 2, zero_infinity = a.flag(6);
  const Tensor x = batched ? a[0] : unsqueeze(a[0], 1);
  const Tensor steps = batched ? input_lengths : flatten(input_lengths),
               labels = batched ? target_lengths : flatten(target_lengths);
  Tensor loss = ctc_loss_kernel.all(x, a[1], steps, labels, a.integer(4), zero_infinity)[0];
  if (zero_infinity) loss = where(eq(loss, __builtin_inf()), 0, loss);
  if (a.str(5) == "mean") return mean(loss / as_dtype(clamp_min(labels, 1), loss.dtype()));
  return reduced_loss(batched ? loss : squeeze(loss, 0), a.str(5));
}

}  // namespace

const Op ctc_loss{{
    .sig = "ctc_loss(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor "
           "target_lengths, int blank=0, str reduction='mean', bool zero_infinity=False) -> Tensor",
    .doc = "The connectionist temporal classification loss (Graves et al. 2006) of log_probs "
           "[steps, batch, classes] and targets [batch, labels], or one after the other. 'mean' "
           "divides by target_lengths first.",
    .scope = Scope::Nn,
    .dtypes = dtype_set(Dtype::Float, Dtype::Double),
    .kernel = compose([](auto& a) { return reduced_ctc(a, a[2], a[3]); }),
    .samples = {{in(-3, -1, {6, 2, 4}), indices(1, 4, {2, 3}), indices(5, 7, {2}),
                 indices(1, 4, {2})},
                {in(-3, -1, {6, 2, 4}), indices(0, 3, {6}), indices(3, 7, {2}), indices(0, 3, {2}),
                 3, "sum", true},
                {in(-3, -1, {6, 4}), indices(1, 4, {3}), indices(6, 7, {}), indices(2, 3, {}), 0,
                 "none"}},
    .errors = {{{in(-3, -1, {6, 2, 4}), indices(1, 4, {2, 3}), indices(5, 7, {2}),
                 indices(1, 4, {2}), 4},
                "blank must be in label range"},
               {{in(-3, -1, {6, 2, 4}), indices(1, 4, {2, 3}), indices(7, 8, {2}),
                 indices(1, 4, {2})},
                "Expected input_lengths to have value at most 6, but got value 7"},
               {{in(-3, -1, {6, 2, 4}), indices(4, 5, {2, 3}), indices(6, 7, {2}),
                 indices(1, 4, {2})},
                "target 4 is out of range of 4 classes"}},
    .ulp = 32,
    .untested = "grad, gradgrad: of inputs whose probabilities add up to 1, as PyTorch's",
}};

const Op ctc_loss_lists{{
    .sig = "ctc_loss.lists(Tensor log_probs, Tensor targets, int[] input_lengths, int[] "
           "target_lengths, int blank=0, str reduction='mean', bool zero_infinity=False) -> Tensor",
    .doc = "The same with lengths in lists.",
    .scope = Scope::Nn,
    .dtypes = dtype_set(Dtype::Float, Dtype::Double),
    .kernel = compose([](auto& a) {
      const auto lengths = [&](size_t i) {
        return tensor_of<int64_t>(a.ints(i), {static_cast<int64_t>(a.ints(i).size())});
      };
      return reduced_ctc(a, lengths(2), lengths(3));
    }),
    .samples = {{in(-3, -1, {6, 2, 4}), indices(1, 4, {2, 3}), dims({6, 5}), dims({3, 2})}},
    .ulp = 32,
    .untested = "grad, gradgrad: of inputs whose probabilities add up to 1, as PyTorch's",
}};

}  // namespace gotorch::ops
