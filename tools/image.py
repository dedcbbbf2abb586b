"""Build the image of `deploy/Containerfile` and check its promised size, start time and rights.

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

import yaml

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "docs" / "reports" / "image.md"
COMPOSE = ROOT / "examples" / "ci" / "compose.yaml"
IMAGE = "localhost/qwicket"
LIMIT_MB, LIMIT_START_S = 400, 1.5
STARTS = 7
USER = "10001:10001"
IN_IMAGE = ("/usr/bin/env", "-i")
"""Precedes the variables of the image, so that it gets none of this machine's environment."""

# Folders that Debian's slim images leave out, too.
SLIM = ("usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man")
DOWNLOADS = ("var/cache/apt/archives/*.deb", "var/cache/apt/*.bin", "var/lib/apt/lists/*_*")

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
exec chroot "$root" setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs \
  --bounding-set=-all --inh-caps=-all "$@"
"""


PLAIN, READ_ONLY = "`buildah run --isolation chroot`", "read-only root"
IS_READ_ONLY = "import os; print(bool(os.statvfs('/').f_flag & os.ST_RDONLY))"


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
        for download in (path for pattern in DOWNLOADS for path in root.glob(pattern)):
            download.unlink()
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
    """Return the compressed size, which a registry stores and sends."""
    with tempfile.TemporaryDirectory() as folder:
        run("buildah", "push", "--quiet", IMAGE, f"dir:{folder}/image")
        return sum(path.stat().st_size for path in Path(folder, "image").iterdir())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_s(before: list[str], serve: list[str]) -> float:
    """Start a server; return the seconds until it is ready. Then stop it, with status 0."""
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


def is_test_bed(before: list[str]) -> bool:
    """Start the image as the example's compose file does; return whether it becomes healthy."""
    (service,) = yaml.safe_load(COMPOSE.read_text())["services"].values()
    health = service["healthcheck"]
    port = str(free_port())
    command, check = (
        [each.replace("8000", port) for each in words]
        for words in (service["entrypoint"], health["test"][1:])
    )
    bed = subprocess.Popen([*before, "QWICKET_TESTING_SECRET=secret", *command])
    try:
        for _ in range(health["retries"]):
            time.sleep(float(health["interval"].removesuffix("s")))
            if not subprocess.run([*before, *check], stderr=subprocess.DEVNULL).returncode:
                return bed.poll() is None
        return False
    finally:
        bed.kill()
        bed.wait()


def duration_s(*command: str) -> float:
    began = time.monotonic()
    run(*command)
    return time.monotonic() - began


def first_in_container(pid: int) -> int:
    """Return the process of the image's entry point, a descendant of the process `pid`."""
    below = [pid]
    for each in below:
        if Path(f"/proc/{each}/comm").read_text() == "tini\n":
            return each
        for thread in Path(f"/proc/{each}/task").iterdir():
            below += map(int, (thread / "children").read_text().split())
    raise SystemExit("The image's entry point does not run.")


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
            PLAIN: ["buildah", "run", "--isolation", "chroot", container, "--", "env"],
            READ_ONLY: ["unshare", *flags, "sh", "-c", CONTAINED, "sh", str(root), *IN_IMAGE],
        }
        ways[READ_ONLY] += about["Env"]
        return {
            "user": about["User"],
            "health": about.get("Healthcheck"),
            "unpacked": unpacked_bytes(root),
            "packed": packed_bytes(),
            "python": run(*ways[PLAIN], "python", "-V").removeprefix("Python "),
            "starts": {
                way: [start_s(words, serve) for _ in range(STARTS)] for way, words in ways.items()
            },
            "root": run(*ways[READ_ONLY], "python", "-c", IS_READ_ONLY),
            "base": run(*ways[PLAIN], "sh", "-c", '. /etc/os-release; echo "$PRETTY_NAME"'),
            "buildah": [duration_s(*ways[PLAIN], "true") for _ in range(STARTS)],
            "is_test_bed": is_test_bed(ways[READ_ONLY]),
            "demos": [run(*words, *demo) for words in ways.values()],
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--base", help="image to build on; by default the Containerfile's")
    parser.add_argument("--debootstrap", metavar="SUITE", help="make the base, such as trixie")
    parser.add_argument("--built", action="store_true", help="measure the existing image")
    parser.add_argument(
        "--option", action="append", default=[], help="further option of buildah bud"
    )
    given = parser.parse_args()
    if os.geteuid():
        raise SystemExit("buildah mounts the image's root: run this as root.")
    if not given.built:
        base = debootstrapped(given.debootstrap) if given.debootstrap else given.base
        build(base, given.option)
    load, found = os.getloadavg()[0], measured()
    start = statistics.median(found["starts"][READ_ONLY])
    checks = {
        f"at most {LIMIT_MB} MB": found["unpacked"] <= LIMIT_MB * 1e6,
        f"starts within {LIMIT_START_S} s": start <= LIMIT_START_S,
        "passes `qwicket demo`": all("completed" in text for text in found["demos"]),
        "runs with a read-only root": found["root"] == "True",
        "does not run as root": found["user"] == USER,
        "has a health check": bool(found["health"]),
        "is a healthy test bed, as `examples/ci/compose.yaml` starts it": found["is_test_bed"],
    }
    rows = [
        ("base", found["base"]),
        ("Python", found["python"]),
        ("size of all files", f"{found['unpacked'] / 1e6:.0f} MB"),
        ("size in a registry (gzip)", f"{found['packed'] / 1e6:.0f} MB"),
        *((f"start to `/readyz`, {way}", _times(each)) for way, each in found["starts"].items()),
        ("the command `true`, `buildah run --isolation chroot`", _times(found["buildah"])),
    ]
    text = [
        "# The image",
        "",
        f"`tools/image.py` on {platform.machine()}, {os.cpu_count()} cores, load "
        f"{load:.1f}, {datetime.now(UTC):%Y-%m-%d}.",
        "",
        *("| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""),
        *("| promise | holds |", "|---|---|"),
        *(f"| {name} | {'yes' if holds else 'no'} |" for name, holds in checks.items()),
        "",
        f"Times are medians of {STARTS} (fastest to slowest). The promise is that with",
        "a read-only root, as containers have it; `buildah run` does more before.",
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
