"""Release the version in pyproject.toml: changelog, packages, a trial of the packages, a tag.

    python tools/release.py [--trial]

Nothing is pushed or uploaded. With `--trial` the packages are built and tried, and the repository
stays as it is. When a step fails, the changelog is restored and no tag is made.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
BIN: Final = Path(sys.executable).parent
DIST: Final = ROOT / "dist"
BELL: Final = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""


class ReleaseError(Exception):
    """A step of the release failed."""


def main() -> int:
    """Release, or try the packages; return the exit status."""
    parser = argparse.ArgumentParser(prog="python tools/release.py", description=__doc__)
    parser.add_argument("--trial", action="store_true", help="build and try the packages only")
    is_trial = parser.parse_args().trial
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    try:
        if is_trial:
            try_packages(build())
        else:
            release(version)
    except (ReleaseError, subprocess.CalledProcessError) as error:
        print(f"No release: {error}", file=sys.stderr)
        return 1
    return 0


def release(version: str) -> None:
    """Write the changelog, build and try the packages, commit and tag.

    Raises:
        ReleaseError: The tree has changes, or the version has been released.
        subprocess.CalledProcessError: A command failed.
    """
    if output("git", "status", "--porcelain"):
        raise ReleaseError("the tree has uncommitted changes")
    tag = f"v{version}"
    if output("git", "tag", "--list", tag):
        raise ReleaseError(f"{tag} exists; raise the version in pyproject.toml")
    run(BIN / "towncrier", "build", "--yes", "--version", version)
    try:
        try_packages(build())
    except BaseException:
        run("git", "reset", "--quiet", "--hard", "HEAD")
        raise
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", f"release: {version}")
    run("git", "tag", "--annotate", tag, "--message", f"Qwicket {version}")
    print(f"{tag} is tagged, its packages are in {DIST.name}/. Push with: git push --follow-tags")


def build() -> Path:
    """Build wheel and sdist into dist/; return the path of the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(BIN / "uv", "build", "--quiet", "--python", sys.executable, "--out-dir", DIST)
    (wheel,) = DIST.glob("*.whl")
    (sdist,) = DIST.glob("*.tar.gz")
    print(f"built {wheel.name} and {sdist.name}")
    return wheel


def try_packages(wheel: Path) -> None:
    """Install the wheel twice in clean environments: as a server, and as a client of that server.

    Raises:
        subprocess.CalledProcessError: An installation or a job failed.
    """
    with tempfile.TemporaryDirectory(prefix="qwicket-release-") as folder:
        home = Path(folder)
        client = environment(home / "client", str(wheel))
        began = time.monotonic()
        server = environment(home / "server", f"{wheel}[server]")
        run(server / "qwicket", "demo", home=home)
        print(f"from pip install to a Bell pair: {time.monotonic() - began:.1f} s")
        program = home / "bell.qasm"
        program.write_text(BELL)
        submit = ("submit", program, "--device", "simulator", "--wait")
        run(server / "qwicket", "demo", "--", client / "qwicket", *submit, home=home)


def environment(folder: Path, requirement: str) -> Path:
    """Make a virtual environment and install into it with pip; return its folder of commands."""
    run(sys.executable, "-m", "venv", folder)
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(folder / "bin" / "python", *pip, requirement)
    return folder / "bin"


def run(*command: str | Path, home: Path | None = None) -> None:
    """Run a command at the root of the repository; a `home` keeps settings of the user out.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("QWICKET_")}
    if home is not None:
        env["HOME"] = str(home)
    subprocess.run([str(part) for part in command], cwd=ROOT, env=env, check=True)


def output(*command: str) -> str:
    """Return what a command prints, without white space around it."""
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
