"""What the build says where the machine lacks something, and that it leaves nothing half done.

The tools run in a copy of their own, with a PATH that has only what a test puts there.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "python" / "tools"
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def checkout(tmp_path):
    """A folder that has the tools only, as python/tools/ of a checkout."""
    shutil.copytree(TOOLS, tmp_path / "python" / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(checkout, name, script):
    path = checkout / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def gxx(checkout, version, name="g++"):
    program(checkout, name, f"echo {version}")


def run(checkout, code, user=1000, include=None, **environment):
    """Runs Python code beside the tools as this user. `include` is where Python's headers would be."""
    prelude = f"import os, sys, sysconfig\nos.geteuid = lambda: {user}\nsys.path.insert(0, 'python/tools')\n"
    if include:
        prelude += f"sysconfig.get_paths = lambda: {{'include': {str(include)!r}}}\n"
    environment["PATH"] = str(checkout / "bin")
    command = [sys.executable, "-c", prelude + code]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)


SETUP = "import runpy; sys.argv = ['setup_env.py', 'train']; runpy.run_path('python/tools/setup_env.py', run_name='__main__')"


def refused(checkout, code, **options):
    """The message with which the code fails, nothing having been made."""
    result = run(checkout, code, **options)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert not (checkout / ".venv").exists()
    build = checkout / "build"
    assert not build.exists() or [p.name for p in build.iterdir()] == [".lock"]
    return result.stderr


def test_no_compiler(checkout):
    message = refused(checkout, SETUP)
    assert "There is no C++ compiler: g++ is not on the PATH.\n" in message
    assert "    sudo apt-get install -y g++\n" in message


def test_root_needs_no_sudo(checkout):
    assert "\n    apt-get install -y g++\n" in refused(checkout, SETUP, user=0)


def test_an_old_compiler(checkout):
    gxx(checkout, "10.2.1")
    message = refused(checkout, SETUP)
    assert "g++ is version 10.2.1, GoTorch needs g++ >= 12." in message
    assert "    sudo apt-get install -y g++-12\n" in message


def test_a_compiler_named_by_a_variable(checkout):
    gxx(checkout, "13.1.0")
    gxx(checkout, "9.4.0", "g++-9")
    message = refused(checkout, SETUP, CXX="g++-9")
    assert "g++-9 is version 9.4.0, GoTorch needs g++ >= 12. The variable CXX names g++-9: unset it" in message
    assert "g++-5 is not on the PATH" in refused(checkout, SETUP, CXX="g++-5 -m64")


def test_a_newer_compiler_beside_an_old_one_is_taken(checkout):
    gxx(checkout, "11.4.0")
    gxx(checkout, "14.2.0", "g++-14")
    gxx(checkout, "15.1.0", "g++-15")
    code = "import needs; needs.export_compiler(); print(needs.compiler(), os.environ.get('CXX'))"
    assert run(checkout, code).stdout == "['g++-14'] g++-14\n"
    gxx(checkout, "12.2.0")
    assert run(checkout, code).stdout == "['g++'] None\n"


def test_no_python_headers(checkout):
    gxx(checkout, "12.2.0")
    message = refused(checkout, SETUP, include="/usr/include/nowhere")
    assert f"The headers of Python {VERSION} are missing: no Python.h in /usr/include/nowhere.\n" in message
    assert f"    sudo apt-get install -y python{VERSION}-dev\n" in message


def test_no_headers_of_a_python_that_is_not_the_systems(checkout):
    gxx(checkout, "12.2.0")
    message = refused(checkout, SETUP, include=checkout / "include")
    assert f"no Python.h in {checkout / 'include'}.\nThe Python in {sys.base_prefix} came without" in message
    assert "apt-get" not in message


def test_no_virtual_environments(checkout):
    gxx(checkout, "12.2.0")
    code = "import importlib.util as u; find = u.find_spec; u.find_spec = lambda n: n != 'ensurepip' and find(n)\n"
    message = refused(checkout, code + SETUP)
    assert f"Python {VERSION} cannot make virtual environments: no module ensurepip.\n" in message
    assert f"    sudo apt-get install -y python{VERSION}-venv\n" in message


