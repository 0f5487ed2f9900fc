"""House rules that a machine can check: format, lint, layering, sizes, words, generated files.

`check.py` reports what is wrong and fails; `check.py --fix` formats in place. CI and pre-commit
call it. The formatters are those of .venv (`make check` installs them).
"""

import argparse
import difflib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What each folder may include besides itself. Dependencies point one way.
LAYERS = {
    "runtime": set(),
    "tensor": {"runtime"},
    "grad": {"runtime", "tensor"},
    "layers": {"runtime", "tensor", "grad"},
    "optim": {"runtime", "tensor", "grad", "layers"},
    "data": {"runtime", "tensor"},
    "python": {"runtime", "tensor", "grad", "layers", "optim", "data"},
    "examples": {"runtime", "tensor", "grad", "layers", "optim", "data"},
}
WARN_LINES, MAX_LINES = 600, 800
MAX_FUNCTION, MAX_KERNEL = 60, 100

CPP = (".cpp", ".h")
TEXT = (*CPP, ".py", ".pyi", ".md", ".cmake", ".txt", ".toml", ".json", ".yaml", ".yml", ".in", "")
# A pattern is spelt so that it does not match itself.
FORBIDDEN = [
    (r"#\s*pragma omp|fopenm[p]|<omp\.h>", "OpenMP: parallel work goes through runtime/parallel.h"),
    (r"(?<![\w.])/(tm[p]|wor[k]|roo[t]|hom[e])/", "a path of one machine"),
    (
        r"pypi\.or[g]|pythonhosted\.or[g]|debian\.or[g]|download\.pytorch\.or[g]",
        "a registry's host",
    ),
    (r"\b(TOD[O]|FIXM[E]|XX[X])\b", "unfinished work: do it, or file it as an issue"),
    (
        r"//\s*[=*#-]{4,}|^#\s*[=*#-]{4,}|[@\\]brie[f]\b",
        "a banner or a documentation generator's tag",
    ),
]
THREADS = re.compile(r"std::j?thread\b|std::async\b|pthread_create|#include <thread>")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fix", action="store_true", help="format and sort in place")
    fix = parser.parse_args().fix
    files = sources()
    failed = False
    for check in (cpp_format, python_format, layering, sizes, words, generated):
        problems = check(files, fix) if check in (cpp_format, python_format) else check(files)
        for problem in problems:
            print(problem)
        errors = [problem for problem in problems if not problem.startswith("warning: ")]
        print(f"{check.__name__}: {f'{len(errors)} wrong' if errors else 'ok'}", flush=True)
        failed |= bool(errors)
    sys.exit(failed)


def sources():
    """Tracked files and new ones that git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    return sorted({Path(name) for name in names if (ROOT / name).is_file()})


def cpp_format(files, fix):
    def one(file):
        text = read(file)
        command = [tool("clang-format"), f"--assume-filename={ROOT / file}"]
        formatted = subprocess.run(
            command, input=text, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        if formatted == text:
            return ""
        if fix:
            (ROOT / file).write_text(formatted)
            return ""
        lines = text.splitlines(), formatted.splitlines()
        return "\n".join(difflib.unified_diff(*lines, str(file), "formatted", lineterm="", n=1))

    with ThreadPoolExecutor() as pool:
        diffs = pool.map(one, [file for file in files if file.suffix in CPP])
    return [diff for diff in diffs if diff]


def python_format(files, fix):
    commands = [["format", *([] if fix else ["--diff"])], ["check", *(["--fix"] if fix else [])]]
    problems = []
    for command in commands:
        result = subprocess.run(
            [tool("ruff"), *command, "--quiet", "."],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if result.returncode:
            problems.append(result.stdout)
    return problems


def layering(files):
    problems = []
    for file in files:
        parts = file.parts[1:] if file.parts[0] in ("tests", "bench") else file.parts
        layer = parts[0]
        if file.suffix not in CPP or layer not in LAYERS:
            continue
        text = read(file)
        for line, included in re.findall(r'^(#include "(\w+)/.*")', text, re.MULTILINE):
            if included in LAYERS and included != layer and included not in LAYERS[layer]:
                problems.append(f"{file}: {line}: {layer} must not depend on {included}")
        if file.parts[0] not in ("runtime", "tests", "bench") and THREADS.search(text):
            problems.append(f"{file}: threads belong in runtime/")
    return problems


def sizes(files):
    problems = []
    for file in files:
        if file.suffix not in (*CPP, ".py"):
            continue
        lines = read(file).splitlines()
        if len(lines) > MAX_LINES:
            problems.append(f"{file}: {len(lines)} lines, at most {MAX_LINES}")
        elif len(lines) > WARN_LINES:
            problems.append(f"warning: {file}: {len(lines)} lines, better split above {WARN_LINES}")
        limit = MAX_KERNEL if {"kernels", "simd"} & set(file.parts) else MAX_FUNCTION
        if file.suffix in CPP:
            for line, length in functions(lines):
                if length > limit:
                    problems.append(f"{file}:{line}: a function of {length} lines, at most {limit}")
    return problems


def functions(lines):
    """(line, length) of every function. Formatted code needs no parser: a function is a line that
    opens a brace, up to a closing brace of the same indentation, at namespace or class level."""
    scopes = re.compile(r"\s*(namespace|class|struct|union|enum|extern|template)\b")
    for indent in ("", "  "):
        start = None
        for number, line in enumerate(lines, 1):
            if start is None and re.match(indent + r"[\w~:*&<\[]", line) and not scopes.match(line):
                start = number
            if start is not None and line.startswith(indent + "}"):
                yield start, number - start + 1
                start = None
            elif (
                start is not None and line.endswith((";", "}")) and line[: len(indent) + 1].strip()
            ):
                start = None


def words(files):
    problems = []
    for file in files:
        if file.suffix in TEXT:
            for number, line in enumerate(read(file).splitlines(), 1):
                for pattern, why in FORBIDDEN:
                    if re.search(pattern, line):
                        problems.append(f"{file}:{number}: {why}: {line.strip()}")
    return problems


def generated(files):
    generator = Path("python/tools/opgen.py")
    if generator not in files:
        return []
    result = subprocess.run(
        [sys.executable, str(generator), "--check"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return [result.stdout or "opgen.py --check failed"] if result.returncode else []


def read(file):
    return (ROOT / file).read_text(encoding="utf-8")


def tool(name):
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


if __name__ == "__main__":
    main()
