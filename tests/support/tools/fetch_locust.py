#!/usr/bin/env python3
"""Installs Locust, a load generator, into .locust of this repository.

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
            say("Locust is already present")
        else:
            fetch()
        print(STORE)
    except Failure as failure:
        say(failure)
        return 1
    return 0


def runs(folder):
    """Detects an installation that does not run here, for example for another Python, before the tests start."""
    command = [sys.executable, "-m", "locust", "--version"]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return folder.is_dir() and subprocess.run(command, env=environment, capture_output=True).returncode == 0


def fetch():
    """Works in a temporary folder and renames it at the end, so that an aborted run leaves nothing that looks complete."""
    work = Path(tempfile.mkdtemp(prefix=".locust-", dir=STORE.parent))
    try:
        say(f"fetching {WANTED} with pip")
        command = [python_with_pip(work), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Only wheels, because a build needs a compiler and headers.
        command += ["--only-binary=:all:", "--no-warn-script-location", "--target", str(work / "locust"), WANTED]
        pip = subprocess.run(command, capture_output=True, text=True)
        if pip.returncode != 0 or not runs(work / "locust"):
            raise Failure(f"pip installed no {WANTED} that runs here:\n{pip.stderr.strip()}")
        shutil.rmtree(STORE, ignore_errors=True)
        (work / "locust").rename(STORE)
        say("Locust fetched")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
