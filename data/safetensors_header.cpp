#include "data/safetensors_header.h"

#include <algorithm>
#include <array>
#include <set>

namespace gotorch {
namespace {

constexpr std::array<std::string_view, kDtypes> kNames = {"BOOL", "U8",  "I8",   "I16", "I32",
                                                          "I64",  "F16", "BF16", "F32", "F64"};

void append_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 63));
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  }
}

// JSON of the few forms that a header has: no value is nested, so nothing recurses.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  [[noreturn]] void wrong(const char* expected) const {
    fail("safetensors: the header is damaged: expected ", expected, " at byte ", at_);
  }

  void expect(char c, const char* what) {
    if (!accept(c)) wrong(what);
  }

  bool accept(char c) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != c) return false;
    at_++;
    return true;
  }

  // Calls item() for each of a list that ends with `close`; its opening bracket has been read.
  template <class F>
  void list(char close, F item) {
    if (accept(close)) return;
    do item();
    while (accept(','));
    expect(close, "a comma or the end of a list");
  }

  std::string string() {
    expect('"', "a string");
    std::string out;
    for (;;) {
      if (at_ == text_.size()) wrong("the end of a string");
      const char c = text_[at_++];
      if (c == '"') return out;
      if (static_cast<unsigned char>(c) < 0x20) wrong("a string without control characters");
      if (c == '\\') escape(out);
      else out += c;
    }
  }

  uint64_t number() {
    skip_spaces();
    const size_t begin = at_;
    uint64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; at_++) {
      if (value > (INT64_MAX - 9) / 10) wrong("a number below 2^63");
      value = value * 10 + static_cast<uint64_t>(text_[at_] - '0');
    }
    if (at_ == begin) wrong("a number that is not negative");
    return value;
  }

  void end() {
    skip_spaces();
    if (at_ != text_.size()) wrong("the end");
  }

 private:
  void skip_spaces() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      at_++;
    }
  }

  uint32_t hex4() {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++, at_++) {
      const char c = at_ < text_.size() ? text_[at_] : '\0';
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) wrong("four hexadecimal digits");
      value = value << 4 | static_cast<uint32_t>(digit);
    }
    return value;
  }

  void escape(std::string& out) {
    const char c = at_ < text_.size() ? text_[at_++] : '\0';
    switch (c) {
      case '"':
      case '\\':
      case '/': out += c; return;
      case 'b': out += '\b'; return;
      case 'f': out += '\f'; return;
      case 'n': out += '\n'; return;
      case 'r': out += '\r'; return;
      case 't': out += '\t'; return;
      case 'u': break;
      default: wrong("an escape");
    }
    uint32_t code = hex4();
    if (code >= 0xD800 && code < 0xE000) {  // half of a surrogate pair
      if (code >= 0xDC00 || text_.substr(at_, 2) != "\\u") wrong("a surrogate pair");
      at_ += 2;
      const uint32_t low = hex4();
      if (low < 0xDC00 || low >= 0xE000) wrong("a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(out, code);
  }

  std::string_view text_;
  size_t at_ = 0;
};

SafeTensorsEntry parse_entry(Parser& p, std::string name) {
  SafeTensorsEntry e{.name = std::move(name)};
  std::string dtype;
  std::vector<uint64_t> offsets;
  int seen = 0;
  p.expect('{', "an object");
  p.list('}', [&] {
    const std::string key = p.string();
    p.expect(':', "a colon");
    if (key == "dtype") {
      seen |= 1;
      dtype = p.string();
    } else if (key == "shape" && !(seen & 2)) {
      seen |= 2;
      p.expect('[', "a list");
      p.list(']', [&] { e.shape.push_back(static_cast<int64_t>(p.number())); });
    } else if (key == "data_offsets") {
      seen |= 4;
      p.expect('[', "a list");
      p.list(']', [&] { offsets.push_back(p.number()); });
    } else {
      p.wrong("dtype, shape or data_offsets, each once");
    }
  });
  if (seen != 7 || offsets.size() != 2) p.wrong("dtype, shape and two data_offsets");
  const auto found = std::find(kNames.begin(), kNames.end(), dtype);
  check(found != kNames.end(), "safetensors: tensor '", e.name, "' has the dtype '", dtype,
        "', which is not supported");
  e.dtype = static_cast<Dtype>(found - kNames.begin());
  e.begin = offsets[0];
  e.end = offsets[1];
  return e;
}

// Bytes of the tensor; Error if they are more than there can be.
uint64_t bytes_of(const SafeTensorsEntry& e) {
  int64_t bytes = 0;
  const bool fits = !__builtin_mul_overflow(numel_of(e.shape), size_of(e.dtype), &bytes);
  check(fits, "safetensors: the size of tensor '", e.name, "' overflows");
  return static_cast<uint64_t>(bytes);
}

void check_layout(std::vector<SafeTensorsEntry> entries, uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t at = 0;
  for (const SafeTensorsEntry& e : entries) {
    check(e.begin == at && e.end >= e.begin, "safetensors: tensor '", e.name, "' lies at bytes ",
          e.begin, " to ", e.end, ", expected it to begin at ", at);
    check(e.end - e.begin == bytes_of(e), "safetensors: tensor '", e.name, "' of shape ",
          Dims(e.shape), " has ", e.end - e.begin, " bytes, expected ", bytes_of(e));
    at = e.end;
  }
  check(at == data_bytes, "safetensors: the tensors have ", at, " bytes, the file has ",
        data_bytes);
}

void append_string(std::string& out, std::string_view s) {
  out += '"';
  for (const char c : s) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[c >> 4 & 15];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

SafeTensorsHeader parse_safetensors_header(std::string_view text, uint64_t data_bytes) {
  SafeTensorsHeader header;
  std::set<std::string> names;
  Parser p(text);
  if (!text.starts_with('{')) p.wrong("an object");
  p.expect('{', "an object");
  p.list('}', [&] {
    std::string name = p.string();
    p.expect(':', "a colon");
    check(names.insert(name).second, "safetensors: two entries are called '", name, "'");
    if (name != "__metadata__") {
      header.entries.push_back(parse_entry(p, std::move(name)));
      return;
    }
    p.expect('{', "an object");
    p.list('}', [&] {
      std::string key = p.string();
      p.expect(':', "a colon");
      header.metadata.emplace_back(std::move(key), p.string());
    });
  });
  p.end();
  check_layout(header.entries, data_bytes);
  return header;
}

std::string format_safetensors_header(const SafeTensorsHeader& header) {
  std::string out = "{";
  const auto begin = [&](std::string_view key) {
    if (out.back() != '{') out += ',';
    append_string(out, key);
    out += ':';
  };
  if (!header.metadata.empty()) {
    begin("__metadata__");
    out += '{';
    for (const auto& [key, value] : header.metadata) {
      begin(key);
      append_string(out, value);
    }
    out += '}';
  }
  for (const SafeTensorsEntry& e : header.entries) {
    begin(e.name);
    out += "{\"dtype\":\"";
    out += kNames[static_cast<size_t>(e.dtype)];
    out += "\",\"shape\":[";
    for (size_t i = 0; i < e.shape.size(); i++) out += (i ? "," : "") + std::to_string(e.shape[i]);
    out += text("],\"data_offsets\":[", e.begin, ",", e.end, "]}");
  }
  out += '}';
  out.resize((out.size() + 7) / 8 * 8, ' ');  // so that the data is aligned
  return out;
}

}  // namespace gotorch
