"""What `qwicket doctor` finds about a Dask cluster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwicket.cli.findings import Finding
from qwicket.compute import ClusterUnavailable
from qwicket.features.dask.cluster import StartedCluster
from qwicket.features.dask.settings import check, open_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.features.dask.address import ClusterAddress
    from qwicket.server.settings import Settings


def findings(settings: Settings) -> Iterator[Finding]:
    """Connect to a cluster that runs already and count its slots, or try to start one."""
    address = check(settings)
    if address.is_ours:
        yield _startable(address, settings.compute)
        return

    async def connect() -> int:
        cluster = open_cluster(settings, response_bytes=1 << 20)
        try:
            await cluster.connect()
            return cluster.slots
        finally:
            await cluster.close()

    try:
        n_slots = asyncio.run(connect())
    except ClusterUnavailable as error:
        remedy = "Start the scheduler, or correct --compute: docs/howto/dask.md has an example."
        yield Finding("cluster", "wrong", f"--compute: {error}", remedy)
        return
    if n_slots:
        yield Finding("cluster", "ok", f"{settings.compute} has {n_slots} slots")
    else:
        remedy = "Start workers: jobs wait until there is one."
        yield Finding("cluster", "warning", f"{settings.compute} has no workers now", remedy)


def _startable(address: ClusterAddress, text: str) -> Finding:
    """Report whether `qwicket serve` can start a cluster."""

    async def start() -> None:
        cluster = StartedCluster(address, min_workers=0, max_workers=0, is_trial=True)
        try:
            await cluster.open()
        finally:
            await cluster.close()

    try:
        asyncio.run(start())
    except ClusterUnavailable as error:
        remedy = "Correct --compute: docs/howto/dask.md has examples."
        return Finding("cluster", "wrong", f"--compute {text}: {error}", remedy)
    return Finding("cluster", "ok", f"qwicket serve starts {text}")
