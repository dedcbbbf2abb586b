"""Prometheus metrics: counted as events happen, or read from components on a scrape.

A request costs two additions; a commit, in the writer's thread, two observations; the end of a job
three. Labels never hold ids or client input: their values are dialects, classes of status, states
and devices. docs/operations.md explains each metric.
"""

from __future__ import annotations

import asyncio
import platform
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from qwicket.model.states import FINAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

    from qwicket.compute import LocalCompute, ParserPool
    from qwicket.gateway import Gateway
    from qwicket.gateway.response_budget import ResponseBudget
    from qwicket.scheduling import Dispatcher, LivenessMonitor
    from qwicket.server.logs import AccessLog
    from qwicket.store import Changed, QueueDepth, Store

_REQUEST_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_COMMIT_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_OPERATIONS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_JOB_S: Final = (0.005, 0.02, 0.1, 0.5, 1, 5, 20, 60, 300, 1200, 3600, 14400, 86400)


class MetricSources(NamedTuple):
    """Components that metrics are read from."""

    store: Store
    gateway: Gateway
    answers: ResponseBudget
    dispatcher: Dispatcher
    liveness: LivenessMonitor
    compute: LocalCompute
    express: LocalCompute
    parsers: ParserPool
    access: AccessLog | None


class Metrics:
    """Metrics of one server. All methods but `committed` must run on the event loop."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they are noise beside each count
        self._registry = registry = CollectorRegistry()
        self._snapshot = _Snapshot()
        registry.register(self._snapshot)
        ProcessCollector(registry=registry)
        self._requests = _Requests()
        registry.register(self._requests)
        self._websockets = Gauge(
            "qwicket_websockets_open", "Websockets that are open", registry=registry
        )
        self._ended = Counter(
            "qwicket_jobs_ended",
            "Jobs that this server wrote the end of",
            ("device", "state"),
            registry=registry,
        )
        self._queued_s = Histogram(
            "qwicket_job_queue_seconds",
            "Time from queued to the last start, of ended jobs",
            ("device",),
            buckets=_JOB_S,
            registry=registry,
        )
        self._ran_s = Histogram(
            "qwicket_job_run_seconds",
            "Time from the last start to the end, of ended jobs",
            ("device",),
            buckets=_JOB_S,
            registry=registry,
        )
        self._operations = Histogram(
            "qwicket_commit_operations",
            "Operations that were written in one commit",
            buckets=_OPERATIONS,
            registry=registry,
        )
        self._commit_s = Histogram(
            "qwicket_commit_seconds",
            "Time that one commit took, with its operations",
            buckets=_COMMIT_S,
            registry=registry,
        )
        self._store_errors = Counter(
            "qwicket_store_errors",
            "Writes that the database could not do, or had no room for",
            registry=registry,
        )

    def answered(self, mount: str, status: int, seconds: float) -> None:
        """Count a response; status 0 means that the client disconnected."""
        self._requests.count(mount, status // 100, seconds)

    def websocket_opened(self) -> None:
        self._websockets.inc()

    def websocket_closed(self) -> None:
        self._websockets.dec()

    def changed(self, change: Changed) -> None:
        """Count the end of a job that this server wrote; others count theirs."""
        job = change.row
        if job is None or change.is_renamed or job.state not in FINAL or job.ended_at is None:
            return
        self._ended.labels(job.device, job.state.value).inc()
        if job.started_at is not None and job.queued_at is not None:
            # A clock that was set back must not make a time negative.
            self._queued_s.labels(job.device).observe(_seconds(job.queued_at, job.started_at))
            self._ran_s.labels(job.device).observe(_seconds(job.started_at, job.ended_at))

    def committed(self, operations: int, failed: int, seconds: float) -> None:
        """Count a commit; called in the writer's thread."""
        self._operations.observe(operations)
        self._commit_s.observe(seconds)
        if failed:
            self._store_errors.inc(failed)

    async def text(self, sources: MetricSources) -> bytes:
        """Return all metrics in Prometheus' text format."""
        devices = [each.name for each in await sources.store.devices.all()]
        depths = await sources.store.jobs.depths(devices)
        waits = {name: (await sources.gateway.queue.forecast(name)).start_in_s for name in devices}
        self._snapshot.metrics = [*_queue(depths, waits), *_of_components(sources)]
        return await asyncio.to_thread(generate_latest, self._registry)


class _Snapshot(Collector):
    """Metrics that were read for the current scrape."""

    def __init__(self) -> None:
        self.metrics: Sequence[Metric] = ()

    def collect(self) -> Iterator[Metric]:
        yield from self.metrics


