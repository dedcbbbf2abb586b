"""Build the image of `deploy/Containerfile` and check what is promised of it.

    sudo python tools/image.py                         # on Debian's own image
    sudo python tools/image.py --debootstrap trixie    # on a root made here, without a registry

Needs buildah, and root for its mounts; nothing needs a daemon. Writes docs/reports/image.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "docs" / "reports" / "image.md"
IMAGE = "localhost/qwicket"
LIMIT_MB, LIMIT_START_S = 400, 1.5
STARTS = 7
USER = "10001:10001"
IN_IMAGE = ("/usr/bin/env", "-i")
"""Before the variables of the image: nothing of this machine's environment is inside."""

# What Debian's slim images leave out, too.
SLIM = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/cache/apt")

# A container as Docker or Podman start one with --read-only: a root that cannot be written, own
# processes, no capabilities and no way to get any. $1 is the root; the others are the command.
CONTAINED = """
set -e
root=$1; shift
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o uid=10001,gid=10001,mode=0700 tmpfs "$root/var/lib/qwicket"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all \
  chroot --userspec=10001:10001 "$root" "$@"
"""


def run(*command: str) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def debootstrapped(suite: str) -> str:
    """Make an image of a minimal Debian; return its name."""
    name = f"localhost/debian:{suite}"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        run("debootstrap", "--variant=minbase", suite, str(root))
        for part in SLIM:
            shutil.rmtree(root / part, ignore_errors=True)
        for index in (root / "var/lib/apt/lists").glob("*_*"):
            index.unlink()
        container = run("buildah", "from", "scratch")
        run("buildah", "add", "--quiet", container, str(root), "/")
        run("buildah", "config", "--cmd", "bash", container)
        run("buildah", "commit", "--quiet", "--rm", container, name)
    return name


def build(base: str | None, options: list[str]) -> float:
    """Build the image; return how many seconds that took."""
    began = time.monotonic()
    command = ["buildah", "bud", "--isolation", "chroot", "--format", "docker", "--no-cache"]
    command += ["--quiet", "-f", "deploy/Containerfile", "-t", IMAGE, *options]
    command += ["--build-arg", f"BASE={base}"] if base else []
    subprocess.run([*command, "."], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def unpacked_bytes(root: Path) -> int:
    """Return the bytes of all files, each hard link once."""
    seen = {}
    for folder, _, names in os.walk(root):
        for name in names:
            about = (Path(folder) / name).lstat()
            seen[about.st_ino] = about.st_size
    return sum(seen.values())


def packed_bytes() -> int:
    """Return what a registry would store and send."""
    with tempfile.TemporaryDirectory() as folder:
        run("buildah", "push", "--quiet", IMAGE, f"dir:{folder}/image")
        return sum(path.stat().st_size for path in Path(folder, "image").iterdir())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_s(before: list[str], serve: list[str]) -> float:
    """Start a server; return the seconds until it is ready. It has to stop in good order."""
    port = free_port()
    began = time.monotonic()
    server = subprocess.Popen([*before, f"QWICKET_PORT={port}", *serve], stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() - began < 60:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"):
                seconds = time.monotonic() - began
                os.kill(first_in_container(server.pid), signal.SIGTERM)
                if server.wait(60):
                    raise SystemExit(f"The server stopped with status {server.returncode}.")
                return seconds
            time.sleep(0.01)
        raise SystemExit("The server was not ready within 60 s.")
    finally:
        server.kill()
        server.wait()


def first_in_container(pid: int) -> int:
    """Return the process that the image's entry point started, below one of ours."""
    while Path(f"/proc/{pid}/comm").read_text() != "tini\n":
        pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    return pid


@contextmanager
def mounted() -> Iterator[tuple[str, Path]]:
    """Yield a container of the image and where its root is."""
    container = run("buildah", "from", "--pull-never", IMAGE)
    try:
        yield container, Path(run("buildah", "mount", container))
    finally:
        run("buildah", "rm", container)


def config() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("buildah", "inspect", "--type", "image", IMAGE))
    inner: dict[str, Any] = found["Docker"]["config"]
    return inner


def measured() -> dict[str, Any]:
    about = config()
    serve, demo = ([*about["Entrypoint"], *rest] for rest in (about["Cmd"], ["demo"]))
    with mounted() as (container, root):
        flags = ("--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")
        ways = {
            "chroot": ["buildah", "run", "--isolation", "chroot", container, "--", "env"],
            "read-only": ["unshare", *flags, "sh", "-c", CONTAINED, "sh", str(root), *IN_IMAGE],
        }
        ways["read-only"] += about["Env"]
        return {
            "user": about["User"],
            "health": about.get("Healthcheck"),
            "unpacked": unpacked_bytes(root),
            "packed": packed_bytes(),
            "python": run(*ways["chroot"], "python", "-V").removeprefix("Python "),
            "starts": {
                way: [start_s(words, serve) for _ in range(STARTS)] for way, words in ways.items()
            },
            "demos": [run(*words, *demo) for words in ways.values()],
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--base", help="image to build on; by default the Containerfile's")
    parser.add_argument("--debootstrap", metavar="SUITE", help="make the base, such as trixie")
    parser.add_argument("--option", action="append", default=[], help="further one of buildah bud")
    given = parser.parse_args()
    if os.geteuid():
        raise SystemExit("buildah mounts the image's root: run this as root.")
    base = debootstrapped(given.debootstrap) if given.debootstrap else given.base
    seconds = build(base, given.option)
    found = measured()
    starts = {way: statistics.median(times) for way, times in found["starts"].items()}
    checks = {
        f"at most {LIMIT_MB} MB": found["unpacked"] <= LIMIT_MB * 1e6,
        f"starts within {LIMIT_START_S} s": max(starts.values()) <= LIMIT_START_S,
        "passes `qwicket demo`": all("completed" in text for text in found["demos"]),
        "does not run as root": found["user"] == USER,
        "has a health check": bool(found["health"]),
    }
    rows = [
        ("base", f"Debian {given.debootstrap}, by debootstrap" if given.debootstrap else str(base)),
        ("Python", found["python"]),
        ("build, packages from the network", f"{seconds:.0f} s"),
        ("size of all files", f"{found['unpacked'] / 1e6:.0f} MB"),
        ("size in a registry (gzip)", f"{found['packed'] / 1e6:.0f} MB"),
        (
            "start to `/readyz`, `buildah run --isolation chroot`, median of 7",
            _times(found["starts"]["chroot"]),
        ),
        ("start to `/readyz`, read-only root, median of 7", _times(found["starts"]["read-only"])),
    ]
    text = [
        "# The image",
        "",
        f"`tools/image.py` on {platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}, {datetime.now(UTC):%Y-%m-%d}.",
        "",
        *("| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""),
        *("| promise | holds |", "|---|---|"),
        *(f"| {name} | {'yes' if holds else 'no'} |" for name, holds in checks.items()),
        "",
        "With a read-only root, only `/tmp` and `/var/lib/qwicket` can be written; the server has",
        "no capabilities, cannot get any (`no_new_privs`), and is alone in its process namespace.",
        "",
    ]
    REPORT.write_text("\n".join(text))
    sys.stdout.write("\n".join(text))
    return 0 if all(checks.values()) else 1


def _times(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


if __name__ == "__main__":
    sys.exit(main())
