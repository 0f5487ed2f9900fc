"""The Python and C++ examples in README.md and docs/ run as they stand."""

import os
import pathlib
import re
import subprocess
import textwrap

import gotorch
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = pathlib.Path(gotorch.__file__).parents[2]  # the build folder
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# What stands around the examples that are no whole program.
AROUND = {
    "add_an_op.md": """
        #include "grad/autograd.h"
        #include "tensor/ops.h"
        #include "tensor/simd/math.h"

        namespace gotorch::example {
        @
        }

        int main() {
          using namespace gotorch;
          const Tensor x = requires_grad(linspace(-30, 30, 25));
          const Tensor y = example::softplus(x);
          backward(sum(y));
          return equal(y, softplus(x)).item<bool>() && equal(grad_of(x), sigmoid(x)).item<bool>() ? 0 : 1;
        }
    """,
    "go_to_gotorch.md": """
        #include "runtime/go.h"

        #include <cassert>
        #include <chrono>
        #include <cstdio>
        #include <string>

        using namespace gotorch::runtime;
        using namespace std::chrono_literals;

        int main() {
        @
        }
    """,
}


def examples(language):
    pattern = re.compile(rf"^ *```{language}\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    return [
        pytest.param(page, textwrap.dedent(code), id=f"{page.name}-{i}")
        for page in PAGES
        for i, code in enumerate(pattern.findall(page.read_text()))
    ]


@pytest.mark.parametrize("page, code", examples("python"))
def test_a_python_example_runs(page, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(page), "exec"), {"__name__": "__example__"})


@pytest.mark.parametrize("page, code", examples("cpp"))
def test_a_cpp_example_compiles_and_runs(page, code, tmp_path):
    source = textwrap.dedent(AROUND.get(page.name, "@")).replace("@", code)
    (tmp_path / "example.cpp").write_text(source)
    compiler = os.environ.get("CXX", "c++").split()
    flags = ["-std=c++20", f"-I{ROOT}", f"-L{LIBRARY}", f"-Wl,-rpath,{LIBRARY}", "-lgotorch"]
    subprocess.run([*compiler, "example.cpp", "-o", "example", *flags], cwd=tmp_path, check=True)
    subprocess.run(["./example"], cwd=tmp_path, check=True, timeout=60)


def test_both_languages_have_examples():
    assert examples("python")
    assert examples("cpp")