class _Requests(Collector):
    """Times of requests. The library's own histogram takes locks, which only threads need."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, int], _Times] = {}

    def count(self, mount: str, status_class: int, seconds: float) -> None:
        times = self._times.get((mount, status_class))
        if times is None:
            times = self._times[mount, status_class] = _Times()
        times.counts[bisect_left(_REQUEST_S, seconds)] += 1
        times.sum_s += seconds

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(
            "qwicket_request_seconds",
            "Time from a request's head to the end of its answer",
            labels=("dialect", "status"),
        )
        bounds = [*map(floatToGoString, _REQUEST_S), "+Inf"]
        for (mount, status_class), times in list(self._times.items()):
            labels = (mount or "/", f"{status_class}xx" if status_class else "none")
            buckets = list(zip(bounds, accumulate(times.counts), strict=True))
            family.add_metric(labels, buckets, times.sum_s)
        yield family


class _Times:
    """Number of requests between each bound and the one before, and their total time."""

    def __init__(self) -> None:
        self.counts = [0] * (len(_REQUEST_S) + 1)
        self.sum_s = 0.0


def _seconds(since_ms: int, until_ms: int) -> float:
    return max(0, until_ms - since_ms) / 1000


def _queue(depths: Mapping[str, QueueDepth], waits: Mapping[str, float | None]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "qwicket_jobs_waiting", "Jobs that wait for a device", labels=("device",)
    )
    running = GaugeMetricFamily(
        "qwicket_jobs_running", "Jobs that were claimed and have not ended", labels=("device",)
    )
    expected = GaugeMetricFamily(
        "qwicket_expected_wait_seconds",
        "Expected wait of a job submitted now; absent for a device without a runner",
        labels=("device",),
    )
    for name, depth in depths.items():
        waiting.add_metric((name,), depth.waiting)
        running.add_metric((name,), depth.running)
        wait_s = waits[name]
        if wait_s is not None:
            expected.add_metric((name,), wait_s)
    yield from (waiting, running, expected)


def _of_components(sources: MetricSources) -> Iterator[Metric]:
    gateway, compute, parsers = sources.gateway, sources.compute, sources.parsers
    yield _gauge("qwicket_worker_slots", "Jobs that can run here at the same time", compute.slots)
    yield _gauge("qwicket_worker_slots_busy", "Slots that are at work", compute.busy)
    yield _counters(
        "qwicket_worker_deaths",
        "Processes that ended at work: a crash, too little memory, or a kill from outside",
        "pool",
        {"jobs": compute.deaths, "express": sources.express.deaths, "parsers": parsers.deaths},
    )
    yield _counter(
        "qwicket_express_runs",
        "Short jobs that began in the express slot because all workers were busy",
        sources.dispatcher.express_runs,
    )
    yield _counter(
        "qwicket_express_overruns",
        "Jobs that exceeded the time or memory of the express slot and were queued for a worker",
        sources.dispatcher.express_overruns,
    )
    yield _gauge("qwicket_parser_queue", "Programs that wait to be read", parsers.waiting)
    yield _counter(
        "qwicket_reader_refusals",
        "Programs refused because too many wait (limits reads_waiting, reads_waiting_each)",
        parsers.refusals,
    )
    yield _gauge(
        "qwicket_answers_held_bytes",
        "Large answers that their clients have not taken yet",
        sources.answers.held_bytes,
    )
    yield _counter(
        "qwicket_answer_refusals",
        "Large answers refused for want of room (limits answers_bytes, answers_bytes_each,"
        " answers_waiting_each)",
        sources.answers.refusals,
    )
    yield _counter(
        "qwicket_leases_lost",
        "Leases voided here because their runner was gone",
        sources.liveness.leases_lost,
    )
    yield _counter(
        "qwicket_stale_results",
        "Results refused because their lease was not the newest",
        sources.dispatcher.stale_results + gateway.agents.stale_results,
    )
    yield _gauge(
        "qwicket_long_polls_open",
        "Requests, streams and agents that wait for a change",
        sources.store.changes.watches,
    )
    yield _counters(
        "qwicket_first_polls_held",
        "Status reads of young jobs that were held, by what ended the hold",
        "end",
        gateway.first_polls.held,
    )
    yield _counter(
        "qwicket_first_polls_full",
        "Status reads answered at once because as many of the job or account were held as may be",
        gateway.first_polls.full,
    )
    yield _counters(
        "qwicket_wrong_credentials",
        "Refused credentials: wrong tokens, access tokens, signed URLs and passwords",
        "kind",
        {"token": gateway.auth.wrong_tokens, "password": gateway.auth.wrong_passwords},
    )
    yield _counter(
        "qwicket_access_lines_dropped",
        "Lines of the access log that were not written because the log is read too slowly",
        sources.access.dropped if sources.access else 0,
    )
    from importlib.metadata import version  # late: no start needs it

    build = GaugeMetricFamily(
        "qwicket_build_info", "Which version runs; always 1", labels=("version", "python")
    )
    build.add_metric((version("qwicket"), platform.python_version()), 1)
    yield build


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(name, documentation, value=value)


def _counters(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family
