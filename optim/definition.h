#pragma once
// An optimizer: one value that says everything about it. The C++ function, the Python class and the tests derive from it.
//
//   const OptimizerDef adagrad{{
//       .sig = "Adagrad(float lr=1e-2, float lr_decay=0, ignored foreach=None)",
//       .doc = "Gradients divided by the root of the sum of their squares (Duchi et al. 2011).",
//       .states = {number("step"), tensor("sum")},
//       .prepare = [](Options o, Numbers n, bool) {
//         n[0] += 1;
//         return StepScalars{{o[0] / (1 + (n[0] - 1) * o[1])}};
//       },
//       .loops = [](Options) { return loops<Adagrad>(); },
//   }};
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gotorch {

inline constexpr int kMaxStepScalars = 12;

// What one element's update needs besides the element: computed once per parameter and step.
struct StepScalars {
  double v[kMaxStepScalars] = {};
};

// The options of a group as numbers, in the order of the signature: a pair takes two places, a flag is 0 or 1. Ignored
// options, which only say how PyTorch should compute, have no place.
using Options = std::span<const double>;
// The numbers kept per parameter, in the order of the states. They are stored as float32.
using Numbers = std::span<double>;

// What is kept for each parameter.
struct StateDef {
  const char* name;
  bool is_number;                      // else a tensor like the parameter
  double (*start)(Options) = nullptr;  // what a new one holds; null: zero
  bool (*wanted)(Options) = nullptr;   // null: always
};
inline StateDef number(const char* name, double (*start)(Options) = nullptr) {
  return {name, true, start};
}
inline StateDef tensor(const char* name, double (*start)(Options) = nullptr,
                       bool (*wanted)(Options) = nullptr) {
  return {name, false, start, wanted};
}

// Updates p[i] and state[k][i] from g[i] for i < n, in float and in double. The states are the wanted tensors, in order.
struct UpdateLoops {
  void (*of_float)(const StepScalars& s, float* p, const float* g, float* const* state, int64_t n);
  void (*of_double)(const StepScalars& s, double* p, const double* g, double* const* state,
                    int64_t n);
};

// A limit of an option: what it must satisfy, and how the error calls it.
struct Limit {
  const char* option;  // a pair's limit holds for both
  enum Kind : uint8_t { NotNegative, BelowOne, AtMostOne } kind = NotNegative;
  const char* called = nullptr;  // null: "<option> value"
};

struct OptimizerSpec {
  const char* sig;
  const char* doc = "";
  std::vector<Limit> limits = {};       // checked in this order
  void (*validate)(Options) = nullptr;  // what limits cannot say
  std::vector<StateDef> states = {};
  bool eager = false;  // the state exists before the first step
  // `first`: some state has just been made.
  StepScalars (*prepare)(Options, Numbers, bool first);
  UpdateLoops (*loops)(Options);
};

struct OptionDef {
  enum class Kind : uint8_t { Float, Pair, Bool, Ignored };
  std::string name;
  Kind kind;
  bool keyword_only = false;
  std::string default_text;  // as in Python
  int at = -1;               // its first place among the Options
};

class OptimizerDef {
 public:
  explicit OptimizerDef(OptimizerSpec spec);
  OptimizerDef(const OptimizerDef&) = delete;

  const OptimizerSpec& spec() const { return spec_; }
  const std::string& name() const { return name_; }
  const std::vector<OptionDef>& options() const { return options_; }
  const std::vector<double>& defaults() const { return defaults_; }
  // The place of "lr" or of "betas[0]"; throws ValueError if there is none.
  size_t place_of(std::string_view option) const;
  bool has_option(std::string_view option) const;
  // The name of a place.
  std::string option_at(size_t place) const;
  // Throws ValueError with PyTorch's text.
  void validate(Options options) const;
  bool wants(const StateDef& state, Options options) const {
    return !state.wanted || state.wanted(options);
  }

 private:
  void parse(std::string_view piece, bool keyword_only);
  int find(std::string_view option) const;  // -1: there is none

  OptimizerSpec spec_;
  std::string name_;
  std::vector<OptionDef> options_;
  std::vector<double> defaults_;
};

const std::vector<const OptimizerDef*>& optimizer_table();
const OptimizerDef* find_optimizer(std::string_view name);

}  // namespace gotorch
