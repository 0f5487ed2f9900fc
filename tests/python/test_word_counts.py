"""The file pipeline in examples/: what it counts is what Python counts."""

import collections
import os
import pathlib
import random
import re
import subprocess

import gotorch
import pytest

PROGRAM = pathlib.Path(gotorch.__file__).parents[2] / "examples" / "word_counts"


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "texts"
    words = random.Random(0)
    for i in range(150):
        below = root / f"folder{i % 7}" / f"deeper{i % 3}" if i % 5 else root
        below.mkdir(parents=True, exist_ok=True)
        text = "".join(words.choice(["Go", "chan ", "a1b", "\n", "naïve, ", "select", " "]) for _ in range(i * 20))
        (below / f"file{i:03}.txt").write_text(text)
    (root / "link").symlink_to(root)
    os.mkfifo(root / "pipe")
    return root


def files(folder):
    """The files of a folder by name, then those of its folders."""
    entries = sorted(path for path in folder.iterdir() if not path.is_symlink())
    for path in entries:
        if path.is_file():
            yield path
    for path in entries:
        if path.is_dir():
            yield from files(path)


def words(content):
    return re.findall(rb"[A-Za-z\x80-\xff]+", content)


def count(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def test_counts_are_right_and_in_order_at_any_number_of_workers(folder):
    lines, total, each = [], [0, 0, 0], collections.Counter()
    for path in files(folder):
        content = path.read_bytes()
        numbers = [content.count(b"\n"), len(words(content)), len(content)]
        lines.append((*map(str, numbers), str(path)))
        total = [a + b for a, b in zip(total, numbers)]
        each.update(word.lower() for word in words(content))
    commonest = sorted(each.items(), key=lambda item: (-item[1], item[0]))[:10]
    results = [count(folder, workers) for workers in (1, 2, 16)]
    assert {result.returncode for result in results} == {0}
    assert results[0].stdout == results[1].stdout == results[2].stdout
    got = [tuple(line.split()) for line in results[0].stdout.splitlines()]
    assert got[: len(lines)] == lines
    assert got[len(lines)] == (*map(str, total), "total")
    assert got[len(lines) + 1 :] == [(str(n), word.decode()) for word, n in commonest]


def test_a_file_that_cannot_be_read_is_reported(folder):
    result = count("/proc/self/task", 2)  # /proc/self/mem and others refuse
    assert result.returncode == 1
    assert re.search(r"word_counts: (open|read) /proc/self/task/\d+/\w+: \w+", result.stderr)
    assert " total\n" in result.stdout


def test_it_explains_its_arguments(tmp_path):
    for arguments in (), (tmp_path, 0), (tmp_path, 1, 2):
        result = count(*arguments)
        assert (result.returncode, result.stdout) == (2, "usage: word_counts folder [workers]\n")
    result = count(tmp_path / "none")
    assert result.returncode == 1
    assert "No such file or directory" in result.stderr
