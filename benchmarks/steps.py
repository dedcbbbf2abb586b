"""CPU time of each step of the server for a small job, and a timeline of the job.

The server runs in a process of its own, in which this module wraps its functions (`python -m
benchmarks.steps FILE serve ...`). The CPU time of a step is its thread's, without the steps that it
calls, so steps can be added; it includes part of the wrappers' time. The timeline has the wall time
from one event to the next, with one job at a time.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import itertools
import json
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from benchmarks import load
from benchmarks.bench_databases import BenchDatabase
from benchmarks.live import Live, cpu, server

_JOBS: Final = 200
CONNECTIONS: Final = 64

STEPS: Final = {
    "head": (
        "qwicket.server.connection:Connection.data_received",
        "uvicorn.protocols.http.httptools_impl:RequestResponseCycle.run_asgi",
    ),
    "route": ("qwicket.server.router:Router.__call__", "qwicket.dialects.routing:Dialect.__call__"),
    "sign-in": (
        "qwicket.dialects.native.handlers:Handlers.sign_in",
        "qwicket.gateway.signin:SignIn.by_token",
    ),
    "decode": ("qwicket.dialects.routing:_payload",),
    "check": ("qwicket.gateway.admission:Admission.admit",),
    "parse": ("qwicket.gateway.admission:Admission._read",),
    "submit": ("qwicket.gateway.jobs:Jobs.submit",),
    "handle": ("qwicket.dialects.routing:_call",),
    "wait": ("qwicket.gateway.jobs:Jobs.wait",),
    "commit": ("qwicket.store.writer:Writer._commit", "qwicket.store.writer:Writer._settle"),
    "wake": ("qwicket.store.writer:Writer._deliver",),
    "claim": ("qwicket.scheduling.dispatcher:Dispatcher._claim_for",),
    "hand-over": (
        "qwicket.drivers.simulated:SimulatedDriver.run",
        "qwicket.compute.pool:_Slot._perform",
    ),
    "finish": ("qwicket.scheduling.dispatcher:Dispatcher._supervise",),
    "results": ("qwicket.gateway.results:Results.at_once",),
    "encode": ("qwicket.dialects.native.handlers:json_in_thread",),
    "answer": (
        "starlette.responses:Response.__call__",
        "qwicket.server.connection:Connection.on_response_complete",
    ),
}
"""Functions of each step."""

EVENTS: Final = (
    ("head", "qwicket.server.connection:Connection.data_received", "before"),
    ("checked", "qwicket.gateway.admission:Admission.admit", "after"),
    ("writer begins", "qwicket.store.writer:Writer._commit", "before"),
    ("committed", "qwicket.store.writer:Writer._commit", "after"),
    ("delivered", "qwicket.store.writer:Writer._deliver", "before"),
    ("handed over", "qwicket.drivers.simulated:SimulatedDriver.run", "before"),
    ("worker asked", "qwicket.compute.worker_spawner:WorkerProcess.ask", "before"),
    ("worker answered", "qwicket.compute.worker_spawner:WorkerProcess.ask", "after"),
    ("finish begins", "qwicket.store.leases:Leases.finish", "before"),
    ("answered", "qwicket.server.connection:Connection.on_response_complete", "before"),
)


class Step(NamedTuple):
    """CPU of one step of one job in ms: on one connection, and on many."""

    name: str
    alone_ms: float
    together_ms: float


class Gap(NamedTuple):
    """Median wall time in ms between two events of a job that is alone."""

    name: str
    wall_ms: float


def measure(bench_db: BenchDatabase) -> tuple[list[Step], list[Gap]]:
    """Return the CPU of each step, and the timeline of one job."""
    secret, *_ = bench_db.add_accounts()
    file = bench_db.folder / "steps.json"
    with server(bench_db, "-m", "benchmarks.steps", str(file)) as live:
        load.run(live.url, secret, 8, _JOBS)
        _collect(live, file)
        alone, events = _load(live, file, secret, 1, _JOBS)
        together, _ = _load(live, file, secret, CONNECTIONS, 10 * _JOBS)
    steps = [Step(name, alone[name], together[name]) for name in alone]
    return steps, _timeline(events)


def _load(
    live: Live, file: Path, secret: str, connections: int, jobs: int
) -> tuple[dict[str, float], list[tuple[str, float]]]:
    """Return the CPU in ms of each step of a job, and the events."""
    before = cpu(live.pid)[0]
    load.run(live.url, secret, connections, jobs)
    whole = cpu(live.pid)[0] - before
    cpu_s, events = _collect(live, file)
    per_job = {name: 1000 * cpu_s.get(name, 0.0) / jobs for name in STEPS}
    per_job["all else"] = 1000 * whole / jobs - sum(per_job.values())
    return per_job, events


def _collect(live: Live, file: Path) -> tuple[dict[str, float], list[tuple[str, float]]]:
    file.unlink(missing_ok=True)
    live.process.send_signal(signal.SIGUSR1)
    while not file.exists():
        time.sleep(0.05)
    time.sleep(0.2)
    cpu_s, events = json.loads(file.read_text())
    return cpu_s, events


def _timeline(events: list[tuple[str, float]]) -> list[Gap]:
    gaps = defaultdict[tuple[int, str, str], list[float]](list)
    number = 0
    for (before, began), (after, ended) in itertools.pairwise(events):
        number = 0 if before == "head" else number + 1
        gaps[number, before, after].append(ended - began)
    usual = {key: each for key, each in gaps.items() if len(each) > _JOBS // 2}
    return [
        Gap(f"{before} → {after}", 1000 * median(each))
        for (_, before, after), each in sorted(usual.items())
    ]


class _Spans:
    """CPU time of each step, by thread, without the steps inside it."""

    def __init__(self) -> None:
        self.cpu_s: defaultdict[str, float] = defaultdict(float)
        self._local = threading.local()

    def run(self, step: str, function: Callable[[], Any]) -> Any:
        inside: list[float] = self._local.__dict__.setdefault("inside", [0.0])
        inside.append(0.0)
        began = time.thread_time()
        try:
            return function()
        finally:
            took = time.thread_time() - began
            self.cpu_s[step] += took - inside.pop()
            inside[-1] += took


class _Timed:
    """A coroutine whose every step is timed."""

    def __init__(self, coroutine: Any, step: str, spans: _Spans) -> None:
        self._coroutine, self._step, self._spans = coroutine, step, spans

    def __await__(self) -> Generator[Any, Any, Any]:
        return self  # type: ignore[return-value]  # an iterator with all that `await` calls

    def __iter__(self) -> _Timed:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        return self._spans.run(self._step, functools.partial(self._coroutine.send, value))

    def throw(self, *error: Any) -> Any:
        return self._spans.run(self._step, functools.partial(self._coroutine.throw, *error))


def _serve(file: Path, arguments: list[str]) -> int:
    """Serve with every step wrapped; on SIGUSR1 write the measurements to a file."""
    spans, events = _Spans(), list[tuple[str, float]]()
    for step, names in STEPS.items():
        for name in names:
            _wrap(name, functools.partial(_timed, step, spans))
    for event, name, moment in EVENTS:
        _wrap(name, functools.partial(_noted, event, moment, events))

    def dump(_number: int, _frame: object) -> None:
        file.write_text(json.dumps([dict(spans.cpu_s), events]))
        spans.cpu_s.clear()
        events.clear()

    signal.signal(signal.SIGUSR1, dump)
    from qwicket.cli import main

    main(arguments)
    return 0


def _wrap(name: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    owner, attribute = place_of(name)
    setattr(owner, attribute, wrapper(getattr(owner, attribute)))


def place_of(name: str) -> tuple[Any, str]:
    """Return the module or class of a function, given as "module:path", and its name there."""
    module, _, path = name.partition(":")
    *owners, attribute = path.split(".")
    return functools.reduce(getattr, owners, importlib.import_module(module)), attribute


def _timed(step: str, spans: _Spans, function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def timed(*arguments: Any, **named: Any) -> Any:
            return await _Timed(function(*arguments, **named), step, spans)

        return timed

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        return spans.run(step, functools.partial(function, *arguments, **named))

    return run


def _noted(
    event: str, moment: str, events: list[tuple[str, float]], function: Callable[..., Any]
) -> Callable[..., Any]:
    def note() -> None:
        events.append((event, time.perf_counter()))

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def noted_later(*arguments: Any, **named: Any) -> Any:
            if moment == "before":
                note()
            try:
                return await function(*arguments, **named)
            finally:
                if moment == "after":
                    note()

        return noted_later

    @functools.wraps(function)
    def noted(*arguments: Any, **named: Any) -> Any:
        if moment == "before":
            note()
        try:
            return function(*arguments, **named)
        finally:
            if moment == "after":
                note()

    return noted


if __name__ == "__main__":
    sys.exit(_serve(Path(sys.argv[1]), sys.argv[2:]))
