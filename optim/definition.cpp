#include "optim/definition.h"

#include <cstdlib>

#include "tensor/error.h"

namespace gotorch {
namespace {

std::vector<const OptimizerDef*>& mutable_table() {
  static auto* table = new std::vector<const OptimizerDef*>;
  return *table;
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

// Up to the next comma outside parentheses, which is taken away too.
std::string_view next_piece(std::string_view& rest) {
  int depth = 0;
  size_t i = 0;
  for (; i < rest.size() && (rest[i] != ',' || depth > 0); i++)
    depth += (rest[i] == '(') - (rest[i] == ')');
  const std::string_view piece = trim(rest.substr(0, i));
  rest.remove_prefix(i < rest.size() ? i + 1 : i);
  return piece;
}

double number_in(std::string_view text) { return std::strtod(std::string(text).c_str(), nullptr); }

bool holds(Limit::Kind kind, double value) {
  switch (kind) {
    case Limit::NotNegative: return value >= 0;
    case Limit::BelowOne: return value >= 0 && value < 1;
    default: return value >= 0 && value <= 1;
  }
}

}  // namespace

OptimizerDef::OptimizerDef(OptimizerSpec spec) : spec_(std::move(spec)) {
  const std::string_view sig = spec_.sig;
  const size_t open = sig.find('(');
  check<ValueError>(open != sig.npos && sig.ends_with(')'), "malformed signature '", sig, "'");
  name_ = sig.substr(0, open);
  std::string_view rest = sig.substr(open + 1, sig.size() - open - 2);
  bool keyword_only = false;
  while (!rest.empty()) {
    const std::string_view piece = next_piece(rest);
    if (piece == "*") keyword_only = true;
    else parse(piece, keyword_only);
  }
  mutable_table().push_back(this);
}

void OptimizerDef::parse(std::string_view piece, bool keyword_only) {
  using Kind = OptionDef::Kind;
  static constexpr std::pair<std::string_view, Kind> kinds[] = {{"float", Kind::Float},
                                                                {"float[2]", Kind::Pair},
                                                                {"bool", Kind::Bool},
                                                                {"ignored", Kind::Ignored}};
  const size_t space = piece.find(' '), equals = piece.find('=');
  OptionDef option{.name = std::string(piece.substr(space + 1, equals - space - 1)),
                   .kind = Kind::Ignored,
                   .keyword_only = keyword_only,
                   .default_text = std::string(piece.substr(equals + 1))};
  bool known = false;
  for (const auto& [text, kind] : kinds)
    if (piece.substr(0, space) == text) known = true, option.kind = kind;
  check<ValueError>(known && equals != piece.npos, "option '", piece, "' of optimizer ", name_,
                    " needs a type and a default");
  const std::string_view text = option.default_text;
  if (option.kind != Kind::Ignored) option.at = static_cast<int>(defaults_.size());
  if (option.kind == Kind::Float) {
    defaults_.push_back(number_in(text));
  } else if (option.kind == Kind::Bool) {
    defaults_.push_back(text == "True");
  } else if (option.kind == Kind::Pair) {
    defaults_.push_back(number_in(text.substr(1)));
    defaults_.push_back(number_in(text.substr(text.find(',') + 1)));
  }
  options_.push_back(std::move(option));
}

int OptimizerDef::find(std::string_view option) const {
  for (size_t place = 0; place < defaults_.size(); place++)
    if (option_at(place) == option) return static_cast<int>(place);
  return -1;
}

bool OptimizerDef::has_option(std::string_view option) const { return find(option) >= 0; }

size_t OptimizerDef::place_of(std::string_view option) const {
  const int place = find(option);
  check<ValueError>(place >= 0, name_, " has no option '", option, "'");
  return static_cast<size_t>(place);
}

std::string OptimizerDef::option_at(size_t place) const {
  for (const OptionDef& o : options_) {
    if (o.at < 0) continue;
    const size_t offset = place - static_cast<size_t>(o.at);
    if (o.kind != OptionDef::Kind::Pair && offset == 0) return o.name;
    if (o.kind == OptionDef::Kind::Pair && offset <= 1)
      return o.name + (offset == 0 ? "[0]" : "[1]");
  }
  fail<ValueError>(name_, " has no option number ", place);
}

void OptimizerDef::validate(Options options) const {
  check<ValueError>(options.size() == defaults_.size(), name_, ": ", defaults_.size(),
                    " options are needed, got ", options.size());
  for (const Limit& limit : spec_.limits) {
    const OptionDef* option = nullptr;
    for (const OptionDef& o : options_)
      if (o.name == limit.option) option = &o;
    const auto at = static_cast<size_t>(option->at);
    const bool pair = option->kind == OptionDef::Kind::Pair;
    for (size_t i = 0; i <= pair; i++) {
      const double value = options[at + i];
      if (holds(limit.kind, value)) continue;
      const std::string called = limit.called ? limit.called : std::string(limit.option) + " value";
      if (pair) fail<ValueError>("Invalid ", called, " at index ", i, ": ", value);
      fail<ValueError>("Invalid ", called, ": ", value);
    }
  }
  if (spec_.validate) spec_.validate(options);
}

const std::vector<const OptimizerDef*>& optimizer_table() { return mutable_table(); }

const OptimizerDef* find_optimizer(std::string_view name) {
  for (const OptimizerDef* def : mutable_table())
    if (def->name() == name) return def;
  return nullptr;
}

}  // namespace gotorch
