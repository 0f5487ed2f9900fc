"""Networks, optimizers, loaders and checkpoints against PyTorch."""

import hashlib
import pathlib
import sys

import gotorch
import pytest

torch = pytest.importorskip("torch")

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import works  # noqa: E402


def lenet(t):
    nn = t.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(6 * 4 * 4, 32),
        nn.BatchNorm1d(32),
        nn.Tanh(),
        nn.Dropout(0.2),
        nn.Linear(32, 10),
    )


def trained(t, make_optimizer, steps=50, make_net=lenet, batch=16):
    t.manual_seed(3)
    net = make_net(t)
    x, y = t.randn(batch, 1, 8, 8), t.randint(0, 10, (batch,))
    optimizer = make_optimizer(t.optim, net.parameters())
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = t.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return net, optimizer, losses


def trained_gpt(t, steps=40):
    """Losses of a small GPT that learns some sequences by heart."""
    t.manual_seed(3)
    net = works.gpt(t, 32, heads=4, layers=2, positions=40, vocabulary=50)
    tokens = t.randint(0, 50, (4, 41))
    optimizer = t.optim.AdamW(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = t.nn.functional.cross_entropy(net(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_losses_of_a_gpt_are_pytorchs():
    ours = trained_gpt(gotorch)
    assert ours == pytest.approx(trained_gpt(torch), rel=1e-4)
    assert ours[-1] < ours[0] / 2


OPTIMIZERS = {
    "sgd": lambda o, p: o.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda o, p: o.Adam(p, lr=1e-3, amsgrad=True),
    "adamw": lambda o, p: o.AdamW(p, lr=1e-3),
    "rmsprop": lambda o, p: o.RMSprop(p, lr=1e-4, momentum=0.5),
    "adagrad": lambda o, p: o.Adagrad(p, lr=1e-2, lr_decay=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_losses_of_fifty_steps_are_pytorchs(name):
    net, optimizer, ours = trained(gotorch, OPTIMIZERS[name])
    reference, reference_optimizer, theirs = trained(torch, OPTIMIZERS[name])
    assert ours == pytest.approx(theirs, rel=1e-4)
    assert list(net.state_dict()) == list(reference.state_dict())
    assert repr(net[0]) == repr(reference[0])
    groups = optimizer.state_dict()["param_groups"], reference_optimizer.state_dict()["param_groups"]
    assert set(groups[0][0]) == set(groups[1][0])


def wide(t):
    """Layers whose products, activations and branches of backward are shared out."""
    nn = t.nn
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 384), nn.GELU(), nn.Linear(384, 384), nn.ReLU(), nn.Linear(384, 10)
    )


@pytest.mark.parametrize("make_net, batch", [(lenet, 16), (wide, 64)])
def test_weights_after_300_steps_are_the_same_at_any_number_of_workers(make_net, batch):
    digests = set()
    before = gotorch.get_num_threads()
    for workers in (1, 2, 3, 8):
        gotorch.set_num_threads(workers)
        net, _, losses = trained(gotorch, OPTIMIZERS["adam"], 300, make_net, batch)
        weights = b"".join(bytes(p.detach().view(gotorch.uint8).flatten().tolist()) for p in net.parameters())
        digests.add((hashlib.sha256(weights).hexdigest(), losses[-1]))
    gotorch.set_num_threads(before)
    assert len(digests) == 1


def test_shuffled_batches_come_in_pytorchs_order():
    orders = []
    for t in (gotorch, torch):
        t.manual_seed(11)
        data = t.utils.data.TensorDataset(t.arange(23), t.arange(23) * 2)
        loader = t.utils.data.DataLoader(data, batch_size=5, shuffle=True)
        orders.append([[x.tolist(), y.tolist()] for _ in range(2) for x, y in loader])
    assert orders[0] == orders[1]


def test_workers_keep_the_order_and_pass_errors_on():
    class Items(gotorch.utils.data.Dataset):
        def __len__(self):
            return 20

        def __getitem__(self, i):
            if i == 17:
                raise KeyError("item 17")
            return i

    batches = iter(gotorch.utils.data.DataLoader(Items(), batch_size=4, num_workers=3))
    assert [b.tolist() for b in (next(batches) for _ in range(4))] == [list(range(i, i + 4)) for i in range(0, 16, 4)]
    with pytest.raises(KeyError, match="item 17"):
        next(batches)


def test_checkpoints_go_both_ways(tmp_path):
    for writer, reader in ((gotorch, torch), (torch, gotorch)):
        path = str(tmp_path / "model.pt")
        net, optimizer, _ = trained(writer, OPTIMIZERS["adam"], steps=3)
        writer.save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, path)
        saved = reader.load(path)
        other = lenet(reader)
        other.load_state_dict(saved["net"])
        other_optimizer = reader.optim.Adam(other.parameters(), amsgrad=True)
        other_optimizer.load_state_dict(saved["optimizer"])
        assert [p.tolist() for p in other.parameters()] == [p.tolist() for p in net.parameters()]
        assert saved["epoch"] == 3


def test_a_damaged_checkpoint_is_an_error_and_code_is_not_run(tmp_path):
    path = tmp_path / "x.pt"
    gotorch.save({"a": gotorch.arange(100)}, path)
    content = path.read_bytes()
    for cut in range(0, len(content), 97):
        path.write_bytes(content[:cut])
        with pytest.raises((RuntimeError, OSError)):
            gotorch.load(path)
    import io
    import pickle
    import zipfile

    class Evil:
        def __reduce__(self):
            return eval, ("1",)

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil(), protocol=2))
    with pytest.raises(pickle.UnpicklingError, match="not among"):
        gotorch.load(path)
    with pytest.raises(RuntimeError):
        gotorch.load(io.BytesIO(b"nonsense"))


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.pt"
    gotorch.save([1], path)
    with pytest.raises(Exception, match=r"pickle|local"):
        gotorch.save([lambda: 0], path)
    assert gotorch.load(path) == [1]
    assert [p.name for p in tmp_path.iterdir()] == ["x.pt"]
