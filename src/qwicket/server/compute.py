"""Where jobs run: in worker processes of this machine, or in a cluster (`--compute`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwicket.compute import ForkServer, LocalCompute
from qwicket.model.errors import InvalidRequest
from qwicket.registrations import of_features

if TYPE_CHECKING:
    from qwicket.compute import Cluster
    from qwicket.server.settings import Settings

_LOCAL = "local"


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


def parse(text: str) -> None:
    """Check a value of `--compute`.

    Raises:
        ValueError: It is malformed; the text shows a valid form.
    """
    if text != _LOCAL:
        _clusters().parse(text)


def check(settings: Settings) -> None:
    """Check the settings for compute.

    Raises:
        InvalidRequest: The settings do not fit each other; the text starts with the option.
    """
    is_local = settings.compute == _LOCAL
    if settings.no_dispatch and not (is_local and settings.workers == 0):
        raise InvalidRequest(
            "--no-dispatch: this server runs no jobs, so set --workers 0, and leave out --compute."
        )
    if is_local:
        refuse_size(settings, "there is no cluster without --compute")
        return
    if settings.workers:
        raise InvalidRequest(
            f"--workers: {settings.workers} is not possible with --compute {settings.compute},"
            " where all jobs run in the cluster and short ones in the express slot. Leave it out,"
            " or set it to 0 for no express slot."
        )
    _clusters().check(settings)


def cluster(settings: Settings, response_bytes: int) -> Cluster | None:
    """Return the cluster of the settings, not yet connected; None if they name none.

    Raises:
        InvalidRequest: The settings do not fit each other; the text starts with the option.
    """
    check(settings)
    if settings.compute == _LOCAL:
        return None
    opened: Cluster = _clusters().open_cluster(settings, response_bytes)
    return opened


def refuse_size(settings: Settings, reason: str) -> None:
    """Refuse a size of the cluster where the server does not start the cluster.

    Raises:
        InvalidRequest: A size is set; the text starts with the option and has the reason.
    """
    for option, size in (
        ("--compute-min", settings.compute_min),
        ("--compute-max", settings.compute_max),
    ):
        if size is not None:
            raise InvalidRequest(f"{option}: {reason}, so its size cannot be set.")


def _clusters() -> Any:
    """Return the module of the feature that has clusters.

    Raises:
        ValueError: There is none.
    """
    found = of_features("clusters")
    if not found:
        raise ValueError("only 'local' is possible: this server has no feature for clusters")
    return found[0]
