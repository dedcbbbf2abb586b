"""Submits a job for each byte of standard input, until its end, and writes down what it sees.

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
import json
import logging
import os
import random
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

SHOTS = 20
CODES = 8
PATIENCE_S = 90.0
"""A user calls `result()` again after an error, for so long."""
PAUSE_S = 0.2
AGAIN = 10
"""Every so many jobs an earlier one is read again, and this many at the end."""


class History:
    """The file; each line is written at once, whole."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, word: str, number: int, *values: Any) -> None:
        line = json.dumps([word, number, round(time.time(), 3), *values], separators=(",", ":"))
        os.write(self._file, line.encode() + b"\n")

    def answer(self, number: int, job: str, found: tuple[Any, Any]) -> None:
        summary, whole = found
        text = json.dumps(whole, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.write("answer", number, job, summary, digest)

    def error(self, number: int, step: str, error: BaseException) -> None:
        self.write("error", number, step, f"{type(error).__name__}: {error}"[:300])


def code(number: int) -> str:
    """Return the three bits that a program with this number prepares; the last is of qubit 0."""
    return format(number % CODES, "03b")


def coded(
    counts: dict[str, int], bits: Callable[[str], str] = lambda key: key[-3:]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the counts of the prepared bits alone, and the whole counts.

    A fourth qubit is in a superposition: with what it gave, two runs of a program differ.
    """
    sums: dict[str, int] = {}
    for key, count in counts.items():
        sums[bits(key)] = sums.get(bits(key), 0) + int(count)
    return sums, {key: int(count) for key, count in counts.items()}


class User:
    """Submits one job after the other.

    The client has `submit(number)`, which returns an id and a job; `result(job)`; `again(id)`,
    which reads the result afresh; and `expected(number)`.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._history = History(os.environ["CHAOS_HISTORY"])
        self._rng = random.Random(os.environ["CHAOS_NAME"])
        self._read: list[tuple[int, str]] = []

    def one(self, number: int) -> None:
        """Run one job; sometimes read an earlier one again."""
        self._submit(number)
        if self._read and self._rng.random() < 1 / AGAIN:
            self._again(*self._rng.choice(self._read))

    def end(self) -> None:
        """Read some of the jobs again."""
        for number, job in self._rng.sample(self._read, min(AGAIN, len(self._read))):
            self._again(number, job)

    def _submit(self, number: int) -> None:
        self._history.write("submit", number, self._client.expected(number))
        try:
            job, handle = self._client.submit(number)
        except Exception as error:  # whatever the client raises is what its user sees
            self._history.error(number, "submit", error)
            time.sleep(PAUSE_S)
            return
        self._history.write("accepted", number, job)
        if self._until_read(number, job, lambda: self._client.result(handle)):
            self._read.append((number, job))

    def _again(self, number: int, job: str) -> None:
        self._until_read(number, job, lambda: self._client.again(job))

    def _until_read(self, number: int, job: str, read: Callable[[], Any]) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                found = read()
            except Exception as error:
                self._history.error(number, "result", error)
                time.sleep(PAUSE_S)
            else:
                self._history.answer(number, job, found)
                return True
        self._history.write("gave up", number, job)
        return False


def serve(make: Callable[[], Any]) -> None:
    """Run a job for each byte, which stays in the pipe until its turn."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    answers, sys.stdout = sys.stdout, sys.stderr  # some clients print
    user = User(make())
    answers.write("ready\n")
    answers.flush()
    number = 0
    while os.read(sys.stdin.fileno(), 1):
        user.one(number)
        number += 1
    user.end()
