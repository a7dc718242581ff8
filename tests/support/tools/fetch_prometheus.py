#!/usr/bin/env python3
"""Puts the Prometheus of this Debian or Ubuntu into .prometheus of this repository.

    fetch_prometheus.py

The binary is that of the system's package `prometheus`, which apt-get downloads and dpkg-deb unpacks.
Neither installs it, so neither needs root. What the script does goes to stderr, the binary's path to
stdout. A binary that is there already is left alone; PROMETHEUS=/path/to/prometheus names one of your
own, which is then only checked.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "prometheus"
BINARY_IN_PACKAGE = "usr/bin/prometheus"
STORE = Path(__file__).resolve().parents[3] / ".prometheus"
WAY_OUT = "To use another binary: PROMETHEUS=/path/to/prometheus make test-prometheus"


class Failure(Exception):
    """The reason why there is no binary, for the user."""


def say(text):
    print(f"fetch_prometheus: {text}", file=sys.stderr)


def main(arguments):
    if arguments:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        print(locate())
    except Failure as failure:
        say(f"{failure}\n{WAY_OUT}")
        return 1
    return 0


def locate():
    own = os.environ.get("PROMETHEUS")
    if own:
        say(f"using the binary in PROMETHEUS; nothing is fetched: {version(Path(own))}")
        return own
    binary = STORE / "prometheus"
    if binary.is_file() and os.access(binary, os.X_OK):
        say("Prometheus is already present")
    else:
        fetch(binary)
    return binary


def fetch(binary):
    """Works in a temporary folder and renames the binary at the end, so that an aborted run leaves nothing that looks
    complete and concurrent runs do not disturb each other."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Failure(
                f"The package {PACKAGE} is fetched with apt-get and dpkg-deb of Debian or Ubuntu, and there is no"
                f" {tool} here."
            )
    STORE.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=STORE))
    try:
        package = download(work)
        run(["dpkg-deb", "--extract", package, work / "unpacked"], work)
        unpacked = work / "unpacked" / BINARY_IN_PACKAGE
        if not unpacked.is_file():
            raise Failure(f"{package.name} has no {BINARY_IN_PACKAGE}.")
        found = version(unpacked)
        unpacked.replace(binary)
        say(f"fetched: {found}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def download(work):
    """apt-get checks the package against the signed lists of the system."""
    command = ["apt-get", "-o", "APT::Sandbox::User=", "download", PACKAGE]
    say(f"fetching the package {PACKAGE} with apt-get")
    if subprocess.run(command, cwd=work, capture_output=True).returncode != 0:
        say("apt-get does not find it; fetching the lists of packages into a temporary folder")
        state, cache = work / "state", work / "cache"
        for folder in (state / "lists/partial", cache / "archives/partial"):
            folder.mkdir(parents=True)
        options = ["-o", "APT::Sandbox::User=", "-o", f"Dir::State={state}", "-o", f"Dir::Cache={cache}"]
        run(["apt-get", *options, "update"], work)
        run(["apt-get", *options, "download", PACKAGE], work)
    packages = list(work.glob("*.deb"))
    if len(packages) != 1:
        raise Failure(f"apt-get has fetched no package {PACKAGE}.")
    return packages[0]


def run(command, folder):
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ended.returncode != 0:
        shown = " ".join(str(word) for word in command)
        raise Failure(f"{shown} has failed:\n{(ended.stdout + ended.stderr).strip()}")


def version(binary):
    """Detects a binary that does not run here before the tests start."""
    try:
        shown = subprocess.run([binary, "--version"], capture_output=True, text=True)
    except OSError as error:
        raise Failure(f"{binary} does not run: {error.strerror or error}.") from error
    output = (shown.stdout + shown.stderr).strip()
    first = output.splitlines()[0] if output else ""
    if shown.returncode != 0 or not first.startswith("prometheus, version "):
        raise Failure(f"{binary} does not run as Prometheus here. Its output:\n{output}")
    return first


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
