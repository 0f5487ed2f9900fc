"""torch.cuda as a machine without such a device shows it: GoTorch computes on the CPU."""

_ABSENT = "GoTorch computes on the CPU only: there is no CUDA device"


def is_available():
    return False


def is_initialized():
    return False


def is_bf16_supported(including_emulation=True):
    return False


def device_count():
    return 0


def manual_seed(seed):
    """Does nothing, as in PyTorch without a device."""


manual_seed_all = manual_seed


def seed():
    """Does nothing."""


seed_all = seed


def empty_cache():
    """Does nothing; torch.cpu.empty_cache() is the one that does."""


def _absent(*args, **kwargs):
    raise RuntimeError(_ABSENT)


synchronize = set_device = current_device = get_device_name = get_device_properties = _absent
get_device_capability = get_rng_state = set_rng_state = mem_get_info = _absent


def memory_allocated(device=None):
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated


def reset_peak_memory_stats(device=None):
    """Does nothing."""
