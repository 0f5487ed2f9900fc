// Products of bfloat16 matrices on processors that have an instruction for them. It takes words of two
// neighbours along the depth; of such words the product is an ordinary one with half the depth.
#include <algorithm>
#include <vector>

#include "runtime/parallel.h"
#include "tensor/kernels/gemm_micro.h"
#include "tensor/kernels/gemm_plan.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kThin = 4;  // rows or columns: bound by reading the matrix
constexpr int64_t kChunkElements = 1 << 16;

bool has_bfloat16() {
  static const bool has = active_isa() == Isa::V4 && __builtin_cpu_supports("avx512bf16");
  return has;
}

// A batch of matrices; element (i, p), p along the depth, is at[i * step + p * depth_step].
template <class T>
struct Operand {
  const T* at;
  int64_t step, depth_step, batch_step;
};

// dst[j] = (low[j], high[j])
void join_rows(uint32_t* __restrict dst, const BFloat16* low, const BFloat16* high, int64_t n) {
  for (int64_t j = 0; j < n; j++)
    dst[j] = static_cast<uint32_t>(low[j].bits) | static_cast<uint32_t>(high[j].bits) << 16;
}

// One word after the other of one row; a last element without a neighbour gets a zero.
void join_row(uint32_t* __restrict dst, const BFloat16* src, int64_t step, int64_t k) {
  for (int64_t q = 0; q < k / 2; q++) {
    dst[q] = static_cast<uint32_t>(src[2 * q * step].bits) |
             static_cast<uint32_t>(src[(2 * q + 1) * step].bits) << 16;
  }
  if (k % 2) dst[k / 2] = src[(k - 1) * step].bits;
}

bool is_even(int64_t x) { return x % 2 == 0; }

// Words where they lie, or joined into memory that `joined` gets: along the depth, or across it where
// neighbours of the other direction are neighbours in memory.
class Words {
 public:
  Words(const Operand<BFloat16>& x, int64_t count, int64_t k, int64_t batch)
      : in_place_(x.depth_step == 1 && is_even(k) && is_even(x.step) && is_even(x.batch_step) &&
                  reinterpret_cast<uintptr_t>(x.at) % 4 == 0),
        matrices_(x.batch_step == 0 ? 1 : batch),
        memory_(in_place_ ? 0 : matrices_ * count * ceil_div(k, 2)) {
    if (in_place_) {
      words_ = {reinterpret_cast<const float*>(x.at), x.step / 2, 1, x.batch_step / 2};
      return;
    }
    const int64_t pairs = ceil_div(k, 2);
    auto* dst = reinterpret_cast<uint32_t*>(memory_.get());
    const bool across = x.step == 1 && x.depth_step != 1;
    const int64_t lines = across ? pairs : count, length = across ? count : pairs;
    const std::vector<BFloat16> zeros(across && k % 2 ? count : 0);
    static const auto rows = best_variant<&join_rows>();
    static const auto row = best_variant<&join_row>();
    runtime::parallel_for(matrices_ * lines, std::max<int64_t>(1, kChunkElements / (length + 1)),
                          [&](int64_t begin, int64_t end) {
                            for (int64_t i = begin; i < end; i++) {
                              const int64_t line = i % lines;
                              const BFloat16* src = x.at + i / lines * x.batch_step;
                              if (across) {
                                const BFloat16* low = src + 2 * line * x.depth_step;
                                const bool last = 2 * line + 1 == k;
                                rows(dst + i * length, low,
                                     last ? zeros.data() : low + x.depth_step, length);
                              } else {
                                row(dst + i * length, src + line * x.step, x.depth_step, k);
                              }
                            }
                          });
    words_ = {memory_.get(), across ? 1 : pairs, across ? count : 1,
              matrices_ == 1 ? 0 : count * pairs};
  }
  const Operand<float>& operator*() const { return words_; }

 private:
  bool in_place_;
  int64_t matrices_;
  CallMemory<float> memory_;
  Operand<float> words_{};
};

void round_row(BFloat16* __restrict dst, const float* src, int64_t n) {
  for (int64_t j = 0; j < n; j++) dst[j] = src[j];
}

}  // namespace

bool gemm_bfloat16(const Gemm<BFloat16>& g, const float* bias_col) {
  if (!has_bfloat16() || g.m <= kThin || g.n <= kThin || g.k <= 1 || g.batch <= 0) return false;
  const Words a({g.a, g.a_rs, g.a_cs, g.a_bs}, g.m, g.k, g.batch);
  const Words b({g.b, g.b_cs, g.b_rs, g.b_bs}, g.n, g.k, g.batch);
  const CallMemory<float> c(g.batch * g.m * g.n);
  const Gemm<float> words{.m = g.m,
                          .n = g.n,
                          .k = ceil_div(g.k, 2),
                          .a = (*a).at,
                          .a_rs = (*a).step,
                          .a_cs = (*a).depth_step,
                          .b = (*b).at,
                          .b_rs = (*b).depth_step,
                          .b_cs = (*b).step,
                          .c = c.get(),
                          .c_rs = g.n,
                          .batch = g.batch,
                          .a_bs = (*a).batch_step,
                          .b_bs = (*b).batch_step,
                          .c_bs = g.m * g.n,
                          .bias_col = bias_col};
  gemm_blocks(fold_batch(words), kMicroBFloat16);
  static const auto round = best_variant<&round_row>();
  runtime::parallel_for(
      g.batch * g.m, std::max<int64_t>(1, kChunkElements / g.n), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
          round(g.c + i / g.m * g.c_bs + i % g.m * g.c_rs, c.get() + i * g.n, g.n);
        }
      });
  return true;
}

}  // namespace gotorch::kernels
