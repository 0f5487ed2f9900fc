"""The Tensor type: identity, attributes, subclasses, operators, conversions."""

import copy
import gc
import pickle
import weakref

import gotorch
import pytest

torch = pytest.importorskip("torch")


def both(data, **kwargs):
    return gotorch.tensor(data, **kwargs), torch.tensor(data, **kwargs)


def test_attributes_survive_as_long_as_the_object():
    x = gotorch.tensor([1.0])
    x.note = "hello"
    assert x.note == "hello"
    assert x.__dict__ == {"note": "hello"}
    del x.note
    assert not hasattr(x, "note")


def test_a_cycle_through_an_attribute_is_collected():
    x = gotorch.tensor([1.0])
    x.me = x
    ref = weakref.ref(x)
    del x
    gc.collect()
    assert ref() is None


def test_weak_references_see_the_end_of_a_tensor():
    x = gotorch.tensor([1.0])
    ref = weakref.ref(x)
    assert ref() is x
    del x
    assert ref() is None


def test_hash_is_by_identity_and_equality_by_element():
    x, y = gotorch.tensor([1.0, 2.0]), gotorch.tensor([1.0, 3.0])
    assert len({x, y, x}) == 2
    assert (x == y).tolist() == [True, False]
    assert (x == None) is False  # noqa: E711
    assert (x != "a") is True


class Named(gotorch.Tensor):
    def __new__(cls, data, name):
        return gotorch.Tensor._make_subclass(cls, data)

    def __init__(self, data, name):
        self.name = name


def test_subclasses_have_attributes_and_take_part_in_operations():
    x = Named(gotorch.tensor([1.0, 2.0]), "x")
    assert isinstance(x, gotorch.Tensor)
    assert x.name == "x"
    assert (x + 1).tolist() == [2.0, 3.0]
    assert (1 + x).tolist() == [2.0, 3.0]
    x += 1
    assert type(x) is Named
    ref = weakref.ref(x)
    x.me = x
    del x
    gc.collect()
    assert ref() is None


def test_many_objects_come_and_go():
    for _ in range(3):
        many = [gotorch.tensor([float(i)]) for i in range(1000)]
        assert many[999].item() == 999.0
        del many


OPERATORS = [
    "x + y", "x - y", "x * y", "x / y", "x + 2", "2 + x", "x - 2.5", "2.5 - x", "x * True",
    "3 * x", "x / 2", "2 / x", "-x", "+x", "x < y", "x <= 2", "x > y", "x >= y", "x == y",
    "x != y", "2 < x",
]  # fmt: skip


@pytest.mark.parametrize("expression", OPERATORS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "float16", "bfloat16"])
def test_operators_are_those_of_pytorch(expression, dtype):
    data = [[1, 2, 3], [4, 5, 6]], [[3, 2, 1], [4, 1, 7]]
    ours, theirs = (
        eval(expression, {k: m.tensor(d, dtype=getattr(m, dtype)) for k, d in zip("xy", data)})
        for m in (gotorch, torch)
    )
    assert str(ours.dtype) == str(theirs.dtype)
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize("expression", ["x + None", "x + 'a'", "'a' + x", "x < 'a'", "x - []", "x @ 2", "2 @ x"])
def test_operators_refuse_other_types_with_a_type_error(expression):
    with pytest.raises(TypeError):
        eval(expression, {"x": gotorch.tensor([1.0])})


def test_in_place_operators_return_the_object_itself():
    x = gotorch.tensor([1.0, 2.0])
    same = x
    x += 1
    x *= 2
    x -= 1
    x /= 2
    assert x is same
    assert x.tolist() == [1.5, 2.5]


def test_numpy_scalars_and_0d_tensors_are_numbers():
    np = pytest.importorskip("numpy")
    x = gotorch.tensor([1.0, 2.0])
    assert (x * np.float32(2)).dtype is gotorch.float32
    assert (x * np.int64(2)).tolist() == [2.0, 4.0]
    assert gotorch.add(x, x, alpha=gotorch.tensor(2)).tolist() == [3.0, 6.0]


