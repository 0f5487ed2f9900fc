"""Every op of the table against PyTorch and against its own forms.

Adding an op adds no test here: its samples do. An op opts out of a test in the table, with a reason.
"""

import gc

import gotorch
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("numpy")

import op_cases  # noqa: E402
from op_cases import (  # noqa: E402
    DTYPES,
    FLOATS,
    TABLE,
    Case,
    bits,
    dtype_name,
    flat,
    seeded,
    their_function,
    to_ours,
    to_theirs,
)


def each_op(test, keep=lambda op: True):
    """The test for each op that `keep` admits and that does not opt out of it."""

    def param(key):
        reason = op_cases.untested(TABLE[key]).get(test)
        return pytest.param(key, marks=[] if reason is None else pytest.mark.skip(reason=reason))

    return pytest.mark.parametrize("key", [param(k) for k in sorted(TABLE) if keep(TABLE[k])])


def compared(op):
    return their_function(op) is not None


def cases(key, dtypes=("float32",), reshape=None):
    """All samples in those of the dtypes that the op declares, or in its first one, that PyTorch takes too."""
    op = TABLE[key]
    declared = op_cases.dtype_names(op)
    chosen = [d for d in dtypes if d in declared] or declared[:1]
    for dtype in chosen:
        for sample in op["samples"]:
            case = Case(key, sample, dtype, reshape)
            if not compared(op) or dtype in ("float32", "float64") or expected(op, case) is not None:
                yield case


def expected(op, case, dtype=None):
    """PyTorch's result, or None where it does not take these arguments."""
    try:
        return seeded(their_function(op), case.theirs(dtype))
    except (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError, AssertionError):
        return None


def assert_close(op, case, ours, theirs, reference=None):
    """Each tensor within the op's bound of PyTorch's result or of its result in float64."""
    ours, theirs = flat(ours), flat(theirs)
    assert len(ours) == len(theirs)
    reference = [None] * len(ours) if reference is None else flat(reference)
    if "indices" in op_cases.untested(op):
        ours, theirs = ours[:1], theirs[:1]
    for x, y, exact in zip(ours, theirs, reference):
        if not isinstance(y, torch.Tensor):
            assert x == y
            continue
        assert (tuple(x.shape), str(x.dtype)) == (tuple(y.shape), str(y.dtype)), case.dtype
        x = to_theirs(x)
        if not y.dtype.is_floating_point:
            assert torch.equal(x, y), f"{case.dtype}:\n{x}\n{y}"
            continue
        scale = op["kind"] != "pointwise"
        ulps = op_cases.error_in_ulps(x, y, scale)
        if ulps > op["ulp"] and exact is not None:
            ulps = min(ulps, op_cases.error_in_ulps(x, exact, scale))
        assert ulps <= op["ulp"], f"{case.dtype}: {ulps:.3g} ulp of {op['ulp']}\n{x}\n{y}"


def assert_same(result, wanted):
    """Equal results of ours, whatever the sign of zeros and the bits of NaNs."""
    result, wanted = flat(result), flat(wanted)
    assert len(result) == len(wanted)
    for x, y in zip(result, wanted):
        if isinstance(x, gotorch.Tensor):
            assert (x.dtype, x.shape) == (y.dtype, y.shape)
            torch.testing.assert_close(to_theirs(x), to_theirs(y), rtol=0, atol=0, equal_nan=True)
        else:
            assert x == y


@each_op("samples")
def test_an_op_has_samples(key):
    assert TABLE[key]["samples"]
    assert TABLE[key]["doc"]


@each_op("values", compared)
def test_values_and_dtypes_are_those_of_pytorch(key):
    op = TABLE[key]
    count = 0
    for case in cases(key, op_cases.dtype_names(op)):
        theirs = expected(op, case)
        if theirs is None:
            continue
        exact = None
        if case.dtype in FLOATS and op["kind"] != "random":
            exact = expected(op, case, torch.float64)
        assert_close(op, case, seeded(op["call"], case.ours()), theirs, exact)
        count += 1
    assert count


@each_op("dtypes")
def test_undeclared_dtypes_are_refused(key):
    op = TABLE[key]
    for dtype in [d for d in DTYPES if d not in op_cases.dtype_names(op)]:
        case = Case(key, op["samples"][0], dtype)
        if [str(t.dtype) for t in case.tensors()][:1] != ["torch." + dtype]:
            continue
        error = RuntimeError  # of which NotImplementedError is one
        if compared(op):
            try:
                theirs = seeded(their_function(op), case.theirs())
            except Exception as e:
                error = type(e)
            else:  # PyTorch takes more; numbers may promote to a dtype that is declared
                error = NotImplementedError
                if dtype_name(flat(theirs)[0].dtype) in op_cases.dtype_names(op):
                    continue
        with pytest.raises(error):
            seeded(op["call"], case.ours())


