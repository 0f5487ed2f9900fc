// Products of bfloat16 and int8 matrices on processors that have instructions for them. Those take words of
// neighbours along the depth, two or four; of such words the product is an ordinary one with less depth.
#include <algorithm>
#include <vector>

#include "runtime/parallel.h"
#include "tensor/kernels/cast.h"
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
bool has_int8() {
  static const bool has = active_isa() == Isa::V4 && __builtin_cpu_supports("avx512vnni");
  return has;
}

// A batch of matrices; element (i, p), p along the depth, is at[i * step + p * depth_step].
template <class T>
struct Operand {
  const T* at;
  int64_t step, depth_step, batch_step;
};

uint32_t bits(BFloat16 x) { return x.bits; }
uint32_t bits(int8_t x) { return static_cast<uint8_t>(x); }

template <class E>
constexpr int kPerWord = 4 / sizeof(E);

// dst[j] = the elements j of all rows, as one word. Bits of `flip` are turned.
template <class E>
void join_rows(uint32_t* __restrict dst, const E* const* row, int64_t n, uint32_t flip) {
  const E* rows[kPerWord<E>];
  for (int r = 0; r < kPerWord<E>; r++) rows[r] = row[r];
  for (int64_t j = 0; j < n; j++) {
    uint32_t word = 0;
#pragma GCC unroll 4
    for (int r = 0; r < kPerWord<E>; r++) word |= bits(rows[r][j]) << (8 * sizeof(E) * r);
    dst[j] = word ^ flip;
  }
}

// Word after word of one row; the last one is filled up with zeros.
template <class E>
void join_row(uint32_t* __restrict dst, const E* src, int64_t step, int64_t k, uint32_t flip) {
  constexpr int kWord = kPerWord<E>;
  for (int64_t q = 0; q < k / kWord; q++) {
    uint32_t word = 0;
#pragma GCC unroll 4
    for (int r = 0; r < kWord; r++)
      word |= bits(src[(q * kWord + r) * step]) << (8 * sizeof(E) * r);
    dst[q] = word ^ flip;
  }
  if (k % kWord == 0) return;
  uint32_t word = 0;
  for (int64_t p = k / kWord * kWord; p < k; p++)
    word |= bits(src[p * step]) << (8 * sizeof(E) * (p % kWord));
  dst[k / kWord] = word ^ flip;
}

// Words (as Word, of four bytes) where they lie, or joined into memory: along the depth, or across it
// where neighbours of the other direction are neighbours in memory.
template <class E, class Word>
class Words {
 public:
  Words(const Operand<E>& x, int64_t count, int64_t k, int64_t batch, uint32_t flip = 0)
      : in_place_(flip == 0 && x.depth_step == 1 && whole(k) && whole(x.step) &&
                  whole(x.batch_step) && reinterpret_cast<uintptr_t>(x.at) % 4 == 0),
        matrices_(x.batch_step == 0 ? 1 : batch),
        memory_(in_place_ ? 0 : matrices_ * count * ceil_div(k, kWord)) {
    if (in_place_) {
      words_ = {reinterpret_cast<const Word*>(x.at), x.step / kWord, 1, x.batch_step / kWord};
      return;
    }
    const int64_t depth = ceil_div(k, kWord);
    auto* dst = reinterpret_cast<uint32_t*>(memory_.get());
    const bool across = x.step == 1 && x.depth_step != 1;
    const int64_t lines = across ? depth : count, length = across ? count : depth;
    const std::vector<E> zeros(across && !whole(k) ? count : 0);
    static const auto rows = best_variant<&join_rows<E>>();
    static const auto row = best_variant<&join_row<E>>();
    runtime::parallel_for(matrices_ * lines, std::max<int64_t>(1, kChunkElements / (length + 1)),
                          [&](int64_t begin, int64_t end) {
                            for (int64_t i = begin; i < end; i++) {
                              const int64_t line = i % lines;
                              const E* src = x.at + i / lines * x.batch_step;
                              if (across) {
                                const E* from[kWord];
                                for (int64_t r = 0; r < kWord; r++) {
                                  const int64_t p = line * kWord + r;
                                  from[r] = p < k ? src + p * x.depth_step : zeros.data();
                                }
                                rows(dst + i * length, from, length, flip);
                              } else {
                                row(dst + i * length, src + line * x.step, x.depth_step, k, flip);
                              }
                            }
                          });
    words_ = {memory_.get(), across ? 1 : depth, across ? count : 1,
              matrices_ == 1 ? 0 : count * depth};
  }
  const Operand<Word>& operator*() const { return words_; }

