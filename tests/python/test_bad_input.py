"""Bad input is refused: with the class of PyTorch's exception, a text that has the values, and nothing changed.

B01 to B40 are cases from the advisories of other libraries; each crashed one of them, or gave garbage.
"""

import struct

import gotorch
import pytest
from gotorch import safetensors

torch = pytest.importorskip("torch")
HUGE = 2**63 - 1
NAN, INF = float("nan"), float("inf")


def ones(*shape, dtype="float32", grad=False):
    return lambda t: t.ones(shape, dtype=getattr(t, dtype), requires_grad=grad)


def data(values, dtype="int64"):
    return lambda t: t.tensor(values, dtype=getattr(t, dtype))


def stretched(*shape):
    """One element, told as many."""
    return lambda t: t.ones(1).expand(shape)


def f(name, *args, **kwargs):
    """A call of torch.nn.functional.name(inputs..., args...)."""
    return lambda t, *inputs: getattr(t.nn.functional, name)(*inputs, *args, **kwargs)


def m(name, *args, **kwargs):
    """A call of torch.name(inputs..., args...), or of the method where there is no function."""
    return lambda t, *x: (getattr(t, name, None) or getattr(t.Tensor, name))(*x, *args, **kwargs)


def listed(name, **kwargs):
    """A call of torch.name([inputs...])."""
    return lambda t, *inputs: getattr(t, name)(list(inputs), **kwargs)


def filled(name, *args):
    """In place, on the first input."""
    return lambda t, x, *inputs: getattr(x, name)(*inputs, *args)


def backward(name, *args, **kwargs):
    """Backward of torch.nn.functional.name(inputs..., args...) from the last input as the gradient."""
    return lambda t, *x: getattr(t.nn.functional, name)(*x[:-1], *args, **kwargs).backward(x[-1])


def internal(name, *args):
    """A call of an op that only other ops call: it checks its arguments all the same."""
    return lambda t, *inputs: getattr(t._C.internal, name)(*inputs, *args)


def einsum(equation):
    return lambda t, *inputs: t.einsum(equation, *inputs)


