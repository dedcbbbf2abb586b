"""A queue of Bell jobs on procrastinate, as its documents build one.

Its worker is started by its command; `python -m benchmarks.procrastinate_app JOBS` defers jobs, one
after the other and then all at once, and prints the seconds as JSON. The task reads a program,
runs it on our engine, and keeps the counts in a table, because procrastinate keeps no results.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any, Final

import msgspec
from procrastinate import App, JobContext, PsycopgConnector

from benchmarks.wire import LANGUAGES, SHOTS, bell
from qwicket import engines, programs
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded
from qwicket.model.limits import Limits

app: Final = App(connector=PsycopgConnector(conninfo=os.environ["QUEUE"]))
_DEFERRING: Final = 64
_POLL_S: Final = 0.001
_FORMAT: Final = LANGUAGES[0]
_OPTIONS: Final = msgspec.msgpack.encode(RunOptions(shots=SHOTS, seed=1, outputs=("counts",)))


@app.task(queue="bells", name="bell", pass_context=True)  # type: ignore[untyped-decorator]
async def run(context: JobContext, program: dict[str, Any]) -> None:
    checked = programs.read(_FORMAT, json.dumps(program).encode(), Limits())
    (outcome,) = engines.run("qubit", checked.circuits, _OPTIONS)
    assert isinstance(outcome, Encoded)
    await app.connector.execute_query_async(
        "insert into counts (job, counts) values (%(job)s, %(counts)s)",
        job=context.job.id,
        counts=outcome.body,
    )


async def _whole(number: int) -> None:
    job = await run.defer_async(program=bell(_FORMAT, number))
    while (await app.job_manager.get_job_status_async(job)).value != "succeeded":  # noqa: ASYNC110
        await asyncio.sleep(_POLL_S)  # only the database knows


async def _defer(numbers: list[int]) -> None:
    while numbers:
        await run.defer_async(program=bell(_FORMAT, numbers.pop()))


async def _measure(jobs: int) -> tuple[list[float], float]:
    async with app.open_async():
        ones = []
        for number in range(jobs // 10):
            began = time.perf_counter()
            await _whole(number)
            ones.append(time.perf_counter() - began)
        numbers = list(range(jobs, 2 * jobs))
        began = time.perf_counter()
        await asyncio.gather(*(_defer(numbers) for _ in range(_DEFERRING)))
        while await _n_counts() < jobs + len(ones):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        return ones[len(ones) // 5 :], time.perf_counter() - began


async def _n_counts() -> int:
    row = await app.connector.execute_query_one_async("select count(*) as n from counts")
    return int(row["n"])


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_measure(int(sys.argv[1])))))
