"""Single operations on common shapes, for bench/vs_torch.py --works kernel_works. As works.py, with a limit of 1."""

from works import _force

WORKS = []


def _work(name, prepare):
    WORKS.append((name, 1.0, "kernel", prepare))


def _forward(name, run, *shapes, index=None):
    """run(t, *tensors) without gradients; `index` makes integer tensors out of the last arguments."""

    def prepare(t):
        tensors = [t.randn(*s) for s in shapes] + (index(t) if index else [])

        def call():
            with t.no_grad():
                y = run(t, *tensors)
                _force(t, y)

        return call

    _work(name, prepare)


def _backward(name, run, *shapes, index=None):
    """The gradients of run(t, *tensors) alone: forward runs once."""

    def prepare(t):
        tensors = [t.randn(*s, requires_grad=True) for s in shapes]
        y = run(t, *tensors, *(index(t) if index else []))
        g = t.randn_like(y.detach())

        def call():
            _force(t, *t.autograd.grad(y, tensors, g, retain_graph=True))

        return call

    _work(name + ", backward", prepare)


def _both(name, run, *shapes, index=None):
    _forward(name, run, *shapes, index=index)
    _backward(name, run, *shapes, index=index)


def _linear(m, k, n):
    name = f"linear {m}x{k} to {n}"
    _both(name, lambda t, x, w, b: t.nn.functional.linear(x, w, b), (m, k), (n, k), (n,))


for _sizes in ((64, 784, 512), (64, 512, 512), (64, 512, 10), (32, 64, 128)):
    _linear(*_sizes)

for _rows, _n in ((64, 10), (4096, 128), (2048, 1000), (64, 50257)):
    _size = f" {_rows}x{_n}"
    _both("softmax" + _size, lambda t, x: t.softmax(x, -1), (_rows, _n))
    _both("log_softmax" + _size, lambda t, x: t.log_softmax(x, -1), (_rows, _n))
    _both(
        "cross_entropy" + _size,
        lambda t, x, y: t.nn.functional.cross_entropy(x, y),
        (_rows, _n),
        index=lambda t, r=_rows, n=_n: [t.randint(0, n, (r,))],
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

_both("softmax over dim 1 of 8x21x16384", lambda t, x: t.softmax(x, 1), (8, 21, 16384))

for _rows, _n in ((64, 64), (8192, 64), (4096, 768)):
    _both(
        f"layer_norm {_rows}x{_n}",
        lambda t, x, w, b: t.nn.functional.layer_norm(x, w.shape, w, b),
        (_rows, _n),
        (_n,),
        (_n,),
    )
for _shape in ((64, 256), (32, 64, 56, 56), (32, 512, 7, 7)):
    _both(
        f"batch_norm {_shape}",
        lambda t, x, w, b: t.nn.functional.batch_norm(x, None, None, w, b, True),
        _shape,
        _shape[1:2],
        _shape[1:2],
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
):
    _conv(*_sizes)

for _shape in ((64, 6, 28, 28), (64, 16, 10, 10), (8, 64, 112, 112)):
    _both(f"max_pool2d 2x2 {_shape}", lambda t, x: t.nn.functional.max_pool2d(x, 2), _shape)
    _both(f"avg_pool2d 2x2 {_shape}", lambda t, x: t.nn.functional.avg_pool2d(x, 2), _shape)

for _name in ("sum", "mean", "var", "amax", "argmax"):
    for _dim in (0, 1):
        _forward(
            f"{_name} over dim {_dim} of 1000x1000", lambda t, x, f=_name, d=_dim: getattr(t, f)(x, d), (1000, 1000)
        )
for _name in ("sum", "amax"):
    _forward(f"{_name} of 10M", lambda t, x, f=_name: getattr(t, f)(x), (10_000_000,))
_forward("max over dim 1 of 64x1000", lambda t, x: t.max(x, 1)[0], (64, 1000))
_forward("cumsum over dim 1 of 1000x1000", lambda t, x: t.cumsum(x, 1), (1000, 1000))
_forward("cumsum over dim 0 of 1000x1000", lambda t, x: t.cumsum(x, 0), (1000, 1000))
_forward("sort of 1000x1000", lambda t, x: t.sort(x)[0], (1000, 1000))
_forward("sort of 1M", lambda t, x: t.sort(x)[0], (1_000_000,))
_forward("topk 50 of 32x50257", lambda t, x: t.topk(x, 50)[0], (32, 50257))
_forward("topk 5 of 1000x1000", lambda t, x: t.topk(x, 5)[0], (1000, 1000))

_forward(
    "gather over dim 1 of 64x1000x16",
    lambda t, x, i: t.gather(x, 1, i),
    (64, 1000, 16),
    index=lambda t: [t.randint(0, 1000, (64, 1000, 16))],
)
_forward(
    "index_select of 1M",
    lambda t, x, i: t.index_select(x, 0, i),
    (1_000_000,),
    index=lambda t: [t.randint(0, 1_000_000, (1_000_000,))],
)
_both(
    "embedding 4096 of 50257x64",
    lambda t, w, i: t.nn.functional.embedding(i, w),
    (50257, 64),
    index=lambda t: [t.randint(0, 50257, (4096,))],
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
