#pragma once
// Schedules of the learning rate.
//
//   Schedule schedule = CosineAnnealingLR(opt, 100);
//   for (int epoch = 0; epoch < 100; epoch++) { train(opt); schedule.step(); }
//
// The formulas are plain functions, which the Python classes call too. A schedule goes from rate to rate, so that several
// of them may act on one optimizer. Not thread-safe.
#include <functional>
#include <vector>

#include "optim/optimizer.h"

namespace gotorch {

// The rate after `epoch` steps, from the rate `lr` after one step less. `epoch` 0: from the initial rate.
namespace schedule {
double step(double lr, int64_t epoch, int64_t step_size, double gamma);
double multi_step(double lr, int64_t milestones_now, double gamma);
double constant(double lr, int64_t epoch, double factor, int64_t total_iters);
double linear(double lr, int64_t epoch, double start_factor, double end_factor,
              int64_t total_iters);
double exponential(double lr, int64_t epoch, double gamma);
double polynomial(double lr, int64_t epoch, int64_t total_iters, double power);
double cosine(double lr, double base, int64_t epoch, double t_max, double eta_min);

// Rates that follow from the initial rate alone.
double cosine_at(double base, double epoch, double t_max, double eta_min);
// Between two values, `part` of the way from 0 to 1: along half a cosine, or a line.
double between(double start, double end, double part, bool cosine);

// Cosine with warm restarts: how far the current period is, and how long.
struct Period {
  double at, length;
};
Period period_of(double epoch, int64_t first, int64_t factor);

// The triangle of CyclicLR: its height between 0 and 1, and the number of the cycle from 1.
struct Triangle {
  double height, cycle;
};
Triangle triangle_of(int64_t epoch, double total_size, double rising_part);
}  // namespace schedule

// What a formula sees.
struct Turn {
  int64_t epoch;
  double lr;    // after the step before
  double base;  // the group's initial rate
  size_t group;
};

// Sets each group's "lr" at each step. The optimizer must outlive it. Several schedules may act on one optimizer.
class Schedule {
 public:
  using Formula = std::function<double(const Turn&)>;
  // Applies the formula for epoch 0 to the initial rates: those at the time when the optimizer's first schedule was made.
  Schedule(Optimizer& optimizer, Formula formula);

  void step();
  double lr(size_t group = 0) const { return optimizer_->option("lr", group); }
  int64_t epoch() const { return epoch_; }
  // To go on from a checkpoint. The rates themselves are part of the optimizer's state.
  void set_epoch(int64_t epoch) { epoch_ = epoch; }

 private:
  friend Schedule SequentialLR(Optimizer&, std::vector<Schedule>, std::vector<int64_t>);
  void apply();

  Optimizer* optimizer_;
  Formula formula_;
  int64_t epoch_ = 0;
};

Schedule LambdaLR(Optimizer& optimizer, std::function<double(int64_t epoch)> factor_of_base);
Schedule MultiplicativeLR(Optimizer& optimizer, std::function<double(int64_t epoch)> factor);
Schedule StepLR(Optimizer& optimizer, int64_t step_size, double gamma = 0.1);
Schedule MultiStepLR(Optimizer& optimizer, std::vector<int64_t> milestones, double gamma = 0.1);
Schedule ConstantLR(Optimizer& optimizer, double factor = 1.0 / 3, int64_t total_iters = 5);
Schedule LinearLR(Optimizer& optimizer, double start_factor = 1.0 / 3, double end_factor = 1,
                  int64_t total_iters = 5);
Schedule ExponentialLR(Optimizer& optimizer, double gamma);
Schedule PolynomialLR(Optimizer& optimizer, int64_t total_iters = 5, double power = 1);
Schedule CosineAnnealingLR(Optimizer& optimizer, int64_t t_max, double eta_min = 0);
Schedule CosineAnnealingWarmRestarts(Optimizer& optimizer, int64_t t_0, int64_t t_mult = 1,
                                     double eta_min = 0);
// Triangles between base_lr and max_lr (Smith 2017).
Schedule CyclicLR(Optimizer& optimizer, double base_lr, double max_lr, int64_t step_size_up = 2000,
                  int64_t step_size_down = 0);

struct OneCycleOptions {
  double pct_start = 0.3;
  bool cosine = true;  // else along lines
  double div_factor = 25, final_div_factor = 1e4;
  // Of "momentum" or "betas[0]", the other way round, where the optimizer has one of them.
  double base_momentum = 0.85, max_momentum = 0.95;
};
// From a low rate up to max_lr and down to almost nothing (Smith and Topin 2018).
Schedule OneCycleLR(Optimizer& optimizer, double max_lr, int64_t total_steps,
                    OneCycleOptions options = {});
// One schedule after the other; from milestone i on, schedules[i + 1], from its start.
Schedule SequentialLR(Optimizer& optimizer, std::vector<Schedule> schedules,
                      std::vector<int64_t> milestones);
struct PlateauOptions {
  bool rising = false;  // larger is better
  double factor = 0.1;
  int64_t patience = 10;
  double threshold = 1e-4;
  bool relative = true;  // the threshold is a part of the best value
  int64_t cooldown = 0;
  double min_lr = 0, eps = 1e-8;

  // Whether `value` is an improvement.
  bool is_better(double value, double best) const;
  // The next rate, or lr itself if the change would be below eps.
  double reduced(double lr) const;
};

// Multiplies the rates by `factor` when what step() gets has not improved for more than `patience` steps.
class ReduceLROnPlateau {
 public:
  explicit ReduceLROnPlateau(Optimizer& optimizer, PlateauOptions options = {});
  void step(double metric);

 private:
  Optimizer* optimizer_;
  PlateauOptions options_;
  double best_;
  int64_t bad_steps_ = 0, cooling_ = 0;
};

}  // namespace gotorch
