"""Single operations on common shapes, for bench/vs_torch.py --works kernel_works.

As works.py; the limit of each work is its goal, or 1 where there is none.
"""

from works import _force

WORKS = []


def _work(name, prepare, goal=1.0):
    WORKS.append((name, goal, "kernel", prepare))


def _forward(name, run, *shapes, index=None, goal=1.0):
    """run(t, *tensors) without gradients; `index` makes integer tensors out of the last arguments."""

    def prepare(t):
        tensors = [t.randn(*s) for s in shapes] + (index(t) if index else [])

        def call():
            with t.no_grad():
                y = run(t, *tensors)
                _force(t, y)

        return call

    _work(name, prepare, goal)


def _backward(name, run, *shapes, index=None, goal=1.0):
    """The gradients of run(t, *tensors) alone: forward runs once."""

    def prepare(t):
        tensors = [t.randn(*s, requires_grad=True) for s in shapes]
        y = run(t, *tensors, *(index(t) if index else []))
        g = t.randn_like(y.detach())

        def call():
            _force(t, *t.autograd.grad(y, tensors, g, retain_graph=True))

        return call

    _work(name + ", backward", prepare, goal)


def _both(name, run, *shapes, index=None, goal=1.0):
    _forward(name, run, *shapes, index=index, goal=goal)
    _backward(name, run, *shapes, index=index, goal=goal)


def _linear(m, k, n):
    name = f"linear {m}x{k} to {n}"
    _both(name, lambda t, x, w, b: t.nn.functional.linear(x, w, b), (m, k), (n, k), (n,))


for _sizes in ((64, 784, 512), (64, 512, 512), (64, 512, 10), (32, 64, 128)):
    _linear(*_sizes)

for _rows, _n in ((64, 10), (4096, 128), (2048, 1000), (64, 50257)):
    _size = f" {_rows}x{_n}"
    _both("softmax" + _size, lambda t, x: t.softmax(x, -1), (_rows, _n), goal=0.5)
    _both("log_softmax" + _size, lambda t, x: t.log_softmax(x, -1), (_rows, _n), goal=0.5)
    _both(
        "cross_entropy" + _size,
        lambda t, x, y: t.nn.functional.cross_entropy(x, y),
        (_rows, _n),
        index=lambda t, r=_rows, n=_n: [t.randint(0, n, (r,))],
        goal=0.5,
    )


def _attention(batch, heads, positions, width, causal):
    def run(t, q, k, v):
        return t.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)

    name = f"attention {batch}x{heads}x{positions}x{width}" + ", causal" * causal
    _forward(name, run, *[(batch, heads, positions, width)] * 3)

    def prepare(t):
        tensors = [t.randn(batch, heads, positions, width, requires_grad=True) for _ in range(3)]
        g = t.randn(batch, heads, positions, width)

        def call():
            _force(t, *t.autograd.grad(run(t, *tensors), tensors, g))

        return call

    WORKS.append((name + ", forward and backward", 0.6, "kernel", prepare))


for _causal in (False, True):
    for _sizes in (
        (8, 4, 64, 32),
        (8, 4, 128, 64),
        (8, 8, 128, 32),
        (2, 8, 256, 64),
        (1, 16, 512, 64),
        (1, 8, 1024, 64),
    ):
        _attention(*_sizes, _causal)

_both("softmax over dim 1 of 8x21x16384", lambda t, x: t.softmax(x, 1), (8, 21, 16384), goal=0.5)

for _rows, _n in ((64, 64), (8192, 64), (4096, 768)):
    _both(
        f"layer_norm {_rows}x{_n}",
        lambda t, x, w, b: t.nn.functional.layer_norm(x, w.shape, w, b),
        (_rows, _n),
        (_n,),
        (_n,),
        goal=0.5,
    )
for _shape in ((64, 256), (32, 64, 56, 56), (32, 512, 7, 7)):
    _both(
        f"batch_norm {_shape}",
        lambda t, x, w, b: t.nn.functional.batch_norm(x, None, None, w, b, True),
        _shape,
        _shape[1:2],
        _shape[1:2],
        goal=0.5,
    )
_both(
    "group_norm (8, 256, 32, 32)",
    lambda t, x, w, b: t.nn.functional.group_norm(x, 32, w, b),
    (8, 256, 32, 32),
    (256,),
    (256,),
)


