// safetensors, .npy and the CRC: what they write, what they read back, what they refuse.
#include <sys/resource.h>
#include <csignal>
#include <cstring>

#include "data/atomic_file.h"
#include "data/crc32.h"
#include "data/npy.h"
#include "data/safetensors.h"
#include "tests/data/testing.h"
#include "tests/tensor/values.h"

namespace gotorch {
namespace {

constexpr Dtype kEvery[] = {Dtype::Bool,  Dtype::UInt8, Dtype::Int8, Dtype::Int16,
                            Dtype::Int32, Dtype::Int64, Dtype::Half, Dtype::BFloat16,
                            Dtype::Float, Dtype::Double};

TEST(Crc32, HasThePublishedCheckValueWhereverItIsCut) {
  const std::string text = "123456789";
  EXPECT_EQ(crc32(0, text.data(), 9), 0xCBF43926u);
  EXPECT_EQ(crc32(0, nullptr, 0), 0u);
  std::string longer;
  for (int i = 0; i < 67; i++) longer += static_cast<char>(i * 37);
  const uint32_t whole = crc32(0, longer.data(), longer.size());
  for (size_t cut = 0; cut <= longer.size(); cut++)
    EXPECT_EQ(crc32(crc32(0, longer.data(), cut), longer.data() + cut, longer.size() - cut), whole);
}

// A file of a header and so many bytes.
std::string file_of(std::string header, size_t bytes = 0) {
  const uint64_t n = header.size();
  return std::string(reinterpret_cast<const char*>(&n), 8) + header + std::string(bytes, '\0');
}

TEST(SafeTensors, EveryDtypeAndShapeComesBack) {
  const Folder folder;
  NamedTensors state;
  for (Dtype d : kEvery) {
    state.emplace_back("plain " + std::string(name(d)), ramp({3, 5}, d));
    state.emplace_back("scalar " + std::string(name(d)), ramp({}, d));
    state.emplace_back("empty " + std::string(name(d)), ramp({0, 7}, d));
    state.emplace_back("turned " + std::string(name(d)), t(ramp({2, 3}, d)));
  }
  state.emplace_back("odd \"\\\n\x01 \xc3\xa4", ramp({2}) + 1);
  save_safetensors(folder / "f", state, {{"made", "by \"us\""}});
  EXPECT_EQ(folder.files(), 1);
  const SafeTensors loaded = load_safetensors(folder / "f");
  EXPECT_EQ(loaded.metadata, (Metadata{{"made", "by \"us\""}}));
  ASSERT_EQ(loaded.tensors.size(), state.size());
  for (const auto& [name, x] : state) {
    const auto found = std::find_if(loaded.tensors.begin(), loaded.tensors.end(),
                                    [&](const auto& e) { return e.first == name; });
    ASSERT_NE(found, loaded.tensors.end()) << name;
    EXPECT_EQ(found->second.dtype(), x.dtype());
    EXPECT_EQ(shape_of(found->second), shape_of(x));
    EXPECT_EQ(values(found->second), values(x)) << name;
  }
  EXPECT_EQ(contents(folder / "f"), to_safetensors(state, {{"made", "by \"us\""}}));
  EXPECT_TRUE(from_safetensors(to_safetensors({})).tensors.empty());
}

TEST(SafeTensors, FilesOfOthersAreRead) {
  const SafeTensors f = from_safetensors(
      file_of(R"({ "b" : {"shape":[2],"dtype":"F32","data_offsets":[4,12]},)"
              R"("a\u00e4\ud83d\ude00":{"dtype":"I32","shape":[],"data_offsets":[0,4]}}  )",
              12));
  ASSERT_EQ(f.tensors.size(), 2u);
  EXPECT_EQ(f.tensors[1].first, "a\xc3\xa4\xf0\x9f\x98\x80");
}

TEST(SafeTensors, HeadersThatDoNotHoldAreRefused) {
  const auto entry = [](const char* dtype, const char* shape, const char* offsets) {
    return text("{\"x\":{\"dtype\":\"", dtype, "\",\"shape\":[", shape, "],\"data_offsets\":[",
                offsets, "]}}");
  };
  const auto refused = [](const std::string& header, size_t bytes, const char* why) {
    EXPECT_ERROR(why, from_safetensors(file_of(header, bytes))) << header;
  };
  EXPECT_ERROR("no header", from_safetensors(""));
  EXPECT_ERROR("no header", from_safetensors("1234567"));
  EXPECT_ERROR("header has", from_safetensors(std::string(8, '\xff')));
  EXPECT_ERROR("header has", from_safetensors(std::string("\x09\0\0\0\0\0\0\0{}", 10)));
  for (const char* junk :
       {"", "[]", " {}", "{", "{}}", "{\"x\":1}", "{\"x\":{}}", "{\"x", "{\"\\q\":{}}",
        "{\"\\u12\":{}}", "{\"\\ud800\":{}}", "{\"__metadata__\":{\"a\":1}}", "{\"a\" {}}"})
    refused(junk, 0, "the header is damaged");
  refused(entry("F32", "2", "0,7"), 7, "has 7 bytes, expected 8");
  refused(entry("F32", "2", "1,9"), 9, "expected it to begin at 0");
  refused(entry("F32", "2", "8,0"), 8, "lies at bytes 8 to 0");
  refused(entry("F32", "2", "0,8"), 9, "the tensors have 8 bytes, the file has 9");
  refused(entry("F32", "2", "0,8"), 7, "the tensors have 8 bytes, the file has 7");
  refused(entry("F32", "4294967296,4294967296", "0,4"), 4, "does not fit in 63 bits");
  refused(entry("F64", "2305843009213693952", "0,0"), 0, "overflows");
  refused(entry("F32", "-1", "0,4"), 4, "not negative");
  refused(entry("F32", "99999999999999999999", "0,4"), 4, "below 2^63");
  refused(entry("F8_E4M3", "4", "0,4"), 4, "which is not supported");
  const std::string half = R"("dtype":"U8","shape":[2],"data_offsets":)";
  refused("{\"a\":{" + half + "[0,2]},\"b\":{" + half + "[1,3]}}", 3, "expected it to begin at 2");
  refused("{\"a\":{" + half + "[0,2]},\"b\":{" + half + "[3,5]}}", 5, "expected it to begin at 2");
  refused("{\"a\":{" + half + "[0,2]},\"a\":{" + half + "[2,4]}}", 4, "two entries are called 'a'");
  refused("{\"a\":{" + half + "[0,2],\"shape\":[2]}}", 2, "each once");
  refused("{\"a\":{" + half + "[0,2,3]}}", 2, "two data_offsets");
}

TEST(SafeTensors, EveryPrefixAndEveryFlippedBitIsNoticed) {
  const NamedTensors state{{"weight", ramp({3, 2})}, {"n", ramp({3}, Dtype::Int16)}};
  const std::string whole = to_safetensors(state);
  for (size_t n = 0; n < whole.size(); n++)
    EXPECT_NE(error_of([&] { from_safetensors(whole.substr(0, n)); }), "") << n;
  int unnoticed = 0;
  for (size_t bit = 0; bit < 8 * whole.size(); bit++) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    try {
      const SafeTensors f = from_safetensors(damaged);
      // A name may have changed, or a shape; the values are right.
      for (const auto& [key, t] : f.tensors) unnoticed += t.numel() != 6 && t.numel() != 3;
      if (f.tensors.size() == 2 && f.tensors[0].first == "weight")
        unnoticed += values(f.tensors[0].second) != values(state[0].second);
    } catch (const Error&) {
    }
  }
  EXPECT_EQ(unnoticed, 0);
}

TEST(SafeTensors, NamesAreUniqueAndTensorsThere) {
  EXPECT_ERROR("the name 'a' is taken", to_safetensors({{"a", ramp({1})}, {"a", ramp({1})}}));
  EXPECT_ERROR("is taken", to_safetensors({{"__metadata__", ramp({1})}}));
  EXPECT_ERROR("'a' is no tensor", to_safetensors({{"a", Tensor()}}));
}

TEST(SafeTensors, AFullDiskLeavesTheOldFile) {
  const Folder folder;
  save_safetensors(folder / "f", {{"x", ramp({10})}});
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THROW(save_safetensors(folder / "f", {{"x", ramp({10'000})}}), FileError);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(folder.files(), 1);
  EXPECT_EQ(load_safetensors(folder / "f").tensors[0].second.numel(), 10);
  EXPECT_THROW(load_safetensors(folder / "none"), FileError);
  EXPECT_THROW(load_safetensors(folder.path()), FileError);
}

TEST(Npy, ArraysComeBack) {
  const Folder folder;
  for (Dtype d : kEvery) {
    if (d == Dtype::BFloat16) continue;
    for (const Tensor& x : {ramp({3, 5}, d), ramp({}, d), ramp({0, 7}, d), t(ramp({2, 3}, d))}) {
      save_npy(folder / "a.npy", x);
      const Tensor y = load_npy(folder / "a.npy");
      EXPECT_EQ(y.dtype(), d);
      EXPECT_EQ(shape_of(y), shape_of(x));
      EXPECT_EQ(values(y), values(x));
      EXPECT_EQ((contents(folder / "a.npy").size() - static_cast<size_t>(x.bytes())) % 64, 0u);
    }
  }
  EXPECT_ERROR("no bfloat16", save_npy(folder / "b.npy", ramp({2}, Dtype::BFloat16)));
}

TEST(Npy, OtherLayoutsAreReadAndDamageIsRefused) {
  const Folder folder;
  const auto load = [&](const std::string& dict, const std::string& data, char version = 1) {
    std::string text = "\x93NUMPY";
    text += {version, '\0', static_cast<char>(dict.size()), '\0'};
    if (version > 1) text += {'\0', '\0'};
    put(folder / "a.npy", text + dict + data);
    return load_npy(folder / "a.npy");
  };
  const std::string columns = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}";
  EXPECT_EQ(values(load(columns, "\1\4\2\5\3\6")), (Numbers{1, 2, 3, 4, 5, 6}));
  const std::string plain = "{'shape': (2,), 'descr': '|u1', 'fortran_order': False, }\n";
  EXPECT_EQ(values(load(plain, "\7\b", 2)), (Numbers{7, 8}));
  EXPECT_ERROR("ends 1 bytes too early", load(plain, "\7"));
  EXPECT_ERROR("version 9", load(plain, "\7\b", 9));
  EXPECT_ERROR("no shape", load("{'descr': '|u1', 'fortran_order': False}", ""));
  EXPECT_ERROR("not made of sizes",
               load("{'shape': (-2,), 'descr': '|u1', 'fortran_order': False}", ""));
  EXPECT_ERROR("not supported",
               load("{'shape': (2,), 'descr': '>i4', 'fortran_order': False}", ""));
  EXPECT_ERROR("not supported", load("{'shape': (2,), 'descr': '|O', 'fortran_order': False}", ""));
  EXPECT_ERROR("elements in a file of",
               load("{'shape': (1000000000000,), 'descr': '<f8', 'fortran_order': False}", ""));
  EXPECT_ERROR(
      "does not fit in 63 bits",
      load("{'shape': (1000000000000,1000000000000), 'descr': '<f8', 'fortran_order': False}", ""));
  put(folder / "a.npy", "hello, this is text");
  EXPECT_ERROR("not a .npy file", load_npy(folder / "a.npy"));
  put(folder / "a.npy", "");
  EXPECT_ERROR("too early", load_npy(folder / "a.npy"));
}

}  // namespace
}  // namespace gotorch