# fmt: off
SQUARE = ones(1, 1, 4, 4)
CUBE = ones(1, 1, 4, 4, 4)
# (case, call, inputs, what the text has). The class is that of PyTorch's exception.
ROWS = [
    ("B01 conv2d of nothing", f("conv2d"), [ones(0, 0, 0, 0), ones(0, 0, 0, 0)], ["conv", "[0, 0, 0, 0]"]),
    ("B02 weight of no channels", f("conv2d"), [ones(0, 0, 1, 1), ones(0, 0, 1, 1, grad=True)], ["[0, 0, 1, 1]"]),
    ("B03 stride 0", f("conv2d", stride=0), [SQUARE, ones(1, 1, 2, 2)], ["conv", "[0, 0]"]),
    ("B03 dilation 0", f("conv2d", dilation=0), [SQUARE, ones(1, 1, 2, 2)], ["dilation", "[0, 0]"]),
    ("B03 padding 2**62", f("conv2d", padding=2**62), [SQUARE, ones(1, 1, 2, 2)], ["padding", str(2**62)]),
    ("B04 gradient of another shape", backward("conv2d"), [ones(1, 1, 4, 4, grad=True), ones(1, 1, 2, 2), ones(1, 1, 9, 9)], ["(1, 1, 9, 9)", "(1, 1, 3, 3)"]),
    ("B05 channels that differ", f("conv3d"), [ones(1, 3, 4, 4, 4), ones(2, 2, 2, 2, 2)], ["3 channels", "2 channels"]),
    ("B05 gradient of other channels", backward("conv3d"), [ones(1, 2, 4, 4, 4, grad=True), ones(2, 2, 2, 2, 2), ones(1, 7, 3, 3, 3)], ["(1, 7, 3, 3, 3)"]),
    ("B06 transposed, stride 0", f("conv_transpose2d", stride=0), [SQUARE, ones(1, 1, 2, 2)], ["conv", "[0, 0]"]),
    ("B07 kernel 0", f("max_pool3d", (2, 2, 0)), [CUBE], ["max_pool", "[2, 2, 0]"]),
    ("B07 kernel below 0", f("max_pool3d", (2, 2, -1)), [CUBE], ["max_pool", "[2, 2, -1]"]),
    ("B08 kernel below 0", f("avg_pool2d", -2), [SQUARE], ["avg_pool", "[-2, -2]"]),
    ("B08 kernel 2**62", f("avg_pool2d", 2**62), [SQUARE], ["kernel_size", str(2**62)]),
    ("B09 gradient of another batch", backward("avg_pool3d", 2), [ones(1, 1, 4, 4, 4, grad=True), ones(3, 5, 2, 2, 2)], ["(3, 5, 2, 2, 2)"]),
    ("B10 image without height", f("max_pool2d", 2), [ones(1, 1, 0, 4)], ["max_pool2d", "[1, 1, 0, 4]"]),
    ("B11 output size below 0", f("adaptive_avg_pool2d", -1), [SQUARE], ["output_size", "[-1, -1]"]),
    ("B11 output size 2**40", f("adaptive_max_pool2d", (2**40, 2)), [SQUARE], ["output_size", str(2**40)]),
    ("B13 empty list", f("pad", [], mode="reflect"), [ones(1, 1, 4)], ["pad", "0"]),
    ("B13 as large as the input", f("pad", (4, 0), mode="reflect"), [ones(1, 1, 4)], ["(4, 0)", "[1, 1, 4]"]),
    ("B13 2**62", f("pad", (2**62, 0)), [ones(1, 1, 4)], [str(2**62 + 4)]),
    ("B13 2**62 copies", f("pad", (2**62, 0), mode="replicate"), [ones(1, 1, 4)], [str(2**62 + 4)]),
    ("B13 odd list", f("pad", (1, 2, 3)), [ones(1, 1, 4)], ["pad", "3"]),
    ("B14 to 2**31", f("interpolate", size=(2**31, 2**31)), [SQUARE], ["interpolate", str(2**31)]),
    ("B14 to 0", f("interpolate", size=(0, 2)), [SQUARE], ["interpolate", "0"]),
    ("B15 running_var of size 0", f("batch_norm", training=False), [ones(2, 3, 4), ones(3), ones(0)], ["batch_norm", "3", "[0]"]),
    ("B15 running_mean of size 2", f("batch_norm", training=True), [ones(2, 3, 4), ones(2), ones(3)], ["batch_norm", "3", "[2]"]),
    ("B16 gather below", lambda t, x, i: t.gather(x, 0, i), [ones(3), data([-4])], ["gather", "-4", "3"]),
    ("B17 embedding of -2**63", f("embedding"), [data([-(2**63)]), ones(4, 3)], ["embedding", str(-(2**63)), "4"]),
    ("B18 weight without rows", f("embedding"), [data([0]), ones(0, 3)], ["embedding", "[0, 3]"]),
    ("B20 index_add below", lambda t, x, i, y: x.index_add(0, i, y), [ones(3, 2), data([-5]), ones(1, 2)], ["index_add", "-5", "3"]),
    ("B20 index_add_ far above", lambda t, x, i, y: x.index_add_(0, i, y), [ones(3, 2), data([2**40]), ones(1, 2)], ["index_add", str(2**40)]),
    ("B20 scatter_add_ above", lambda t, x, i, y: x.scatter_add_(0, i, y), [ones(3), data([7]), ones(1)], ["scatter_add", "7", "3"]),
    ("B20 index_copy_ above", lambda t, x, i, y: x.index_copy_(0, i, y), [ones(3, 2), data([3]), ones(1, 2)], ["index_copy", "3"]),
    ("B21 bincount of -1", m("bincount"), [data([-1, 2])], ["bincount"]),
    ("B21 weights of size 0", lambda t, x, w: t.bincount(x, weights=w), [data([1, 2]), ones(0)], ["bincount", "[0]", "[2]"]),
    ("B21 minlength 2**40", m("bincount", minlength=2**40), [data([1, 2])], ["cannot allocate", str(2**43)]),
    ("B21 minlength below 0", m("bincount", minlength=-1), [data([1, 2])], ["bincount", "-1"]),
    ("B21 value 2**62", m("bincount"), [data([2**62])], ["bincount", str(2**62 + 1)]),
    ("B22 one_hot depth 0", f("one_hot", 0), [data([0])], ["one_hot"]),
    ("B22 one_hot above", f("one_hot", 3), [data([5])], ["one_hot", "5", "3"]),
    ("B22 one_hot below", f("one_hot"), [data([-1])], ["one_hot", "-1"]),
    ("B22 one_hot of nothing", f("one_hot"), [data([])], ["one_hot"]),
    ("B23 cross_entropy above", f("cross_entropy"), [ones(2, 3), data([3, 0])], ["cross_entropy", "3"]),
    ("B23 nll_loss below", f("nll_loss"), [ones(2, 3), data([0, -1])], ["nll_loss", "-1"]),
    ("B24 repeat overflowing", lambda t, x: x.repeat(2**62, 4), [ones(1)], [str(2**62), "4"]),
    ("B24 repeat below 0", lambda t, x: x.repeat(-1), [ones(1)], ["-1"]),
    ("B25 tile", lambda t, x: x.tile(10**8, 10**8, 10**8), [ones(1)], [str(10**8)]),
    ("B26 arange from -1e38", lambda t: t.arange(-1e38, 1), [], ["arange", "-1e+38"]),
    ("B26 arange to 1e20", lambda t: t.arange(0, 1e20), [], ["arange", "1e+20"]),
    ("B26 arange to infinity", lambda t: t.arange(0, INF), [], ["arange", "inf"]),
    ("B26 arange to NaN", lambda t: t.arange(0, NAN), [], ["arange", "nan"]),
    ("B27 255 zero dims", lambda t, x: x.reshape([0] * 255), [ones(1)], ["reshape", "1"]),
    ("B28 product past 2**63", lambda t: t.zeros(2**60 - 1, 2**60 - 1), [], ["zeros", str(2**60 - 1)]),
    ("B28 bytes past 2**63", lambda t: t.empty(2**62), [], ["empty", str(2**62)]),
    ("B28 of a deferred result", lambda t, x: x + 1, [stretched(2**62)], ["add", str(2**62)]),
    ("B28 of an out", lambda t, x: t.add(x, 1, out=t.empty(0)), [stretched(2**62)], ["add", str(2**62)]),
    ("B29 cat along -2**31 - 1", listed("cat", dim=-(2**31) - 1), [ones(2)], ["cat", str(-(2**31) - 1)]),
    ("B29 stack along -2**31 - 1", listed("stack", dim=-(2**31) - 1), [ones(2)], ["stack", str(-(2**31) - 1)]),
    ("B30 flip dim -10", m("flip", [-10]), [ones(3)], ["flip", "-10"]),
    ("B30 flip twice", m("flip", [0, 0]), [ones(3)], ["flip", "0"]),
    ("B32 offset 2**63 - 1", m("as_strided", (2,), (1,), HUGE), [ones(4)], ["as_strided", str(HUGE)]),
    ("B32 stride below 0", m("as_strided", (2,), (-1,)), [ones(4)], ["as_strided", "-1"]),
    ("B32 past the storage", m("as_strided", (2, 2), (4, 1)), [ones(4)], ["as_strided", "[2, 2]", "[4, 1]", "16"]),
    ("B32 offset below 0", m("as_strided", (2,), (1,), -1), [ones(4)], ["as_strided", "-1"]),
    ("B32 product past 2**63", m("as_strided", (2**32, 2**32), (2**32, 1)), [ones(4)], [str(2**32)]),
    ("B33 inner dim 0", m("matmul"), [ones(2, 0), ones(3, 2)], ["matmul", "2x0", "3x2"]),
    ("B33 batches that differ", m("matmul"), [ones(2, 3, 4), ones(3, 4, 5)], ["matmul", "2", "3"]),
    ("B34 into parts of 0", m("split", 0), [ones(4)], ["split", "4"]),
    ("B34 sizes not summing", m("split", [1, 2]), [ones(4)], ["split", "4", "[1, 2]"]),
    ("B34 into 0 chunks", m("chunk", 0), [ones(4)], ["chunk", "0"]),
    ("B35 empty equation", einsum(""), [ones(2)], ["einsum", "''"]),
    ("B35 missing operand", einsum("ij,jk->ik"), [ones(2, 3)], ["einsum", "2", "1"]),
    ("B35 repeated in the output", einsum("ij->iij"), [ones(2, 3)], ["einsum", "i"]),
    ("B35 unknown in the output", einsum("i->j"), [ones(2)], ["einsum", "j"]),
    ("B35 no letter", einsum("i1"), [ones(2)], ["einsum", "1"]),
    ("B35 sizes that differ", einsum("ij,jk"), [ones(2, 3), ones(4, 2)], ["einsum", "4", "3"]),
    ("B38 by 0", m("floor_divide", 0), [data([1])], ["floor_divide", "ZeroDivisionError"]),
    ("B38 remainder by 0", m("remainder"), [data([1]), data([0])], ["remainder", "ZeroDivisionError"]),
    ("B38 fmod by 0", m("fmod", 0), [data([1])], ["fmod", "ZeroDivisionError"]),
    ("B38 in place", filled("floor_divide_"), [data([1, 2]), data([1, 0])], ["floor_divide", "ZeroDivisionError"]),
    ("B39 from above to", filled("uniform_", 2, 1), [ones(2)], ["uniform", "2", "1"]),
    ("B39 randint", lambda t: t.randint(5, 2, (3,)), [], ["randint", "5", "2"]),
    ("B39 std below 0", filled("normal_", 0, -1), [ones(2)], ["normal", "-1"]),
    ("B39 probability 2", m("bernoulli"), [data([2.0], "float32")], ["bernoulli", "2"]),
    ("B39 weight below 0", m("multinomial", 1), [data([-1.0, 2.0], "float32")], ["multinomial", "-1"]),
    ("B39 maximum of nothing", m("max"), [ones(0)], ["max"]),
    ("B39 item of nothing", m("item"), [ones(0)], ["0", "[0]"]),
    ("dim without elements", m("argmax", 1), [ones(2, 0)], ["argmax", "1"]),
    ("index above", lambda t, x: x[3], [ones(3)], ["3", "0"]),
    ("index 2**63 - 1", lambda t, x: x[HUGE], [ones(3)], [str(HUGE), "3"]),
    ("index below, by tensor", lambda t, x, i: x[i], [ones(3), data([-4])], ["-4", "3"]),
    ("too many indices", lambda t, x: x[0, 0], [ones(3)], ["1"]),
    ("float index", lambda t, x: x[1.0], [ones(3)], ["float"]),
    ("step below 0", lambda t, x: x[::-1], [ones(3)], ["-1"]),
    ("mask of another shape", lambda t, x, i: x[i], [ones(3), data([True, False], "bool")], ["[2]", "[3]"]),
    ("assigned too much", lambda t, x, y: x.__setitem__(slice(0, 2), y), [ones(3), ones(3)], ["2", "3"]),
    ("assigned out of bounds", lambda t, x, i: x.__setitem__(i, 0), [ones(3), data([5])], ["5", "3"]),
    ("dtypes of a product", m("matmul"), [ones(2, 2), ones(2, 2, dtype="int64")], ["float32", "int64"]),
    ("result into an integer", filled("add_", 1.5), [ones(2, dtype="int64")], ["add", "float32", "int64"]),
    ("bits of a float", m("bitwise_and"), [ones(2), ones(2)], ["bitwise_and", "float32"]),
    ("mean of integers", m("mean"), [ones(2, dtype="int64")], ["mean", "int64"]),
    ("gradient of integers", lambda t, x: x.requires_grad_(), [ones(2, dtype="int64")], ["int64"]),
    ("300 as uint8", lambda t: t.full((2,), 300, dtype=t.uint8), [], ["full", "300", "uint8"]),
    ("sum of shapes", m("add"), [ones(2, 3), ones(2, 4)], ["add", "[2, 3]", "[2, 4]"]),
    ("product of shapes", m("matmul"), [ones(2, 3), ones(2, 3)], ["2x3"]),
    ("view of another size", m("view", (5,)), [ones(2, 3)], ["view", "[5]", "6"]),
    ("expand", m("expand", (3, 4)), [ones(2)], ["expand", "[3, 4]", "[2]"]),
    ("cat of shapes", listed("cat"), [ones(2, 3), ones(3, 2)], ["cat", "3", "2"]),
    ("stack of shapes", listed("stack"), [ones(2), ones(3)], ["stack", "[2]", "[3]"]),
    ("cat of nothing", listed("cat"), [], ["cat"]),
    ("in place broadcast", filled("add_"), [ones(2), ones(3, 2)], ["add", "[2]", "[3, 2]"]),
    ("copy of another shape", filled("copy_"), [ones(2), ones(3)], ["copy", "2", "3"]),
    ("linear", f("linear"), [ones(2, 3), ones(4, 5)], ["linear", "2x3", "5x4"]),
    ("dim above", m("sum", 2), [ones(2, 3)], ["sum", "[-2, 1]", "2"]),
    ("dims twice", m("permute", (0, 0)), [ones(2, 3)], ["permute", "[0, 0]"]),
    ("two sizes open", m("reshape", (-1, -1)), [ones(2, 3)], ["reshape", "[-1, -1]"]),
    ("size of nothing open", m("reshape", (-1, 0)), [ones(0, 3)], ["reshape", "[-1, 0]"]),
    ("batch of another size", f("cross_entropy"), [ones(2, 3), data([0, 1, 2])], ["(2)", "(3)"]),
    ("layer_norm", f("layer_norm", (4,)), [ones(2, 3)], ["layer_norm", "4", "[2, 3]"]),
    ("topk", m("topk", 5), [ones(3)], ["topk", "5", "3"]),
    ("negative size", lambda t: t.zeros(2, -1), [], ["zeros", "-1"]),
    ("linspace of 2**62", lambda t: t.linspace(0, 1, 2**62), [], ["linspace", str(2**62)]),
    ("randperm below 0", lambda t: t.randperm(-1), [], ["randperm", "-1"]),
    ("window step 0", lambda t, x: x.unfold(0, 2, 0), [ones(3)], ["unfold", "0"]),
    ("pixel_shuffle by 2**32", f("pixel_shuffle", 2**32), [ones(1, 8, 2, 2)], ["pixel_shuffle", str(2**32)]),
    ("divisor 0", f("avg_pool2d", 2, divisor_override=0), [SQUARE], ["avg_pool2d"]),
    ("dropout of 1.5", f("dropout", 1.5), [ones(2)], ["dropout", "1.5"]),
    ("truth of two", lambda t, x: bool(x), [ones(2)], ["[2]"]),
    ("infinity as an integer", lambda t, x: int(x), [data(INF, "float32")], ["infinity"]),
    ("2**70 beside a tensor", lambda t, x: x + 2**70, [ones(2)], [str(2**70)]),
    ("stride 0, add_", filled("add_", 1), [stretched(3)], ["add", "stride 0", "[3]"]),
    ("stride 0, copy_", filled("copy_"), [stretched(3), ones(3)], ["copy", "[3]"]),
    ("stride 0, uniform_", filled("uniform_"), [stretched(3)], ["uniform", "[3]"]),
    ("stride 0, scatter_", lambda t, x, i: x.scatter_(0, i, 1.0), [stretched(3), data([0])], ["scatter", "[3]"]),
    ("stride 0, out", lambda t, x, y: t.add(x, 1, out=y), [ones(3), stretched(3)], ["add", "[3]"]),
    ("huge triangle", lambda t: t.tril_indices(2**40, 2**40), [], ["tril_indices"]),
    ("huge repeat", lambda t, x: x.repeat(2**40), [ones(1)], ["cannot allocate", str(2**42)]),
]

