// The expected numbers come from PyTorch 2.13.0 on x86-64. A checksum of an array is
//   def checksum(x):  # of the bits, each multiplied by its place; bool arrays as uint8
//       x = x.view({1: torch.uint8, 2: torch.uint16, 4: torch.uint32, 8:
//       torch.uint64}[x.element_size()]) return hex((x.numpy().astype("u8") * np.arange(1, len(x) +
//       1, dtype="u8")).sum())
#include "tensor/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <random>
#include <set>
#include <thread>

#include "tensor/dtype.h"
#include "tensor/error.h"
#include "tensor/kernels/random_fill.h"
#include "tensor/kernels/random_unit.h"

namespace gotorch {

template <class T>
struct Array : std::unique_ptr<T[]> {
  explicit Array(int64_t n) : std::unique_ptr<T[]>(std::make_unique<T[]>(n)), size(n) {}
  int64_t size;
};

template <class T>
uint64_t checksum(const Array<T>& x) {
  uint64_t sum = 0;
  for (int64_t i = 0; i < x.size; i++) {
    uint64_t bits = 0;
    std::memcpy(&bits, &x[i], sizeof(T));
    sum += bits * static_cast<uint64_t>(i + 1);
  }
  return sum;
}

// fill(out, n) into a fresh array.
template <class T, class Fill>
Array<T> filled(int64_t n, Fill fill) {
  Array<T> x(n);
  fill(x.get(), n);
  return x;
}
template <class T, class Fill>
uint64_t checksum_of(int64_t n, Fill fill) {
  return checksum(filled<T>(n, fill));
}

// Of double numbers rounded to float: their last bits are those of the C library's functions.
template <class T, class Fill>
uint64_t rounded_checksum_of(int64_t n, Fill fill) {
  const auto x = filled<T>(n, fill);
  if constexpr (!std::is_same_v<T, double>) return checksum(x);
  else return checksum_of<float>(n, [&](float* y, int64_t) { std::copy_n(x.get(), n, y); });
}

TEST(Generator, FollowsTheReferenceSequence) {
  // C++'s own Mersenne Twister, over several blocks.
  for (uint64_t seed : {0ull, 1ull, 5489ull, 0xffffffffull, (1ull << 40) + 7}) {
    Generator g(seed);
    std::mt19937 reference(static_cast<uint32_t>(seed));
    for (int i = 0; i < 2000; i++) ASSERT_EQ(g.random(), reference()) << seed << " " << i;
    EXPECT_EQ(g.initial_seed(), seed);
  }
}

TEST(Generator, Random64PutsTheFirstWordOnTop) {
  Generator a(3), b(3);
  const uint64_t high = a.random(), low = a.random();
  EXPECT_EQ(b.random64(), high << 32 | low);
}

TEST(Generator, CopiesShareTheSequenceAndClonesDoNot) {
  Generator a(3), shared = a, separate = a.clone();
  const uint32_t first = a.random();
  EXPECT_EQ(separate.random(), first);
  EXPECT_NE(shared.random(), first);
  EXPECT_EQ(a, shared);
  EXPECT_NE(a, separate);
}

TEST(Generator, SeedTakesAnotherSeedEachTime) {
  Generator g;
  EXPECT_EQ(g.initial_seed(), 67280421310721u);
  const uint64_t seed = g.seed();
  EXPECT_EQ(g.initial_seed(), seed);
  EXPECT_NE(g.seed(), seed);
}

TEST(Generator, StateHasPyTorchsBytes) {
  // g = torch.Generator().manual_seed(5); torch.randn(3, generator=g);
  // g.get_state().view(torch.uint64)
  Generator g(5);
  float x[3];
  fill_normal(x, 3, 0, 1, g);
  const auto bytes = g.get_state();
  ASSERT_EQ(bytes.size(), 5056u);
  uint64_t words[632];
  std::memcpy(words, bytes.data(), sizeof words);
  const uint64_t head[] = {0x5, 0x100000269, 0x8, 0xf348ee4b, 0x2a831925};
  const uint64_t tail[] = {0x2138e0d9, 0x1ab8748a, 0, 0x3fe55c5bec8c072c, 0, 1, 0};
  for (int i = 0; i < 5; i++) EXPECT_EQ(words[i], head[i]) << i;
  for (int i = 0; i < 7; i++) EXPECT_EQ(words[625 + i], tail[i]) << i;
}

TEST(Generator, StateRestoresTheSequenceAndTheSpareNormal) {
  for (int drawn : {0, 1, 3, 623, 624, 625}) {
    Generator g(9);
    Array<float> skipped(drawn);
    for (int i = 0; i < drawn; i++) fill_normal(&skipped[i], 1, 0, 1, g);
    const auto state = g.get_state();
    double before[20], after[20];
    fill_normal_scalar(before, 20, 0, 1, g);
    g.manual_seed(1);
    g.set_state(state);
    EXPECT_EQ(g.initial_seed(), 9u);
    fill_normal_scalar(after, 20, 0, 1, g);
    EXPECT_EQ(std::memcmp(before, after, sizeof before), 0) << drawn;
  }
}

TEST(Generator, RejectsWhatIsNotAState) {
  Generator g(1);
  const auto good = g.get_state();
  EXPECT_THROW(g.set_state(std::span(good).first(5048)), Error);
  EXPECT_THROW(g.set_state(std::vector<uint8_t>(5056)), Error);
  const auto with = [&](size_t at, int32_t value) {
    auto state = good;
    std::memcpy(state.data() + at, &value, 4);
    return state;
  };
  for (int32_t left : {-1, 0, 625}) EXPECT_THROW(g.set_state(with(8, left)), Error) << left;
  EXPECT_THROW(g.set_state(with(12, 0)), Error);
  EXPECT_THROW(g.set_state(with(16, 625)), Error);
  EXPECT_EQ(g.get_state(), good);
}

TEST(Generator, AStateThatContradictsItselfStaysInBounds) {
  Generator g(1);
  auto state = g.get_state();
  for (int32_t left : {1, 2, 600, 624}) {
    for (int32_t next : {0, 5, 600, 623, 624}) {
      std::memcpy(state.data() + 8, &left, 4);
      std::memcpy(state.data() + 16, &next, 4);
      g.set_state(state);
      for (int i = 0; i < 1300; i++) g.random();
    }
  }
}

TEST(Generator, FillsOfSeveralThreadsDoNotMix) {
  // Whatever the order, each fill gets a run of consecutive words: a permutation of the serial
  // runs.
  constexpr int kFills = 8, kNumbers = 5000;
  Generator g(11), serial(11);
  std::set<uint64_t> expected, got;
  for (int i = 0; i < kFills; i++) {
    expected.insert(checksum_of<float>(
        kNumbers, [&](float* x, int64_t n) { fill_uniform(x, n, 0, 1, serial); }));
  }
  uint64_t sums[kFills];
  std::vector<std::thread> threads;
  for (int i = 0; i < kFills; i++) {
    threads.emplace_back([&, i] {
      sums[i] =
          checksum_of<float>(kNumbers, [&](float* x, int64_t n) { fill_uniform(x, n, 0, 1, g); });
    });
  }
  for (auto& t : threads) t.join();
  got.insert(sums, sums + kFills);
  EXPECT_EQ(got, expected);
}

TEST(RandomUnit, EveryExtremeIsExact) {
  EXPECT_EQ(unit_float(0xff000000u), 0.0f);
  EXPECT_EQ(unit_float(0xffffffffu), 1.0f - 0x1p-24f);
  const uint32_t zero[] = {0xffe00000u, 0}, one[] = {0, 1}, top[] = {0xffffffffu, 0xffffffffu};
  EXPECT_EQ(unit_double(zero), 0.0);
  EXPECT_EQ(unit_double(one), 0x1p-53);
  EXPECT_EQ(unit_double(top), 1.0 - 0x1p-53);
  EXPECT_EQ(bits53(top), (uint64_t{1} << 53) - 1);
}

struct RealSums {
  uint64_t uniform, normal, normal_scalar, log_normal, exponential, cauchy;
};

// torch.manual_seed(42), then on tensors x of n elements
//   x.uniform_(-1, 3), x.normal_(0.5, 2), torch.empty(n, 2)[:, 0].normal_(0.5, 2),
//   x.log_normal_(0.5, 0.25), x.exponential_(0.7), x.cauchy_(0.5, 2); double: .float() of each
template <class T>
void check_reals(int64_t n, RealSums want) {
  Generator g(42);
  SCOPED_TRACE(testing::Message() << name(dtype_of<T>()) << ", " << n << " numbers");
  const auto sum = [&](auto fill) {
    return rounded_checksum_of<T>(n, [&](T* x, int64_t m) { fill(x, m); });
  };
  EXPECT_EQ(sum([&](T* x, int64_t m) { fill_uniform(x, m, -1, 3, g); }), want.uniform);
  EXPECT_EQ(sum([&](T* x, int64_t m) { fill_normal(x, m, 0.5, 2, g); }), want.normal);
  EXPECT_EQ(sum([&](T* x, int64_t m) { fill_normal_scalar(x, m, 0.5, 2, g); }), want.normal_scalar);
  EXPECT_EQ(sum([&](T* x, int64_t m) { fill_log_normal(x, m, 0.5, 0.25, g); }), want.log_normal);
  EXPECT_EQ(sum([&](T* x, int64_t m) { fill_exponential(x, m, 0.7, g); }), want.exponential);
  EXPECT_EQ(sum([&](T* x, int64_t m) { fill_cauchy(x, m, 0.5, 2, g); }), want.cauchy);
}

TEST(RandomFill, RealNumbersEqualPyTorchs) {
  check_reals<Half>(7, {0x60e6du, 0xb4df7u, 0x10f901u, 0x6bfc4u, 0x67043u, 0x962c1u});
  check_reals<BFloat16>(7, {0x6e1cfu, 0xb79c0u, 0x11df22u, 0x6f7fau, 0x6ee07u, 0x97c5fu});
  check_reals<float>(
      7, {0x6e1cd71f0u, 0xb79bf8e00u, 0x11df1f0af3u, 0x6f7f8e63fu, 0x6ee08836au, 0x97c587fdau});
  check_reals<double>(
      7, {0xbf394bba5u, 0x97aed1623u, 0x1160741343u, 0x6fe50fabeu, 0x6ea06618bu, 0xc6cb77f66u});
  check_reals<Half>(16, {0x253945u, 0x29cf60u, 0x25beb6u, 0x216088u, 0x1e6b07u, 0x456b52u});
  check_reals<BFloat16>(16, {0x26c72du, 0x2d09e9u, 0x2897e5u, 0x21ec0cu, 0x218d75u, 0x449d67u});
  check_reals<float>(16, {0x26c7273878u, 0x2d09ec49fcu, 0x2897d6e6a6u, 0x21ec0f07e2u, 0x218d6000beu,
                          0x449d698003u});
  check_reals<double>(16, {0x35b8ba9424u, 0x2759ef1c0cu, 0x357e3d011eu, 0x21ec14e9b9u,
                           0x21734ee595u, 0x3fbb8d9957u});
  check_reals<Half>(45, {0x12e95d2u, 0x1d3172fu, 0x1b0e437u, 0xfdd67eu, 0xe596f0u, 0x234d772u});
  check_reals<BFloat16>(45,
                        {0x13eeae8u, 0x1dd4b0bu, 0x1bd743fu, 0x10222a9u, 0xff1accu, 0x23762b2u});
  check_reals<float>(45, {0x13eeababae7u, 0x19c301088ffu, 0x1ad311f9a3au, 0x10203129ae1u,
                          0x1003bb7464fu, 0x1d75614fd86u});
  check_reals<double>(45, {0x1a4f9efaeb1u, 0x2186fd5491fu, 0x1bddf4cc6f7u, 0x101f0d91fa8u,
                           0x10018045897u, 0x1f591895d4cu});
  check_reals<Half>(200003, {0x1a6f8635d04ddu, 0x2072fd0fce456u, 0x2080c5c2e21b6u, 0x123b9ad5ed8fcu,
                             0x11046bfeeb3beu, 0x225130d81c2c5u});
  check_reals<BFloat16>(200003, {0x1bd67634706d5u, 0x21644adfdbc08u, 0x21730d12d6a4fu,
                                 0x1293ebf60a6f8u, 0x126d05e2ea3cau, 0x225567ae9dfaeu});
  check_reals<float>(200003, {0xbc33944aa5f517b2u, 0x164634b7bc6c5dc5u, 0x17358b2c1139e73eu,
                              0x293ff53c2ee1ef65u, 0x26d874e941b282adu, 0x25bcf734adcf8b33u});
  check_reals<double>(200003, {0xbcb6217b371d3a9cu, 0x176f307f96ee4d4bu, 0x18ac02b228993870u,
                               0x2940ff73fd54127fu, 0x26d3aafa58fc76a7u, 0x276532772f6c2b8du});
}

TEST(RandomFill, ExponentialNumbersAreTheDoubleOnesRounded) {
  for (double rate : {1.0, 0.3, 1e-19, 1e25}) {
    constexpr int64_t kN = 1'000'000;
    Generator a(8), b(8);
    const auto x = filled<float>(kN, [&](float* y, int64_t n) { fill_exponential(y, n, rate, a); });
    const auto d =
        filled<double>(kN, [&](double* y, int64_t n) { fill_exponential(y, n, rate, b); });
    for (int64_t i = 0; i < kN; i++) ASSERT_EQ(x[i], static_cast<float>(d[i])) << rate << " " << i;
  }
}

// torch.manual_seed(7); torch.empty(3000, dtype=...).geometric_(0.05)
template <class T>
void check_geometric(uint64_t want) {
  Generator g(7);
  EXPECT_EQ(checksum_of<T>(3000, [&](T* x, int64_t n) { fill_geometric(x, n, 0.05, g); }), want)
      << name(dtype_of<T>());
}

TEST(RandomFill, NumbersOfTrialsEqualPyTorchs) {
  check_geometric<uint8_t>(0x57e4d68u);
  check_geometric<int8_t>(0x57e4d68u);
  check_geometric<int16_t>(0x57e4d68u);
  check_geometric<int32_t>(0x57e4d68u);
  check_geometric<int64_t>(0x57e4d68u);
  check_geometric<Half>(0x13f29e03f8u);
  check_geometric<BFloat16>(0x1184d2e07fu);
  check_geometric<float>(0x1184d2e07f0000u);
  check_geometric<double>(0x7c0fe00000000000u);
}

// torch.manual_seed(7); torch.multinomial(torch.rand(3, 50, dtype=...), 400, True).flatten()
template <class T>
void check_categories(uint64_t want) {
  Generator g(7);
  const auto p = filled<T>(150, [&](T* x, int64_t n) { fill_uniform(x, n, 0, 1, g); });
  EXPECT_EQ(checksum_of<int64_t>(
                1200, [&](int64_t* x, int64_t) { fill_categories(x, p.get(), 3, 50, 400, g); }),
            want)
      << name(dtype_of<T>());
}

TEST(RandomFill, CategoriesEqualPyTorchs) {
  check_categories<Half>(0x11ff59du);
  check_categories<BFloat16>(0x11fec8du);
  check_categories<float>(0x11ffa45u);
  check_categories<double>(0x100fce7u);
}

TEST(RandomFill, AnImpossibleCategoryIsNotDrawn) {
  const float p[] = {0, 3, 0, 1, 0};
  Generator g(3);
  int64_t x[1000];
  fill_categories(x, p, 1, 5, 1000, g);
  for (int64_t i : x) ASSERT_TRUE(i == 1 || i == 3);
}

TEST(RandomFill, NormalNumbersOfEitherPathEqualPyTorchs) {
  // torch.manual_seed(0); torch.rand(4); torch.randn(17)
  Generator g(0);
  float x[17];
  fill_uniform(x, 4, 0, 1, g);
  const uint32_t uniform[] = {0x3efe1558, 0x3f44aa2f, 0x3db533a8, 0x3e073300};
  for (int i = 0; i < 4; i++) EXPECT_EQ(std::bit_cast<uint32_t>(x[i]), uniform[i]);
  fill_normal(x, 17, 0, 1, g);
  const uint32_t normal[] = {0x3f594515, 0xbfc70d5b, 0xbeaec6ca, 0x3fed2f4e, 0x3eefaa55, 0xbe217f5f,
                             0x3fb8c9db, 0x3e8837a1, 0x3e2a7345, 0x3fcb0d00, 0x3f72409c, 0xbf57fb33,
                             0x3f6e8c30, 0x3fa12737, 0x4000519a, 0x3d5c1b3a, 0x3f1e38f6};
  for (int i = 0; i < 17; i++) EXPECT_EQ(std::bit_cast<uint32_t>(x[i]), normal[i]);
}

TEST(RandomFill, TheSpareNormalWaitsThroughABlockAndDiesWithTheSeed) {
  Generator g(1), whole(1);
  float x[16], y[4];
  fill_normal(y, 4, 0, 1, whole);
  fill_normal(x, 1, 0, 1, g);
  fill_normal(x, 16, 0, 1, g);
  fill_normal(x, 1, 0, 1, g);
  EXPECT_EQ(x[0], y[1]);
  fill_normal(x, 1, 0, 1, g);
  g.manual_seed(1);
  fill_normal(x, 1, 0, 1, g);
  EXPECT_EQ(x[0], y[0]);
}

TEST(RandomFill, UniformNeverReachesItsUpperEnd) {
  const auto inside = []<class T>(T, double lo, double hi) {
    Generator g(2);
    Array<T> x(100000);
    fill_uniform(x.get(), x.size, lo, hi, g);
    for (int64_t i = 0; i < x.size; i++) {
      ASSERT_GE(static_cast<float>(x[i]), static_cast<float>(T(static_cast<float>(lo))));
      ASSERT_LT(static_cast<float>(x[i]), static_cast<float>(T(static_cast<float>(hi))));
    }
  };
  inside(Half(), 0, 1);
  inside(BFloat16(), 0, 1);
  inside(BFloat16(), 0.1, 0.7);
  inside(float(), 1000, 1001);
}

struct IntegerSums {
  uint64_t all, range, bernoulli, bernoulli_float, bernoulli_double, permutation;
};

// torch.manual_seed(7), then on a tensor x of 3000 elements
//   x.random_(), x.random_(0, 100) (bool: 0, 2), x.bernoulli_(0.3), x.bernoulli_(torch.rand(3000)),
//   x.bernoulli_(torch.rand(3000, dtype=torch.float64)), torch.randperm(100)
template <class T>
void check_integers(IntegerSums want) {
  constexpr int64_t kN = 3000;
  constexpr bool kBool = std::is_same_v<T, bool>;
  Generator g(7);
  SCOPED_TRACE(name(dtype_of<T>()));
  EXPECT_EQ(checksum_of<T>(kN, [&](T* x, int64_t n) { fill_integers(x, n, g); }), want.all);
  EXPECT_EQ(
      checksum_of<T>(kN, [&](T* x, int64_t n) { fill_integers(x, n, 0, kBool ? 2 : 100, g); }),
      want.range);
  EXPECT_EQ(checksum_of<T>(kN, [&](T* x, int64_t n) { fill_bernoulli(x, n, 0.3, g); }),
            want.bernoulli);
  const auto with_probabilities = [&]<class P>(P) {
    return checksum_of<T>(kN, [&](T* x, int64_t n) {
      Array<P> p(n);
      fill_uniform(p.get(), n, 0, 1, g);
      fill_bernoulli(x, p.get(), n, g);
    });
  };
  EXPECT_EQ(with_probabilities(float()), want.bernoulli_float);
  EXPECT_EQ(with_probabilities(double()), want.bernoulli_double);
  if constexpr (!kBool) {
    EXPECT_EQ(checksum_of<T>(100, [&](T* x, int64_t n) { fill_permutation(x, n, g); }),
              want.permutation);
  }
}

TEST(RandomFill, IntegersEqualPyTorchs) {
  check_integers<bool>({0x2210b2u, 0x223887u, 0x13c176u, 0x221fa4u, 0x21b604u, 0x0u});
  check_integers<uint8_t>({0x2167d15cu, 0xd20a959u, 0x13c176u, 0x221fa4u, 0x21b604u, 0x3c184u});
  check_integers<int8_t>({0x10d849dcu, 0xd20a959u, 0x13c176u, 0x221fa4u, 0x21b604u, 0x3c184u});
  check_integers<int16_t>({0x10f46faa5cu, 0xd20a959u, 0x13c176u, 0x221fa4u, 0x21b604u, 0x3c184u});
  check_integers<int32_t>(
      {0x1117b58f36aa5cu, 0xd20a959u, 0x13c176u, 0x221fa4u, 0x21b604u, 0x3c184u});
  check_integers<int64_t>(
      {0x14d10ffeb7ee49c4u, 0xd3efa2fu, 0x13f05eu, 0x21a118u, 0x219504u, 0x3de76u});
  check_integers<Half>(
      {0x1a3d1e1fa4u, 0x1572f16bc0u, 0x4a157a800u, 0x7ff6a7000u, 0x7e6a8f000u, 0x61e1170u});
  check_integers<BFloat16>(
      {0x11cc4d2c52u, 0x1193fe3578u, 0x4e67cc500u, 0x876d92e00u, 0x85ca5fe00u, 0x4feca2eu});
  check_integers<float>({0x140ed1c8982707u, 0x1193fe35780000u, 0x4e67cc5000000u, 0x876d92e000000u,
                         0x85ca5fe000000u, 0x4feca2e0000u});
  check_integers<double>({0x36657819328deaa9u, 0x2d3dc00000000000u, 0x7a20000000000000u,
                          0xee80000000000000u, 0xafc0000000000000u, 0x246dc00000000000u});
}

TEST(RandomFill, RangesOnEitherSideOf28BitsEqualPyTorchs) {
  // torch.manual_seed(7); checksum(torch.empty(1000, dtype=...).random_(from, to)) for each;
  // torch.randperm(70001)
  Generator g(7);
  const auto sum = [&]<class T>(T, int64_t from, int64_t to) {
    const IntegerRange r = representable_range<T>(from, to);
    const uint64_t range = static_cast<uint64_t>(r.to) - static_cast<uint64_t>(r.from);
    return checksum_of<T>(1000, [&](T* x, int64_t n) { fill_integers(x, n, r.from, range, g); });
  };
  EXPECT_EQ(sum(int64_t(), 0, (1 << 28) - 1), 0x3e0b38ba08f6u);
  EXPECT_EQ(sum(int64_t(), 0, 1 << 28), 0x3a08a551f7bbu);
  EXPECT_EQ(sum(int64_t(), -10, int64_t{1} << 40), 0x3d238588a5b5024u);
  EXPECT_EQ(checksum_of<int64_t>(
                1000, [&](int64_t* x, int64_t n) { fill_integers(x, n, INT64_MIN, 0, g); }),
            0x5fdf1bab69754a32u);
  EXPECT_EQ(sum(int32_t(), INT32_MIN, INT32_MAX), 0x3b7e8e314f272u);
  EXPECT_EQ(sum(float(), (1 << 25) + 1, (1 << 25) + 1000), 0x24469f3b5fe72u);
  EXPECT_EQ(checksum_of<int64_t>(70001, [&](int64_t* x, int64_t n) { fill_permutation(x, n, g); }),
            0x4e193dedad81u);
}

TEST(RandomFill, SmallIntegersPermutationsAndLoaderSeedsEqualPyTorchs) {
  // torch.manual_seed(0); torch.rand(4); torch.randn(17); torch.randint(0, 100, (8,));
  // torch.randperm(10) torch.bernoulli(torch.full((12,), .3)); torch.empty((),
  // dtype=torch.int64).random_()
  Generator g(0);
  float real[17];
  fill_uniform(real, 4, 0, 1, g);
  fill_normal(real, 17, 0, 1, g);
  int64_t x[10];
  fill_integers(x, 8, 0, 100, g);
  for (int i = 0; i < 8; i++) EXPECT_EQ(x[i], (std::array{99, 11, 88, 78, 43, 96, 89, 71}[i]));
  fill_permutation(x, 10, g);
  for (int i = 0; i < 10; i++) EXPECT_EQ(x[i], (std::array{7, 5, 1, 0, 2, 4, 3, 9, 6, 8}[i]));
  float ones[12], p[12];
  std::fill_n(p, 12, 0.3f);
  fill_bernoulli(ones, p, 12, g);
  for (int i = 0; i < 12; i++)
    EXPECT_EQ(ones[i], (std::array{0, 1, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0}[i]));
  fill_integers(x, 1, g);
  EXPECT_EQ(x[0], 1262383531319732352);
}

TEST(RandomFill, CertainAndImpossibleEventsAre) {
  Generator g(4);
  uint8_t x[1000];
  fill_bernoulli(x, 1000, 1.0, g);
  for (auto b : x) ASSERT_EQ(b, 1);
  fill_bernoulli(x, 1000, 0.0, g);
  for (auto b : x) ASSERT_EQ(b, 0);
}

TEST(RandomFill, NothingIsDrawnForAnEmptyArray) {
  Generator g(4);
  const auto state = g.get_state();
  float* none = nullptr;
  int64_t* no_integers = nullptr;
  fill_uniform(none, 0, 0, 1, g);
  fill_normal(none, 0, 0, 1, g);
  fill_log_normal(none, 0, 0, 1, g);
  fill_bernoulli(none, 0, 0.5, g);
  fill_bernoulli(none, none, 0, g);
  fill_integers(no_integers, 0, g);
  fill_permutation(no_integers, 0, g);
  fill_exponential(none, 0, 1, g);
  fill_categories(no_integers, none, 0, 5, 5, g);
  EXPECT_EQ(g.get_state(), state);
  int64_t one = 5;
  fill_permutation(&one, 1, g);
  EXPECT_EQ(one, 0);
  EXPECT_EQ(g.get_state(), state);
}

}  // namespace gotorch
