#!/usr/bin/env python3
"""Puts Locust, the load tool, into .locust of this repository.

    fetch_locust.py

It comes from PyPI by pip. What it does goes to stderr, the folder's path to stdout. One that is there
already is left alone.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from fetch_envoy import Failure, python_with_pip

WANTED = "locust>=2.32,<3"
STORE = Path(__file__).resolve().parents[3] / ".locust"


def say(text):
    print(f"fetch_locust: {text}", file=sys.stderr)


def main(arguments):
    if arguments:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        if runs(STORE):
            say("Locust is there already")
        else:
            fetch()
        print(STORE)
    except Failure as failure:
        say(failure)
        return 1
    return 0


def runs(folder):
    """One for another Python, say, is found here and not in the middle of the tests."""
    command = [sys.executable, "-m", "locust", "--version"]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return folder.is_dir() and subprocess.run(command, env=environment, capture_output=True).returncode == 0


def fetch():
    """Works in a folder beside the final place and renames it there, so that a broken run leaves
    nothing that looks complete."""
    work = Path(tempfile.mkdtemp(prefix=".locust-", dir=STORE.parent))
    try:
        say(f"fetching {WANTED} with pip")
        command = [python_with_pip(work), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Wheels alone: building one would need a compiler and headers.
        command += ["--only-binary=:all:", "--no-warn-script-location", "--target", str(work / "locust"), WANTED]
        pip = subprocess.run(command, capture_output=True, text=True)
        if pip.returncode != 0 or not runs(work / "locust"):
            raise Failure(f"pip does not give a {WANTED} that runs here:\n{pip.stderr.strip()}")
        shutil.rmtree(STORE, ignore_errors=True)
        (work / "locust").rename(STORE)
        say("Locust fetched")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
