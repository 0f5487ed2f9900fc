"""The older form of `gotorch.profiler`, without schedules."""

from gotorch import profiler
from gotorch.profiler import record_function

__all__ = ["profile", "record_function"]


class profile(profiler.profile):  # noqa: N801 (PyTorch's name)
    """Records what runs in a `with` block, unless `enabled` is false: `gotorch.profiler.profile` with the tables as methods."""

    def __init__(self, enabled=True, *, record_shapes=False, profile_memory=False, use_cpu=True, **others):
        super().__init__(record_shapes=record_shapes, profile_memory=profile_memory, **others)
        self.enabled = enabled and use_cpu

    def start(self):
        if self.enabled:
            super().start()

    @property
    def function_events(self):
        return self.events()

    @property
    def self_cpu_time_total(self):
        return self.events().self_cpu_time_total

    def total_average(self):
        return self.events().total_average()

    def table(self, *args, **kwargs):
        return self.events().table(*args, **kwargs)
