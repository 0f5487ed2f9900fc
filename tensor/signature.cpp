#include "tensor/signature.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace gotorch {
namespace {

std::string_view trim(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

// Splits at commas that are not inside brackets or quotes.
std::vector<std::string_view> split(std::string_view s) {
  std::vector<std::string_view> out;
  int depth = 0;
  bool quoted = false;
  size_t from = 0;
  for (size_t i = 0; i <= s.size(); i++) {
    if (i == s.size() || (s[i] == ',' && depth == 0 && !quoted)) {
      if (auto piece = trim(s.substr(from, i - from)); !piece.empty()) out.push_back(piece);
      from = i + 1;
    } else if (s[i] == '\'') {
      quoted = !quoted;
    } else if (s[i] == '[' || s[i] == '(') {
      depth++;
    } else if (s[i] == ']' || s[i] == ')') {
      depth--;
    }
  }
  return out;
}

Param::Type type_of(std::string_view t, std::string_view signature) {
  using T = Param::Type;
  static constexpr std::pair<std::string_view, T> types[] = {{"Tensor", T::Tensor},
                                                             {"Operand", T::Operand},
                                                             {"Tensor[]", T::Tensors},
                                                             {"Scalar", T::Scalar},
                                                             {"int", T::Int},
                                                             {"float", T::Float},
                                                             {"bool", T::Bool},
                                                             {"int[]", T::Ints},
                                                             {"str", T::Str},
                                                             {"dtype", T::Dtype},
                                                             {"Generator", T::Generator}};
  for (const auto& [name, type] : types)
    if (name == t) return type;
  fail<ValueError>("unknown type '", t, "' in signature '", signature, "'");
}

}  // namespace

Signature::Signature(std::string_view source) : text(source) {
  const std::string_view s = text;
  const size_t open = s.find('(');
  const size_t arrow = s.find(" -> ");
  const size_t close = s.substr(0, arrow).rfind(')');
  check<ValueError>(open != s.npos && close != s.npos && open < close, "malformed signature '", s,
                    "'");
  const std::string_view full = trim(s.substr(0, open));
  const size_t dot = full.find('.');
  name = full.substr(0, dot);
  if (dot != full.npos) overload = full.substr(dot + 1);
  bool keyword_only = false;
  for (std::string_view piece : split(s.substr(open + 1, close - open - 1))) {
    if (piece == "*") keyword_only = true;
    else parse_param(piece, keyword_only);
  }
  parse_result(arrow == s.npos ? std::string_view("Tensor") : trim(s.substr(arrow + 4)));
}

void Signature::parse_param(std::string_view piece, bool keyword_only) {
  Param p;
  p.keyword_only = keyword_only;
  const size_t equals = piece.find('=');
  const std::string_view declared = trim(piece.substr(0, equals));
  const size_t space = declared.rfind(' ');
  check<ValueError>(space != declared.npos, "parameter '", piece, "' has no type in signature '",
                    text, "'");
  p.name = declared.substr(space + 1);
  std::string_view type = trim(declared.substr(0, space));
  p.type_text = type;
  if (type.ends_with("|str")) type.remove_suffix(4);
  if (type.ends_with('?')) {
    p.optional = true;
    type.remove_suffix(1);
  }
  std::string elements;
  if (type.starts_with("int?[")) {
    p.optional_elements = true;
    elements = "int" + std::string(type.substr(4));
    type = elements;
  }
  if (type.starts_with("int[") && type != "int[]") {
    p.list_size = std::atoi(std::string(type.substr(4)).c_str());
    type = "int[]";
  }
  p.type = type_of(type, text);
  if (equals != piece.npos) {
    p.has_default = true;
    p.default_text = trim(piece.substr(equals + 1));
    parse_default(p);
  }
  params.push_back(std::move(p));
}

void Signature::parse_default(Param& p) {
  const std::string& t = p.default_text;
  if (t == "None") {
    p.default_value = Value();
  } else if (t == "True" || t == "False") {
    p.default_value = Value(t == "True");
  } else if (t.starts_with('\'')) {
    strings_.push_back(t.substr(1, t.size() - 2));
    p.default_value = Value(std::string_view(strings_.back()));
  } else if (t.starts_with('(') || t.starts_with('[')) {
    lists_.emplace_back();
    for (auto piece : split(std::string_view(t).substr(1, t.size() - 2)))
      lists_.back().push_back(std::atoll(std::string(piece).c_str()));
    p.default_value = Value(Dims(lists_.back()));
  } else if (p.type == Param::Type::Ints) {
    lists_.emplace_back(std::max(1, p.list_size), std::atoll(t.c_str()));
    p.default_value = Value(Dims(lists_.back()));
  } else if (p.type == Param::Type::Float || t.find_first_of(".en") != t.npos) {
    p.default_value = Value(std::strtod(t.c_str(), nullptr));  // also inf, -inf, nan
  } else {
    p.default_value = Value(static_cast<int64_t>(std::atoll(t.c_str())));
  }
}

void Signature::parse_result(std::string_view piece) {
  if (piece == "Tensor[]") returns_list = true;
  else if (piece == "bool") returns_bool = true;
  if (!piece.starts_with('(')) {
    results.emplace_back();
    return;
  }
  for (auto result : split(piece.substr(1, piece.size() - 2))) {
    const size_t space = result.rfind(' ');
    results.emplace_back(space == result.npos ? std::string_view() : result.substr(space + 1));
  }
}

int Signature::index_of(std::string_view param) const {
  for (size_t i = 0; i < params.size(); i++)
    if (params[i].name == param) return static_cast<int>(i);
  return -1;
}

}  // namespace gotorch