# PyTorch crashes or accepts these, or raises another class: (case, call, inputs, what the text has, ours).
OURS = [
    ("B20 index_add of a vector", lambda t, x, i, y: x.index_add(0, i, y), [ones(3), data([-5]), ones(1)], ["-5"], RuntimeError),
    ("stride 0, fill_", filled("fill_", 1), [stretched(3)], ["fill", "[3]"], RuntimeError),
    ("stride 0, masked_fill_", filled("masked_fill_", 1), [stretched(3), data([True, False, True], "bool")], ["[3]"], RuntimeError),
    ("indices that a hook changed", lambda t, x: pooled_with_changed_indices(t, x), [ones(1, 1, 4, 4, grad=True)], [str(10**9)], IndexError),
    ("take in 4 of 2 dims", internal("_take_in_planes", 4), [ones(2, 7), data([[0]])], ["4"], RuntimeError),
    ("pooled from far outside", internal("_max_pool_backward", (7,)), [ones(2), data([10**9, 0])], [str(10**9), "7"], IndexError),
    ("one diagonal twice", internal("diagonal_backward", (3, 5), -1, 1, 1), [ones(0)], ["1, 1"], RuntimeError),
    ("selected from no dim", internal("select_backward", [], -1, 0), [ones(3)], ["0-dim"], IndexError),
    ("windows of step 0", internal("unfold_backward", (3, 5), 1, 3, 0), [ones(3, 3, 3)], ["step is 0"], RuntimeError),
    ("pooled from 2**63 - 1", internal("_adaptive_avg_backward", (HUGE, 0)), [ones(1, 1, 1)], [str(HUGE), "0]"], RuntimeError),
    ("no groups", internal("_conv_weight", (3,), (2,), (1,), (1,), 0), [ones(2, 4, 5), ones(2, 6, 3)], ["groups", "0"], RuntimeError),
    ("a weight of 2 dims", internal("_conv_data", None, (5,), (2,), (1,), (1,), 2), [ones(2, 6, 3), ones(6, 2)], ["[6, 2]"], RuntimeError),
    ("no statistics", internal("_batch_norm", None, None, None, None, False, 0.1, 1e-5), [ones(4, 3, 2)], ["running_mean"], ValueError),
    ("softmax of another shape", internal("_softmax_backward", 0), [ones(3), ones(2)], ["[3]", "[2]"], RuntimeError),
    ("embedding of another shape", internal("embedding_backward", 4, -1, False), [ones(2), data([0, 1, 2])], ["grad", "[2]"], RuntimeError),
    ("size 2**64", lambda t: t.zeros(2**64), [], [str(2**64)], OverflowError),
]
# fmt: on


