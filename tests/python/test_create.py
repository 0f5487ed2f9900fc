"""torch.tensor and its relatives, compared with PyTorch."""

import math

import gotorch
import pytest

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")

DATA = {
    "int": 5,
    "float": 1.5,
    "bool": True,
    "empty list": [],
    "empty rows": [[], []],
    "ints": [1, 2, 3],
    "ints and floats": [1, 2.5, True],
    "bools and ints": [True, 2],
    "nested": [[1, 2], [3, 4]],
    "tuple of lists": ([1.0], [2]),
    "range": range(3),
    "nan and inf": [math.nan, math.inf, -math.inf],
    "numpy float32": np.float32(1.5),
    "numpy float64": np.float64(1.5),
    "numpy bool": np.bool_(True),
    "list of numpy float64": [np.float64(1), 2],
    "list of numpy int32": [np.int32(1)],
    "array": np.arange(6, dtype=np.int16).reshape(2, 3),
    "strided array": np.arange(12.0).reshape(3, 4)[::2, 1::2],
    "list of arrays": [np.arange(3), np.arange(3)],
    "float16 array": np.ones(2, np.float16),
}


def same(ours, theirs):
    assert str(ours.dtype) == str(theirs.dtype)
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.tolist()) == str(theirs.tolist())


@pytest.mark.parametrize("name", DATA)
@pytest.mark.filterwarnings("ignore:Creating a tensor from a list")
def test_tensor_reads_data_as_pytorch_does(name):
    same(gotorch.tensor(DATA[name]), torch.tensor(DATA[name]))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "bool", "float16", "bfloat16", "float64"])
def test_tensor_converts_to_the_dtype_that_is_asked_for(dtype):
    data = [[0, 1, 2.75], [3, 100, 5]]
    same(
        gotorch.tensor(data, dtype=getattr(gotorch, dtype)),
        torch.tensor(data, dtype=getattr(torch, dtype)),
    )


BAD = [
    "tensor(['a'])",
    "tensor([None])",
    "tensor('a')",
    "tensor(b'abc')",
    "tensor(object())",
    "tensor({1: 2})",
    "tensor([[1, 2], [3]])",
    "tensor([[1, 2], 3])",
    "tensor([1, [2, 3]])",
    "tensor([300], dtype=torch.uint8)",
    "tensor([2**40], dtype=torch.int32)",
    "tensor([float('nan')], dtype=torch.int64)",
    "tensor([3e9], dtype=torch.int32)",
    "tensor([1], requires_grad=True)",
    "tensor()",
    "tensor([1], foo=2)",
    "tensor([1], dtype='a')",
    "tensor([torch.tensor([1., 2.]), torch.tensor([1., 2.])])",
    "from_numpy([1])",
    "from_numpy(np.ones(3)[::-1])",
    "from_numpy(np.array(['a']))",
    "Tensor(3.5)",
    "frombuffer(bytearray(3), dtype=torch.int16)",
    "frombuffer(bytearray(0), dtype=torch.int16)",
    "frombuffer(bytearray(4), dtype=torch.int16, offset=4)",
    "frombuffer(bytearray(4), dtype=torch.int16, count=3)",
    "tensor([1.0], device='nowhere')",
]


@pytest.mark.parametrize("call", BAD)
def test_bad_data_raises_the_class_that_pytorch_raises(call):
    with pytest.raises(Exception) as theirs:
        eval("torch." + call, {"torch": torch, "np": np})
    with pytest.raises(theirs.type):
        eval("torch." + call, {"torch": gotorch, "np": np})


def test_integers_beyond_64_bits_are_refused():
    with pytest.raises((ValueError, OverflowError)):
        gotorch.tensor([2**63])


def test_data_that_contains_itself_is_refused():
    data = []
    data.append(data)
    with pytest.raises(ValueError, match="itself"):
        gotorch.tensor(data)


def test_tensor_copies_and_as_tensor_shares():
    array = np.ones(3, np.float32)
    copied, shared = gotorch.tensor(array), gotorch.as_tensor(array)
    array[0] = 7
    assert copied.tolist() == [1, 1, 1]
    assert shared.tolist() == [7, 1, 1]
    assert gotorch.as_tensor(shared) is shared


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"])
def test_numpy_arrays_go_both_ways_on_the_same_memory(dtype):
    array = np.zeros((2, 3), dtype)
    x = gotorch.from_numpy(array)
    assert str(x.dtype) == "torch." + dtype
    back = x.numpy()
    back[1, 2] = 1
    assert array[1, 2] == 1
    assert x.tolist()[1][2] == 1
    assert back.dtype == array.dtype
    assert np.asarray(x).__array_interface__["data"] == array.__array_interface__["data"]


def test_strided_and_transposed_arrays_are_shared():
    array = np.arange(24.0).reshape(4, 6).T[::2]
    x = gotorch.from_numpy(array)
    assert x.stride() == torch.from_numpy(array).stride()
    assert x.tolist() == array.tolist()
    assert x.numpy().strides == array.strides


def test_empty_and_0d_arrays_are_shared():
    assert gotorch.from_numpy(np.ones((0, 3))).shape == (0, 3)
    assert gotorch.from_numpy(np.array(3.0)).item() == 3.0
    assert gotorch.tensor(3.0).numpy().shape == ()


def test_a_shared_array_outlives_its_tensor_and_the_other_way_round():
    array = gotorch.tensor([1.0, 2.0]).numpy()
    assert array.tolist() == [1, 2]
    x = gotorch.from_numpy(np.array([3.0, 4.0]))
    assert x.tolist() == [3, 4]


def test_read_only_arrays_can_be_read_but_not_written():
    array = np.ones(3)
    array.flags.writeable = False
    x = gotorch.from_numpy(array)
    assert (x + 1).tolist() == [2, 2, 2]
    with pytest.raises(RuntimeError, match="read-only"):
        x.add_(1)


def test_bfloat16_has_no_numpy_dtype():
    with pytest.raises(TypeError):
        gotorch.tensor([1.0], dtype=gotorch.bfloat16).numpy()


def test_numpy_writes_after_a_deferred_op_do_not_reach_its_result():
    x = gotorch.tensor(np.ones(10000, np.float32))
    before = x + 1
    array = x.numpy()
    array[:] = 5
    after = x + 1
    array[:] = 9
    assert before.tolist()[:2] == [2, 2]
    assert after.tolist()[:2] == [6, 6]


def test_buffers_of_bytes_become_tensors():
    data = bytearray(b"abcdef")
    x = gotorch.frombuffer(data, dtype=gotorch.int16, offset=2)
    same(x, torch.frombuffer(data, dtype=torch.int16, offset=2))
    x.add_(1)
    assert data[2:] == b"ddff"
    assert memoryview(gotorch.tensor([[1, 2]])).tolist() == [[1, 2]]


def test_the_legacy_constructor_takes_sizes_or_data():
    assert gotorch.Tensor(2, 3).shape == (2, 3)
    assert gotorch.Tensor().shape == (0,)
    same(gotorch.Tensor([1, 2]), torch.Tensor([1, 2]))
    same(gotorch.Tensor((2, 3)), torch.Tensor((2, 3)))
    assert gotorch.Tensor(gotorch.Size([2, 3])).shape == (2, 3)