def strided(x):
    """The same values with gaps between the elements, the dimensions reversed in memory."""
    if x.dim() == 0 or x.numel() == 0:
        return x
    big = gotorch.zeros([2 * n for n in reversed(x.shape)], dtype=x.dtype)
    for d in range(x.dim()):
        big = big.unfold(d, 1, 2).select(-1, 0)
    view = big.permute(list(range(x.dim() - 1, -1, -1)))
    view.copy_(x)
    return view


def strided_as_ours(x):
    """PyTorch's tensor with the strides of `strided`."""
    y = torch.empty_strided(x.shape, strided(to_ours(x)).stride(), dtype=x.dtype)
    return y.copy_(x)


@each_op("noncontiguous")
def test_strided_inputs_give_the_same(key):
    op = TABLE[key]
    for case in cases(key, ("float32", "int64", "bfloat16")):
        plain = seeded(op["call"], case.ours())
        if compared(op) and gotorch.get_rng_state().ne(op_cases.SEEDED).any():
            # Numbers are drawn in the order of memory.
            plain = seeded(their_function(op), case.theirs(wrap=strided_as_ours))
        # Sums go in the order of memory too, so their last bits may differ.
        assert_close(op, case, seeded(op["call"], case.ours(strided)), to_theirs(plain))


@pytest.mark.parametrize("shape", ["empty", "0d"])
@each_op("empty", compared)
def test_empty_and_0d_inputs_give_what_pytorch_gives(key, shape):
    op = TABLE[key]
    reshape = (lambda s: (0, *s[1:]) if s else s) if shape == "empty" else (lambda s: ())
    for case in cases(key, reshape=reshape):
        theirs = expected(op, case)
        if theirs is not None:
            exact = expected(op, case, torch.float64) if op["kind"] != "random" else None
            assert_close(op, case, seeded(op["call"], case.ours()), theirs, exact)


def inplace_form(op, x):
    name = op["name"] + "_"
    places = [type(x), gotorch._C.nn_functions, gotorch._C.internal]
    return next(getattr(p, name) for p in places if hasattr(p, name))


@each_op("inplace", lambda op: op["has_inplace"])
def test_the_in_place_form_gives_the_same(key):
    op = TABLE[key]
    for case in cases(key, ("float32", "int64", "bfloat16")):
        for wrap in (lambda t: t, strided):
            plain = flat(seeded(op["call"], case.ours(wrap)))[0]
            args, kwargs = case.ours(wrap)
            x = args[0]
            if not isinstance(x, gotorch.Tensor) or (plain.dtype, plain.shape) != (x.dtype, x.shape):
                continue
            assert seeded(inplace_form(op, x), (args, kwargs)) is x
            assert_same(x, plain)


@each_op("out", lambda op: op["kind"] != "view" and not op["results"][0].startswith("[]"))
def test_out_gets_the_same_values(key):
    op = TABLE[key]
    for case in cases(key, ("float32", "int64")):
        plain = seeded(op["call"], case.ours())
        if type(plain) in (tuple, list) or not all(isinstance(t, gotorch.Tensor) for t in flat(plain)):
            continue  # a list, not named results
        for make in (lambda t: gotorch.empty(0, dtype=t.dtype), lambda t: strided(gotorch.zeros_like(t))):
            out = [make(t) for t in flat(plain)]
            args, kwargs = case.ours()
            given = tuple(out) if isinstance(plain, tuple) else out[0]
            result = seeded(op["call"], (args, {**kwargs, "out": given}))
            assert all(r is o for r, o in zip(flat(result), out))
            assert_same(out, plain)


@each_op("out", lambda op: op["kind"] != "view" and len(op["results"]) == 1)
def test_a_wrong_out_changes_nothing(key):
    op = TABLE[key]
    case = next(iter(cases(key)))
    plain = seeded(op["call"], case.ours())
    if not isinstance(plain, gotorch.Tensor) or plain.dtype is gotorch.bool:
        return
    args, kwargs = case.ours()
    before = bits(args)
    out = gotorch.zeros(plain.shape, dtype=gotorch.bool)
    with pytest.raises((RuntimeError, TypeError)):
        seeded(op["call"], (args, {**kwargs, "out": out}))
    with pytest.raises(TypeError):
        seeded(op["call"], (args, {**kwargs, "out": 1}))
    assert bits(args) == before
    assert not out.any()


