#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gotorch {
namespace schedule {

double step(double lr, int64_t epoch, int64_t step_size, double gamma) {
  check<ValueError>(step_size > 0, "StepLR: step_size must be positive, got ", step_size);
  return epoch == 0 || epoch % step_size != 0 ? lr : lr * gamma;
}

double multi_step(double lr, int64_t milestones_now, double gamma) {
  return milestones_now == 0 ? lr : lr * std::pow(gamma, static_cast<double>(milestones_now));
}

double constant(double lr, int64_t epoch, double factor, int64_t total_iters) {
  if (epoch == 0) return lr * factor;
  return epoch == total_iters ? lr * (1.0 / factor) : lr;
}

double linear(double lr, int64_t epoch, double start_factor, double end_factor,
              int64_t total_iters) {
  if (epoch == 0) return lr * start_factor;
  if (epoch > total_iters) return lr;
  const double rise = end_factor - start_factor;
  const double before =
      static_cast<double>(total_iters) * start_factor + static_cast<double>(epoch - 1) * rise;
  return lr * (1.0 + rise / before);
}

double exponential(double lr, int64_t epoch, double gamma) { return epoch == 0 ? lr : lr * gamma; }

double polynomial(double lr, int64_t epoch, int64_t total_iters, double power) {
  if (epoch == 0 || epoch > total_iters) return lr;
  const auto total = static_cast<double>(total_iters), now = static_cast<double>(epoch);
  return lr * std::pow((1.0 - now / total) / (1.0 - (now - 1) / total), power);
}

double cosine(double lr, double base, int64_t epoch, double t_max, double eta_min) {
  using std::numbers::pi;
  if (epoch == 0) return lr;
  const auto now = static_cast<double>(epoch);
  // The rate before was eta_min: a quotient would be 0 / 0.
  if (std::fmod(now - 1 - t_max, 2 * t_max) == 0)
    return lr + (base - eta_min) * (1 - std::cos(pi / t_max)) / 2;
  return (1 + std::cos(pi * now / t_max)) / (1 + std::cos(pi * (now - 1) / t_max)) *
             (lr - eta_min) +
         eta_min;
}

double cosine_at(double base, double epoch, double t_max, double eta_min) {
  return eta_min + (base - eta_min) * (1 + std::cos(std::numbers::pi * epoch / t_max)) / 2;
}

double between(double start, double end, double part, bool cosine) {
  if (!cosine) return (end - start) * part + start;
  return end + (start - end) / 2.0 * (std::cos(std::numbers::pi * part) + 1);
}

Period period_of(double epoch, int64_t first, int64_t factor) {
  const auto t_0 = static_cast<double>(first), mult = static_cast<double>(factor);
  if (epoch < t_0) return {epoch, t_0};
  if (factor == 1) return {std::fmod(epoch, t_0), t_0};
  const double n = std::floor(std::log(epoch / t_0 * (mult - 1) + 1) / std::log(mult));
  return {epoch - t_0 * (std::pow(mult, n) - 1) / (mult - 1), t_0 * std::pow(mult, n)};
}

Triangle triangle_of(int64_t epoch, double total_size, double rising_part) {
  const auto now = static_cast<double>(epoch);
  const double cycle = std::floor(1 + now / total_size);
  const double x = 1.0 + now / total_size - cycle;
  const double height = x <= rising_part ? x / rising_part : (x - 1) / (rising_part - 1);
  return {height, cycle};
}

}  // namespace schedule

Schedule::Schedule(Optimizer& optimizer, Formula formula)
    : optimizer_(&optimizer), formula_(std::move(formula)) {
  apply();
}

void Schedule::step() {
  epoch_++;
  apply();
}

void Schedule::apply() {
  for (size_t g = 0; g < optimizer_->groups(); g++) {
    const double base = optimizer_->initial_lr(g);
    optimizer_->set_option("lr", formula_({epoch_, lr(g), base, g}), g);
  }
}

