"""The text of `/metrics`, in Prometheus' exposition format.

Values come from `metrics.py`, which counts events, and from the components of the server.
"""

from __future__ import annotations

import platform
from importlib.metadata import version
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

    from qwicket.server.metrics import Histogram, Metrics, MetricSources
    from qwicket.store import QueueDepth


class _Families(Collector):
    """Metrics in the form that `prometheus_client` renders."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def text(current: Sequence[Metric], metrics: Metrics) -> bytes:
    """Return as text: the metrics `current`, those of this process, and the counted events."""
    process = ProcessCollector(registry=None).collect()
    return generate_latest(_Families([*current, *process, *_of_events(metrics)]))


def _of_events(metrics: Metrics) -> Iterator[Metric]:
    yield _histograms(
        "qwicket_request_seconds",
        "Time from a request's head to the end of its response",
        ("dialect", "status"),
        {
            (dialect or "/", f"{status_class}xx" if status_class else "none"): times
            for (dialect, status_class), times in list(metrics.request_s.items())
        },
    )
    yield gauge("qwicket_websockets_open", "Websockets that are open", metrics.websockets)
    ended = CounterMetricFamily(
        "qwicket_jobs_ended",
        "Jobs whose end this server has written",
        labels=("device", "state"),
    )
    for labels, count in list(metrics.ended.items()):
        ended.add_metric(labels, count)
    yield ended
    yield _histograms(
        "qwicket_job_queue_seconds",
        "Time from queued to the first start, of ended jobs",
        ("device",),
        {(device,): times for device, times in list(metrics.queued_s.items())},
    )
    yield _histograms(
        "qwicket_job_run_seconds",
        "Time from the first start to the end, of ended jobs",
        ("device",),
        {(device,): times for device, times in list(metrics.ran_s.items())},
    )
    yield _histograms(
        "qwicket_commit_operations",
        "Operations that were written in one commit",
        (),
        {(): metrics.operations},
    )
    yield _histograms(
        "qwicket_commit_seconds",
        "Time that one commit took, with its operations",
        (),
        {(): metrics.commit_s},
    )
    yield _counter(
        "qwicket_store_errors",
        "Writes that failed because the database was unavailable or full",
        metrics.store_errors,
    )


def of_queue(
    depths: Mapping[str, QueueDepth], waits: Mapping[str, float | None]
) -> Iterator[Metric]:
    """Yield the metrics of devices' queues."""
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


def of_components(sources: MetricSources) -> Iterator[Metric]:
    """Yield what the server's components count themselves."""
    gateway, compute, parsers = sources.gateway, sources.compute, sources.parsers
    yield gauge("qwicket_worker_slots", "Jobs that can run here at the same time", compute.slots)
    yield gauge("qwicket_worker_slots_busy", "Worker slots that run jobs", compute.busy)
    yield counters(
        "qwicket_worker_deaths",
        "Processes that ended during a task: a crash, too little memory, or a kill from outside",
        "pool",
        {
            "jobs": compute.worker_deaths,
            "express": sources.express.worker_deaths,
            "parsers": parsers.deaths,
        },
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
    yield gauge("qwicket_parser_queue", "Programs that wait for a parser process", parsers.waiting)
    yield _counter(
        "qwicket_parser_refusals",
        "Programs refused because too many wait for a parser (limits parser_queue,"
        " parser_queue_each)",
        parsers.refusals,
    )
    yield gauge(
        "qwicket_responses_held_bytes",
        "Bytes of large responses that clients have not read yet",
        sources.response_budget.held_bytes,
    )
    yield _counter(
        "qwicket_response_refusals",
        "Large responses refused, because memory was used up (limits responses_bytes,"
        " responses_bytes_each, responses_waiting_each)",
        sources.response_budget.refusals,
    )
    yield _counter(
        "qwicket_leases_lost",
        "Leases ended here because their runner stopped renewing them",
        sources.liveness.leases_lost,
    )
    yield _counter(
        "qwicket_stale_results",
        "Results refused because their lease was not the newest",
        sources.dispatcher.stale_results + gateway.pilots.stale_results,
    )
    yield gauge(
        "qwicket_long_polls_open",
        "Requests, streams and agents that wait for a change",
        sources.store.changes.watches,
    )
    yield counters(
        "qwicket_first_polls_delayed",
        "First status reads of young jobs that were delayed, by what ended the delay",
        "reason",
        gateway.first_polls.delayed,
    )
    yield _counter(
        "qwicket_first_polls_over_limit",
        "First status reads that were answered at once because of the limit per job or account",
        gateway.first_polls.over_limit,
    )
    yield counters(
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
    build = GaugeMetricFamily(
        "qwicket_build_info", "Which version runs; always 1", labels=("version", "python")
    )
    build.add_metric((version("qwicket"), platform.python_version()), 1)
    yield build


def gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(name, documentation, value=value)


def counters(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family


def _histograms(
    name: str,
    documentation: str,
    labels: Sequence[str],
    histograms: Mapping[tuple[str, ...], Histogram],
) -> Metric:
    family = HistogramMetricFamily(name, documentation, labels=labels)
    for values, histogram in histograms.items():
        bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
        family.add_metric(values, buckets, histogram.sum)
    return family