def _conv(n, ci, h, co, k, p, s=1, g=1):
    def run(t, x, w, b):
        return t.nn.functional.conv2d(x, w, b, stride=s, padding=p, groups=g)

    name = f"conv2d {n}x{ci}x{h}x{h} to {co}, {k}x{k}, padding {p}, stride {s}, groups {g}"
    _both(name, run, (n, ci, h, h), (co, ci // g, k, k), (co,))


for _sizes in (
    (64, 1, 28, 6, 5, 2),
    (64, 6, 14, 16, 5, 0),
    (64, 1, 28, 32, 3, 1),
    (64, 32, 14, 64, 3, 1),
    (8, 64, 56, 64, 3, 1),
    (8, 512, 7, 512, 3, 1),
    (8, 3, 224, 64, 7, 3, 2),
    (8, 64, 56, 256, 1, 0),
    (8, 256, 56, 512, 1, 0, 2),
    (8, 64, 56, 64, 3, 1, 1, 64),
    (8, 64, 56, 64, 3, 1, 2, 64),
    (8, 256, 14, 256, 3, 1, 1, 256),
    # ResNet-18 on 224 x 224, batch 16
    (16, 3, 224, 64, 7, 3, 2),
    (16, 64, 56, 64, 3, 1),
    (16, 64, 56, 128, 3, 1, 2),
    (16, 64, 56, 128, 1, 0, 2),
    (16, 128, 28, 128, 3, 1),
    (16, 128, 28, 256, 3, 1, 2),
    (16, 128, 28, 256, 1, 0, 2),
    (16, 256, 14, 256, 3, 1),
    (16, 256, 14, 512, 3, 1, 2),
    (16, 256, 14, 512, 1, 0, 2),
    (16, 512, 7, 512, 3, 1),
):
    _conv(*_sizes)

for _shape in ((64, 6, 28, 28), (64, 16, 10, 10), (8, 64, 112, 112)):
    _both(f"max_pool2d 2x2 {_shape}", lambda t, x: t.nn.functional.max_pool2d(x, 2), _shape, goal=0.3)
    _both(f"avg_pool2d 2x2 {_shape}", lambda t, x: t.nn.functional.avg_pool2d(x, 2), _shape, goal=0.3)
_shape = (8, 64, 112, 112)
_both("max_pool2d 3x3, stride 2", lambda t, x: t.nn.functional.max_pool2d(x, 3, 2, 1), _shape, goal=0.3)
_both("max_pool1d 2 (32, 64, 1000)", lambda t, x: t.nn.functional.max_pool1d(x, 2), (32, 64, 1000))
_both("adaptive_avg_pool2d 1 (32, 512, 7, 7)", lambda t, x: t.nn.functional.adaptive_avg_pool2d(x, 1), (32, 512, 7, 7))

_square = (1000, 1000)
for _name, _goal in (("sum", 0.5), ("mean", 0.5), ("var", 0.3), ("amax", 1.0), ("argmax", 0.3)):
    for _dim in (0, 1):
        _forward(
            f"{_name} over dim {_dim} of 1000x1000",
            lambda t, x, f=_name, d=_dim: getattr(t, f)(x, d),
            _square,
            goal=_goal,
        )
for _dim in (0, 1):
    _both(f"max over dim {_dim} of 1000x1000", lambda t, x, d=_dim: t.max(x, d)[0], _square, goal=0.3)
for _name in ("sum", "amax"):
    _forward(f"{_name} of 10M", lambda t, x, f=_name: getattr(t, f)(x), (10_000_000,))
    _forward(f"{_name} of rows of 10", lambda t, x, f=_name: getattr(t, f)(x, 1), (100_000, 10))
_forward("max over dim 1 of 64x1000", lambda t, x: t.max(x, 1)[0], (64, 1000), goal=0.3)
_forward("cumsum over dim 1 of 1000x1000", lambda t, x: t.cumsum(x, 1), _square, goal=0.9)
_forward("cumsum over dim 0 of 1000x1000", lambda t, x: t.cumsum(x, 0), _square, goal=0.9)
_forward("sort of 1000x1000", lambda t, x: t.sort(x)[0], _square, goal=0.9)
_forward("sort of 1M", lambda t, x: t.sort(x)[0], (1_000_000,), goal=0.9)
_forward("topk 50 of 32x50257", lambda t, x: t.topk(x, 50)[0], (32, 50257), goal=0.9)
_forward("topk 5 of 1000x1000", lambda t, x: t.topk(x, 5)[0], _square, goal=0.9)

_both("gelu of 1000x1000", lambda t, x: t.nn.functional.gelu(x), _square, goal=0.5)
_both("where of 1000x1000", lambda t, x, y: t.where(x > 0, x, y), _square, _square, goal=0.3)
_both("dropout of 1000x1000", lambda t, x: t.nn.functional.dropout(x, 0.1), _square, goal=0.3)
_both("transposed copy of 1000x1000", lambda t, x: x.t().contiguous(), _square, goal=0.3)
_both(
    "heads: 8x128x4x32 with dims 1 and 2 swapped",
    lambda t, x: x.transpose(1, 2).contiguous(),
    (8, 128, 4, 32),
    goal=0.9,
)
_both(
    "permute copy of 32x64x56x56 to channels last",
    lambda t, x: x.permute(0, 2, 3, 1).contiguous(),
    (32, 64, 56, 56),
    goal=0.9,
)
for _dim in (0, 1):
    _both(
        f"cat of 3 500x500 over dim {_dim}", lambda t, x, y, z, d=_dim: t.cat([x, y, z], d), *[(500, 500)] * 3, goal=0.9
    )
_forward("randn of 1M", lambda t: t.randn(1_000_000), goal=0.9)
_forward("bernoulli of 1M", lambda t, x: t.bernoulli(t.sigmoid(x)), (1_000_000,), goal=0.9)
_forward("remainder of 1000x1000", lambda t, x, y: t.remainder(x, y), _square, _square)
_forward("floor_divide of 1000x1000", lambda t, x, y: t.floor_divide(x, y), _square, _square)
_forward("1Mx1 plus 4 columns", lambda t, x, y: x + y, (1_000_000, 1), (4,))
_forward("flip of 1000x1000", lambda t, x: t.flip(x, [1]), _square)
_forward("roll of 1000x1000", lambda t, x: t.roll(x, 3, 1), _square)
_forward("reflect pad of 8x64x56x56", lambda t, x: t.nn.functional.pad(x, (1, 1, 1, 1), "reflect"), (8, 64, 56, 56))
_forward("addr of 1000x1000", lambda t, x, v, w: t.addr(x, v, w), _square, (1000,), (1000,))
_forward(
    "cross of 300,000 rows of 3",
    lambda t, x, y: t.linalg.cross(x, y) if hasattr(t, "linalg") else t.cross(x, y, -1),
    (300_000, 3),
    (300_000, 3),
)
_forward("float32 to float64 of 1M", lambda t, x: x.to(t.float64), (1_000_000,))
_forward("float32 to int32 of 1M", lambda t, x: x.to(t.int32), (1_000_000,))
_forward("float32 to bfloat16 of 1M", lambda t, x: x.to(t.bfloat16), (1_000_000,))


def _indexed(n, count=1_000_000):
    return lambda t: [t.randint(0, n, (count,))]


_forward("bincount of 1M in 10", lambda t, x, i: t.bincount(i), (1,), index=_indexed(10))
_forward("take of 1M", lambda t, x, i: t.take(x, i), (1_000_000,), index=_indexed(1_000_000))
_forward(
    "scatter_add of 1M",
    lambda t, x, y, i: t.scatter_add(x, 0, i, y),
    (1_000_000,),
    (1_000_000,),
    index=_indexed(1_000_000),
    goal=0.9,
)
_forward(
    "gather over dim 1 of 64x1000x16",
    lambda t, x, i: t.gather(x, 1, i),
    (64, 1000, 16),
    index=lambda t: [t.randint(0, 1000, (64, 1000, 16))],
    goal=0.9,
)
_forward(
    "index_select of 1M",
    lambda t, x, i: t.index_select(x, 0, i),
    (1_000_000,),
    index=_indexed(1_000_000),
    goal=0.9,
)
_both(
    "embedding 4096 of 50257x64",
    lambda t, w, i: t.nn.functional.embedding(i, w),
    (50257, 64),
    index=_indexed(50257, 4096),
    goal=0.9,
)


def _recurrent(kind, width, batch, steps):
    """Two layers, forward and backward for the input and all weights."""

    def prepare(t):
        layer = getattr(t.nn, kind)(width, width, 2)
        x = t.randn(steps, batch, width, requires_grad=True)
        g = t.randn(steps, batch, width)

        def call():
            y, _ = layer(x)
            _force(t, *t.autograd.grad(y, [x, *layer.parameters()], g))

        return call

    name = f"{kind}, 2 layers, {width} wide, batch {batch}, {steps} steps, forward and backward"
    WORKS.append((name, 0.6, "recurrent", prepare))


for _kind in ("LSTM", "GRU"):
    for _sizes in ((64, 8, 32), (64, 32, 128), (256, 8, 32), (256, 32, 64), (512, 8, 32), (512, 32, 32)):
        _recurrent(_kind, *_sizes)


def _of_parameters(name, make, goal=1.0):
    """make(t, parameters) gives a call that works on gradients of a small network's parameters."""

    def prepare(t):
        shapes = [(512, 784), (512,), (512, 512), (512,), (10, 512), (10,)] + [(64, 64, 3, 3), (64,), (64,)] * 8
        parameters = [t.randn(*s).requires_grad_() for s in shapes]
        for p in parameters:
            p.grad = t.randn(*p.shape)
        run = make(t, parameters)

        def call():
            run()
            _force(t, parameters[0].grad, *parameters)

        return call

    _work(name, prepare, goal)


# PyTorch's default is its fast form for several tensors.
for _name, _options in (("SGD", {"momentum": 0.9}), ("Adam", {}), ("AdamW", {}), ("RMSprop", {})):
    _of_parameters(
        f"step of {_name}", lambda t, p, n=_name, o=_options: getattr(t.optim, n)(p, lr=1e-3, foreach=True, **o).step
    )
_of_parameters("clip_grad_norm_", lambda t, p: lambda: t.nn.utils.clip_grad_norm_(p, 1.0))