Schedule LambdaLR(Optimizer& optimizer, std::function<double(int64_t)> factor_of_base) {
  return {optimizer,
          [f = std::move(factor_of_base)](const Turn& t) { return t.base * f(t.epoch); }};
}

Schedule MultiplicativeLR(Optimizer& optimizer, std::function<double(int64_t)> factor) {
  return {optimizer, [f = std::move(factor)](const Turn& t) {
            return t.epoch == 0 ? t.lr : t.lr * f(t.epoch);
          }};
}

Schedule StepLR(Optimizer& optimizer, int64_t step_size, double gamma) {
  check<ValueError>(step_size > 0, "StepLR: step_size must be positive, got ", step_size);
  return {optimizer,
          [=](const Turn& t) { return schedule::step(t.lr, t.epoch, step_size, gamma); }};
}

Schedule MultiStepLR(Optimizer& optimizer, std::vector<int64_t> milestones, double gamma) {
  return {optimizer, [=, m = std::move(milestones)](const Turn& t) {
            return schedule::multi_step(t.lr, std::count(m.begin(), m.end(), t.epoch), gamma);
          }};
}

Schedule ConstantLR(Optimizer& optimizer, double factor, int64_t total_iters) {
  check<ValueError>(factor >= 0 && factor <= 1,
                    "Constant multiplicative factor expected to be between 0 and 1.");
  return {optimizer,
          [=](const Turn& t) { return schedule::constant(t.lr, t.epoch, factor, total_iters); }};
}

Schedule LinearLR(Optimizer& optimizer, double start_factor, double end_factor,
                  int64_t total_iters) {
  check<ValueError>(
      start_factor > 0 && start_factor <= 1,
      "Starting multiplicative factor expected to be greater than 0 and less or equal to 1.");
  check<ValueError>(end_factor >= 0 && end_factor <= 1,
                    "Ending multiplicative factor expected to be between 0 and 1.");
  return {optimizer, [=](const Turn& t) {
            return schedule::linear(t.lr, t.epoch, start_factor, end_factor, total_iters);
          }};
}

Schedule ExponentialLR(Optimizer& optimizer, double gamma) {
  return {optimizer, [=](const Turn& t) { return schedule::exponential(t.lr, t.epoch, gamma); }};
}

Schedule PolynomialLR(Optimizer& optimizer, int64_t total_iters, double power) {
  return {optimizer,
          [=](const Turn& t) { return schedule::polynomial(t.lr, t.epoch, total_iters, power); }};
}

Schedule CosineAnnealingLR(Optimizer& optimizer, int64_t t_max, double eta_min) {
  check<ValueError>(t_max > 0, "CosineAnnealingLR: t_max must be positive, got ", t_max);
  return {optimizer, [=](const Turn& t) {
            return schedule::cosine(t.lr, t.base, t.epoch, static_cast<double>(t_max), eta_min);
          }};
}

Schedule CosineAnnealingWarmRestarts(Optimizer& optimizer, int64_t t_0, int64_t t_mult,
                                     double eta_min) {
  check<ValueError>(t_0 > 0, "Expected positive integer T_0, but got ", t_0);
  check<ValueError>(t_mult >= 1, "Expected integer T_mult >= 1, but got ", t_mult);
  return {optimizer, [=](const Turn& t) {
            const auto period = schedule::period_of(static_cast<double>(t.epoch), t_0, t_mult);
            return schedule::cosine_at(t.base, period.at, period.length, eta_min);
          }};
}

Schedule CyclicLR(Optimizer& optimizer, double base_lr, double max_lr, int64_t step_size_up,
                  int64_t step_size_down) {
  check<ValueError>(step_size_up > 0 && step_size_down >= 0,
                    "CyclicLR: step sizes must be positive, got ", step_size_up, " and ",
                    step_size_down);
  const auto up = static_cast<double>(step_size_up);
  const double total = up + (step_size_down ? static_cast<double>(step_size_down) : up);
  return {optimizer, [=](const Turn& t) {
            const double height = schedule::triangle_of(t.epoch, total, up / total).height;
            return base_lr + (max_lr - base_lr) * height;
          }};
}

