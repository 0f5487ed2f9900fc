"""What is called with hostile values besides the table of ops: indexing, creation, conversion, layers, optimizers, files."""

import operator

import gotorch
from fuzz_values import T, Target

Tensor = gotorch.Tensor


def get_item(x, index):
    return Tensor.__getitem__(x, index)


def set_item(x, index, value):
    Tensor.__setitem__(x, index, value)
    return x


def delete_data(x, other):
    x.data = other
    return x


def give_grad(x, grad):
    x.grad = grad
    return x


def through_numpy(x, steps):
    """NumPy's view of x with other strides, negative ones too, back as a tensor."""
    array = x.numpy()
    return gotorch.from_numpy(array[:: steps[0]] if array.ndim and steps and steps[0] else array)


def through_dlpack(x):
    try:
        return gotorch.from_dlpack(x)
    except BufferError as e:  # the class that the protocol asks for
        raise ValueError(str(e)) from e


def with_state(state):
    generator = gotorch.Generator()
    generator.set_state(state)
    return gotorch.rand(3, generator=generator)


def as_numbers(x):
    return [x.tolist(), repr(x), str(x.numel() == 1 and x.item())]


def summed(x, grads):
    """Backward of several results at once, with gradients of any shape."""
    y = (x * x, x.sum())
    gotorch.autograd.backward(y, grads)
    return x.grad


def replaced(x, grad):
    """A hook that puts another tensor in the place of the gradient."""
    y = Tensor.clone(x)
    y.register_hook(lambda g: grad)
    y.sum().backward()
    return x.grad


class Chosen(gotorch.autograd.Function):
    """Returns any tensor as the gradient."""

    @staticmethod
    def forward(ctx, x, grad):
        ctx.grad = grad
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return ctx.grad, None


def custom(x, grad):
    Chosen.apply(x, Tensor.detach(grad)).sum().backward()
    return x.grad


def operators(f):
    """x + y and y + x."""

    def call(x, y, swapped):
        if not isinstance(x, Tensor):
            raise TypeError("Python's own numbers are not what is tried here")
        return f(y, x) if swapped else f(x, y)

    return call


def loader(data, batch_size, workers, prefetch, drop_last):
    loader = gotorch.utils.data.DataLoader(
        gotorch.utils.data.TensorDataset(data),
        batch_size=batch_size,
        num_workers=workers and 1,
        prefetch_factor=prefetch,
        drop_last=drop_last,
    )
    return [batch[0] for batch in loader]


def workers(count):
    before = gotorch.get_num_threads()
    try:
        gotorch.set_num_threads(count)
        return gotorch.ones(5000) + 1
    finally:
        gotorch.set_num_threads(before)


def layer_call(cls):
    def call(x, *args):
        return cls(*args)(x)

    return call


def step(cls):
    def call(x, grad, lr):
        p = gotorch.nn.Parameter(Tensor.clone(x).detach())
        p.grad = grad
        cls([p], lr=lr).step()
        return p.detach()

    return call


def loaded(content):
    return list(gotorch._C._from_safetensors(content).values())


def cell(cls):
    def call(x, h, size):
        return cls(size, size)(x, h)

    return call


OPERATORS = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and_",
    "or_",
    "xor",
    "lshift",
    "rshift",
    "eq",
    "lt",
]
OPERATORS += [
    "iadd",
    "isub",
    "imul",
    "itruediv",
    "ifloordiv",
    "imod",
    "ipow",
    "iand",
    "ior",
    "ixor",
    "ilshift",
    "irshift",
]
PLAIN = (T("float32", (3, 5)),)
IMAGE = (T("float32", (2, 4, 5, 5)),)


