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


# What every Linux with a C++ program has.
SYSTEM = {"libc.so", "libm.so", "libpthread.so", "librt.so", "libdl.so", "libstdc++.so", "libgcc_s.so"}
SYSTEM |= {"linux-vdso.so", "ld-linux-x86-64.so"}


def test_extension_needs_the_standard_libraries_and_its_own_only():
    needed = subprocess.run(["ldd", gotorch._C.__file__], capture_output=True, text=True, check=True).stdout
    assert "not found" not in needed
    libraries = {Path(line.split()[0]).name.split(".so")[0] + ".so" for line in needed.splitlines()}
    own = {name for name in libraries if name.startswith(("libgotorch", "libboost_"))}
    assert "libgotorch.so" in own
    assert libraries - own <= SYSTEM