Schedule OneCycleLR(Optimizer& optimizer, double max_lr, int64_t total_steps,
                    OneCycleOptions options) {
  check<ValueError>(total_steps > 0, "Expected positive integer total_steps, but got ",
                    total_steps);
  check<ValueError>(options.pct_start >= 0 && options.pct_start <= 1,
                    "Expected float between 0 and 1 pct_start, but got ", options.pct_start);
  const char* momentum = optimizer.has_option("momentum")   ? "momentum"
                         : optimizer.has_option("betas[0]") ? "betas[0]"
                                                            : nullptr;
  const double low = max_lr / options.div_factor, end = low / options.final_div_factor;
  const double top = options.pct_start * static_cast<double>(total_steps) - 1;
  const auto last = static_cast<double>(total_steps - 1);
  return {optimizer, [=, &optimizer](const Turn& t) {
            const auto now = static_cast<double>(t.epoch);
            check<ValueError>(t.epoch <= total_steps, "Tried to step ", t.epoch,
                              " times. The specified number of total steps is ", total_steps);
            const bool rises = now <= top;
            const double part = rises ? now / top : (now - top) / (last - top);
            const auto& [max_m, base_m] = std::pair(options.max_momentum, options.base_momentum);
            if (momentum)
              optimizer.set_option(momentum,
                                   rises ? schedule::between(max_m, base_m, part, options.cosine)
                                         : schedule::between(base_m, max_m, part, options.cosine),
                                   t.group);
            return rises ? schedule::between(low, max_lr, part, options.cosine)
                         : schedule::between(max_lr, end, part, options.cosine);
          }};
}

Schedule SequentialLR(Optimizer& optimizer, std::vector<Schedule> schedules,
                      std::vector<int64_t> milestones) {
  check<ValueError>(milestones.size() + 1 == schedules.size(), "SequentialLR: ", schedules.size(),
                    " schedules need one milestone less, got ", milestones.size());
  return {optimizer, [s = std::move(schedules), m = std::move(milestones)](const Turn& t) {
            const auto i =
                static_cast<size_t>(std::upper_bound(m.begin(), m.end(), t.epoch) - m.begin());
            const int64_t epoch = i == 0 ? t.epoch : t.epoch - m[i - 1];
            return s[i].formula_({epoch, epoch == 0 ? t.base : t.lr, t.base, t.group});
          }};
}

bool PlateauOptions::is_better(double value, double best) const {
  const double sign = rising ? 1 : -1;
  const double bar = relative ? best * (1 + sign * threshold) : best + sign * threshold;
  return rising ? value > bar : value < bar;
}

double PlateauOptions::reduced(double lr) const {
  const double next = std::max(lr * factor, min_lr);
  return lr - next > eps ? next : lr;
}

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, PlateauOptions options)
    : optimizer_(&optimizer), options_(options), best_(options.rising ? -INFINITY : INFINITY) {
  check<ValueError>(options.factor < 1, "Factor should be < 1.0.");
}

void ReduceLROnPlateau::step(double metric) {
  if (options_.is_better(metric, best_)) {
    best_ = metric;
    bad_steps_ = 0;
  } else {
    bad_steps_++;
  }
  if (cooling_ > 0) {
    cooling_--;
    bad_steps_ = 0;
  }
  if (bad_steps_ <= options_.patience) return;
  for (size_t g = 0; g < optimizer_->groups(); g++)
    optimizer_->set_option("lr", options_.reduced(optimizer_->option("lr", g)), g);
  cooling_ = options_.cooldown;
  bad_steps_ = 0;
}

}  // namespace gotorch
