"""Hostile calls of everything that takes arguments.

`Calls(seed).call(i)` is the same call in every run, whatever came before it.
"""

import dataclasses
import random

import gotorch
from fuzz_targets import other_targets
from fuzz_values import FLOATS, Alias, D, G, Nested, T, Target

OPS = gotorch._C.op_table()
INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
DTYPES = (*FLOATS, *INTEGERS, "bool")
RARE_INTS = (2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**40, 2**62, 2**63 - 1, -(2**63))
FLOAT_VALUES = (0.0, -0.0, 1.0, -1.0, 0.5, 2.5, 1e-8, float("nan"), float("inf"), -float("inf"), 1e308, 5e-324, 2.0**63)
SHAPES = (
    (),
    (0,),
    (1,),
    (5,),
    (0, 3),
    (3, 0),
    (1, 1),
    (3, 5),
    (4, 4),
    (2, 0, 3),
    (2, 3, 4),
    (1, 3, 1),
    (0, 0, 0, 0),
    (2, 4, 5, 5),
    (1, 1, 8, 8),
    (2, 2, 3, 4, 3),
    (1, 0, 2, 2, 2),
    (1, 2, 1, 2, 1, 2, 1, 2),
    (1,) * 70,
    (70, 90),
)
LAYOUTS = ("plain", "transposed", "offset", "stepped", "expanded", "readonly", "numpy", "shrunk", "deferred", "view")
# They write to arguments before it is known that their result does not fit into `out`.
WRITERS = ("batch_norm", "_batch_norm", "instance_norm", "embedding")
FILLS = ("random", "small", "zeros", "special", "extreme")
WORDS = (
    "mean",
    "sum",
    "none",
    "valid",
    "same",
    "reflect",
    "circular",
    "nearest",
    "bilinear",
    "bicubic",
    "trunc",
    "floor",
    "tanh",
    "ij",
    "xy",
    "right",
    "left",
    "fro",
    "amax",
    "prod",
    "linear",
    "",
    "no such word",
    "\0",
    "ü" * 300,
    "ij,jk->ik",
    "...i,i->",
    "->",
    ",,",
    "ii",
    "i->j",
    "a" * 90,
)
WRONG = (None, "text", object, 1j, 2**100, -(2**70), [[]], {}, b"x", [None], (1, "a"), [1.5], float("nan"))


def from_sample(spec):
    """A sample argument of the op table as a value of this module."""
    if spec[0] == "random":
        _, shape, low, high, dtype = spec
        name = str(dtype)[len("torch.") :]
        return T(name, tuple(shape), fill="small" if name not in FLOATS and high <= 3 else "random")
    if spec[0] == "list":
        return [from_sample(s) for s in spec[1]]
    value = spec[1]
    return D(str(value)[len("torch.") :]) if isinstance(value, gotorch.dtype) else value


def op_targets():
    for op in OPS:
        name = f"{op['name']}.{op['overload']}".rstrip(".")
        params = tuple((p["name"], p["type"], p["keyword_only"]) for p in op["params"])
        samples = tuple([from_sample(a) for a in s] for s in op["samples"])
        yield Target(name, op["call"], params, samples, op["kind"] == "view")
        if op["has_inplace"]:
            places = (gotorch.Tensor, gotorch._C.nn_functions, gotorch._C.internal)
            own = op["name"] + "_"
            form = next(getattr(p, own) for p in places if hasattr(p, own))
            yield Target(name + "_", form, params, samples, inplace=True)


class Calls:
    def __init__(self, seed, only=None):
        self.seed = seed
        self.targets = [t for t in (*op_targets(), *other_targets()) if not only or t.name in only]

    def call(self, index):
        """(target, args, kwargs, what to do with the result) of call `index`."""
        rng = random.Random(f"{self.seed}/{index}")
        target = rng.choice(self.targets)
        maker = Maker(rng)
        grad = rng.random() < 0.3
        if target.samples and rng.random() < 0.7:
            values = [maker.mutated(v, kind) for v, (_, kind, _) in zip(rng.choice(target.samples), target.params)]
        else:
            values = [maker.value(kind) for _, kind, _ in target.params]
        again = rng.choice(("itself", "transposed", "shifted", "expanded"))
        for i, value in enumerate(values):
            if i and isinstance(value, T) and rng.random() < 0.05:
                values[i] = Alias(again)
        args, kwargs = [], {}
        for (name, _, keyword_only), value in zip(target.params, values):
            if grad:
                value = with_grad(value)
            if keyword_only:
                kwargs[name] = value
            else:
                args.append(value)
        if rng.random() < 0.05 and args:
            args.pop()
        if not target.inplace and target.name not in WRITERS and rng.random() < 0.1:
            kwargs["out"] = Alias(again) if rng.random() < 0.3 else maker.tensor()
        return target, args, kwargs, rng.choice(("read", "ones", "ones", "twice", "hostile"))


def with_grad(value):
    if isinstance(value, T):
        return dataclasses.replace(value, grad=True)
    return [with_grad(v) for v in value] if isinstance(value, list) else value


