"""What a build needs from the machine, and the command that brings each missing thing.

Standard library only: it runs before anything is installed.
`needs.py boost-prefix` prints where the PyPI package cmeel-boost lies, if this Python has it.
"""

import importlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

GXX_FLOOR = 12
# cmeel-boost has wheels for these Pythons only.
PYPI_BOOST_PYTHONS = ((3, 8), (3, 14))
PYTHON_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


class Missing(Exception):
    """Something that the machine lacks, and the Debian packages that have it."""

    def __init__(self, what, *packages):
        super().__init__(what)
        self.packages = packages


def missing(checks):
    """The Missing that these functions raise."""
    found = {}
    for check in checks:
        try:
            check()
        except Missing as one:
            found[str(one)] = one
    return list(found.values())


def packages(missing):
    return sorted({package for one in missing for package in one.packages})


def report(missing):
    lines = [str(one) for one in missing]
    if packages(missing):
        sudo = "" if os.geteuid() == 0 else "sudo "
        lines += [
            "To install what is missing:",
            f"    {sudo}apt-get install -y {' '.join(packages(missing))}",
        ]
    return "\n".join(lines)


def compiler():
    """The C++ compiler's command, as a list: $CXX, or the first g++ that is new enough."""
    named = shlex.split(os.environ.get("CXX", ""))
    newer = [[f"g++-{version}"] for version in range(GXX_FLOOR, GXX_FLOOR + 8)]
    old = None
    for command in [named] if named else [["g++"], *newer]:
        if shutil.which(command[0]):
            version = _output([*command, "-dumpfullversion", "-dumpversion"]).strip()
            if "clang" in _output([*command, "--version"]) or int(version.split(".")[0]) >= GXX_FLOOR:
                return command
            old = old or f"{command[0]} is version {version}, GoTorch needs g++ >= {GXX_FLOOR}."
    command = named[0] if named else "g++"
    hint = f" The variable CXX names {command}: unset it, or name another one." if named else ""
    if old:
        raise Missing(old + hint, f"g++-{GXX_FLOOR}")
    raise Missing(f"There is no C++ compiler: {command} is not on the PATH.{hint}", "g++")


def export_compiler():
    """Lets CMake use the compiler that was found where it would not find it itself."""
    if compiler() != ["g++"]:
        os.environ["CXX"] = shlex.join(compiler())


def python_headers():
    include = Path(sysconfig.get_paths()["include"])
    if (include / "Python.h").exists():
        return
    what = f"The headers of Python {PYTHON_VERSION} are missing: no Python.h in {include}."
    if include.parent == Path("/usr/include"):
        raise Missing(what, f"python{PYTHON_VERSION}-dev")
    raise Missing(f"{what}\nThe Python in {sys.base_prefix} came without them: install it with them, or use another.")


def venv():
    importlib.invalidate_caches()
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        what = f"Python {PYTHON_VERSION} cannot make virtual environments: no module ensurepip."
        raise Missing(what, f"python{PYTHON_VERSION}-venv")


def google_test():
    if not _has("gtest/gtest.h", "-lgtest"):
        raise Missing("GoogleTest is missing (the C++ tests use it).", "libgtest-dev")


def google_benchmark():
    if not _has("benchmark/benchmark.h", "-lbenchmark"):
        raise Missing("Google Benchmark is missing (bench/ uses it).", "libbenchmark-dev")


def valgrind():
    if not shutil.which("valgrind"):
        raise Missing("valgrind is missing (it counts instructions).", "valgrind")


def system_boost():
    """True if Boost.Fiber >= 1.81 is installed where the compiler finds it."""
    if os.environ.get("GOTORCH_BOOST") == "pypi":
        return False
    has_files = _has("boost/fiber/all.hpp", "-lboost_fiber", "-lboost_context")
    return has_files and _builds("#include <boost/version.hpp>\n#if BOOST_VERSION < 108100\n#error\n#endif")


def pypi_boost_prefix():
    """The folder of an installed cmeel-boost, or None."""
    for entry in sys.path:
        prefix = Path(entry or ".") / "cmeel.prefix"
        if list(prefix.glob("lib/cmake/Boost-*/BoostConfig.cmake")):
            return prefix.resolve()
    return None


def boost_requirements():
    """What pip has to install so that CMake finds Boost.Fiber: a list, often empty."""
    if system_boost():
        return []
    first, last = PYPI_BOOST_PYTHONS
    if first <= sys.version_info[:2] <= last:
        return ["cmeel-boost>=1.81"]
    # Debian 12's default Boost is 1.74; it has 1.81 beside it.
    bookworm = "VERSION_CODENAME=bookworm" in _os_release()
    raise Missing(
        f"There is no Boost.Fiber >= 1.81 here, and PyPI has none for Python {PYTHON_VERSION}.",
        "libboost-fiber1.81-dev" if bookworm else "libboost-fiber-dev",
    )


def _os_release():
    try:
        return Path("/etc/os-release").read_text()
    except OSError:
        return ""


def _has(header, *libraries):
    return _builds(f"#if !__has_include(<{header}>)\n#error\n#endif", *libraries)


def _builds(source, *libraries):
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.cpp"
        probe.write_text(f"{source}\nint main() {{}}\n")
        out = probe.with_suffix(".out")
        command = [*compiler(), "-std=c++17", str(probe), *libraries, "-o", str(out)]
        return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


def _output(command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__" and sys.argv[1:] == ["boost-prefix"]:
    print(pypi_boost_prefix() or "")
