"""A Dask cluster of processes that a test may kill: a scheduler and workers, on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from distributed import LocalCluster, Security

from qwicket.features.dask.cluster import Endpoint, security
from support.certificates import certificate
from support.pools import WORKER_PATH
from support.ports import held_port
from support.processes import children_of
from support.waiting import until

QUIET = {
    "DASK_LOGGING__DISTRIBUTED": "error",
    "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": "[]",
    "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": "[]",
}


class DaskProcesses:
    """`dask scheduler` and `dask worker` with certificates of their own."""

    def __init__(self, folder: Path, *, workers: int = 2, is_plain: bool = False) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.files = certificate(folder)
        self._is_plain = is_plain
        self._port = held_port()
        self.workers: list[subprocess.Popen[bytes]] = []
        self.start(workers)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def options(self) -> list[str]:
        """Options of `qwicket serve` for this cluster."""
        if self._is_plain:
            return ["--compute", f"dask+tcp://{self.place}"]
        names = ("--compute-tls-ca", "--compute-tls-cert", "--compute-tls-key")
        files = (str(each) for pair in zip(names, self.files, strict=True) for each in pair)
        return ["--compute", f"dask://{self.place}", *files]

    @property
    def endpoint(self) -> Endpoint:
        if self._is_plain:
            return Endpoint(f"tcp://{self.place}", None)
        return Endpoint(f"tls://{self.place}", security(*self.files))

    def start(self, workers: int) -> None:
        """Start the scheduler, always at the same port, and this many workers."""
        self.scheduler = self._run(
            *("scheduler", "--host", "127.0.0.1", "--port", str(self._port)),
            *("--protocol", "tcp" if self._is_plain else "tls"),
            *("--dashboard-address", "127.0.0.1:0"),
        )
        until(self._listens, "the scheduler listens", timeout_s=60)
        for _ in range(workers):
            self.add_worker()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port)).close()
        except ConnectionRefusedError:
            return False
        return True

    def add_worker(self, *options: str) -> subprocess.Popen[bytes]:
        scheme = "tcp" if self._is_plain else "tls"
        worker = self._run(
            *("worker", f"{scheme}://{self.place}", "--host", "127.0.0.1", "--nthreads", "1"),
            *("--no-nanny", "--no-dashboard", "--memory-limit", "2GB", "--death-timeout", "20"),
            *("--local-directory", str(self.folder), *options),
        )
        self.workers.append(worker)
        return worker

    def kill_scheduler(self) -> None:
        """Kill the scheduler, and wait for its workers, which end without it."""
        self.scheduler.kill()
        self.scheduler.wait()
        for each in self.workers:
            each.wait(30)
        self.workers.clear()

    def stop(self) -> None:
        for each in (*self.workers, self.scheduler):
            if each.poll() is None:
                each.send_signal(signal.SIGKILL)
            each.wait()

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        names = () if self._is_plain else ("--tls-ca-file", "--tls-cert", "--tls-key")
        files = (str(each) for pair in zip(names, self.files, strict=False) for each in pair)
        paths = [WORKER_PATH, *filter(None, [os.environ.get("PYTHONPATH")])]
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments, *files],
                stdout=log,
                stderr=log,
                env={**os.environ, **QUIET, "PYTHONPATH": os.pathsep.join(paths)},
            )


def launcher(server: int) -> int:
    """Return the process of the scheduler that a server has started."""

    def found() -> int | None:
        for pid in children_of(server):
            with suppress(OSError):
                if b"dask.launcher" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        return None

    return until(found, "there is a scheduler")


def local_cluster() -> Any:
    """A factory for `--compute support.dask:local_cluster`, whose workers are processes."""
    return LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        security=Security.temporary(),
        protocol="tls://",
        memory_limit="2GB",
    )


def talking_cluster() -> Any:
    """A factory whose process prints lines, of which Dask logs some."""
    lines = ("a line of the cluster", "now - distributed.core - WARNING - something", "x" * 200_000)
    sys.stderr.write("".join(f"{each}\n" for each in lines))
    sys.stderr.flush()
    return local_cluster()


def plain_cluster() -> Any:
    """A factory that `--compute` refuses."""
    return LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0")
