"""`qwicket doctor bench`: measure latency and throughput of small jobs on this machine."""

from __future__ import annotations

import os
import platform
import signal
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from qwicket import __version__
from qwicket.cli import demo, options
from qwicket.cli.listing import json_flag, json_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.clients.native import Client

_SHOTS: Final = 1000
_WARM_UP_JOBS: Final = 5
"""Jobs before the measurement: the first ones also wait for processes and imports."""
_RESULT_S: Final = 60.0
"""Longest wait for one result."""


@click.command(short_help="Measure latency and throughput of small jobs.")
@click.option(
    "--seconds",
    default=5.0,
    show_default=True,
    type=options.FloatRange(0.5, 600),
    metavar="S",
    help="Duration of each of the two measurements.",
)
@click.option(
    "--connections",
    default=16,
    show_default=True,
    type=click.IntRange(1, 200),
    metavar="N",
    help="Concurrent clients of the second measurement.",
)
@json_flag
@options.report_client_errors
def bench(seconds: float, connections: int, as_json: bool) -> None:
    """Start a temporary server and run Bell pairs of 1,000 shots on it.

    The first measurement is the time from submission to result, one job after the other. The
    second one is the number of jobs per second with N concurrent clients. Clients, server and
    workers share this machine.
    """
    from qwicket.clients.native import connect
    from qwicket.extras import require

    require("qwicket doctor bench", "server")
    with (
        demo.exiting_on(signal.SIGTERM, signal.SIGHUP),
        tempfile.TemporaryDirectory(prefix="qwicket-bench-", ignore_cleanup_errors=True) as folder,
        demo.running([*demo.SERVE, "--data-dir", folder], folder) as url,
    ):
        token = demo.create_demo_token(Path(folder))
        with connect(url, token) as client:
            for _ in range(_WARM_UP_JOBS):
                _run(client)
            times = list(_sequential(client, seconds))
        per_s = _concurrent(url, token, seconds, connections)
    found: dict[str, Any] = {
        "version": __version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python"
        f" {platform.python_version()}, load {os.getloadavg()[0]:.1f}",
        "submit_to_result_p50_ms": round(1000 * statistics.median(times), 3),
        "submit_to_result_p95_ms": round(1000 * statistics.quantiles(times, n=20)[-1], 3),
        "connections": connections,
        "jobs_per_s": round(per_s, 1),
    }
    if as_json:
        click.echo(json_line(found))
        return
    click.echo(f"qwicket {__version__}, {found['machine']}")
    p50, p95 = found["submit_to_result_p50_ms"], found["submit_to_result_p95_ms"]
    click.echo(f"submit to result, p50 / p95   {p50:.1f} ms / {p95:.1f} ms")
    click.echo(f"{f'jobs a second, {connections} clients'.ljust(28)}  {per_s:,.0f}")


def _run(client: Client) -> None:
    client.submit(demo.BELL, "simulator", shots=_SHOTS).result(timeout=_RESULT_S)


def _sequential(client: Client, seconds: float) -> Iterator[float]:
    """Yield the time of each job, for at least two jobs, which quantiles need."""
    until = time.perf_counter() + seconds
    n = 0
    while n < 2 or time.perf_counter() < until:
        began = time.perf_counter()
        _run(client)
        n += 1
        yield time.perf_counter() - began


def _concurrent(url: str, token: str, seconds: float, connections: int) -> float:
    """Return the jobs per second of concurrent clients.

    Raises:
        ClientError: A request of one of them failed.
    """
    from qwicket.clients.native import ClientError, connect

    until = time.perf_counter() + seconds
    done: list[int] = []
    failed: list[ClientError] = []

    def submit() -> None:
        n = 0
        try:
            with connect(url, token) as client:
                while time.perf_counter() < until:
                    _run(client)
                    n += 1
        except ClientError as error:
            failed.append(error)
        done.append(n)

    began = time.perf_counter()
    threads = [threading.Thread(target=submit, daemon=True) for _ in range(connections)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if failed:
        raise failed[0]
    return sum(done) / (time.perf_counter() - began)
