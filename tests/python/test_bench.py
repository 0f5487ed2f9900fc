"""The benchmarks run. Nothing here looks at times."""

import json
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("torch")

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"


def test_the_op_benchmark_times_every_sample_at_every_size(tmp_path):
    out = tmp_path / "ops.json"
    command = [sys.executable, BENCH / "ops.py", "--only", "layer_norm", "--blocks=1", "--seconds=0", f"--out={out}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    rows = json.loads(out.read_text())["rows"]
    assert {row["op"] for row in rows} == {"layer_norm"}
    assert {row["size"] for row in rows if row["sample"] == 0} == {"small", "middle", "large"}
    assert all(row["low"] <= row["ratio"] <= row["high"] for row in rows)
    assert [row["ratio"] for row in rows] == sorted((row["ratio"] for row in rows), reverse=True)
    largest = max(row["shapes"][0][0] * row["shapes"][0][1] for row in rows)
    assert 500_000 < largest < 2_000_000
    assert len(result.stdout.splitlines()) == len(rows) + 3