@each_op("method", lambda op: op["scope"] in ("torch", "torch_nn"))
def test_function_method_and_keywords_give_the_same(key):
    op = TABLE[key]
    for case in cases(key):
        args, kwargs = case.ours()
        function = getattr(gotorch, op["name"])
        plain = bits(seeded(function, (args, kwargs)))
        names = [p["name"] for p in op["params"] if not p["keyword_only"]]
        assert bits(seeded(function, ([], {**dict(zip(names, args)), **kwargs}))) == plain
        if isinstance(args[0], gotorch.Tensor):
            assert bits(seeded(getattr(args[0], op["name"]), (args[1:], kwargs))) == plain
        for alias in op["aliases"].split():
            assert bits(seeded(getattr(gotorch, alias), (args, kwargs))) == plain


@each_op("signature", compared)
def test_parameters_have_the_names_of_pytorch(key):
    op = TABLE[key]
    theirs = their_function(op)
    # Methods, and functions that PyTorch has only in place, take the tensor by position.
    positional = 0 if op["scope"] != "method" and getattr(torch.Tensor, op["name"], None) is not theirs else 1
    for case in cases(key):
        if expected(op, case) is None:
            continue
        args, kwargs = case.theirs()
        for param, value in zip(op["params"][positional:], args[positional:]):
            kwargs[param["name"]] = value
        seeded(theirs, (args[:positional], kwargs))


def differentiable(op, case, arguments, call=None):
    """A call of ours, one of PyTorch's, and the tensors of each that are to have gradients, of these arguments."""
    call = call or op["call"]
    leaves, their_leaves = [], []

    def leaf(t):
        t = t.clone()
        if t.is_floating_point():
            leaves.append(to_ours(t).requires_grad_())
            their_leaves.append(t.requires_grad_())
            return leaves[-1], t
        return to_ours(t), t

    def pair(value, wanted):
        if isinstance(value, list):
            pairs = [pair(v, wanted) for v in value]
            return [p[0] for p in pairs], [p[1] for p in pairs]
        if isinstance(value, torch.Tensor) and wanted:
            return leaf(value)
        return to_ours(value), value

    pairs = [pair(value, i in arguments) for i, value in enumerate(case.values)]
    ours, theirs = case.arguments([p[0] for p in pairs]), case.arguments([p[1] for p in pairs])
    return lambda *_: seeded(call, ours), lambda: seeded(their_function(op), theirs), leaves, their_leaves


def gradients(op, case, arguments, create_graph=False):
    function, _, leaves, _ = differentiable(op, case, arguments)
    results = [y.sum() for y in of_floats(function()) if y.requires_grad]
    if not results:
        return [None] * len(leaves)
    return list(gotorch.autograd.grad(results, leaves, allow_unused=True, create_graph=create_graph))


def gradient_arguments(op, case):
    """The arguments that have a gradient: those that the op has a formula for; of a composed op, those that one of its
    results follows from by ops that do."""
    if op["kind"] != "compose":
        wanted = {name for g in op["grads"] for name in g.split()}
        return [i for i, param in enumerate(op["params"]) if param["name"] in wanted]
    return [i for i in range(len(case.values)) if any(g is not None for g in gradients(op, case, [i]))]


def has_gradient(op):
    return op["kind"] == "compose" or bool(op["grads"])


def of_floats(result):
    return [y for y in flat(result) if not isinstance(y, (bool, int)) and y.dtype.is_floating_point]


def their_gradient(op, case, arguments):
    """The call as `differentiable` has it, with PyTorch's results and the weights of their sum that went backward."""
    ours, theirs, leaves, their_leaves = differentiable(op, case, arguments)
    generator = torch.Generator().manual_seed(3)
    wanted = of_floats(theirs())
    weights = [torch.rand(y.shape, generator=generator, dtype=y.dtype) - 0.3 for y in wanted]
    pairs = [(y, w) for y, w in zip(wanted, weights) if y.requires_grad]
    if pairs:
        torch.autograd.backward(*zip(*pairs))
    return ours, wanted, weights, leaves, their_leaves


def their_arguments(op, case):
    """The arguments that may require gradients in PyTorch: not running statistics, for one."""
    everything = list(range(len(case.values)))

    def admitted(arguments):
        try:
            their_gradient(op, case, arguments)
        except RuntimeError:
            return False
        return True

    return everything if admitted(everything) else [i for i in everything if admitted([i])]


