"""A short run of fuzz_ops.py: thousands of hostile calls, and each is an error or a result."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("numpy")
HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.mark.parametrize("seed", [1, 2])
def test_hostile_calls_are_errors(seed):
    result = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            os.path.join(HERE, "fuzz_ops.py"),
            "--calls",
            "2000",
            "--seed",
            str(seed),
            "--patience",
            "60",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([HERE, *sys.path])},
    )
    assert result.returncode == 0, result.stdout
    assert "2000 calls" in result.stdout
