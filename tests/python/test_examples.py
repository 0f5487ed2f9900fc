"""The programs in examples/ at work."""

import importlib.util
import os
import pathlib
import re
import signal
import subprocess
import sys

import gotorch
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Beside the package in the build tree.
TRAIN_DIGITS = pathlib.Path(gotorch.__file__).parents[2] / "examples" / "train_digits"


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    path = tmp_path_factory.mktemp("digits") / "digits.csv"
    subprocess.run([sys.executable, ROOT / "examples" / "digits_csv.py", path], check=True)
    return path


@pytest.fixture
def short_csv(csv, tmp_path):
    rows = csv.read_text().splitlines(keepends=True)
    path = tmp_path / "short.csv"
    path.write_text("".join(rows[:450]))
    return path


def train(csv, folder, *arguments, threads=2):
    folder.mkdir(exist_ok=True)
    environment = dict(os.environ, GOTORCH_NUM_THREADS=str(threads))
    command = [TRAIN_DIGITS, csv, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def python_example():
    spec = importlib.util.spec_from_file_location("train_digits", ROOT / "examples" / "train_digits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_cpp_pipeline_trains_the_network_of_the_python_example(csv, tmp_path):
    result = train(csv, tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    progress = r"epoch +\d+/20 loss \d+\.\d{4} accuracy [01]\.\d{3} +\d+ samples/s"
    assert len(lines) == 21
    assert all(re.fullmatch(progress, line) for line in lines[:20])
    losses = [float(line.split()[3]) for line in lines[:20]]
    assert losses[-1] < losses[0] / 5
    accuracy = float(re.match(r"test accuracy ([\d.]+);", lines[-1])[1])
    assert accuracy >= 0.97

    example = python_example()
    net = example.network(gotorch)
    net.load_state_dict(gotorch.safetensors.load_file(tmp_path / "digits.safetensors"))
    _, test_set = example.digits(gotorch)
    assert example.accuracy(gotorch, net, test_set) == pytest.approx(accuracy, abs=1e-4)


def test_the_cpp_pipeline_gives_the_same_bits_at_any_number_of_threads(short_csv, tmp_path):
    weights = []
    for threads in (1, 2, 8):
        assert train(short_csv, tmp_path / str(threads), "3", threads=threads).returncode == 0
        weights.append((tmp_path / str(threads) / "digits.safetensors").read_bytes())
    assert weights[0] == weights[1] == weights[2]


def test_ctrl_c_stops_the_cpp_pipeline(short_csv, tmp_path):
    command = [TRAIN_DIGITS, short_csv, "1000000"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline().startswith("epoch   1/1000000")
        running.send_signal(signal.SIGINT)
        rest = running.communicate(timeout=60)[0]
    assert running.returncode == 130
    assert rest.endswith("\nstopped\n")


@pytest.mark.parametrize(
    "content, problem",
    [
        (None, "No such file or directory: 'bad.csv'"),
        ("1,2,3\n", "3 columns, expected 65"),
        ("1,2\n1,x\n", "bad.csv:2: column 2 is not a number: 'x'"),
        ("0," * 64 + "10\n" + "0," * 64 + "10\n", "Target 10 is out of bounds"),
        ("", "columns, expected 65"),
    ],
)
def test_the_cpp_pipeline_says_what_is_wrong_with_its_file(content, problem, tmp_path):
    if content is not None:
        (tmp_path / "bad.csv").write_text(content)
    result = train("bad.csv", tmp_path)
    assert result.returncode == 1
    assert problem in result.stderr


def test_the_cpp_pipeline_explains_its_arguments(tmp_path):
    for arguments in (), ("digits.csv", "0"), ("digits.csv", "1", "2"):
        result = subprocess.run([TRAIN_DIGITS, *arguments], capture_output=True, text=True)
        assert (result.returncode, result.stdout) == (2, "usage: train_digits digits.csv [epochs]\n")


def test_the_python_example_goes_on_where_it_stopped(tmp_path):
    def run(name, *arguments):
        files = [f"--checkpoint={name}.pt", f"--plot={name}.png"]
        command = [sys.executable, ROOT / "examples" / "train_digits.py", *files, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()

    whole = run("whole", "--epochs=2")
    run("parts", "--epochs=1")
    rest = run("parts", "--epochs=2", "--resume")
    full_bar = "epoch   2/2 [" + "#" * 24 + "]"
    assert whole[1].startswith(full_bar)
    assert rest[0].startswith(full_bar)
    whole, parts = (gotorch.load(tmp_path / f"{name}.pt") for name in ("whole", "parts"))
    assert whole["losses"] == parts["losses"]
    assert all((a == b).all() for a, b in zip(whole["net"].values(), parts["net"].values()))
