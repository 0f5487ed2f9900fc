#!/usr/bin/env python3
"""Trains a convolutional network on the 8x8 handwritten digits that come with scikit-learn.

make train                     trains, writes digits.pt and digits.png
make train ARGS="--resume"     goes on from digits.pt with the same bits as an uninterrupted run
make train ARGS="--compare"    trains the same network with PyTorch too, where it is installed
"""

import argparse
import importlib
import os
import sys
import time

from sklearn.datasets import load_digits

CLASSES = 10


def network(t):
    nn = t.nn
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.1),
        nn.Flatten(), nn.Linear(32 * 4 * 4, 64), nn.ReLU(), nn.Linear(64, CLASSES),
    )  # fmt: skip


def digits(t):
    """(training set, test set): 360 images, chosen at random but always the same, are for testing."""
    images, labels = load_digits(return_X_y=True)
    x = t.tensor((images / 16).tolist(), dtype=t.float32).reshape(-1, 1, 8, 8)
    y = t.tensor(labels.tolist())
    order = t.randperm(len(labels), generator=t.Generator().manual_seed(0))
    dataset = t.utils.data.TensorDataset
    train, test = order[360:], order[:360]
    return dataset(x[train], y[train]), dataset(x[test], y[test])


def accuracy(t, net, dataset):
    x, y = dataset.tensors
    net.eval()
    with t.no_grad():
        right = (net(x).argmax(1) == y).float().mean().item()
    net.train()
    return right


class Progress:
    """One line that shows how far the run is; a line per epoch where the output is not a terminal."""

    def __init__(self, first, epochs, batches):
        self.total, self.epochs = (epochs - first) * batches, epochs
        self.start, self.done, self.live = time.perf_counter(), 0, sys.stdout.isatty()

    def show(self, epoch, batches_done, samples, loss, right, end=False):
        self.done += batches_done
        spent = time.perf_counter() - self.start
        eta = spent / self.done * (self.total - self.done)
        filled = 24 * self.done // self.total
        line = (
            f"epoch {epoch + 1:3d}/{self.epochs} [{'#' * filled}{'.' * (24 - filled)}] loss {loss:.4f} "
            f"accuracy {right:.3f} {samples / spent:7.0f} samples/s ETA {eta:4.1f} s"
        )
        if self.live:
            print("\r" + line, end="\n" if end else "", flush=True)
        elif end:
            print(line, flush=True)


def train(library, options):
    """Trains and returns (losses by epoch, test accuracies by epoch, seconds)."""
    t = importlib.import_module(library)
    t.manual_seed(options.seed)
    train_set, test_set = digits(t)
    net = network(t)
    optimizer = t.optim.AdamW(net.parameters(), lr=2e-3)
    first, losses, accuracies = 0, [], []
    own = library == "gotorch"
    if own and options.resume:
        saved = t.load(options.checkpoint)
        net.load_state_dict(saved["net"])
        optimizer.load_state_dict(saved["optimizer"])
        t.set_rng_state(saved["rng"])
        first, losses, accuracies = saved["epoch"], saved["losses"], saved["accuracies"]
    loader = t.utils.data.DataLoader(train_set, batch_size=64, shuffle=True)
    loss_of = t.nn.CrossEntropyLoss()
    progress = Progress(first, options.epochs, len(loader))
    samples, right, start = 0, accuracies[-1] if accuracies else 0.0, time.perf_counter()
    for epoch in range(first, options.epochs):
        total = 0.0
        for i, (x, y) in enumerate(loader):
            optimizer.zero_grad()
            loss = loss_of(net(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
            samples += len(y)
            if own and i + 1 < len(loader):
                progress.show(epoch, 1, samples, loss.item(), right)
        losses.append(total / len(loader))
        right = accuracy(t, net, test_set)
        accuracies.append(right)
        if own:
            progress.show(epoch, 1, samples, losses[-1], right, end=True)
            state = dict(net=net.state_dict(), optimizer=optimizer.state_dict(), rng=t.get_rng_state())
            t.save(
                dict(state, epoch=epoch + 1, losses=losses, accuracies=accuracies),
                options.checkpoint,
            )
    return losses, accuracies, time.perf_counter() - start


def draw(curves, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.5))
    # Equal curves lie on each other: the second is drawn dashed over the first.
    looks = (dict(color="tab:orange", linewidth=4, alpha=0.6), dict(color="black", linestyle="--"))
    for (name, (losses, accuracies, seconds)), look in zip(curves.items(), looks):
        epochs = range(1, len(losses) + 1)
        left.plot(epochs, losses, **look)
        right.plot(epochs, accuracies, label=f"{name}, {seconds:.1f} s", **look)
    left.set(title="training loss", xlabel="epoch", yscale="log")
    right.set(title="test accuracy", xlabel="epoch")
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
    right.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", default="digits.pt")
    parser.add_argument("--plot", default="digits.png")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--compare", action="store_true", help="train with PyTorch too")
    options = parser.parse_args()
    if options.resume and not os.path.exists(options.checkpoint):
        parser.error(f"--resume: there is no checkpoint {options.checkpoint}")
    curves = {"GoTorch": train("gotorch", options)}
    print(f"test accuracy {curves['GoTorch'][1][-1]:.4f}; checkpoint {options.checkpoint}, curves {options.plot}")
    if options.compare:
        try:
            curves["PyTorch"] = train("torch", options)
        except ImportError:
            print("PyTorch is not installed: nothing to compare with")
    if "PyTorch" in curves:
        for name, (losses, _, seconds) in curves.items():
            print(f"{name}: {seconds:.2f} s, loss by epoch " + " ".join(f"{loss:.4f}" for loss in losses))
    draw(curves, options.plot)


if __name__ == "__main__":
    main()
