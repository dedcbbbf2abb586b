"""Environments of the vendors' unmodified clients: created once, in .vendor.

`python tests/contract/environments.py ionq/qiskit_ionq_1_1` makes that one and prints its
interpreter. A requirements file whose first line is `# python: 3.8` asks for that version.
What a `requirements-alone.txt` beside it names is installed without what it depends on.
A line `# tests: native/qiskit_2_6` runs the tests of that suite in this environment too.
A line `# extended` leaves a suite to `make test-all`, as the marker does with tests.
`light` makes the environment that a light installation of this project has, without the project.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

CONTRACT = Path(__file__).parent
VENDORS = CONTRACT.parent / "vendors"
ROOT = CONTRACT.parent.parent

_STEP_S = 600
"""An index that hangs must not keep those waiting who want the same environment."""


def suites() -> list[str]:
    """Return the names of all vendor suites, such as `ionq/qiskit_ionq_1_1`.

    An environment without tests of its own is there for tests in ours.
    """
    files = [*CONTRACT.glob("*/*/*"), *VENDORS.glob("*/suites/*/*")]
    found = {path.parent for path in files if fnmatch(path.name, "test_*.py")}
    found |= {path.parent for path in files if path.name == "requirements.txt" and _shared(path)}
    return sorted({_name(folder) for folder in found})


def folder_of(suite: str) -> Path:
    """Return the folder of a suite: of a vendor, or of something else that we work with."""
    vendor, _, client = suite.partition("/")
    of_vendor = VENDORS / vendor / "suites" / client
    return of_vendor if of_vendor.is_dir() else CONTRACT / suite


def _name(folder: Path) -> str:
    at = folder.relative_to(VENDORS if folder.is_relative_to(VENDORS) else CONTRACT)
    return f"{at.parts[0]}/{at.name}"


def is_extended(suite: str) -> bool:
    """Return whether a suite runs in `make test-all` only."""
    return "# extended" in (folder_of(suite) / "requirements.txt").read_text().splitlines()


def folder_of_tests(suite: str) -> Path:
    """Return the folder of a suite's tests: its own, or another's that it shares."""
    return folder_of(_shared(folder_of(suite) / "requirements.txt") or suite)


def _shared(requirements: Path) -> str:
    mark = "# tests:"
    lines = requirements.read_text().splitlines()
    return next((line.removeprefix(mark).strip() for line in lines if line.startswith(mark)), "")


def interpreter(suite: str) -> Path:
    """Return the interpreter of a suite's environment, making it when it is not there."""
    requirements = folder_of(suite) / "requirements.txt"
    alone = requirements.with_name("requirements-alone.txt")
    wanted = requirements.read_bytes() + (alone.read_bytes() if alone.exists() else b"")
    first = requirements.read_text().partition("\n")[0]
    version = first.removeprefix("# python:").strip() if "python:" in first else ""
    installs = [["-r", str(requirements)]]
    if alone.exists():
        installs.append(["-r", str(alone), "--no-deps"])
    return made(suite.replace("/", "-"), wanted, version, installs)


def light() -> Path:
    """Return the interpreter of an environment with the dependencies of this project, no extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    dependencies: list[str] = project["dependencies"]
    return made("light", "\n".join(dependencies).encode(), "", [dependencies])


def install_project(python: Path, folder: Path) -> None:
    """Install the wheel of this checkout, without what it depends on, into a folder of its own."""
    target = ["--no-deps", "--reinstall-package", "qwicket", "--target", str(folder)]
    subprocess.run([*_install(python), *target, str(ROOT)], check=True, timeout=_STEP_S)


def made(name: str, wanted: bytes, version: str, installs: list[list[str]]) -> Path:
    """Return the interpreter of an environment, stored under a digest of its requirements."""
    digest = hashlib.sha256(wanted).hexdigest()[:12]
    folder = ROOT / ".vendor" / f"{name}-{digest}"
    python = folder / "bin" / "python"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            base = _python(version) if version else sys.executable
            steps = [[_uv(), "venv", "-q", "--clear", "--python", base, str(folder)]]
            steps += [[*_install(python), *each] for each in installs]
            for step in steps:
                subprocess.run(step, check=True, timeout=_STEP_S)
            share_bytecode(folder)
            (folder / "ready").touch()
    return python


def source(name: str, version: str, sha256: str) -> Path:
    """Return the folder of a package's source distribution, which is downloaded once."""
    folder = ROOT / ".vendor" / f"{name}-{version}-{sha256[:12]}"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            pip = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
            ]
            chosen = ["--no-deps", "--no-binary", name, "--dest", str(folder), f"{name}=={version}"]
            subprocess.run([*pip, *chosen], check=True, timeout=_STEP_S)
            (packed,) = folder.glob("*.tar.gz")
            digest = hashlib.sha256(packed.read_bytes()).hexdigest()
            assert digest == sha256, f"{packed.name} has the sha256 {digest}"
            with tarfile.open(packed) as archive:
                # Python 3.11.2 has no filters, 3.14 asks for one: as the library's manual says.
                archive.extraction_filter = getattr(tarfile, "data_filter", lambda each, _: each)
                archive.extractall(folder)
            (folder / "ready").touch()
    return folder / f"{name}-{version}"


def share_bytecode(folder: Path) -> None:
    """Give a new environment the bytecode that others have of the same files.

    To compile them in each takes a minute or two in all. uv links the files of a package into each
    environment, so that a file has the same inode in all of them. Python reads bytecode only if the
    time and size in it are those of the file.
    """
    store = folder.parent / "bytecode"
    store.mkdir(exist_ok=True)
    for other in (Path(sys.prefix), *(each.parent for each in folder.parent.glob("*/ready"))):
        gathered = store / other.name
        if not gathered.exists():
            gathered.touch()
            for cached, stored in _bytecode(other, store):
                with suppress(OSError):  # not imported yet, known, or on another file system
                    os.link(cached, stored)
    known = {each.path for each in os.scandir(store)}
    for cached, stored in _bytecode(folder, store):
        if stored in known:
            Path(cached).parent.mkdir(exist_ok=True)
            with suppress(FileExistsError):  # some packages bring their own
                os.link(stored, cached)


def _bytecode(environment: Path, store: Path) -> Iterator[tuple[str, str]]:
    """Yield where the bytecode of each file of an environment belongs, there and in the store."""
    for site in environment.glob("lib/python*/site-packages"):
        tag = site.parent.name.replace("python", "cpython-").replace(".", "")
        for place, _, _ in os.walk(site):
            for entry in os.scandir(place):
                if entry.name.endswith(".py"):
                    cached = f"{place}/__pycache__/{entry.name[:-3]}.{tag}.pyc"
                    yield cached, f"{store}/{entry.inode()}.{tag}.pyc"


def _uv() -> str:
    return str(Path(sys.executable).parent / "uv")


def _install(python: Path) -> list[str]:
    return [_uv(), "pip", "install", "-q", "--python", str(python)]


def _python(version: str) -> str:
    """Return an interpreter of this version: pyenv's where it has one, else as uv finds it.

    pyenv's shims answer for versions that are installed but not selected, and then fail.
    """
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted(root.glob(f"versions/{version}.*/bin/python"))
    return str(found[-1]) if found else version


if __name__ == "__main__":
    python = light() if sys.argv[1] == "light" else interpreter(sys.argv[1])
    sys.stdout.write(f"{python}\n")