class Maker:
    """Values by type; sizes of one call's tensors are likely among its integers."""

    def __init__(self, rng):
        self.rng = rng
        self.sizes = [0, 1, 2, 3]
        self.dtype = rng.choice(("float32", "float32", rng.choice(DTYPES)))
        self.shape = rng.choice(SHAPES)

    def tensor(self):
        rng = self.rng
        shape = self.shape if rng.random() < 0.5 else rng.choice(SHAPES)
        dtype = self.dtype if rng.random() < 0.7 else rng.choice(DTYPES)
        layout = rng.choice(LAYOUTS) if rng.random() < 0.4 else "plain"
        self.sizes += [*shape, len(shape)]
        return T(dtype, shape, layout, rng.choice(FILLS), seed=rng.randrange(100))

    def integer(self):
        rng = self.rng
        if rng.random() < 0.25:
            return rng.choice(RARE_INTS)
        size = rng.choice(self.sizes)
        return rng.choice((0, 1, -1, 2, size, size + 1, -size, -size - 1, size - 1))

    def integers(self, count):
        if self.rng.random() < 0.3:
            count = self.rng.choice((0, 1, 2, 3, 4, 6, 70))
        return [self.integer() for _ in range(count)]

    def number(self):
        return self.rng.choice((self.integer(), self.rng.choice(FLOAT_VALUES), self.rng.choice(FLOAT_VALUES), True))

    def value(self, kind):
        rng = self.rng
        if rng.random() < 0.02:
            return rng.choice(WRONG)
        if "?" in kind and rng.random() < 0.4:
            return None
        kind = kind.replace("?", "").removesuffix("|str")
        if kind == "Tensor" or (kind == "Operand" and rng.random() < 0.6):
            return self.tensor()
        if kind == "Tensor[]":
            return [self.tensor() for _ in range(rng.choice((0, 1, 2, 3, 5)))]
        if kind == "int":
            return self.integer()
        if kind.startswith("int["):
            count = int(kind[4:-1] or rng.choice("0123"))
            return self.integer() if rng.random() < 0.2 else self.integers(count)
        if kind in ("float", "Scalar", "Operand"):
            return self.number()
        if kind == "bool":
            return rng.random() < 0.5
        if kind == "str":
            return rng.choice(WORDS)
        if kind == "dtype":
            return D(rng.choice(DTYPES))
        if kind == "Generator":
            return G(rng.randrange(9)) if rng.random() < 0.5 else None
        return getattr(self, kind)()

    def mutated(self, value, kind):
        """`value` of a sample, as it is or with something wrong."""
        rng = self.rng
        if isinstance(value, T):
            self.sizes += [*value.shape, len(value.shape)]
            return self.other_tensor(value) if rng.random() < 0.35 else value
        if isinstance(value, list):
            return [self.mutated(v, "Tensor") for v in value][: None if rng.random() < 0.9 else -1]
        if rng.random() > 0.3:
            return value
        if isinstance(value, tuple) and value and rng.random() < 0.7:
            changed = list(value)
            changed[rng.randrange(len(changed))] = self.integer()
            return changed
        return self.value(kind)

    def other_tensor(self, t):
        rng = self.rng
        shape = list(t.shape)
        how = rng.randrange(6)
        if how == 0 and shape:
            shape[rng.randrange(len(shape))] = rng.choice((0, 1, 2, rng.choice(self.sizes) % 99))
        elif how == 1 and shape:
            del shape[rng.randrange(len(shape))]
        elif how == 2:
            shape.insert(rng.randint(0, len(shape)), rng.choice((0, 1, 2)))
        elif how == 3:
            return self.tensor()
        dtype = rng.choice(DTYPES) if rng.random() < 0.25 else t.dtype
        layout = rng.choice(LAYOUTS) if rng.random() < 0.5 else t.layout
        fill = rng.choice(FILLS) if rng.random() < 0.5 else t.fill
        return T(dtype, tuple(shape), layout, fill, seed=rng.randrange(100))

    def index(self):
        """What stands between brackets."""
        rng = self.rng
        parts = [self.index_part() for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5, 40)))]
        return parts[0] if len(parts) == 1 else tuple(parts)

    def index_part(self):
        rng = self.rng
        how = rng.randrange(8)
        if how < 2:
            return self.integer()
        if how < 4:
            return slice(*(self.integer() if rng.random() < 0.6 else None for _ in range(3)))
        if how == 4:
            return rng.choice((None, Ellipsis, True, False))
        if how == 5:
            return T(rng.choice(("bool", "uint8", "int64", "float32")), rng.choice(SHAPES[:12]), "plain", "small")
        if how == 6:
            return T("int64", rng.choice(SHAPES[:12]), rng.choice(LAYOUTS), rng.choice(FILLS))
        return rng.choice(([0, 1], [], [True, False], [[0], [1]], self.number(), "text"))

    def data(self):
        """What torch.tensor() takes."""
        rng = self.rng
        deep = Nested(rng.choice((3, 100, 3000)))
        numbers = [self.number() for _ in range(3)]
        return rng.choice((self.number(), numbers, [[1, 2], [3]], deep, [], [[]], "text", [None]))

    def content(self):
        return bytes(self.rng.choice((0, 1, 255, 65)) for _ in range(self.rng.choice((0, 1, 7, 8, 16, 64))))
