"""Comparisons for tests."""

import cmath
import numbers
from collections.abc import Mapping, Sequence

import gotorch

__all__ = ["assert_close"]

# (rtol, atol) by dtype; other dtypes compare exactly.
_TOLERANCES = {
    gotorch.float16: (1e-3, 1e-5),
    gotorch.bfloat16: (1.6e-2, 1e-5),
    gotorch.float32: (1.3e-6, 1e-5),
    gotorch.float64: (1e-7, 1e-7),
}


def assert_close(
    actual,
    expected,
    *,
    allow_subclasses=True,
    rtol=None,
    atol=None,
    equal_nan=False,
    check_device=True,
    check_dtype=True,
    check_layout=True,
    check_stride=False,
    msg=None,
):
    """Raises AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere.

    Takes tensors, NumPy arrays, numbers, None, and sequences and mappings of them. The tolerances go with the dtypes unless
    both are given. `msg` replaces the text of the error, or makes it from the text.
    """
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
    compare = _Comparison(rtol, atol, equal_nan, check_dtype, check_stride, allow_subclasses)
    try:
        compare(actual, expected, "")
    except AssertionError as e:
        if msg is None:
            raise
        raise AssertionError(msg(str(e)) if callable(msg) else msg) from None


class _Comparison:
    def __init__(self, rtol, atol, equal_nan, check_dtype, check_stride, allow_subclasses):
        self.rtol, self.atol, self.equal_nan = rtol, atol, equal_nan
        self.check_dtype, self.check_stride, self.allow_subclasses = check_dtype, check_stride, allow_subclasses

    def __call__(self, actual, expected, place):
        """Compares what stands at `place`, as "[0]['a']"."""
        if _is(actual, expected, Mapping):
            missing, more = sorted(set(expected) - set(actual)), sorted(set(actual) - set(expected))
            if missing or more:
                text = "The keys of the mappings do not match:"
                text += f"\nMissing keys in the actual mapping: {missing}" if missing else ""
                text += f"\nAdditional keys in the actual mapping: {more}" if more else ""
                self.fail(text, place)
            for key in expected:
                self(actual[key], expected[key], f"{place}[{key!r}]")
        elif _is(actual, expected, Sequence) and not isinstance(actual, str):
            if len(actual) != len(expected):
                self.fail(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", place)
            for i, (a, b) in enumerate(zip(actual, expected)):
                self(a, b, f"{place}[{i}]")
        elif actual is None or expected is None:
            if actual is not expected:
                self.fail(f"None mismatch: {actual} is not {expected}", place)
        elif _is(actual, expected, bool):
            if actual is not expected:
                self.fail(f"Booleans mismatch: {actual} is not {expected}", place)
        elif _is(actual, expected, numbers.Number):
            self.numbers(actual, expected, place)
        else:
            self.tensors(*self.as_tensors(actual, expected), place)

    def as_tensors(self, actual, expected):
        same = type(actual) is type(expected) or (
            self.allow_subclasses and (isinstance(actual, type(expected)) or isinstance(expected, type(actual)))
        )
        if same and (isinstance(actual, gotorch.Tensor) or hasattr(actual, "__array__")):
            return gotorch.as_tensor(actual).detach(), gotorch.as_tensor(expected).detach()
        raise TypeError(f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.")

    def tolerances(self, *dtypes):
        """The widest of those for the dtypes, unless given."""
        if self.rtol is not None:
            return self.rtol, self.atol
        pairs = [_TOLERANCES.get(dtype, (0.0, 0.0)) for dtype in dtypes]
        return max(r for r, _ in pairs), max(a for _, a in pairs)

    def numbers(self, actual, expected, place):
        if self.check_dtype and type(actual) is not type(expected):
            self.fail(f"The (d)types do not match: {type(actual)} != {type(expected)}.", place)
        is_float = [isinstance(x, float) for x in (actual, expected)]
        rtol, atol = self.tolerances(*(gotorch.float64 if f else gotorch.int64 for f in is_float))
        difference = abs(actual - expected)
        close = actual == expected or (cmath.isfinite(difference) and difference <= atol + rtol * abs(expected))
        if close or (self.equal_nan and cmath.isnan(actual) and cmath.isnan(expected)):
            return
        exact = rtol == atol == 0
        relative = difference / abs(expected) if expected else float("inf")
        self.fail(
            f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {expected} but got {actual}.\n"
            f"Absolute difference: {difference}{'' if exact else f' (up to {atol} allowed)'}\n"
            f"Relative difference: {relative}{'' if exact else f' (up to {rtol} allowed)'}",
            place,
        )

    def tensors(self, actual, expected, place):
        def check(attribute, a, b):
            if a != b:
                self.fail(f"The values for attribute '{attribute}' do not match: {a} != {b}.", place)

        check("shape", actual.shape, expected.shape)
        if self.check_dtype:
            check("dtype", actual.dtype, expected.dtype)
        if self.check_stride:
            check("stride()", actual.stride(), expected.stride())
        rtol, atol = self.tolerances(actual.dtype, expected.dtype)
        dtype = gotorch.promote_types(actual.dtype, expected.dtype)
        dtype = dtype if dtype.is_floating_point else gotorch.int64
        a, b = actual.to(dtype), expected.to(dtype)
        if gotorch.isclose(a, b, rtol=rtol, atol=atol, equal_nan=self.equal_nan).all():
            return
        self.fail(_differences(a, b, rtol, atol, self.equal_nan), place)

    def fail(self, text, place):
        raise AssertionError(text + (f"\n\nThe failure occurred for item {place}" if place else ""))


def _is(actual, expected, kind):
    return isinstance(actual, kind) and isinstance(expected, kind)


def _differences(a, b, rtol, atol, equal_nan):
    """How many elements differ, and where the most."""
    matches = gotorch.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)
    wrong, total = int((~matches).sum()), matches.numel()
    exact = rtol == atol == 0
    lines = [f"Tensor-likes are not {'equal' if exact else 'close'}!", ""]
    if a.dim() == 0:
        lines = [
            f"Scalars are not {'equal' if exact else 'close'}!",
            "",
            f"Expected {b.item()} but got {a.item()}.",
        ]
    else:
        lines.append(f"Mismatched elements: {wrong} / {total} ({wrong / total:.1%})")
    absolute = (a - b).abs().masked_fill(matches, 0)
    relative = (absolute / b.abs()).masked_fill(matches, 0)
    for name, values, bound in (("absolute", absolute, atol), ("relative", relative, rtol)):
        allowed = "" if exact else f" (up to {bound} allowed)"
        at = int(values.argmax())
        value = values.flatten()[at].item()
        if a.dim() == 0:
            lines.append(f"{name.capitalize()} difference: {value}{allowed}")
        else:
            index = ()
            for size in reversed(a.shape):
                at, place = divmod(at, size)
                index = (place, *index)
            lines.append(f"Greatest {name} difference: {value} at index {index}{allowed}")
    return "\n".join(lines)