def pooled_with_changed_indices(t, x):
    """The indices that backward will use point far outside: their version does not count writes through `.data`."""
    y, indices = t.nn.functional.max_pool2d_with_indices(x, 2)
    indices.data.fill_(10**9)
    y.sum().backward()


def state(x):
    return tuple(x.shape), x.stride(), x.dtype, x._version, x.requires_grad, x.storage_offset(), content(x)


def content(x):
    return gotorch._C._to_bytes(x.detach()) if x.numel() < 1000 else x.data_ptr()


def refused(call, makers, words, kind):
    inputs = [make(gotorch) for make in makers]
    before = [state(x) for x in inputs]
    with pytest.raises(kind) as error:
        call(gotorch, *inputs)
    for word in words:
        assert word in str(error.value), f"{error.value} lacks {word}"
    assert [state(x) for x in inputs] == before
    assert all(x.grad is None for x in inputs if x.is_leaf)
    assert (gotorch.arange(5000.0) + 1).sum().item() == 12502500.0


@pytest.mark.parametrize("case, call, makers, words", ROWS, ids=[row[0] for row in ROWS])
def test_bad_input_is_refused_as_by_pytorch(case, call, makers, words):
    with pytest.raises(Exception) as theirs:
        call(torch, *(make(torch) for make in makers))
    # Memory that cannot be had is a MemoryError besides.
    refused(call, makers, words, theirs.type)


