"""Child process for a Dask cluster that Qwicket starts: its scheduler and its size.

The scheduler does not run in the server, because it takes much time of the interpreter, and a
factory, the function that creates the cluster, is code of the operator. A process can also be
replaced when its scheduler is lost.

Run with `python -m`. The first line of standard input is a `Launch`, each further line the wanted
number of workers. At the end of the input, which also comes when the server dies, the cluster is
closed. One `Launched` is written to the file descriptor whose number is the argument.

A trial ends after its report. It imports what starts the cluster, but starts only Slurm's, without
workers: of others, a second one might disturb the first.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OWN_FOLDER: Final = "~/.cache/qwicket/dask"


class Launch(msgspec.Struct, frozen=True):
    """A cluster to start: the fields of `ClusterAddress`, and the limits of its size.

    A worker that is not needed for `idle_s` seconds is closed; in Kubernetes, at once.
    """

    kind: str
    place: str
    allows_plain_tcp: bool
    options: dict[str, str | int]
    min_workers: int
    max_workers: int
    idle_s: int
    is_trial: bool = False


class Launched(msgspec.Struct, frozen=True):
    """Address of the scheduler with the client's certificates, or an error."""

    address: str = ""
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    error: str = ""


def main(descriptor: int) -> None:
    """Start the cluster, follow the wanted size, and close the cluster."""
    launch = msgspec.json.decode(sys.stdin.readline(), type=Launch)
    cluster: Any = None
    with os.fdopen(descriptor, "wb") as report:
        try:
            start = _loaded(launch)
            if launch.kind == "slurm" or not launch.is_trial:
                cluster = start()
            launched = Launched() if cluster is None else _launched(cluster, launch)
        except Exception as error:
            # Dask continues a line that ends with a colon with what it was given, over many lines.
            text = str(error).partition("\n")[0].rstrip(".: ")
            launched = Launched(error=f"{type(error).__name__}: {text}")
        report.write(msgspec.json.encode(launched))
    try:
        if not launched.error and not launch.is_trial:
            size = _Size(cluster, launch)
            for line in sys.stdin:
                size.set(int(line))
    finally:
        if cluster is not None:
            cluster.close()
    sys.exit(1 if launched.error else 0)


def _loaded(launch: Launch) -> Callable[[], Any]:
    """Return the function that starts the cluster, after importing all that it needs."""
    if launch.kind == "slurm":
        return _slurm(launch.options)
    if launch.kind == "kubernetes":
        return _kubernetes(launch)
    module, _, function = launch.place.partition(":")
    sys.path.insert(0, "")
    factory: Callable[[], Any] = getattr(importlib.import_module(module), function)
    if not callable(factory):
        raise TypeError(f"{function} is no function")
    return factory


def _kubernetes(launch: Launch) -> Callable[[], Any]:
    try:
        from dask_kubernetes.operator import KubeCluster
    except ImportError:
        text = "dask+kubernetes: needs another package: pip install dask-kubernetes"
        raise ValueError(text) from None
    # By default a KubeCluster begins with three workers.
    options = {"n_workers": launch.min_workers, "quiet": True, **launch.options}
    return partial(KubeCluster, **options)


def _slurm(options: Mapping[str, str | int]) -> Callable[[], Any]:
    from dask import config
    from dask_jobqueue import SLURMCluster
    from distributed import Security

    folder = Path(_OWN_FOLDER).expanduser()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # By default Dask may start several workers in one Slurm job, and then counts jobs as workers.
    section = f"jobqueue.{options.get('config_name', 'slurm')}"
    arguments = {"processes": config.get(f"{section}.processes", None) or 1, **options}
    for name in ("shared_temp_directory", "log_directory"):
        # By default Dask uses the folder in which the server was started.
        if not config.get(f"{section}.{name.replace('_', '-')}", None):
            arguments.setdefault(name, str(folder))
    interface = {"interface": options["interface"]} if "interface" in options else {}
    return partial(
        SLURMCluster,
        security=Security.temporary(),
        protocol="tls://",
        # Only this machine can open Dask's dashboard, which has no password.
        scheduler_options={"dashboard_address": "127.0.0.1:0", **interface},
        **arguments,
    )


def _launched(cluster: Any, launch: Launch) -> Launched:
    # Clusters of dask-kubernetes have no certificates, and no attribute `security`.
    address, security = cluster.scheduler_address, getattr(cluster, "security", None)
    if not address.startswith("tls://") and not launch.allows_plain_tcp:
        raise ValueError(
            f"the cluster's scheduler is at {address}, without TLS: create the cluster with"
            " security=Security.temporary() of distributed"
        )
    if security is None or not address.startswith("tls://"):
        return Launched(address)
    config = security.get_tls_config_for_role("client")
    return Launched(address, config.get("ca_file"), config.get("cert"), config.get("key"))


class _Size:
    """Keeps a cluster at the wanted size. Dask's own rule knows its tasks, but not the queue."""

    def __init__(self, cluster: Any, launch: Launch) -> None:
        self._cluster = cluster
        self._launch = launch
        self._wanted_workers = launch.min_workers
        # The `adapt` of KubeCluster runs in Kubernetes, where nothing knows the queue.
        self._is_adaptive = launch.kind != "kubernetes"
        self._apply()
        if self._is_adaptive:
            self._adapt()

    def set(self, n_workers: int) -> None:
        at_least = max(n_workers, self._launch.min_workers)
        self._wanted_workers = min(at_least, self._launch.max_workers)
        if not self._is_adaptive:
            self._apply()

    def _apply(self) -> None:
        self._cluster.scale(self._wanted_workers)

    def _adapt(self) -> None:
        """Let Dask compare the size each second. Unlike `scale` alone, it replaces lost workers."""
        from distributed.deploy.adaptive import Adaptive

        def wanted() -> int:
            return self._wanted_workers

        class FollowQueue(Adaptive):
            async def target(self) -> int:
                return wanted()

        self._cluster.adapt(
            Adaptive=FollowQueue,
            minimum=self._launch.min_workers,
            maximum=self._launch.max_workers,
            interval="1s",
            wait_count=self._launch.idle_s,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]))
