"""Schedulers for `DaskCompute`: one that runs already, and one that is started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec
from distributed import Security

from qwicket.compute.dask_launcher import Launch, Launched
from qwicket.compute.failures import ClusterUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from qwicket.compute.cluster_address import ClusterAddress

_START_S: Final = 60.0
_END_S: Final = 10.0
_LAUNCHER: Final = "qwicket.compute.dask_launcher"
_ENVIRONMENT: Final = {
    # Qwicket reports what is lost, once.
    "DASK_LOGGING__DISTRIBUTED": "error",
    # How long a worker may be away before it is replaced; by default 15 s.
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

    Args:
        address: What to start.
        least: Number of workers that it always has.
        most: Limit on workers.
        idle_s: Seconds for which a worker is not needed before it is closed. Starting a new one may
            take as long.
    """

    is_ours = True
    remedy = "It is started again."

    def __init__(self, address: ClusterAddress, *, least: int, most: int, idle_s: int = 60) -> None:
        self._launch = Launch(
            *(address.kind, address.place, address.allows_plain_tcp, dict(address.options)),
            *(least, most, idle_s),
        )
        self._process: asyncio.subprocess.Process | None = None
        self._wanted = 0

    async def open(self) -> Endpoint:
        await self.close()
        read, write = os.pipe()
        own = {name: each for name, each in os.environ.items() if not name.startswith("QWICKET_")}
        process = self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _LAUNCHER, str(write)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            pass_fds=(write,),
            start_new_session=True,  # Ctrl-C in the server's terminal is for the server
            env=_ENVIRONMENT | own,
        )
        os.close(write)
        self._write(msgspec.json.encode(self._launch))
        try:
            launched = await asyncio.wait_for(asyncio.to_thread(_read, read), _START_S)
        except TimeoutError:
            process.kill()
            raise ClusterUnavailable(f"the cluster was not started within {_START_S:g} s") from None
        if launched.error:
            raise ClusterUnavailable(f"the cluster cannot be started: {launched.error}")
        self._write(b"%d" % self._wanted)
        if launched.ca is None:
            return Endpoint(launched.address, None)
        return Endpoint(launched.address, security(launched.ca, launched.cert, launched.key))

    def set_size(self, n_workers: int) -> None:
        if n_workers != self._wanted:
            self._wanted = n_workers
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

    def _write(self, line: bytes) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(line + b"\n")


def security(ca: Path | str, cert: Path | str | None, key: Path | str | None) -> Security:
    """Return a client's certificates, from files or PEM texts."""
    return Security(
        require_encryption=True,
        tls_ca_file=str(ca),
        tls_client_cert=None if cert is None else str(cert),
        tls_client_key=None if key is None else str(key),
    )


def configured_security() -> Security | None:
    """Return the certificates of Dask's own configuration, if it has them."""
    found = Security(require_encryption=True)
    files = found.get_tls_config_for_role("client")
    return found if files.get("ca_file") and files.get("cert") else None


def _read(descriptor: int) -> Launched:
    with os.fdopen(descriptor, "rb") as report:
        text = report.read()
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(text, type=Launched)
    return Launched(error="its process ended; see the lines above")
