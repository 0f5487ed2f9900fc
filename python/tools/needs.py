"""What a build needs from the machine, and the command that brings each missing thing.

Standard library only: it runs before anything is installed.
`needs.py boost-prefix` prints where the PyPI package cmeel-boost lies, if this Python has it.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

GXX_FLOOR = 12
# cmeel-boost has wheels for these Pythons only (on x86-64 and aarch64).
PYPI_BOOST_PYTHONS = ((3, 8), (3, 14))


class Missing(Exception):
    """Something is missing: what it is, and the command that brings it."""

    def __init__(self, what, command, packages=()):
        super().__init__(f"{what}\nThis brings it:\n    {command}")
        self.packages = packages


def missing_from_apt(what, *packages):
    sudo = "" if os.geteuid() == 0 else "sudo "
    return Missing(what, f"{sudo}apt-get install -y {' '.join(packages)}", packages)


def compiler():
    """The C++ compiler's command as a list; raises Missing if it is absent or too old."""
    command = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    if not shutil.which(command[0]):
        raise missing_from_apt(f"No C++ compiler: {command[0]} is not on the PATH.", "g++")
    version = _output(command + ["-dumpfullversion", "-dumpversion"])
    is_clang = "clang" in _output(command + ["--version"])
    if not is_clang and int(version.split(".")[0] or 0) < GXX_FLOOR:
        raise Missing(
            f"{command[0]} is version {version.strip()}; GoTorch needs g++ >= {GXX_FLOOR}.",
            "apt-get install -y g++-12 && export CXX=g++-12",
        )
    return command


def python_headers():
    """Raises Missing unless this Python can be embedded in a C++ extension."""
    include = Path(sysconfig.get_paths()["include"])
    if not (include / "Python.h").exists():
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise missing_from_apt(
            f"No headers of Python {version}: {include}/Python.h does not exist.",
            f"python{version}-dev",
        )


def system_boost():
    """True if Boost.Fiber >= 1.81 is installed where the compiler finds it."""
    if os.environ.get("GOTORCH_BOOST") == "pypi":
        return False
    source = (
        "#include <boost/version.hpp>\n"
        "#if BOOST_VERSION < 108100\n#error too old\n#endif\n"
        "#include <boost/fiber/type.hpp>\n"
        "int main() {}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.cpp"
        probe.write_text(source)
        link = ["-lboost_fiber", "-lboost_context", "-o", str(probe.with_suffix(""))]
        return _succeeds([*compiler(), "-std=c++17", str(probe), *link])


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
    if not first <= sys.version_info[:2] <= last:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise missing_from_apt(
            f"No Boost.Fiber >= 1.81 on this system, and PyPI has none for Python {version}.",
            _apt_boost(),
        )
    return ["cmeel-boost>=1.81"]


def _apt_boost():
    # Debian 12's default Boost is 1.74; it has 1.81 beside it.
    try:
        release = Path("/etc/os-release").read_text()
    except OSError:
        release = ""
    bookworm = re.search(r"^VERSION_CODENAME=bookworm$", release, re.MULTILINE)
    return "libboost-fiber1.81-dev" if bookworm else "libboost-fiber-dev"


def _output(command):
    return subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True).stdout


def _succeeds(command):
    silent = subprocess.DEVNULL
    return subprocess.run(command, stdout=silent, stderr=silent).returncode == 0


if __name__ == "__main__" and sys.argv[1:] == ["boost-prefix"]:
    print(pypi_boost_prefix() or "")
