"""pip's way into the build: scikit-build-core, after a look at what the machine has.

`pip install .` gets Boost from PyPI only where the system has none that is new enough, and a
missing compiler or missing headers are named, with the command that brings them, before the build.
"""

import contextlib
import sys

import needs
from scikit_build_core import build as scikit
from scikit_build_core.build import (  # noqa: F401 (pip calls them)
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

# pip calls each function below in a process of its own.
with contextlib.suppress(needs.Missing):
    needs.export_compiler()


def get_requires_for_build_wheel(config_settings=None):
    boost = []
    lacking = needs.missing([needs.compiler, needs.python_headers, lambda: boost.extend(needs.boost_requirements())])
    if lacking:
        sys.exit(needs.report(lacking))
    return scikit.get_requires_for_build_wheel(config_settings) + boost


get_requires_for_build_editable = get_requires_for_build_wheel
