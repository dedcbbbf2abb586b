"""Numbers for Prometheus, counted as events happen. `exposition` renders them on a scrape.

A request costs one observation of a histogram, a commit two (in the writer's thread), the end of a
job two and a count. Labels never hold ids or client input: their values here are dialects' paths,
classes of status, states and devices. docs/operations.md explains the labels.
"""

from __future__ import annotations

import asyncio
import importlib
from bisect import bisect_left
from collections import Counter, defaultdict
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.registrations import of_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.compute import Cluster, LocalCompute, ParserPool
    from qwicket.gateway import Gateway
    from qwicket.gateway.response_budget import ResponseBudget
    from qwicket.scheduling import Dispatcher, LivenessMonitor
    from qwicket.server.logs import AccessLog
    from qwicket.store import JobChange, Store

# Upper bounds of the buckets of histograms: seconds, and numbers of operations.
_REQUEST_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_COMMIT_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_OPERATIONS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_JOB_S: Final = (0.005, 0.02, 0.1, 0.5, 1, 5, 20, 60, 300, 1200, 3600, 14400, 86400)


class MetricSources(NamedTuple):
    """Components that metrics are read from."""

    store: Store
    gateway: Gateway
    response_budget: ResponseBudget
    dispatcher: Dispatcher
    liveness: LivenessMonitor
    compute: LocalCompute | Cluster
    express: LocalCompute
    parsers: ParserPool
    access: AccessLog | None


class Histogram:
    """Number of values up to each bound and above the previous one, and the sum of all values.

    The histogram of `prometheus_client` takes a lock for each value, which costs a request 4 µs.
    This one has no lock, so only one thread may count.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds: Final = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Metrics:
    """Counts of one server. All methods except `committed` must run on the event loop.

    Attributes:
        request_s: Times of requests by the dialect's path and class of status, 0 if no response
            began.
        websockets: Number of open websockets.
        ended: Jobs whose end this server has written, by device and state.
        queued_s: Times from queued to the first start of those jobs, by device.
        ran_s: Times from the first start to the end of those jobs, by device.
        operations: Numbers of operations in one commit.
        commit_s: Times of commits.
        store_errors: Writes that failed because the database was unavailable or full.
    """

    def __init__(self) -> None:
        self.request_s = defaultdict[tuple[str, int], Histogram](partial(Histogram, _REQUEST_S))
        self.websockets = 0
        self.ended = Counter[tuple[str, str]]()
        self.queued_s = defaultdict[str, Histogram](partial(Histogram, _JOB_S))
        self.ran_s = defaultdict[str, Histogram](partial(Histogram, _JOB_S))
        self.operations = Histogram(_OPERATIONS)
        self.commit_s = Histogram(_COMMIT_S)
        self.store_errors = 0

    def answered(self, dialect: str, status: int, seconds: float) -> None:
        """Count a request to a dialect's path; status 0 means that no response began."""
        self.request_s[dialect, status // 100].observe(seconds)

    def websocket_opened(self) -> None:
        self.websockets += 1

    def websocket_closed(self) -> None:
        self.websockets -= 1

    def job_ended(self, change: JobChange) -> None:
        """Count the end of a job if this server wrote it; other servers count theirs.

        A completed job of an exam is counted when its results are released: earlier changes have no
        `row`.
        """
        job = change.row
        if job is None or change.keeps_state or job.ended_at is None:
            return
        self.ended[job.device, job.state.value] += 1
        if job.started_at is not None and job.queued_at is not None:
            # A clock that was set back must not make a time negative.
            self.queued_s[job.device].observe(_seconds(job.queued_at, job.started_at))
            self.ran_s[job.device].observe(_seconds(job.started_at, job.ended_at))

    def committed(self, operations: int, failed: int, seconds: float) -> None:
        """Count a commit; called in the writer's thread."""
        self.operations.observe(operations)
        self.commit_s.observe(seconds)
        self.store_errors += failed

    async def text(self, sources: MetricSources) -> bytes:
        """Return all metrics in Prometheus' text format."""
        # Imported late, because only a scrape needs it: it takes 2 MB and, in a thread, 50 ms.
        await asyncio.to_thread(importlib.import_module, "qwicket.server.exposition")
        from qwicket.server import exposition

        devices = [each.name for each in await sources.store.devices.all()]
        depths = await sources.store.queues.depths(devices)
        waits = {name: (await sources.gateway.queue.forecast(name)).start_in_s for name in devices}
        of_others = [await metrics(sources.gateway) for metrics in of_features("metrics")]
        current = [
            *exposition.of_queue(depths, waits),
            *exposition.of_components(sources),
            *chain.from_iterable(of_others),
        ]
        return await asyncio.to_thread(exposition.text, current, self)


def _seconds(since_ms: int, until_ms: int) -> float:
    return max(0, until_ms - since_ms) / 1000
