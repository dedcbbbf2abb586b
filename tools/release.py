"""Release the version in pyproject.toml: changelog, packages, their trial, a tag.

    python tools/release.py [--trial] [--image OPTION …]

`dist/` then has the wheel, the sdist, a list of all packages that a server consists of (an SBOM in
CycloneDX's format), the site of the documents, with `--image` the image of `deploy/`, and the
checksums of these files. Nothing is pushed or uploaded. With `--trial` the repository stays as it
is. When a step fails, the changelog is restored and no tag is made.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
BIN: Final = Path(sys.executable).parent
DIST: Final = ROOT / "dist"
DATA: Final = ROOT / "tests" / "data"
IMAGE: Final = "localhost/qwicket"
SBOM_TOOL: Final = "cyclonedx-bom==7.5.0"
OF_CLIENTS: Final = (
    *(f":(glob)src/qwicket/{pattern}" for pattern in ("*.py", "vendors/*.py", "vendors/*/*.py")),
    *(f"src/qwicket/{folder}" for folder in ("agents", "cli", "clients", "schema")),
    ":(glob)src/qwicket/vendors/*/client/**",
    "src/qwicket/features/__init__.py",
)
"""Files of the package that clients, commands for a running server, and agents need."""
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
    parser.add_argument("--trial", action="store_true", help="build and try all, release nothing")
    parser.add_argument(
        "--image",
        nargs="*",
        metavar="OPTION",
        help="also build the image, with these options of tools/image.py; needs root and buildah",
    )
    asked = parser.parse_args()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    try:
        if asked.trial:
            make(version, asked.image)
        else:
            release(version, asked.image)
    except (ReleaseError, subprocess.CalledProcessError) as error:
        print(f"No release: {error}", file=sys.stderr)
        return 1
    return 0


def release(version: str, image: list[str] | None) -> None:
    """Write the changelog, make everything, commit and tag.

    Raises:
        ReleaseError: The tree has changes, or the version has been released, or no change is told.
        subprocess.CalledProcessError: A command failed.
    """
    if output("git", "status", "--porcelain"):
        raise ReleaseError("the tree has uncommitted changes")
    tag = f"v{version}"
    if output("git", "tag", "--list", tag):
        raise ReleaseError(f"{tag} exists; raise the version in pyproject.toml")
    if fragments():
        run(BIN / "towncrier", "build", "--yes", "--version", version)
    elif f"\n## {version} (" not in (ROOT / "CHANGELOG.md").read_text():
        raise ReleaseError(f"neither changelog.d nor CHANGELOG.md tells what {version} changes")
    try:
        if version.endswith(".0.0"):
            keep_clients(version)
        made = make(version, image)
    except BaseException:
        run("git", "reset", "--quiet", "--hard", "HEAD")
        raise
    run("git", "add", "--all")
    if output("git", "status", "--porcelain"):
        run("git", "commit", "--quiet", "--message", f"release: {version}")
    run("git", "tag", "--annotate", tag, "--message", f"Qwicket {version}")
    print(f"{tag} is tagged. In {DIST.name}/ are {', '.join(path.name for path in made)}.")
    print("Push with: git push --follow-tags")


def fragments() -> list[Path]:
    """Return the changes since the last release."""
    return [path for path in (ROOT / "changelog.d").glob("*.md") if path.name != "README.md"]


def keep_clients(version: str) -> None:
    """Keep what users of a major version have, which later versions are tested with.

    See tests/integration/test_upgrades.py.
    """
    made = subprocess.run(
        ["git", "archive", "--format=tar", "HEAD", "--", *OF_CLIENTS],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (DATA / f"clients-{version}.tar.xz").write_bytes(lzma.compress(made.stdout, preset=9))


def make(version: str, image: list[str] | None) -> list[Path]:
    """Make everything that a release has, and try the packages; return the files.

    Raises:
        subprocess.CalledProcessError: A command or a trial failed.
    """
    wheel = build()
    name = f"qwicket-{version}"
    try_packages(wheel, sbom=DIST / f"{name}.cdx.json")
    with tempfile.TemporaryDirectory(prefix="qwicket-site-") as folder:
        run(sys.executable, "docs/_site/build.py", folder)
        with tarfile.open(DIST / f"{name}-site.tar.gz", "w:gz") as archive:
            archive.add(folder, name)
    if image is not None:
        run(sys.executable, "tools/image.py", *image)
        run("buildah", "push", "--quiet", IMAGE, f"oci-archive:{DIST}/{name}-image.tar:{version}")
    made = sorted(path for path in DIST.iterdir() if path.name.startswith(name))
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made]
    (DIST / "SHA256SUMS").write_text("".join(sums))
    return [*made, DIST / "SHA256SUMS"]


def build() -> Path:
    """Build wheel and sdist into dist/; return the path of the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(BIN / "uv", "build", "--quiet", "--python", sys.executable, "--out-dir", DIST)
    (wheel,) = DIST.glob("*.whl")
    (sdist,) = DIST.glob("*.tar.gz")
    print(f"built {wheel.name} and {sdist.name}")
    return wheel


def try_packages(wheel: Path, sbom: Path) -> None:
    """Install the wheel twice in clean environments: as a server, and as a client of that server.

    Args:
        wheel: The package.
        sbom: File to list the packages of the server in.

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
        listed = ("cyclonedx-py", "environment", "--output-reproducible", "--of", "JSON")
        tool = ("tool", "run", "--quiet", "--from", SBOM_TOOL)
        run(BIN / "uv", *tool, *listed, "-o", sbom, server / "python")
        found = json.loads(sbom.read_text())
        for each in found["components"]:
            each["externalReferences"] = [
                link
                for link in each.get("externalReferences", [])
                if not link["url"].startswith("file:")  # a folder of this machine
            ]
        sbom.write_text(json.dumps(found, indent=1) + "\n")


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