@each_op("torch_grad", lambda op: compared(op) and has_gradient(op))
def test_gradients_are_those_of_pytorch(key):
    op = TABLE[key]
    for case in cases(key, ("float64",)):
        if expected(op, case) is None:
            continue
        ours, wanted, weights, leaves, their_leaves = their_gradient(op, case, their_arguments(op, case))
        got = of_floats(ours())
        assert [y.requires_grad for y in got] == [y.requires_grad for y in wanted]
        pairs = [(y, to_ours(w)) for y, w in zip(got, weights) if y.requires_grad]
        if not pairs:
            continue
        gotorch.autograd.backward(*zip(*pairs))
        for x, y in zip(leaves, their_leaves):
            a = torch.zeros_like(y) if x.grad is None else to_theirs(x.grad)
            b = torch.zeros_like(y) if y.grad is None else y.grad
            torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


def gradient_cases(key):
    op = TABLE[key]
    for case in cases(key, ("float64",)):
        function, _, leaves, _ = differentiable(op, case, gradient_arguments(op, case))
        if any(y.requires_grad and y.dtype is gotorch.float64 for y in of_floats(function())):
            yield function, leaves


@each_op("grad", has_gradient)
def test_gradients_agree_with_differences(key):
    for function, leaves in gradient_cases(key):
        gotorch.autograd.gradcheck(function, leaves, fast_mode=True)


@each_op("grad_alone", lambda op: op["kind"] != "compose" and has_gradient(op))
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_gradient_does_not_need_what_only_the_others_save(key, create_graph):
    op = TABLE[key]
    for case in cases(key, ("float64",)):
        arguments = gradient_arguments(op, case)
        together = gradients(op, case, arguments, create_graph)
        alone = [g for i in arguments for g in gradients(op, case, [i], create_graph)]
        assert len(together) == len(alone)
        for a, b in zip(together, alone):
            assert (a is None) == (b is None)
            if a is not None:
                torch.testing.assert_close(to_theirs(a.detach()), to_theirs(b.detach()), equal_nan=True)


@each_op("inplace", lambda op: op["has_inplace"] and has_gradient(op))
def test_gradients_of_the_in_place_form_are_the_same(key):
    op = TABLE[key]

    def inplace(x, *args, **kwargs):
        return inplace_form(op, x)(x.clone(), *args, **kwargs)  # a leaf cannot be written to

    for case in cases(key, ("float64",)):
        arguments = gradient_arguments(op, case)
        function, _, leaves, _ = differentiable(op, case, arguments)
        x, y = to_ours(case.values[0]), flat(function())[0]
        if not y.requires_grad or not isinstance(x, gotorch.Tensor) or (x.dtype, x.shape) != (y.dtype, y.shape):
            continue
        y.cos().sum().backward()
        function, _, other_leaves, _ = differentiable(op, case, arguments, inplace)
        function().cos().sum().backward()
        for x, other in zip(leaves, other_leaves):
            torch.testing.assert_close(to_theirs(x.grad), to_theirs(other.grad), rtol=1e-12, atol=0)


@each_op("gradgrad", has_gradient)
def test_second_derivatives_agree_with_differences(key):
    for function, leaves in gradient_cases(key):
        gotorch.autograd.gradgradcheck(function, leaves, fast_mode=True)


@each_op("threads")
def test_bits_do_not_depend_on_the_number_of_workers(key):
    op = TABLE[key]
    declared = op_cases.dtype_names(op)
    before = gotorch.get_num_threads()
    try:
        for sample in op["samples"]:
            case = Case(key, sample, "float32" if "float32" in declared else declared[0])
            if compared(op):  # enough work to be shared out; outer products of vectors must fit in memory
                large = Case(key, sample, case.dtype, op_cases.enlarged(sample, 100_000, most=4096))
                case = case if expected(op, large) is None else large
            results = []
            for workers in (1, 2, 3, 8):
                gotorch.set_num_threads(workers)
                results.append(bits(seeded(op["call"], case.ours())))
            assert all(r == results[0] for r in results)
    finally:
        gotorch.set_num_threads(before)


@each_op("errors", lambda op: op["errors"])
def test_errors_have_the_class_of_pytorch(key):
    op = TABLE[key]
    for sample, text in op["errors"]:
        case = Case(key, sample, "float32")
        with pytest.raises(Exception) as ours:
            seeded(op["call"], case.ours())
        assert text in str(ours.value)
        if compared(op):
            with pytest.raises(Exception) as theirs:
                seeded(their_function(op), case.theirs())
            assert ours.type is theirs.type


@each_op("leaks")
def test_no_memory_is_kept(key):
    op = TABLE[key]
    for case in cases(key, ("float32",)):
        args = case.ours()

        def growth(args=args):
            before = gotorch.cpu.memory_allocated()
            for _ in range(3):
                seeded(op["call"], args)
            return gotorch.cpu.memory_allocated() - before

        growth()
        if growth():  # collecting takes long, so only where garbage of other tests may have interfered
            gc.collect()
            assert growth() == 0
