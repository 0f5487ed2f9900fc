#pragma once
namespace gotorch::runtime {

// Processors this process may use at once: the affinity mask, limited by the CPU quota of its
// control group and of every ancestor (rounded up). At least 1.
int usable_cpus();

// usable_cpus(), unless the environment says otherwise: GOTORCH_NUM_THREADS is taken as it is,
// OMP_NUM_THREADS only lowers the count (more threads than processors never helps).
int default_workers();

inline constexpr int kMaxWorkers = 256;

}  // namespace gotorch::runtime