 private:
  static constexpr int kWord = kPerWord<E>;
  static bool whole(int64_t x) { return x % kWord == 0; }

  bool in_place_;
  int64_t matrices_;
  CallMemory<Word> memory_;
  Operand<Word> words_{};
};

template <class Word, class E>
Gemm<Word> product_of_words(const Gemm<E>& g, const Operand<Word>& a, const Operand<Word>& b,
                            Word* c) {
  return {.m = g.m,
          .n = g.n,
          .k = ceil_div(g.k, kPerWord<E>),
          .a = a.at,
          .a_rs = a.step,
          .a_cs = a.depth_step,
          .b = b.at,
          .b_rs = b.depth_step,
          .b_cs = b.step,
          .c = c,
          .c_rs = g.n,
          .batch = g.batch,
          .a_bs = a.batch_step,
          .b_bs = b.batch_step,
          .c_bs = g.m * g.n};
}

}  // namespace

bool gemm_bfloat16(const Gemm<BFloat16>& g, const float* bias_col) {
  if (!has_bfloat16() || g.m <= kThin || g.n <= kThin || g.k <= 1 || g.batch <= 0) return false;
  const Words<BFloat16, float> a({g.a, g.a_rs, g.a_cs, g.a_bs}, g.m, g.k, g.batch);
  const Words<BFloat16, float> b({g.b, g.b_cs, g.b_rs, g.b_bs}, g.n, g.k, g.batch);
  Gemm<float> words = product_of_words<float>(g, *a, *b, nullptr);
  words.bias_col = bias_col;
  words.convert = cast_loop(Dtype::Float, Dtype::BFloat16);
  words.out = reinterpret_cast<std::byte*>(g.c), words.item = sizeof(BFloat16);
  words.c_rs = g.c_rs, words.c_bs = g.c_bs;
  gemm_blocks(fold_batch(words), kMicroBFloat16);
  return true;
}

namespace {

// offset[j] = -128 times the sum of column j of B.
void offset_columns(const Gemm<int8_t>& g, int32_t* offset) {
  for (int64_t j = 0; j < g.n; j++) offset[j] = 0;
  for (int64_t p = 0; p < g.k; p++) {
    for (int64_t j = 0; j < g.n; j++)
      offset[j] = static_cast<int32_t>(static_cast<uint32_t>(offset[j]) -
                                       128u * static_cast<uint32_t>(g.b[p * g.b_rs + j * g.b_cs]));
  }
}

void plain_rows(const Gemm<int8_t>& g, int32_t* c, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    for (int64_t j = 0; j < g.n; j++) {
      uint32_t sum = 0;
      for (int64_t p = 0; p < g.k; p++)
        sum += static_cast<uint32_t>(g.a[i * g.a_rs + p * g.a_cs] * g.b[p * g.b_rs + j * g.b_cs]);
      c[i * g.n + j] = static_cast<int32_t>(sum);
    }
  }
}

}  // namespace

void gemm_int8(const Gemm<int8_t>& g, int32_t* c) {
  if (g.m <= 0 || g.n <= 0) return;
  if (!has_int8()) {
    return runtime::parallel_for(g.m, std::max<int64_t>(1, kChunkElements / (g.n * (g.k + 1))),
                                 [&](int64_t begin, int64_t end) { plain_rows(g, c, begin, end); });
  }
  // The instruction takes A without sign: what has been added is taken away with the bias.
  const Words<int8_t, int32_t> a({g.a, g.a_rs, g.a_cs, 0}, g.m, g.k, 1, 0x80808080u);
  const Words<int8_t, int32_t> b({g.b, g.b_cs, g.b_rs, 0}, g.n, g.k, 1);
  const CallMemory<int32_t> offset(g.n);
  static const auto sum = best_variant<&offset_columns>();
  sum(g, offset.get());
  Gemm<int32_t> words = product_of_words<int32_t>(g, *a, *b, c);
  words.bias_col = offset.get();
  gemm_blocks(words, kMicroInt8);
}

}  // namespace gotorch::kernels
