"""Reads the pickle of a checkpoint and executes nothing.

A small machine for the opcodes of protocols 2 to 5 (described in Python's pickletools). It builds Python's own containers,
numbers, texts and tensors. Each opcode looks at the types of what it works on; the only calls are to the functions
of ALLOWED below, which check their arguments, and to classes that the program itself has declared safe.
"""

import collections
import pickle
import struct

import gotorch
from gotorch._pickle_writer import STORAGE_OF
from gotorch.nn.parameter import Parameter

_DEPTH = 10_000  # marks that are open at once
safe_classes = {}  # by "module.name"


def _refuse(text):
    raise pickle.UnpicklingError(f"Weights only load failed: {text}")


def _expect(ok, text):
    if not ok:
        _refuse(text)


class _Allowed:
    """A function that a checkpoint may call."""

    def __init__(self, call):
        self.call = call


class StorageType:
    """The name of a storage's type; only persistent ids use it."""

    def __init__(self, dtype):
        self.dtype = dtype


class LoadedStorage:
    """What a persistent id stands for: a tensor over a whole record."""

    def __init__(self, flat):
        self.flat = flat


def _is_ints(value):
    return isinstance(value, tuple) and all(type(v) is int for v in value)


def rebuild_tensor(storage, offset, size, stride, requires_grad=False, hooks=None, metadata=None):
    _expect(isinstance(storage, LoadedStorage), "a tensor has no storage")
    _expect(
        type(offset) is int and _is_ints(size) and _is_ints(stride), "the layout of a tensor is not made of integers"
    )
    _expect(type(requires_grad) is bool, "requires_grad of a tensor is not a bool")
    try:
        t = storage.flat.as_strided(size, stride, offset)
    except Exception as error:
        raise RuntimeError(f"a tensor does not fit its storage: {error}") from None
    return t.requires_grad_() if requires_grad else t


def rebuild_parameter(data, requires_grad=True, hooks=None, state=None):
    _expect(isinstance(data, gotorch.Tensor) and type(requires_grad) is bool, "a parameter is not made of a tensor")
    return Parameter(data.detach(), requires_grad)


def _size(values=()):
    _expect(_is_ints(values), "a Size is not made of integers")
    return gotorch.Size(values)


def _device(*args):
    _expect(all(type(a) in (str, int) for a in args), "a device is not made of its name")
    return gotorch.device("cpu")


def _encode(text, encoding="latin1"):
    _expect(type(text) is str and encoding in ("latin1", "utf-8"), "bytes are not made of text")
    return text.encode(encoding)


def _container(kind, *content):
    def build(values=()):
        _expect(type(values) in (*content, tuple), f"a {kind.__name__} is not made of {type(values).__name__}")
        return kind(values)

    return build


def _complex(real, imaginary):
    _expect(type(real) is float and type(imaginary) is float, "a complex number is not made of numbers")
    return complex(real, imaginary)


ALLOWED = {
    "torch._utils._rebuild_tensor_v2": _Allowed(rebuild_tensor),
    "torch._utils._rebuild_parameter": _Allowed(rebuild_parameter),
    "torch._utils._rebuild_parameter_with_state": _Allowed(rebuild_parameter),
    "torch.Size": _Allowed(_size),
    "torch.device": _Allowed(_device),
    "_codecs.encode": _Allowed(_encode),
    "collections.OrderedDict": _Allowed(_container(collections.OrderedDict, list)),
    "collections.Counter": _Allowed(_container(collections.Counter, dict)),
    **{f"torch.{name}": StorageType(dtype) for dtype, name in STORAGE_OF.items()},
    **{str(dtype): dtype for dtype in STORAGE_OF},
}
for _module in ("builtins.", "__builtin__."):
    ALLOWED[_module + "set"] = _Allowed(_container(set, list))
    ALLOWED[_module + "frozenset"] = _Allowed(_container(frozenset, list))
    ALLOWED[_module + "bytearray"] = _Allowed(_container(bytearray, bytes))
    ALLOWED[_module + "bytes"] = _Allowed(_container(bytes))
    ALLOWED[_module + "complex"] = _Allowed(_complex)


