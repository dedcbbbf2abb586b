"""Where jobs run: in worker processes of this machine, or in a Dask cluster (`--compute`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.compute import ForkServer, LocalCompute
from qwicket.extras import NotInstalled, require
from qwicket.model.errors import InvalidRequest

if TYPE_CHECKING:
    from distributed import Security

    from qwicket.compute.cluster_address import ClusterAddress
    from qwicket.compute.dask import DaskCompute
    from qwicket.server.settings import Settings

_DEFAULT_MIN_WORKERS: Final = 1
"""Default of `--compute-min`, for a cluster that Qwicket starts."""
_DEFAULT_MAX_WORKERS: Final = 4
"""Default of `--compute-max`; if `--compute-min` is higher, the default is that value."""


def local(
    workers: int, *, memory_bytes: int | None, response_bytes: int, fork_server: ForkServer
) -> LocalCompute:
    """Return the pool of worker processes on this machine; `workers` may be 0."""
    return LocalCompute(
        workers,
        memory_bytes=memory_bytes,
        is_background=True,
        response_bytes=response_bytes,
        fork_server=fork_server,
    )


def dask(settings: Settings, response_bytes: int) -> DaskCompute | None:
    """Return the Dask cluster of the settings, not yet connected; None if they name none.

    Raises:
        InvalidRequest: The settings do not fit each other; the text starts with the option.
    """
    address = check(settings)
    if address is None:
        return None
    from qwicket.compute.dask import DaskCompute
    from qwicket.compute.dask_cluster import Cluster, Endpoint, RunningCluster, StartedCluster
    from qwicket.compute.dask_worker import PoolSettings

    if address.is_ours:
        min_workers, max_workers = _size(settings)
        cluster: Cluster = StartedCluster(address, min_workers=min_workers, max_workers=max_workers)
    else:
        scheme = "tcp" if address.allows_plain_tcp else "tls"
        security = None if address.allows_plain_tcp else _certificates(settings)
        cluster = RunningCluster(Endpoint(f"{scheme}://{address.place}", security))
    pool = PoolSettings(
        memory_bytes=settings.limits.jobs.memory_bytes, response_bytes=response_bytes
    )
    return DaskCompute(cluster, pool)


def _address(text: str) -> ClusterAddress | None:
    if text == "local":
        return None
    from qwicket.compute import cluster_address  # late: few servers have a cluster

    return cluster_address.parse(text)


def check(settings: Settings) -> ClusterAddress | None:
    """Check the settings for compute; return the address of the cluster that they name, if any.

    Raises:
        InvalidRequest: The settings do not fit each other; the text starts with the option.
    """
    address = _address(settings.compute)
    if settings.no_dispatch and (address is not None or settings.workers != 0):
        raise InvalidRequest(
            "--no-dispatch: this server runs no jobs, so set --workers 0, and leave out --compute."
        )
    if address is None:
        _refuse_size(settings, "there is no cluster without --compute")
        return None
    try:
        require(settings.compute, "dask")
    except NotInstalled as error:
        raise InvalidRequest(f"--compute: {error}.") from None
    if settings.workers:
        raise InvalidRequest(
            f"--workers: {settings.workers} is not possible with --compute {settings.compute},"
            " where all jobs run in the cluster and short ones in the express slot. Leave it out,"
            " or set it to 0 for no express slot."
        )
    if address.is_ours:
        _size(settings)
    else:
        _refuse_size(settings, f"Qwicket does not start {settings.compute}")
        if not address.allows_plain_tcp:
            _certificates(settings)
    return address


def _size(settings: Settings) -> tuple[int, int]:
    """Return the lowest and the highest number of workers."""
    minimum = _DEFAULT_MIN_WORKERS if settings.compute_min is None else settings.compute_min
    default_maximum = max(_DEFAULT_MAX_WORKERS, minimum)
    maximum = default_maximum if settings.compute_max is None else settings.compute_max
    if maximum < minimum:
        raise InvalidRequest(f"--compute-max: {maximum} is less than --compute-min, {minimum}.")
    return minimum, maximum


def _refuse_size(settings: Settings, reason: str) -> None:
    for option, size in (
        ("--compute-min", settings.compute_min),
        ("--compute-max", settings.compute_max),
    ):
        if size is not None:
            raise InvalidRequest(f"{option}: {reason}, so its size cannot be set.")


def _certificates(settings: Settings) -> Security:
    from qwicket.compute.dask_cluster import configured_security, security

    ca, cert, key = settings.compute_tls_ca, settings.compute_tls_cert, settings.compute_tls_key
    options = {"--compute-tls-ca": ca, "--compute-tls-cert": cert, "--compute-tls-key": key}
    given = {option: path for option, path in options.items() if path is not None}
    if not given:
        configured = configured_security()
        if configured is None:
            raise InvalidRequest(
                "--compute: dask:// uses TLS. Set --compute-tls-ca, --compute-tls-cert and"
                " --compute-tls-key, or Dask's own distributed.comm.tls. Without certificates,"
                " write dask+tcp://: everyone who reaches the scheduler can then run code in the"
                " cluster."
            )
        return configured
    if ca is None or len(given) < len(options):
        absent = ", ".join(option for option in options if option not in given)
        raise InvalidRequest(f"{absent}: the three files for TLS come together.")
    for option, path in given.items():
        try:
            path.open("rb").close()
        except OSError as error:
            raise InvalidRequest(f"{option}: {path} cannot be read: {error.strerror}.") from None
    return security(ca, cert, key)
