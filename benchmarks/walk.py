"""What the server does for one request: files, calls, and SQL statements.

    python -m benchmarks.walk

The server runs in a process of its own on SQLite, in which every call of a Python function is noted
(`python -m benchmarks.walk FILE serve …`); a coroutine that goes on after waiting is called again.
"To the answer" counts our own files and calls in the event loop's thread until the response is
written. "In all" counts every call, of libraries too, in every thread of the server, until the
job's result is stored. The readers of the formats, in `programs/` and the folders of vendors, are
left out: they have as many calls as the program has gates.
"""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple

import qwicket
from benchmarks.bench_databases import BenchDatabase, bench_databases
from benchmarks.figures import markdown
from benchmarks.live import Live, server
from benchmarks.wire import BELL, LANGUAGES, HTTPConnection, bell, request, submission

_ROOT: Final = str(Path(qwicket.__file__).parent) + "/"
_READERS: Final = re.compile(
    re.escape(_ROOT) + r"(programs/|circuits/formats\.py|vendors/\w+/(?!dialect/))"
)
_QUIET_S: Final = 0.3
_IONQ: Final = {
    "type": "ionq.circuit.v1",
    "backend": "simulator",
    "shots": 100,
    "input": BELL,
}
_HEAD: Final = ("request", "files to the answer", "calls to the answer", "calls in all", "SQL")


class Walk(NamedTuple):
    """What one request did; `files` are in the order of their first calls."""

    files: list[str]
    calls_to_answer: int
    calls: int
    statements: int


def measure(bench_db: BenchDatabase) -> Iterator[tuple[str, Walk]]:
    """Yield the requests that submit a job, and those that read it."""
    secret, *_ = bench_db.add_accounts()
    with server(bench_db, "-m", "benchmarks.walk", str(_file(bench_db))) as live:
        connection = HTTPConnection(live.url, secret)
        job = connection.submit()
        connection.result(job)
        ionq = request("POST", "/ionq/v0.4/jobs", secret, json.dumps(_IONQ).encode(), "apiKey")
        requests = {
            **{f"POST /v1/jobs, {name}": submission(secret, bell(name, 1)) for name in LANGUAGES},
            "POST /ionq/v0.4/jobs": ionq,
            "GET /v1/jobs/{id}": request("GET", f"/v1/jobs/{job}", secret),
            "GET /v1/jobs/{id}/result": request("GET", f"/v1/jobs/{job}/result", secret),
        }
        for body in requests.values():
            connection.ask(body)  # a first request imports what is imported late
        for name, body in requests.items():
            yield name, _walk(live, bench_db, connection, body)


def _walk(live: Live, bench_db: BenchDatabase, connection: HTTPConnection, body: bytes) -> Walk:
    _await_results(bench_db)
    _switch(live, bench_db)
    connection.ask(body)
    _await_results(bench_db)
    return Walk(*json.loads(_switch(live, bench_db)))


def _await_results(bench_db: BenchDatabase) -> None:
    """Wait until all jobs have ended, and the server has nothing more to do."""
    with closing(sqlite3.connect(bench_db.folder / "qwicket.db")) as file:
        while file.execute("select 1 from job where ended_at is null").fetchall():
            time.sleep(0.01)
    time.sleep(_QUIET_S)


def _switch(live: Live, bench_db: BenchDatabase) -> str:
    """Let the server begin to note calls; or let it end, and return what it has noted."""
    file = _file(bench_db)
    file.unlink(missing_ok=True)
    live.process.send_signal(signal.SIGUSR1)
    while not file.exists():
        time.sleep(0.01)
    return file.read_text()


def _file(bench_db: BenchDatabase) -> Path:
    return bench_db.folder / "walk.json"


class _Call(NamedTuple):
    """A call; `ends` says whether the response is complete."""

    thread: int
    file: str
    ends: bool


class _Notes:
    """Notes calls and statements from a signal to the next one."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._loop = threading.get_ident()
        self._is_on = False
        self._calls: list[_Call] = []
        self._n_statements = 0

    def switch(self, _number: int, _frame: object) -> None:
        """Begin; or end, and write what was found. The file appears when it is complete."""
        was_on, self._is_on = self._is_on, False
        text = json.dumps(self._found()) if was_on else ""
        new = self._file.with_suffix(".new")
        new.write_text(text)
        self._calls.clear()
        self._n_statements = 0
        new.replace(self._file)
        self._is_on = not was_on

    def note(self, frame: FrameType, event: str, function: Any) -> None:
        """Note an event; `sys.setprofile` calls this."""
        if not self._is_on:
            return
        if event == "c_call":
            module = type(getattr(function, "__self__", None)).__module__
            self._n_statements += module == "sqlite3" and function.__name__.startswith("execute")
        elif event == "call":
            file = frame.f_code.co_filename
            if not _READERS.match(file):
                ends = frame.f_code.co_name == "on_response_complete"
                self._calls.append(_Call(threading.get_ident(), file, ends))

    def _found(self) -> Walk:
        n_to_answer = next((n for n, call in enumerate(self._calls) if call.ends), None)
        to_answer = [
            call.file
            for call in self._calls[:n_to_answer]
            if call.thread == self._loop and call.file.startswith(_ROOT)
        ]
        files = [file.removeprefix(_ROOT) for file in dict.fromkeys(to_answer)]
        return Walk(files, len(to_answer), len(self._calls), self._n_statements)


def _serve(file: Path, arguments: list[str]) -> None:
    notes = _Notes(file)
    signal.signal(signal.SIGUSR1, notes.switch)
    threading.setprofile(notes.note)
    sys.setprofile(notes.note)
    from qwicket.cli import main

    main(arguments)


def _show() -> None:
    with bench_databases() as made, made.fresh("SQLite") as bench_db:
        walks = list(measure(bench_db))
    rows = [(name, str(len(walk.files)), *map(str, walk[1:])) for name, walk in walks]
    print(markdown(_HEAD, rows))
    for name, walk in walks:
        print(f"\n{name}: {', '.join(walk.files)}")


if __name__ == "__main__":
    if sys.argv[1:]:
        _serve(Path(sys.argv[1]), sys.argv[2:])
    else:
        _show()
