"""A live server for measurements, on a database of its own, with its memory and CPU time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.bench_databases import BenchDatabase
from benchmarks.wire import HTTPConnection
from support.processes import below

WORKERS: Final = 2
_ANNOUNCEMENT: Final = "Qwicket listens on "
_STOP_S: Final = 40


class Live(NamedTuple):
    """A running server; `ready_s` is the time from its start to `/readyz`."""

    url: str
    process: subprocess.Popen[str]
    ready_s: float

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        """Kill it at once, as a power cut would."""
        self.process.kill()
        self.process.wait(_STOP_S)


class Memory(NamedTuple):
    """Memory (Pss) in bytes: private pages, and a proportional part of shared pages."""

    server: int
    parsers: int
    workers: int

    @property
    def all(self) -> int:
        return sum(self)


@contextmanager
def server(
    bench_db: BenchDatabase,
    *program: str,
    options: Sequence[str] = (),
    source: Path | None = None,
) -> Iterator[Live]:
    """Run `qwicket serve` until the block ends.

    Args:
        bench_db: Its database.
        program: The command before `serve`.
        options: Options of the command.
        source: Folder with the package to run; by default that of this checkout.
    """
    program = program or ("-m", "qwicket")
    options = options or ("--workers", str(WORKERS))
    command = [sys.executable, *program, "serve", "--port", "0", *options]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, *bench_db.options],
        stderr=subprocess.PIPE,
        text=True,
        env=with_source(source),
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith(_ANNOUNCEMENT), line
        url = line.removeprefix(_ANNOUNCEMENT).strip()
        HTTPConnection(url, "").get("/readyz")
        yield Live(url, process, time.perf_counter() - began)
    finally:
        process.terminate()
        process.communicate(timeout=_STOP_S)


def with_source(source: Path | None) -> dict[str, str]:
    """Return the environment of a command that takes the package from another folder."""
    return dict(os.environ) if source is None else {**os.environ, "PYTHONPATH": str(source)}


def memory(pid: int) -> Memory:
    """Return the memory of a server, of its parsers and of its workers, with their fork servers."""
    taken = {"server": _pss(pid), "parsers": 0, "workers": 0}
    for child in below(pid):
        words = Path(f"/proc/{child}/cmdline").read_bytes()
        taken["parsers" if b"qwicket.programs" in words else "workers"] += _pss(child)
    return Memory(**taken)


def cpu(pid: int) -> tuple[float, float]:
    """Return the CPU seconds that a server has used so far, and those of its processes."""
    return _cpu(pid), sum(_cpu(child) for child in below(pid))


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    raise OSError(f"no Pss of {pid}: {os.uname().sysname}")
