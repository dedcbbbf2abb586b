"""The Dask cluster that `DaskCompute` uses: one that runs already, or one that Qwicket starts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import sys
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec
from distributed import Security

from qwicket.compute.failures import ClusterUnavailable
from qwicket.features.dask.launcher import Launch, Launched

if TYPE_CHECKING:
    from pathlib import Path

    from qwicket.features.dask.address import ClusterAddress

_REPORT_BYTES: Final = 1 << 20
"""Bytes of the launcher's report: an address and certificates."""
_START_S: Final = 60.0
"""Longest time from the launcher's start until its report."""
_END_S: Final = 10.0
"""Longest time for an orderly end before the process is killed."""
_LAST_LINES_S: Final = 1.0
"""Time for the last lines of a cluster that has ended."""
_LINE_BYTES: Final = 65_536
_LEVELS: Final = {"INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}
_LEVEL: Final = re.compile(rf" - ({'|'.join(_LEVELS)}) - ")
"""Level in a line of Dask's log: `2026-11-29 10:00:00 - distributed.core - ERROR - …`."""
_log = logging.getLogger(__name__)
_LAUNCHER: Final = "qwicket.features.dask.launcher"
_ENVIRONMENT: Final = {
    # Errors only: Qwicket itself logs each loss, once.
    "DASK_LOGGING__DISTRIBUTED": "error",
    # How long a worker may be away before it is replaced; by default 15 s. Jobs may wait for that.
    "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "2s",
}


class Endpoint(NamedTuple):
    """Address of a scheduler, such as tls://host:8786, and the certificates to connect with."""

    address: str
    security: Security | None


class Cluster(Protocol):
    """Where the scheduler comes from."""

    is_ours: bool
    """Whether Qwicket starts it and sets its size."""
    remedy: str
    """A sentence for the log: what happens, or what to do, when the scheduler is lost."""

    async def open(self) -> Endpoint:
        """Return a scheduler; after a loss a new one, where Qwicket starts it.

        Raises:
            ClusterUnavailable: It cannot be started.
        """

    def set_size(self, n_workers: int) -> None:
        """Set how many workers the cluster should have, where Qwicket starts them."""

    async def close(self) -> None:
        """End what `open` started."""


class RunningCluster:
    """A cluster that Qwicket neither starts nor ends."""

    is_ours = False
    remedy = "Start the scheduler and its workers again at the same address."

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def open(self) -> Endpoint:
        return self._endpoint

    def set_size(self, n_workers: int) -> None:
        """Leave the size to its owner."""

    async def close(self) -> None:
        """Leave the cluster as it is."""


class StartedCluster:
    """A cluster with a scheduler in a child process, which is started again when it is lost.

    The process is `launcher`, whose docstring describes its input and its report.

    Args:
        address: What to start.
        min_workers: Number of workers that it always has.
        max_workers: Limit on workers.
        idle_s: Seconds after which a worker that is not needed is closed, because a new one may
            take as long to start. Not used in Kubernetes, where it is closed at once.
        logs_errors: Whether the lines that the cluster writes to standard error become records of
            the log, as for a log in JSON.
        is_trial: Whether `open` only finds out if the cluster can be started, as far as that is
            known without disturbing one that runs (`launcher`).
    """

    is_ours = True
    remedy = "It is started again."

    def __init__(
        self,
        address: ClusterAddress,
        *,
        min_workers: int,
        max_workers: int,
        idle_s: int = 60,
        logs_errors: bool = False,
        is_trial: bool = False,
    ) -> None:
        self._launch = Launch(
            kind=address.kind,
            place=address.place,
            allows_plain_tcp=address.allows_plain_tcp,
            options=dict(address.options),
            min_workers=min_workers,
            max_workers=max_workers,
            idle_s=idle_s,
            is_trial=is_trial,
        )
        self._logs_errors = logs_errors
        self._process: asyncio.subprocess.Process | None = None
        self._logging: asyncio.Task[None] | None = None
        self._wanted_workers = 0

    async def open(self) -> Endpoint:
        await self.close()
        try:
            process, report = await self._start()
        except OSError as error:  # no descriptor, process or memory is left
            text = f"the cluster's process cannot be started: {error.strerror}"
            raise ClusterUnavailable(text) from None
        self._process = process
        if process.stderr is not None:
            self._logging = asyncio.create_task(_log_lines(process.stderr))
        _kill_group_at_end(process.pid)
        self._write(msgspec.json.encode(self._launch))
        try:
            launched = await asyncio.wait_for(asyncio.to_thread(_read_report, report), _START_S)
        except TimeoutError:
            process.kill()
            raise ClusterUnavailable(f"the cluster was not started within {_START_S:g} s") from None
        if launched.error:
            raise ClusterUnavailable(f"the cluster cannot be started: {launched.error}")
        self._write(b"%d" % self._wanted_workers)
        if launched.ca is None:
            return Endpoint(launched.address, None)
        return Endpoint(launched.address, security(launched.ca, launched.cert, launched.key))

    async def _start(self) -> tuple[asyncio.subprocess.Process, int]:
        """Start the launcher; return its process, and the file descriptor of its report."""
        read, write = os.pipe()
        # The server's own settings may hold secrets, which the cluster does not need.
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("QWICKET_")
        }
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _LAUNCHER,
                str(write),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE if self._logs_errors else None,
                pass_fds=(write,),
                start_new_session=True,  # Ctrl-C in the server's terminal is for the server
                env=_ENVIRONMENT | inherited,  # the operator's settings of Dask win
            )
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        return process, read

    def set_size(self, n_workers: int) -> None:
        if n_workers != self._wanted_workers:
            self._wanted_workers = n_workers
            self._write(b"%d" % n_workers)

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _END_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._logging is not None:
            # A process of the cluster that outlives its group may hold the other end.
            await asyncio.wait([self._logging], timeout=_LAST_LINES_S)
            self._logging.cancel()

    def _write(self, line: bytes) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(line + b"\n")


