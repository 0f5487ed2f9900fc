"""The package as a whole: what importing it brings in and what its files need."""

import ast
import subprocess
import sys
from pathlib import Path

import gotorch
import pytest


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


def test_the_stub_has_all_public_names_and_methods_of_the_runtime():
    stub = ast.parse((Path(__file__).parents[2] / "python/gotorch/_C.pyi").read_text())
    known = {n.name: ast.dump(n) for n in stub.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    errors = {"Cancelled", "DeadlineExceeded", "ChanError", "ChanClosed"}
    assert errors | {"recv", "send", "after", "sleep"} <= set(known)
    for name in ("chan", "Sender", "Receiver", "_Context"):
        methods = [m for m in vars(getattr(gotorch._C, name)) if not m.startswith("_")]
        assert methods
        assert not [m for m in methods if f"'{m}'" not in known[name]], name


def in_a_subinterpreter(before):
    code = f"""
import sys
try:
    import _interpreters as subinterpreters
except ImportError:
    import _xxsubinterpreters as subinterpreters
sys.path[:] = {sys.path!r}
{before}
inner = "import sys; sys.path[:] = " + repr(sys.path) + '''
try:
    import gotorch
except ImportError as e:
    print("ImportError:", e, flush=True)
'''
subinterpreters.run_string(subinterpreters.create(), inner)
"""
    return run(code)


@pytest.mark.parametrize("before", ["", "import gotorch"])
def test_a_subinterpreter_is_refused(before):
    assert "ImportError: gotorch cannot be used in a subinterpreter" in in_a_subinterpreter(before)