CONVERSIONS = [
    "float(x)", "int(x)", "bool(x)", "[1, 2, 3][x]", "len(x)", "x.item()", "x.tolist()",
    "format(x, '.2f')", "x.size()", "x.size(5)", "x.stride()", "x.numel()", "x.dim()", "x.ndim",
    "x.element_size()", "x.nbytes", "x.is_floating_point()", "x.is_contiguous()", "x.get_device()",
]  # fmt: skip
VALUES = [1, 2.75, True, 0, float("nan"), [1], [1.5, 2.5], [], [[1, 2], [3, 4]]]


@pytest.mark.parametrize("expression", CONVERSIONS)
def test_conversions_give_what_pytorch_gives(expression):
    for value in VALUES:
        ours, theirs = both(value)
        try:
            expected = eval(expression, {"x": theirs})
        except Exception as error:
            with pytest.raises(type(error)):
                eval(expression, {"x": ours})
        else:
            assert str(eval(expression, {"x": ours})) == str(expected)


def test_size_is_a_tuple_with_numel():
    size = gotorch.Size([2, 3, 4])
    assert size == (2, 3, 4)
    assert size.numel() == 24
    assert repr(size) == "torch.Size([2, 3, 4])"
    assert type(size[1:]) is gotorch.Size
    assert type(size + (5,)) is gotorch.Size
    assert pickle.loads(pickle.dumps(size)) == size
    assert isinstance(gotorch.tensor([1.0]).shape, gotorch.Size)
    with pytest.raises(TypeError):
        gotorch.Size(["a"])


def test_dtypes_print_pickle_and_compare():
    assert repr(gotorch.float32) == "torch.float32"
    assert gotorch.float is gotorch.float32
    assert gotorch.long is gotorch.int64
    assert pickle.loads(pickle.dumps(gotorch.bfloat16)) is gotorch.bfloat16
    assert copy.deepcopy(gotorch.int8) is gotorch.int8
    assert gotorch.float16.itemsize == 2
    assert gotorch.uint8.is_signed is False
    assert gotorch.half.is_floating_point


def test_devices_are_values():
    cpu = gotorch.device("cpu")
    assert cpu == gotorch.tensor([1.0]).device
    assert repr(cpu) == repr(torch.device("cpu"))
    assert repr(gotorch.device("cuda:1")) == repr(torch.device("cuda:1"))
    assert gotorch.device("cuda", 1) == gotorch.device("cuda:1")
    assert str(gotorch.device("cuda", 1)) == "cuda:1"
    assert {cpu: 1}[gotorch.device("cpu")] == 1
    assert pickle.loads(pickle.dumps(cpu)) == cpu
    with pytest.raises(RuntimeError):
        gotorch.device("nowhere")
    with pytest.raises(RuntimeError, match="CPU only"):
        gotorch.tensor([1.0], device="cuda")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64", "bool", "float16", "uint8"])
def test_tensors_pickle_and_copy(dtype):
    x = gotorch.tensor([[1, 0, 3], [4, 5, 6]], dtype=getattr(gotorch, dtype))
    x.note = [1]
    for y in (pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy(x)):
        assert y is not x
        assert y.dtype is x.dtype
        assert y.tolist() == x.tolist()
        assert y.note == [1]
    assert copy.deepcopy(x).data_ptr() != x.data_ptr()


def test_deepcopy_keeps_shared_tensors_shared():
    x = gotorch.tensor([1.0])
    a, b = copy.deepcopy([x, x])
    assert a is b


def test_finfo_and_iinfo_are_those_of_pytorch():
    for name in ("float16", "bfloat16", "float32", "float64"):
        ours, theirs = gotorch.finfo(getattr(gotorch, name)), torch.finfo(getattr(torch, name))
        for key in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "dtype"):
            assert getattr(ours, key) == getattr(theirs, key)
    for name in ("uint8", "int8", "int16", "int32", "int64"):
        ours, theirs = gotorch.iinfo(getattr(gotorch, name)), torch.iinfo(getattr(torch, name))
        for key in ("bits", "max", "min", "dtype"):
            assert getattr(ours, key) == getattr(theirs, key)
    with pytest.raises(TypeError):
        gotorch.finfo(gotorch.int64)
    with pytest.raises(TypeError):
        gotorch.iinfo(gotorch.float32)


def test_out_of_memory_names_the_bytes():
    with pytest.raises(gotorch.OutOfMemoryError, match="bytes") as error:
        gotorch.Tensor(2**50)
    assert isinstance(error.value, (RuntimeError, MemoryError))