async def _log_lines(stream: asyncio.StreamReader) -> None:
    """Log each line of a stream until its end; parts of a line that is too long are lines."""
    rest = b""
    while chunk := await stream.read(_LINE_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) >= _LINE_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            _log_line(line)
    _log_line(rest)


def _log_line(line: bytes) -> None:
    text = line.decode(errors="replace").strip()
    if text:
        level = _LEVEL.search(text)
        _log.log(logging.ERROR if level is None else _LEVELS[level[1]], "%s", text)


def _kill_group_at_end(leader: int) -> None:
    """Kill a launcher's process group when the launcher has ended.

    If the launcher was killed, workers of a local cluster may take seconds to notice, and run jobs
    meanwhile. They also hold its standard input open, and `Process.wait` waits until that closes.
    """
    loop = asyncio.get_running_loop()
    try:
        process = os.pidfd_open(leader)
    except ProcessLookupError:  # it has ended already, before it started anything
        return

    def kill() -> None:
        loop.remove_reader(process)
        os.close(process)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)

    loop.add_reader(process, kill)


def security(ca: Path | str, cert: Path | str | None, key: Path | str | None) -> Security:
    """Return a client's certificates, from files or PEM texts."""
    return Security(
        require_encryption=True,
        tls_ca_file=str(ca),
        tls_client_cert=None if cert is None else str(cert),
        tls_client_key=None if key is None else str(key),
    )


def configured_security() -> Security | None:
    """Return the certificates of Dask's own configuration; None if it has none for a client."""
    configured = Security(require_encryption=True)
    files = configured.get_tls_config_for_role("client")
    return configured if files.get("ca_file") and files.get("cert") else None


def _read_report(descriptor: int) -> Launched:
    """Wait for the launcher's report and return it.

    A launcher that ended without one has written the reason to the server's standard error.
    """
    with os.fdopen(descriptor, "rb") as report:
        text = report.read(_REPORT_BYTES + 1)
    if len(text) > _REPORT_BYTES:
        return Launched(error=f"its process reports more than {_REPORT_BYTES:,} bytes")
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(text, type=Launched)
    return Launched(
        error="its process ended without a report; its output is on the server's standard error"
    )
