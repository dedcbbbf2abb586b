"""The settings of a Dask cluster: `--compute` and the options beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.extras import NotInstalled, require
from qwicket.features.dask.address import parse
from qwicket.model.errors import InvalidRequest
from qwicket.server.compute import refuse_size

if TYPE_CHECKING:
    from distributed import Security

    from qwicket.features.dask.address import ClusterAddress
    from qwicket.features.dask.compute import DaskCompute
    from qwicket.server.settings import Settings

__all__ = ["check", "open_cluster", "parse"]

_DEFAULT_MIN_WORKERS: Final = 1
"""Default of `--compute-min`, for a cluster that Qwicket starts."""
_DEFAULT_MAX_WORKERS: Final = 4
"""Default of `--compute-max`; if `--compute-min` is higher, the default is that value."""


def check(settings: Settings) -> ClusterAddress:
    """Check the settings; return the address of the cluster.

    Raises:
        InvalidRequest: The settings do not fit each other; the text starts with the option.
    """
    address = parse(settings.compute)
    try:
        require(settings.compute, "dask")
    except NotInstalled as error:
        raise InvalidRequest(f"--compute: {error}.") from None
    if address.is_ours:
        _size(settings)
    else:
        refuse_size(settings, f"Qwicket does not start {settings.compute}")
        if not address.allows_plain_tcp:
            _certificates(settings)
    return address


def open_cluster(settings: Settings, response_bytes: int) -> DaskCompute:
    """Return the cluster of the settings, not yet connected.

    Raises:
        InvalidRequest: As from `check`.
    """
    address = check(settings)
    from qwicket.features.dask.cluster import Cluster, Endpoint, RunningCluster, StartedCluster
    from qwicket.features.dask.compute import DaskCompute
    from qwicket.features.dask.worker import PoolSettings

    if address.is_ours:
        min_workers, max_workers = _size(settings)
        cluster: Cluster = StartedCluster(
            address,
            min_workers=min_workers,
            max_workers=max_workers,
            logs_errors=settings.log_format == "json",
        )
    else:
        scheme = "tcp" if address.allows_plain_tcp else "tls"
        security = None if address.allows_plain_tcp else _certificates(settings)
        cluster = RunningCluster(Endpoint(f"{scheme}://{address.place}", security))
    pool = PoolSettings(
        memory_bytes=settings.limits.jobs.memory_bytes, response_bytes=response_bytes
    )
    return DaskCompute(cluster, pool)


def _size(settings: Settings) -> tuple[int, int]:
    """Return the lowest and the highest number of workers."""
    minimum = _DEFAULT_MIN_WORKERS if settings.compute_min is None else settings.compute_min
    default_maximum = max(_DEFAULT_MAX_WORKERS, minimum)
    maximum = default_maximum if settings.compute_max is None else settings.compute_max
    if maximum < minimum:
        raise InvalidRequest(f"--compute-max: {maximum} is less than --compute-min, {minimum}.")
    return minimum, maximum


def _certificates(settings: Settings) -> Security:
    from qwicket.features.dask.cluster import configured_security, security

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
