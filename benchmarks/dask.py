"""Jobs in a Dask cluster of two workers on this machine, over TLS, through a whole server.

One job at a time; a backlog of tiny jobs, which travel in tasks of 16; and the cancellation of a
job of 25 qubits, until its process is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks import external_workers
from benchmarks.bench_databases import BenchDatabases
from benchmarks.external_workers import ExternalWorkers
from benchmarks.figures import Figure
from benchmarks.live import server
from benchmarks.wire import HTTPConnection
from support.dask import DaskProcesses
from support.processes import below

ROUNDS: Final = 200
QUICK: Final = 40
_DASK: Final = ExternalWorkers("Dask", max_s=0.015, min_jobs_per_s=1_000)


def measure(bench_databases: BenchDatabases, rounds: int = ROUNDS) -> Iterator[Figure]:
    """Yield every figure, as it is known."""
    with bench_databases.fresh(external_workers.DATABASE) as bench_db:
        secret, *_ = bench_db.add_accounts()
        cluster = DaskProcesses(bench_db.folder / "dask")
        try:
            options = (*cluster.options, "--workers", "0")
            with server(bench_db, options=options) as live:
                connection = HTTPConnection(live.url, secret)
                yield external_workers.idle(_DASK, connection, rounds)
                yield external_workers.cancelled(
                    _DASK,
                    connection,
                    lambda: [pid for each in cluster.workers for pid in below(each.pid)],
                )
                yield external_workers.drained(_DASK, connection, bench_db)
        finally:
            cluster.stop()
