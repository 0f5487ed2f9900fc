#pragma once
// A convolution with its gradients, and what they are by the definition.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tensor/kernels/conv.h"

namespace gotorch::kernels {

inline int64_t volume(const Spatial& s) { return s[0] * s[1] * s[2]; }

// Calls visit(y index, x index, w index) for every product of the convolution.
template <class F>
void each_product(const ConvShape& s, F&& visit) {
  const int64_t in = s.in_channels / s.groups, out = s.out_channels / s.groups;
  for (int64_t n = 0; n < s.batch; n++)
    for (int64_t o = 0; o < s.out_channels; o++)
      for (int64_t c = 0; c < in; c++)
        for (int64_t z = 0; z < s.out[0]; z++)
          for (int64_t y = 0; y < s.out[1]; y++)
            for (int64_t x = 0; x < s.out[2]; x++)
              for (int64_t kz = 0; kz < s.kernel[0]; kz++)
                for (int64_t ky = 0; ky < s.kernel[1]; ky++)
                  for (int64_t kx = 0; kx < s.kernel[2]; kx++) {
                    const int64_t iz = z * s.stride[0] + kz * s.dilation[0] - s.padding[0];
                    const int64_t iy = y * s.stride[1] + ky * s.dilation[1] - s.padding[1];
                    const int64_t ix = x * s.stride[2] + kx * s.dilation[2] - s.padding[2];
                    if (iz < 0 || iy < 0 || ix < 0) continue;
                    if (iz >= s.in[0] || iy >= s.in[1] || ix >= s.in[2]) continue;
                    const int64_t channel = n * s.in_channels + o / out * in + c;
                    visit(
                        (((n * s.out_channels + o) * s.out[0] + z) * s.out[1] + y) * s.out[2] + x,
                        ((channel * s.in[0] + iz) * s.in[1] + iy) * s.in[2] + ix,
                        (((o * in + c) * s.kernel[0] + kz) * s.kernel[1] + ky) * s.kernel[2] + kx);
                  }
}

// A sum in double, and the size of its terms for the error bound.
struct Sums {
  std::vector<double> value, size;
  std::vector<int64_t> terms;
  explicit Sums(int64_t n) : value(n), size(n), terms(n) {}
  void add(int64_t i, double term) {
    value[i] += term;
    size[i] += std::abs(term);
    terms[i]++;
  }
  template <class T>
  void expect_near(const std::vector<T>& actual, const char* what) const {
    ASSERT_EQ(actual.size(), value.size());
    for (size_t i = 0; i < value.size(); i++) {
      const double bound = size[i] * (terms[i] + 4) * std::numeric_limits<T>::epsilon();
      ASSERT_LE(std::abs(actual[i] - value[i]), bound) << what << " at " << i;
    }
  }
};

template <class T>
std::vector<T> random_values(int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<T> uniform(-1, 1);
  std::vector<T> values(n);
  for (T& v : values) v = uniform(random);
  return values;
}

template <class T>
struct Case {
  ConvShape s;
  std::vector<T> x, w, dy, bias, data_bias, y, dx, dw, db;
  explicit Case(const ConvShape& shape) : s(shape) {
    x = random_values<T>(s.batch * s.in_channels * volume(s.in), 1);
    w = random_values<T>(s.out_channels * (s.in_channels / s.groups) * volume(s.kernel), 2);
    dy = random_values<T>(s.batch * s.out_channels * volume(s.out), 3);
    bias = random_values<T>(s.out_channels, 4);
    data_bias = random_values<T>(s.in_channels, 5);
    const T nan = std::numeric_limits<T>::quiet_NaN();
    y.assign(dy.size(), nan);
    dx.assign(x.size(), nan);
    dw.assign(w.size(), nan);
    db.assign(bias.size(), nan);
  }
  void run() {
    conv_forward(s, x.data(), w.data(), bias.data(), y.data());
    conv_backward_data(s, dy.data(), w.data(), data_bias.data(), dx.data());
    conv_backward_weight(s, x.data(), dy.data(), dw.data());
    conv_backward_bias(s, dy.data(), db.data());
  }
  void check() const {
    Sums sy(y.size()), sx(x.size()), sw(w.size()), sb(db.size());
    for (size_t i = 0; i < y.size(); i++) {
      const int64_t channel = i / volume(s.out) % s.out_channels;
      sy.add(i, bias[channel]);
      sb.add(channel, dy[i]);
    }
    for (size_t i = 0; i < x.size(); i++) sx.add(i, data_bias[i / volume(s.in) % s.in_channels]);
    each_product(s, [&](int64_t iy, int64_t ix, int64_t iw) {
      sy.add(iy, static_cast<double>(x[ix]) * w[iw]);
      sx.add(ix, static_cast<double>(dy[iy]) * w[iw]);
      sw.add(iw, static_cast<double>(x[ix]) * dy[iy]);
    });
    sy.expect_near(y, "y");
    sx.expect_near(dx, "dx");
    sw.expect_near(dw, "dw");
    sb.expect_near(db, "db");
  }
};

inline ConvShape flat(int64_t batch, int64_t groups, int64_t in, int64_t out,
                      std::array<int64_t, 2> size, std::array<int64_t, 2> kernel,
                      std::array<int64_t, 2> stride = {1, 1},
                      std::array<int64_t, 2> padding = {0, 0},
                      std::array<int64_t, 2> dilation = {1, 1}) {
  ConvShape s{.batch = batch,
              .groups = groups,
              .in_channels = in,
              .out_channels = out,
              .in = {1, size[0], size[1]},
              .kernel = {1, kernel[0], kernel[1]},
              .stride = {1, stride[0], stride[1]},
              .padding = {0, padding[0], padding[1]},
              .dilation = {1, dilation[0], dilation[1]}};
  s.set_out();
  return s;
}

}  // namespace gotorch::kernels
