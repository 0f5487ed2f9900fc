"""The works that bench/vs_torch.py times, each written once for both libraries.

A work is a function of the module (`torch` or `gotorch`) that prepares its data and returns the callable to time.
"""

WORKS = []


def work(name, limit, group):
    """Registers a work; `limit` is the time ratio to PyTorch that it has to reach."""

    def register(prepare):
        WORKS.append((name, limit, group, prepare))
        return prepare

    return register


N = 10_000_000


def _gemm(n):
    def prepare(t):
        a, b = t.randn(n, n), t.randn(n, n)
        return lambda: a @ b

    return prepare


for _n in (64, 128, 256, 512, 1024):
    work(f"GEMM float32 {_n}x{_n}", 1.3, "gemm")(_gemm(_n))


@work("a + b, 10M floats", 0.5, "elementwise")
def add_large(t):
    a, b = t.randn(N), t.randn(N)

    def run():
        c = a + b
        _force(t, c)
        return c

    return run


def _force(t, *tensors):
    """Deferred results have to be in memory before the clock stops."""
    for x in tensors:
        x.data_ptr()


def _gelu(t, x):
    return 0.5 * x * (1 + t.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


def _rms_norm(t, x, w):
    return x * t.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * w


def _forward(make, formula):
    def prepare(t):
        inputs = make(t)

        def run():
            with t.no_grad():
                y = formula(t, *inputs)
                _force(t, y)

        return run

    return prepare


def _both(make, formula):
    def prepare(t):
        inputs = make(t)
        leaves = [x.requires_grad_() for x in inputs]
        g = t.ones_like(formula(t, *inputs).detach())

        def run():
            for x in leaves:
                x.grad = None
            formula(t, *inputs).backward(g)
            _force(t, *[x.grad for x in leaves])

        return run

    return prepare


def _one(t):
    return [t.randn(N)]


def _rows(t):
    return [t.randn(N // 1000, 1000), t.randn(1000)]


def _two(t):
    return [t.randn(N), t.randn(N)]


def _dropout_residual(t, x, y):
    return t.nn.functional.dropout(x, 0.1) + y


for _name, _make, _formula in (
    ("tanh-GELU by hand, 10M", _one, _gelu),
    ("RMSNorm by hand, 10M", _rows, _rms_norm),
    ("dropout + residual, 10M", _two, _dropout_residual),
):
    work(_name + ", forward", 0.2, "elementwise")(_forward(_make, _formula))
    work(_name + ", forward and backward", 0.3, "elementwise")(_both(_make, _formula))


@work("a + b on 8 floats", 0.6, "overhead")
def add_small(t):
    a, b = t.randn(8), t.randn(8)
    return lambda: a + b


@work("a + b on 8 floats, with gradient", 0.6, "overhead")
def add_small_grad(t):
    a, b = t.randn(8, requires_grad=True), t.randn(8)
    return lambda: a + b


@work("ten ops on a scalar, forward and backward", 0.6, "overhead")
def chain(t):
    x = t.tensor(0.5, requires_grad=True)

    def run():
        x.grad = None
        y = x
        for _ in range(5):
            y = (y * 1.1).sin()
        y.backward()

    return run


@work("Linear(8, 8) forward", 0.6, "overhead")
def linear_small(t):
    layer, x = t.nn.Linear(8, 8), t.randn(4, 8)
    return lambda: layer(x)


def mlp(t, sizes):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [t.nn.Linear(a, b), t.nn.ReLU()]
    return t.nn.Sequential(*layers[:-1])


def lenet(t):
    nn = t.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def step(t, optimizer, loss_of):
    """A training step. PyTorch's may be compiled (bench/vs_torch.py --compiled): forward, loss and backward."""
    if getattr(t, "bench_compiled", False):
        loss_of = t.compile(loss_of)

    def run():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        return loss

    return run


def training_step(t, net, x, classes=10):
    y = t.randint(0, classes, (x.shape[0],))
    loss_of = t.nn.CrossEntropyLoss()
    return step(t, t.optim.SGD(net.parameters(), lr=0.01, momentum=0.9), lambda: loss_of(net(x), y))


@work("training step, MLP 64-128-64-10 (8x8 digits), batch 32", 0.7, "step")
def step_digits(t):
    return training_step(t, mlp(t, (64, 128, 64, 10)), t.randn(32, 64))


@work("training step, MLP 784-512-512-10, batch 64", 1.0, "step")
def step_mlp(t):
    return training_step(t, mlp(t, (784, 512, 512, 10)), t.randn(64, 784))


@work("training step, LeNet on 28x28, batch 64", 1.3, "step")
def step_lenet(t):
    return training_step(t, lenet(t), t.randn(64, 1, 28, 28))


def resnet18(t, classes=10):
    """ResNet-18 for images of 32 x 32: the first convolution has 3 x 3 taps and no pooling behind it."""
    nn = t.nn

    class Block(nn.Module):
        def __init__(self, a, b, stride):
            super().__init__()
            self.conv1, self.norm1 = nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b)
            self.conv2, self.norm2 = nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b)
            short = [nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b)] if stride != 1 or a != b else []
            self.short = nn.Sequential(*short)

        def forward(self, x):
            y = nn.functional.relu(self.norm1(self.conv1(x)))
            return nn.functional.relu(self.norm2(self.conv2(y)) + self.short(x))

    layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    for a, b, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        layers += [Block(a, b, stride), Block(b, b, 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


@work("training step, ResNet-18 on 32x32, batch 32", 0.7, "step")
def step_resnet(t):
    return training_step(t, resnet18(t), t.randn(32, 3, 32, 32))


@work("training step, VAE 784-400-20, batch 128", 0.7, "step")
def step_vae(t):
    nn, f = t.nn, t.nn.functional
    net = nn.ModuleDict(
        {
            "hidden": nn.Linear(784, 400),
            "mean": nn.Linear(400, 20),
            "log_var": nn.Linear(400, 20),
            "decoder": mlp(t, (20, 400, 784)),
        }
    )
    x = t.rand(128, 784)

    def loss_of():
        h = f.relu(net["hidden"](x))
        mean, log_var = net["mean"](h), net["log_var"](h)
        z = mean + t.randn_like(mean) * t.exp(0.5 * log_var)
        error = f.binary_cross_entropy(t.sigmoid(net["decoder"](z)), x, reduction="sum")
        return error - 0.5 * t.sum(1 + log_var - mean * mean - t.exp(log_var))

    return step(t, t.optim.Adam(net.parameters(), lr=1e-3), loss_of)


def gpt(t, width, heads=4, layers=4, positions=128, vocabulary=256):
    """A decoder-only transformer, its causal attention by scaled_dot_product_attention."""
    nn = t.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def attend(self, x):
            b, n, _ = x.shape
            q, k, v = (y.view(b, n, heads, -1).transpose(1, 2) for y in self.qkv(x).split(width, 2))
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out(y.transpose(1, 2).reshape(b, n, width))

        def forward(self, x):
            x = x + self.attend(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(positions, width)
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

        def forward(self, tokens):
            x = self.tokens(tokens) + self.places(t.arange(tokens.shape[1]))
            return self.head(self.norm(self.blocks(x)))

    return GPT()


def _gpt_step(width):
    def prepare(t):
        net = gpt(t, width)
        tokens = t.randint(0, 256, (8, 129))

        def loss_of():
            logits = net(tokens[:, :-1])
            return t.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

        return step(t, t.optim.AdamW(net.parameters(), lr=1e-3), loss_of)

    return prepare


for _width in (128, 256):
    work(f"training step, GPT, 4 layers, {_width} wide, 128 positions, batch 8", 0.7, "step")(_gpt_step(_width))


def language_model(t, words, width):
    """An LSTM over words: the network and a function from a batch of rows of words to the loss."""
    nn = t.nn
    net = nn.ModuleDict(
        {"words": nn.Embedding(words, width), "lstm": nn.LSTM(width, width, 2), "head": nn.Linear(width, words)}
    )

    def loss_of(tokens):
        y, _ = net["lstm"](net["words"](tokens[:-1]))
        return nn.functional.cross_entropy(net["head"](y).flatten(0, 1), tokens[1:].flatten())

    return net, loss_of


def _language_model_step(words, width, batch, steps):
    def prepare(t):
        net, loss_of = language_model(t, words, width)
        tokens = t.randint(0, words, (steps + 1, batch))
        return step(t, t.optim.Adam(net.parameters(), lr=1e-3), lambda: loss_of(tokens))

    return prepare


work("training step, LSTM language model, 1,000 words, 2 x 128 wide, batch 16, 64 steps", 0.7, "step")(
    _language_model_step(1000, 128, 16, 64)
)


def _adam(count, size):
    def prepare(t):
        parameters = [t.nn.Parameter(t.randn(size)) for _ in range(count)]
        for p in parameters:
            p.grad = t.randn(size)
        optimizer = t.optim.Adam(parameters, lr=1e-3)
        return optimizer.step

    return prepare


work("Adam step, 10M parameters", 0.5, "optimizer")(_adam(1, N))
work("Adam step, 200 tensors of 64", 0.2, "optimizer")(_adam(200, 64))


class Squares:
    """A Python dataset of small tensors."""

    def __init__(self, t, length):
        self.data, self.labels = t.randn(length, 16), t.arange(length)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.data[i], self.labels[i]


def _loader(workers):
    def prepare(t):
        loader = t.utils.data.DataLoader(Squares(t, 50_000), batch_size=64, num_workers=workers)

        def run():
            for _ in loader:
                pass

        return run

    return prepare


work("DataLoader, 50,000 items, no workers", 0.5, "loader")(_loader(0))
work("DataLoader, 50,000 items, 2 workers", 1.0, "loader")(_loader(2))