def other_targets():
    def target(name, function, *kinds, samples=(), inplace=False):
        params = tuple((f"argument{i}", kind, False) for i, kind in enumerate(kinds))
        return Target(name, function, params, tuple(map(list, samples)), inplace=inplace)

    yield target("getitem", get_item, "Tensor", "index")
    yield target("setitem", set_item, "Tensor", "index", "Operand", inplace=True)
    yield target("set_data", delete_data, "Tensor", "Tensor", inplace=True)
    yield target("set_grad", give_grad, "Tensor", "Tensor?", inplace=True)
    yield target("tensor", gotorch.tensor, "data")
    yield target("as_tensor", gotorch.as_tensor, "data", "dtype?")
    yield target("Tensor", Tensor, "int[]")
    yield target("new_full", Tensor.new_full, "Tensor", "int[]", "Scalar")
    yield target("new_tensor", Tensor.new_tensor, "Tensor", "data")
    yield target(
        "frombuffer",
        lambda b, d, n, o: gotorch.frombuffer(b, dtype=d, count=n, offset=o),
        "content",
        "dtype",
        "int",
        "int",
    )
    yield target("from_numpy", through_numpy, "Tensor", "int[1]")
    yield target("dlpack", through_dlpack, "Tensor")
    yield target("set_state", with_state, "Tensor")
    yield target("manual_seed", gotorch.manual_seed, "Scalar")
    yield target("numbers", as_numbers, "Tensor")
    yield target("size", Tensor.size, "Tensor", "int")
    yield target("stride", Tensor.stride, "Tensor", "int")
    yield target("view_dtype", Tensor.view, "Tensor", "dtype")
    yield target("to", Tensor.to, "Tensor", "dtype")
    yield target(
        "einsum",
        gotorch.einsum,
        "str",
        "Tensor[]",
        samples=[("ij,jk->ik", [T("float32", (3, 5)), T("float32", (5, 4))])],
    )
    yield target("tensordot", gotorch.tensordot, "Tensor", "Tensor", "int", samples=[(*PLAIN, T("float32", (5, 3)), 1)])
    yield target("normal", gotorch.normal, "Operand", "Operand", "int[]?")
    yield target("unique", gotorch.unique, "Tensor", "bool", "bool", "bool", "int?")
    yield target("unique_consecutive", gotorch.unique_consecutive, "Tensor", "bool", "bool", "int?")
    yield target("cartesian_prod", gotorch.cartesian_prod, "Tensor[]")
    yield target("broadcast_tensors", gotorch.broadcast_tensors, "Tensor[]")
    for name in OPERATORS:
        f = getattr(operator, name)
        yield target(name, operators(f), "Tensor", "Operand", "bool", inplace=name[0] == "i")
    yield target("DataLoader", loader, "Tensor", "int", "bool", "int?", "bool", samples=[(*PLAIN, 2, True, 2, False)])
    yield target("set_num_threads", workers, "int")
    yield target("backward", summed, "Tensor", "Tensor[]")
    yield target("hook", replaced, "Tensor", "Tensor", samples=[(*PLAIN, *PLAIN)])
    yield target("function", custom, "Tensor", "Tensor", samples=[(*PLAIN, *PLAIN)])
    yield target("safetensors", loaded, "content")
    yield from layer_targets(target)
    for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad"):
        yield target(
            "optim." + name,
            step(getattr(gotorch.optim, name)),
            "Tensor",
            "Tensor",
            "float",
            samples=[(*PLAIN, *PLAIN, 0.1)],
        )


def layer_targets(target):
    kinds = {"Linear": ((5, 4), PLAIN), "Conv2d": ((4, 2, 3), IMAGE), "BatchNorm2d": ((4,), IMAGE)}
    kinds |= {"GroupNorm": ((2, 4), IMAGE), "MaxPool2d": ((2,), IMAGE), "ConvTranspose2d": ((4, 2, 3), IMAGE)}
    kinds |= {
        "Embedding": ((7, 3), (T("int64", (2, 3), fill="small"),)),
        "LSTM": ((5, 4), PLAIN),
        "GRU": ((5, 4), PLAIN),
    }
    for name, (args, inputs) in kinds.items():
        if hasattr(gotorch.nn, name):
            call = layer_call(getattr(gotorch.nn, name))
            yield target("nn." + name, call, "Tensor", *["int"] * len(args), samples=[(*inputs, *args)])
    for name in ("RNNCell", "GRUCell", "LSTMCell"):
        if hasattr(gotorch.nn, name):
            yield target("nn." + name, cell(getattr(gotorch.nn, name)), "Tensor", "Tensor", "int")
