"""A live server for measurements, on a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

_ANNOUNCEMENT: Final = "Qwicket listens on "


class Live(NamedTuple):
    url: str
    token: str
    pid: int


@contextmanager
def server(folder: Path, *options: str) -> Iterator[Live]:
    """Run `qwicket serve` until the block ends."""
    data = ["--data-dir", str(folder)]
    process = subprocess.Popen(
        [sys.executable, "-m", "qwicket", "serve", "--port", "0", *data, *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith(_ANNOUNCEMENT), line
        token = account(folder, "bench")
        yield Live(line.removeprefix(_ANNOUNCEMENT).strip(), token, process.pid)
    finally:
        process.terminate()
        process.wait(40)


def account(folder: Path, name: str) -> str:
    """Make an account in a server's folder; return a token of it."""
    data = ["--data-dir", str(folder)]
    _qwicket("user", "add", name, *data)
    return _qwicket("token", "create", "--user", name, *data)


def _qwicket(*arguments: str) -> str:
    command = [sys.executable, "-m", "qwicket", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