class Machine:
    """One run over one pickle."""

    def __init__(self, content, persistent_load):
        self.content, self.at, self.persistent_load = content, 0, persistent_load
        self.stack, self.marks, self.memo = [], [], {}

    def run(self):
        operations = _OPERATIONS
        while True:
            code = self.take(1)[0]
            operation = operations.get(code)
            if operation is None:
                if code == pickle.STOP[0]:
                    return self.pop()
                _refuse(f"opcode {bytes([code])!r} at byte {self.at - 1}")
            operation(self)

    def take(self, n):
        begin = self.at
        self.at += n
        if self.at > len(self.content):
            raise EOFError("the pickle is truncated")
        return self.content[begin : self.at]

    def line(self):
        end = self.content.find(b"\n", self.at)
        if end < 0:
            raise EOFError("the pickle is truncated")
        text = self.content[self.at : end].decode("utf-8")
        self.at = end + 1
        return text

    def number(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def text(self, layout):
        return self.take(self.number(layout)).decode("utf-8", "surrogatepass")

    def push(self, value):
        self.stack.append(value)

    def pop(self, kind=object):
        _expect(self.stack, "an operation finds no value")
        value = self.stack.pop()
        _expect(isinstance(value, kind), f"an operation finds a {type(value).__name__}")
        return value

    def top(self, *kinds):
        _expect(self.stack and type(self.stack[-1]) in kinds, "a value is added to what is no container of it")
        return self.stack[-1]

    def mark(self):
        _expect(len(self.marks) < _DEPTH, "it is nested too deeply")
        self.marks.append(self.stack)
        self.stack = []

    def since_mark(self):
        _expect(self.marks, "there is no mark")
        values, self.stack = self.stack, self.marks.pop()
        return values

    def tuple_of(self, n):
        _expect(len(self.stack) >= n, "an operation finds no value")
        self.stack[-n:] = [tuple(self.stack[-n:])]

    def push_tuple(self):
        values = self.since_mark()
        self.push(tuple(values))

    def push_frozen_set(self):
        values = self.since_mark()
        self.push(frozenset(values))

    def get(self, key):
        _expect(key in self.memo, "it refers to a value that is not there")
        self.push(self.memo[key])

    def put(self, key):
        _expect(self.stack, "an operation finds no value")
        self.memo[key] = self.stack[-1]

    def find(self, module, name):
        full = f"{module}.{name}"
        found = safe_classes.get(full, ALLOWED.get(full))
        _expect(
            found is not None,
            f"it refers to {full!r:.200}, which is not among the names that loading allows. Classes that you trust may be "
            "declared with gotorch.serialization.add_safe_globals",
        )
        self.push(found)

    def find_by_texts(self):
        name, module = self.pop(str), self.pop(str)
        self.find(module, name)

    def call(self):
        arguments, function = self.pop(tuple), self.pop()
        if isinstance(function, _Allowed):
            try:
                self.push(function.call(*arguments))
            except TypeError as error:
                _refuse(f"a call has the wrong arguments: {error}")
        else:
            _expect(self.is_safe(function), f"it calls a {type(function).__name__}")
            self.push(function(*arguments))

    def new(self):
        arguments, kind = self.pop(tuple), self.pop()
        _expect(isinstance(kind, type) and self.is_safe(kind), f"it makes a {getattr(kind, '__name__', 'value')}")
        self.push(kind.__new__(kind, *arguments))

    @staticmethod
    def is_safe(value):
        return any(value is v for v in safe_classes.values())

    def build(self):
        state, target = self.pop(), self.stack[-1] if self.stack else None
        if type(target) is collections.OrderedDict:
            # state_dict() keeps its versions in an attribute.
            _expect(type(state) is dict and set(state) <= {"_metadata"}, "an OrderedDict gets attributes")
            target.__dict__.update(state)
            return
        _expect(self.is_safe(type(target)), f"a {type(target).__name__} gets a state")
        if hasattr(type(target), "__setstate__"):
            target.__setstate__(state)
        else:
            _expect(type(state) is dict, "a state is no dictionary")
            target.__dict__.update(state)

    def set_items(self, values):
        target = self.top(dict, collections.OrderedDict, collections.Counter)
        _expect(len(values) % 2 == 0, "a dictionary has a key without a value")
        for key, value in zip(values[::2], values[1::2]):
            target[key] = value

    def set_marked_items(self):
        values = self.since_mark()
        self.set_items(values)

    def set_item(self):
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def append_items(self):
        values = self.since_mark()
        self.top(list).extend(values)

    def append_item(self):
        value = self.pop()
        self.top(list).append(value)

    def add_items(self):
        values = self.since_mark()
        self.top(set).update(values)

    def persistent(self):
        self.push(self.persistent_load(self.pop()))


def _long(machine, layout):
    n = machine.number(layout)
    _expect(n >= 0, "a number has a negative length")
    return int.from_bytes(machine.take(n), "little", signed=True)


def _protocol(machine):
    _expect(machine.number("<B") <= 5, "its protocol is unknown")


_OPERATIONS = {
    code[0]: operation
    for code, operation in {
        pickle.PROTO: _protocol,
        pickle.FRAME: lambda m: m.take(8),
        pickle.MARK: Machine.mark,
        pickle.POP: lambda m: m.pop(),
        pickle.POP_MARK: Machine.since_mark,
        pickle.NONE: lambda m: m.push(None),
        pickle.NEWTRUE: lambda m: m.push(True),
        pickle.NEWFALSE: lambda m: m.push(False),
        pickle.BININT: lambda m: m.push(m.number("<i")),
        pickle.BININT1: lambda m: m.push(m.number("<B")),
        pickle.BININT2: lambda m: m.push(m.number("<H")),
        pickle.LONG1: lambda m: m.push(_long(m, "<B")),
        pickle.LONG4: lambda m: m.push(_long(m, "<i")),
        pickle.BINFLOAT: lambda m: m.push(m.number(">d")),
        pickle.BINUNICODE: lambda m: m.push(m.text("<I")),
        pickle.SHORT_BINUNICODE: lambda m: m.push(m.text("<B")),
        pickle.BINUNICODE8: lambda m: m.push(m.text("<Q")),
        pickle.BINBYTES: lambda m: m.push(m.take(m.number("<I"))),
        pickle.SHORT_BINBYTES: lambda m: m.push(m.take(m.number("<B"))),
        pickle.BINBYTES8: lambda m: m.push(m.take(m.number("<Q"))),
        pickle.BYTEARRAY8: lambda m: m.push(bytearray(m.take(m.number("<Q")))),
        pickle.EMPTY_TUPLE: lambda m: m.push(()),
        pickle.TUPLE: Machine.push_tuple,
        pickle.TUPLE1: lambda m: m.tuple_of(1),
        pickle.TUPLE2: lambda m: m.tuple_of(2),
        pickle.TUPLE3: lambda m: m.tuple_of(3),
        pickle.EMPTY_LIST: lambda m: m.push([]),
        pickle.APPEND: Machine.append_item,
        pickle.APPENDS: Machine.append_items,
        pickle.EMPTY_DICT: lambda m: m.push({}),
        pickle.SETITEM: Machine.set_item,
        pickle.SETITEMS: Machine.set_marked_items,
        pickle.EMPTY_SET: lambda m: m.push(set()),
        pickle.ADDITEMS: Machine.add_items,
        pickle.FROZENSET: Machine.push_frozen_set,
        pickle.BINGET: lambda m: m.get(m.number("<B")),
        pickle.LONG_BINGET: lambda m: m.get(m.number("<I")),
        pickle.BINPUT: lambda m: m.put(m.number("<B")),
        pickle.LONG_BINPUT: lambda m: m.put(m.number("<I")),
        pickle.MEMOIZE: lambda m: m.put(len(m.memo)),
        pickle.GLOBAL: lambda m: m.find(m.line(), m.line()),
        pickle.STACK_GLOBAL: Machine.find_by_texts,
        pickle.REDUCE: Machine.call,
        pickle.NEWOBJ: Machine.new,
        pickle.BUILD: Machine.build,
        pickle.BINPERSID: Machine.persistent,
    }.items()
}
