"""Where jobs run: in worker processes of this machine, or in a Dask cluster (`--compute`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.compute import LocalCompute, cluster_address
from qwicket.extras import NotInstalled, require
from qwicket.model.errors import InvalidRequest

if TYPE_CHECKING:
    from distributed import Security

    from qwicket.compute.cluster_address import ClusterAddress
    from qwicket.compute.dask import DaskCompute
    from qwicket.server.settings import Settings

_NICENESS: Final = 5
"""Workers compute for minutes on every core; the server and short jobs need one for milliseconds.
Beside workers of niceness 5, the server gets three quarters of a core whenever it needs one."""
_LEAST: Final = 1
_MOST: Final = 4


def local(
    workers: int, *, memory_bytes: int | None, response_bytes: int, spares: int, warm_up: str
) -> LocalCompute:
    """Return the workers of this machine, which may be none."""
    return LocalCompute(
        workers,
        memory_bytes=memory_bytes,
        spares=min(spares, workers),
        niceness=_NICENESS,
        response_bytes=response_bytes,
        warm_up=warm_up,
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

    if address.is_started:
        least, most = _size(settings)
        cluster: Cluster = StartedCluster(address, least=least, most=most)
    else:
        scheme = "tcp" if address.allows_plain_tcp else "tls"
        security = None if address.allows_plain_tcp else _certificates(settings)
        cluster = RunningCluster(Endpoint(f"{scheme}://{address.place}", security))
    pool = PoolSettings(settings.limits.jobs.memory_bytes, response_bytes, _NICENESS)
    return DaskCompute(cluster, pool)


def check(settings: Settings) -> ClusterAddress | None:
    """Return the cluster that the settings name, if any.

    Raises:
        InvalidRequest: The settings do not fit each other; the text starts with the option.
    """
    address = cluster_address.parse(settings.compute)
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
    if address.is_started:
        _size(settings)
    else:
        _refuse_size(settings, f"Qwicket does not start {settings.compute}")
        if not address.allows_plain_tcp:
            _certificates(settings)
    return address


def _size(settings: Settings) -> tuple[int, int]:
    """Return the least and the greatest number of workers."""
    least = _LEAST if settings.compute_min is None else settings.compute_min
    most = max(_MOST, least) if settings.compute_max is None else settings.compute_max
    if most < least:
        raise InvalidRequest(f"--compute-max: {most} is less than --compute-min, {least}.")
    return least, most


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
        found = configured_security()
        if found is None:
            raise InvalidRequest(
                "--compute: dask:// uses TLS. Set --compute-tls-ca, --compute-tls-cert and"
                " --compute-tls-key, or Dask's own distributed.comm.tls. Without certificates,"
                " write dask+tcp://: everyone who reaches the scheduler can then run code in the"
                " cluster."
            )
        return found
    if ca is None or len(given) < len(options):
        absent = ", ".join(option for option in options if option not in given)
        raise InvalidRequest(f"{absent}: the three files for TLS come together.")
    for option, path in given.items():
        try:
            path.open("rb").close()
        except OSError as error:
            raise InvalidRequest(f"{option}: {path} cannot be read: {error.strerror}.") from None
    return security(ca, cert, key)
