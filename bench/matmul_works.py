"""Matrix products and convolutions, for bench/vs_torch.py --works matmul_works. As works.py; the limits are the goals."""

from works import _force

WORKS = []


def _work(name, limit, group, prepare):
    WORKS.append((name, limit, group, prepare))


def _forward(name, limit, group, run, *shapes, dtype=None):
    """run(t, *tensors) without gradients."""

    def prepare(t):
        tensors = [t.randn(*s) for s in shapes]
        if dtype:
            tensors = [x.to(getattr(t, dtype)) for x in tensors]

        def call():
            with t.no_grad():
                _force(t, run(t, *tensors))

        return call

    _work(name, limit, group, prepare)


def _backward(name, limit, group, run, *shapes):
    """The gradients of run(t, *tensors) alone: forward runs once."""

    def prepare(t):
        tensors = [t.randn(*s, requires_grad=True) for s in shapes]
        y = run(t, *tensors)
        g = t.randn_like(y.detach())

        def call():
            _force(t, *t.autograd.grad(y, tensors, g, retain_graph=True))

        return call

    _work(name + ", backward", limit, group, prepare)


def _product(m, k, n, limit=1.0, group="gemm", dtype=None):
    name = f"{dtype or 'float32'} {m}x{k} by {k}x{n}"
    _forward(name, limit, group, lambda t, a, b: a @ b, (m, k), (k, n), dtype=dtype)


for _n in (16, 24, 32):
    _product(_n, _n, _n, 0.7, "tiny")
for _n in (48, 64, 96, 100, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096):
    _product(_n, _n, _n)

# A decoder's projections for 128 tokens, the batches of an MLP, and an output layer.
for _sizes in (
    (128, 768, 2304),
    (128, 768, 3072),
    (128, 3072, 768),
    (1024, 128, 512),
    (1024, 512, 128),
    (8, 4096, 4096),
):
    _product(*_sizes)
for _sizes in ((64, 784, 512), (256, 784, 512), (64, 512, 10), (32, 64, 128), (512, 256, 50), (7, 4096, 13)):
    _product(*_sizes)
for _n in (64, 256, 1024):
    _forward(f"float32 {_n}, A^T B", 1.0, "gemm", lambda t, a, b: a.mT @ b, (_n, _n), (_n, _n))
    _forward(f"float32 {_n}, A B^T", 1.0, "gemm", lambda t, a, b: a @ b.mT, (_n, _n), (_n, _n))
    _forward(f"float32 {_n}, A^T B^T", 1.0, "gemm", lambda t, a, b: a.mT @ b.mT, (_n, _n), (_n, _n))
for _m, _k, _n in ((64, 784, 512), (64, 512, 10), (1024, 256, 1024)):
    _name = f"linear {_m}x{_k} to {_n}"
    _shapes = (_m, _k), (_n, _k), (_n,)
    _forward(_name, 1.0, "gemm", lambda t, x, w, b: t.nn.functional.linear(x, w, b), *_shapes)
    _backward(_name, 1.0, "gemm", lambda t, x, w, b: t.nn.functional.linear(x, w, b), *_shapes)

for _n in (16, 32):
    _forward(f"float32 {_n}, A B^T", 0.7, "tiny", lambda t, a, b: a @ b.mT, (_n, _n), (_n, _n))
for _n in (64, 512, 2048):
    _forward(f"matrix {_n}x{_n} by vector", 0.7, "vector", lambda t, a, x: a @ x, (_n, _n), (_n,))
    _forward(f"vector by matrix {_n}x{_n}", 0.7, "vector", lambda t, x, a: x @ a, (_n,), (_n, _n))
# Heads of attention: scores and values.
for _b, _l, _d in ((32, 64, 32), (32, 128, 64), (64, 256, 64), (16, 1024, 64)):
    _forward(f"bmm {_b} of {_l}x{_d} by {_d}x{_l}", 0.7, "bmm", lambda t, q, k: q @ k.mT, (_b, _l, _d), (_b, _l, _d))
    _forward(f"bmm {_b} of {_l}x{_l} by {_l}x{_d}", 0.7, "bmm", lambda t, p, v: p @ v, (_b, _l, _l), (_b, _l, _d))
for _n in (4, 8, 16):
    _forward(f"bmm 1024 of {_n}x{_n}", 0.7, "bmm", lambda t, a, b: a @ b, (1024, _n, _n), (1024, _n, _n))
for _n in (64, 256, 512, 1024, 2048):
    _product(_n, _n, _n, 1.0, "bfloat16", "bfloat16")
_product(128, 768, 3072, 1.0, "bfloat16", "bfloat16")


def _conv(dims, n, ci, size, co, k, p=0, s=1, g=1, limit=1.0):
    def run(t, x, w, b):
        conv = t.nn.functional.conv1d if dims == 1 else t.nn.functional.conv2d
        return conv(x, w, b, stride=s, padding=p, groups=g)

    name = f"conv{dims}d {n}x{ci}x{size} to {co}, kernel {k}, stride {s}, groups {g}"
    shapes = (n, ci) + (size,) * dims, (co, ci // g) + (k,) * dims, (co,)
    _forward(name, limit, "conv", run, *shapes)
    _backward(name, limit, "conv", run, *shapes)


_conv(2, 64, 1, 28, 6, 5, 2, limit=0.5)  # LeNet
_conv(2, 64, 6, 14, 16, 5)
# ResNet-18 on 224 x 224: the stem, then four stages of 3 x 3, each entered by a stride of 2 and a 1 x 1 shortcut.
_conv(2, 16, 3, 224, 64, 7, 3, 2)
_conv(2, 16, 64, 56, 64, 3, 1)
for _ci, _h in ((64, 56), (128, 28), (256, 14)):
    _conv(2, 16, _ci, _h, 2 * _ci, 3, 1, 2)
    _conv(2, 16, _ci, _h, 2 * _ci, 1, 0, 2)
    _conv(2, 16, 2 * _ci, _h // 2, 2 * _ci, 3, 1)
_conv(2, 8, 64, 56, 64, 3, 1, 1, 64)
_conv(2, 8, 128, 28, 128, 3, 1, 2, 128)
_conv(2, 64, 1, 28, 32, 3, 1)
_conv(2, 8, 64, 56, 256, 1)
_conv(1, 16, 64, 1024, 64, 5, 2)
_conv(1, 32, 16, 200, 32, 3, 1)
