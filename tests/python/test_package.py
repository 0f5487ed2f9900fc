"""The package as a whole: what importing it brings in and what its files need."""

import subprocess
import sys
from pathlib import Path

import gotorch


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_no_third_party_module():
    code = "import sys, gotorch; print(*{'numpy', 'torch', 'scipy'} & set(sys.modules))"
    assert run(code).strip() == ""


def test_version_is_that_of_the_build():
    cmake = (Path(__file__).parents[2] / "CMakeLists.txt").read_text()
    assert f"project(GoTorch VERSION {gotorch.__version__} " in cmake


def test_extension_needs_no_openmp():
    extension = gotorch._C.__file__
    needed = subprocess.run(["ldd", extension], capture_output=True, text=True, check=True).stdout
    assert "libgotorch.so" in needed
    assert "gomp" not in needed
    assert "not found" not in needed
