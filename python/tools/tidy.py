"""Runs clang-tidy on the given C++ files, or on all of the library's and the extension's."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from check import LAYERS, ROOT, sources, tool


def main():
    files = sys.argv[1:] or [str(file) for file in sources() if file.suffix == ".cpp" and file.parts[0] in LAYERS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(tidy, files))
    for result in results:
        if result.returncode:
            print(result.stdout)
    wrong = sum(result.returncode != 0 for result in results)
    print(f"clang-tidy: {wrong} of {len(files)} files have problems" if wrong else "clang-tidy: ok")
    sys.exit(wrong > 0)


def tidy(file):
    # The compile commands are g++'s; clang does not know all of its warnings.
    command = [tool("clang-tidy"), "-p", "build/release", "--quiet"]
    return subprocess.run(
        [*command, "--extra-arg=-Wno-unknown-warning-option", file],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


if __name__ == "__main__":
    main()
