"""What `import gotorch` shows of the extension module."""

from gotorch import _C

_C._check_interpreter()

_OWN = {"OpFunction", "OpMethod", "internal", "nn_functions"}


def public_names():
    """The extension's names as a dictionary, without its private ones."""
    return {k: v for k, v in vars(_C).items() if not k.startswith("_") and k not in _OWN}