@pytest.mark.parametrize("case, call, makers, words, kind", OURS, ids=[row[0] for row in OURS])
def test_bad_input_is_refused(case, call, makers, words, kind):
    refused(call, makers, words, kind)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_the_smallest_integer_by_minus_1(dtype):
    """B38: the quotient does not fit, and the processor traps, in PyTorch too for some of these; here it wraps."""
    d = getattr(gotorch, dtype)
    low = torch.iinfo(getattr(torch, dtype)).min
    x = gotorch.tensor([low, 7], dtype=d)
    for by in (-1, gotorch.tensor([-1], dtype=d)):
        for quotient in (x // by, gotorch.div(x, by, rounding_mode="trunc"), x.clone().floor_divide_(by), -x):
            assert quotient.tolist() == [low, -7]
        for rest in (x % by, gotorch.fmod(x, by), x.clone().remainder_(by), x.clone().fmod_(by)):
            assert rest.tolist() == [0, 0]
    assert abs(x).tolist() == [low, 7]


def test_convolution_without_channels():
    """From none it gives the bias, to none a gradient of zeros. It did not end."""
    x = gotorch.zeros(2, 0, 5, 5)
    y = gotorch.nn.functional.conv2d(x, gotorch.zeros(4, 0, 3, 3), gotorch.arange(4.0))
    assert y.amax((0, 2, 3)).tolist() == y.amin((0, 2, 3)).tolist() == [0, 1, 2, 3]
    x = gotorch.ones(2, 4, 5, 5, requires_grad=True)
    y = gotorch.nn.functional.conv_transpose2d(x, gotorch.zeros(4, 0, 3, 3))
    y.sum().backward()
    assert y.shape == (2, 0, 7, 7)
    assert not x.grad.any()


def test_a_triangle_without_columns_takes_no_time():
    for t in (torch, gotorch):
        assert t.triu_indices(2**40, 2, 2**40).shape == (2, 0)
        assert t.tril_indices(2**62, 0).shape == (2, 0)


@pytest.mark.parametrize("form", ["tril_indices", "triu_indices"])
def test_triangles_are_those_of_pytorch(form):
    for rows in range(5):
        for columns in range(5):
            for offset in (*range(-6, 7), 2**63 - 1, -(2**63)):
                wanted = [
                    (r, c)
                    for r in range(rows)
                    for c in range(columns)
                    if (c - r <= offset if form == "tril_indices" else c - r >= offset)
                ]
                got = getattr(gotorch, form)(rows, columns, offset)
                assert list(zip(*got.tolist())) == wanted, (rows, columns, offset)


def test_nan_and_infinity_are_values():
    for name in ("relu", "exp", "sigmoid", "sort", "cumsum", "softmax", "argmax", "max", "round", "floor"):
        args = {"cumsum": (0,), "softmax": (0,)}.get(name, ())
        results = []
        for t in (torch, gotorch):
            x = t.tensor([1.0, NAN, -INF, INF, -0.0, 1e-42, 3e38])
            result = getattr(t, name)(x, *args)
            result = result[0] if isinstance(result, tuple) else result
            results.append(torch.tensor(result.tolist()))
        torch.testing.assert_close(*results, equal_nan=True)


def test_a_saved_tensor_that_was_modified_is_told():
    x = gotorch.ones(3, requires_grad=True)
    y = x.exp()
    z = y.sum()
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation.* version 1.* version 0"):
        z.backward()
    assert x.grad is None


def test_backward_twice_is_told():
    x = gotorch.ones(3, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    assert x.grad.tolist() == [2, 2, 2]


def safetensors_file(header, data=b""):
    return struct.pack("<Q", len(header)) + header + data


@pytest.mark.parametrize(
    "content",
    [
        safetensors_file(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        safetensors_file(b"[" * 100_000),
        safetensors_file(b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'),
        safetensors_file(b'{"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}', bytes(4)),
        safetensors_file(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', bytes(4)),
        safetensors_file(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}', bytes(4)),
        struct.pack("<Q", 2**64 - 1) + b"{}",
    ],
    ids=["objects", "lists", "product", "bytes", "negative", "offset", "header"],
)
def test_hostile_headers(content):
    """B40: nested without end, and sizes that wrap."""
    with pytest.raises((ValueError, RuntimeError)) as error:
        safetensors.load(content)
    assert "safetensors" in str(error.value) or "[4294967296, 4294967296]" in str(error.value)


def test_an_out_that_numpy_reads_is_not_moved():
    out = gotorch.zeros(3)
    seen = out.numpy()
    with pytest.raises(RuntimeError, match="12 bytes is shared"):
        gotorch.add(gotorch.ones(100), 1, out=out)
    assert out.shape == (3,)
    assert seen.tolist() == [0, 0, 0]


def test_numbers_at_the_end_of_their_range_are_no_undefined_behaviour():
    """What the sanitizers found: sizes beside an empty dimension, padding, digits and orders that cannot be negated or counted."""
    least, most = -(2**63), 2**63 - 1
    x = gotorch.ones(2, 3, 4)
    assert gotorch.zeros(0, 2**40, 2**40).numel() == 0
    with pytest.raises(RuntimeError):
        gotorch.nn.functional.pad(x, (-1, least), "replicate")
    with pytest.raises(RuntimeError):
        gotorch.nn.functional.pad(x, (least, 1))
    assert gotorch.nn.functional.pad(x, (-3, 1))[0, 0].tolist() == [1, 0]
    assert gotorch.round(x, decimals=least).shape == x.shape
    assert gotorch.polygamma(most, x).shape == x.shape
    assert gotorch.linspace(float("-inf"), 1, 5, dtype=gotorch.int8).shape == (5,)