def test_everything_that_is_missing_is_said_at_once(checkout):
    message = refused(checkout, SETUP, include="/usr/include/nowhere")
    assert f"    sudo apt-get install -y g++ python{VERSION}-dev\n" in message


def test_root_gets_what_is_missing_installed(checkout):
    log = checkout / "log"
    program(checkout, "apt-get", f'echo "$@" >> {log}; [ "$4" = update ] || exit 3')
    message = refused(checkout, SETUP, user=0)
    update, install = log.read_text().splitlines()
    assert update.endswith("update")
    assert install.endswith("install -y --no-install-recommends g++")
    assert "failed: apt-get" in message


def test_root_is_told_if_installing_did_not_help(checkout):
    program(checkout, "apt-get", "exit 0")
    assert "There is no C++ compiler" in refused(checkout, SETUP, user=0)


def test_a_virtual_environment_that_could_not_be_made_is_removed(checkout):
    gxx(checkout, "12.2.0")
    code = "import venv, needs; needs.python_headers = lambda: None\n"
    # What ensurepip's failure looks like: the folder is there, the command fails.
    code += "import subprocess; made = []\n"
    code += "def fail(command, **_):\n    os.makedirs('.venv/bin'); made.append(command)\n"
    code += "    return subprocess.CompletedProcess(command, 1)\n"
    code += "import setup_env; subprocess.run = fail; setup_env.make_venv()"
    assert "failed: " in refused(checkout, code)


def test_a_step_counts_as_done_only_after_it(checkout):
    code = "import setup_env, types; setup_env.VENV.mkdir(exist_ok=True)\n"
    code += "setup_env.pip = lambda *_: types.SimpleNamespace(returncode={}); setup_env.install('train')"
    assert "pip could not install scikit-learn" in run(checkout, code.format(1)).stderr
    record = checkout / ".venv" / "setup.json"
    assert not record.exists()
    run(checkout, code.format(0))
    assert json.loads(record.read_text()) == {"train": ["scikit-learn", "matplotlib"]}


# What build_backend.py takes from scikit-build-core, which only pip installs.
SCIKIT = """
def get_requires_for_build_wheel(config_settings=None): return ["ninja"]
build_editable = build_sdist = build_wheel = get_requires_for_build_sdist = None
prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel = None
"""


@pytest.fixture
def pip_checkout(checkout):
    (checkout / "scikit_build_core").mkdir()
    (checkout / "scikit_build_core" / "__init__.py").write_text("")
    (checkout / "scikit_build_core" / "build.py").write_text(SCIKIT)
    return checkout


REQUIRES = "sys.path.insert(0, '.'); import build_backend; print(build_backend.get_requires_for_build_wheel())"


def test_pip_is_told_of_everything_that_is_missing(pip_checkout):
    message = refused(pip_checkout, REQUIRES, include="/usr/include/nowhere")
    assert message.count("There is no C++ compiler: g++ is not on the PATH.\n") == 1
    assert f"    sudo apt-get install -y g++ python{VERSION}-dev\n" in message


def test_pip_gets_boost_from_pypi_where_the_system_has_none(pip_checkout):
    """The program that looks for Boost does not compile here."""
    gxx(pip_checkout, "12.2.0; exit 1")
    result = run(pip_checkout, REQUIRES)
    assert result.stdout.splitlines()[-1:] == ["['ninja', 'cmeel-boost>=1.81']"], result.stderr


def test_pip_is_told_where_pypi_has_no_boost(pip_checkout):
    gxx(pip_checkout, "12.2.0; exit 1")
    message = refused(pip_checkout, "sys.version_info = (3, 99)\n" + REQUIRES)
    assert "There is no Boost.Fiber >= 1.81 here, and PyPI has none" in message
    assert "libboost-fiber" in message


def test_pip_takes_the_systems_boost(pip_checkout):
    gxx(pip_checkout, "12.2.0")
    assert run(pip_checkout, REQUIRES).stdout.splitlines()[-1] == "['ninja']"
    assert "cmeel-boost" in run(pip_checkout, REQUIRES, GOTORCH_BOOST="pypi").stdout
