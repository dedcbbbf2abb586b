"""Submits jobs with an unmodified client until it is told to stop, and writes down what it sees.

In a vendor's environment, whose Python may be old: nothing but the standard library and the client.

CHAOS_HISTORY names the file, to which each line is appended when it happens. A line is a JSON list:

    ["submit", number, time, expected]      before a submission
    ["accepted", number, time, job]         the client returned a job
    ["answer", number, time, job, summary, digest]
                                            it returned a result; `summary` is what `expected` says
    ["error", number, time, step, text]     it raised
    ["gave up", number, time, job]          no result within PATIENCE_S
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

SHOTS = 20
CODES = 8
PATIENCE_S = 90.0
"""A user calls `result()` again after an error, for so long."""
PAUSE_S = 0.2
AGAIN = 10
"""Every so many jobs an earlier one is read again, and this many at the end."""


class History:
    """The file; each line is written at once, whole."""

    def __init__(self) -> None:
        self._file = os.open(os.environ["CHAOS_HISTORY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, word: str, number: int, *values: Any) -> None:
        line = json.dumps([word, number, round(time.time(), 3), *values], separators=(",", ":"))
        os.write(self._file, line.encode() + b"\n")

    def answer(self, number: int, job: str, found: tuple[Any, Any]) -> None:
        summary, whole = found
        text = json.dumps(whole, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.write("answer", number, job, summary, digest)


def code(number: int) -> str:
    """Return the three bits that a program with this number prepares; the last is of qubit 0."""
    return format(number % CODES, "03b")


def coded(counts: dict[str, int], bits: Callable[[str], str] = lambda key: key[-3:]) -> Any:
    """Return the counts of the prepared bits alone, and the whole counts.

    A fourth qubit is in a superposition: with what it gave, two runs of a program differ.
    """
    sums: dict[str, int] = {}
    for key, count in counts.items():
        sums[bits(key)] = sums.get(bits(key), 0) + int(count)
    return sums, {key: int(count) for key, count in counts.items()}


class Loop:
    """Jobs of one user, one after the other.

    `make` returns an object with `submit(number)`, which returns an id and a job; `result(job)`;
    `again(id)`, which reads the result afresh; and `expected(number)`.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        numbers: Iterator[int],
        begin: threading.Event,
        stop: threading.Event,
    ):
        self._make, self._numbers = make, numbers
        self._begin, self._stop = begin, stop
        self._history = History()
        self._rng = random.Random(next(numbers))
        self._read: list[tuple[int, str]] = []
        self.is_ready = threading.Event()

    def run(self) -> None:
        client = self._make()
        self.is_ready.set()
        self._begin.wait()
        while not self._stop.is_set():
            self._one(client, next(self._numbers))
            if self._read and self._rng.random() < 1 / AGAIN:
                self._again(client, *self._rng.choice(self._read))
        for number, job in self._rng.sample(self._read, min(AGAIN, len(self._read))):
            self._again(client, number, job)

    def _one(self, client: Any, number: int) -> None:
        self._history.write("submit", number, client.expected(number))
        try:
            job, handle = client.submit(number)
        except Exception as error:  # whatever the client raises is what its user sees
            self._history.write("error", number, "submit", _text(error))
            self._stop.wait(PAUSE_S)
            return
        self._history.write("accepted", number, job)
        if self._until_read(number, job, lambda: client.result(handle)):
            self._read.append((number, job))
            if len(self._read) > 1000:
                del self._read[self._rng.randrange(len(self._read))]

    def _again(self, client: Any, number: int, job: str) -> None:
        self._until_read(number, job, lambda: client.again(job))

    def _until_read(self, number: int, job: str, read: Callable[[], Any]) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                found = read()
            except Exception as error:
                self._history.write("error", number, "result", _text(error))
                time.sleep(PAUSE_S)
            else:
                self._history.answer(number, job, found)
                return True
        self._history.write("gave up", number, job)
        return False


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def serve(make: Callable[[], Any]) -> None:
    """Run as many loops as CHAOS_THREADS says, from a line of standard input until its end."""
    answers, sys.stdout = sys.stdout, sys.stderr  # some clients print
    begin, stop = threading.Event(), threading.Event()
    count = int(os.environ.get("CHAOS_THREADS", "1"))
    loops = [Loop(make, itertools.count(each, count), begin, stop) for each in range(count)]
    threads = [threading.Thread(target=each.run, daemon=True) for each in loops]
    for thread in threads:
        thread.start()
    for loop in loops:
        loop.is_ready.wait()
    answers.write("ready\n")
    answers.flush()
    sys.stdin.readline()
    begin.set()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
