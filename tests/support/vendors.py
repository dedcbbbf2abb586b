"""Helpers of suites in the vendors' environments, which have only pytest and the client."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from support.held import held_job


@contextmanager
def within(seconds: int = 30) -> Iterator[None]:
    """Fail if the block does not end in time: some clients repeat a refused request for ever."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"the client was still busy after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def until(condition: Callable[[], Any], seconds: float) -> None:
    """Return when `condition` is true; fail when it is not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def distance(found: Mapping[Any, float], exact: Mapping[Any, float]) -> float:
    """Return the total variation between two distributions."""
    return sum(abs(found.get(key, 0) - exact.get(key, 0)) for key in {*found, *exact}) / 2


def bound(exact: Mapping[Any, float], shots: int) -> float:
    """Return a bound on the total variation of N shots from p, exceeded once in 10^9 times.

    E + 3.3/√N with E = ½ Σ √(2 p (1-p) / (π N)), the mean of its normal approximation.
    """
    mean = sum(math.sqrt(2 * p * max(0, 1 - p) / (math.pi * shots)) for p in exact.values()) / 2
    return mean + 3.3 / math.sqrt(shots)


def held_circuit(circuit: Any, width: int = 24) -> Any:
    """Make an empty circuit of Qiskit a job that runs until it is cancelled.

    Between the rotations there are other gates, so that no compiler joins them.
    """
    angle = held_job().angle
    for i in range(400):
        circuit.rz(angle, i % width)
        circuit.cx(i % width, (i + 1) % width)
    return circuit


def call(method: str, path: str, body: Any = None) -> Any:
    """Send a request of IonQ v0.4 without the client, to prepare a test."""
    request = urllib.request.Request(  # our own server
        os.environ["QWICKET_URL"] + "/ionq/v0.4" + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"apiKey {os.environ['QWICKET_TOKEN']}"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def bounded_token(**bounds: float) -> str:
    """Return a new token with bounds, of the account of QWICKET_TOKEN."""
    body = {"scopes": ["jobs:read", "jobs:write", "devices:read"], "bounds": bounds}
    made = _native("/v1/tokens", body, os.environ["QWICKET_MANAGING_TOKEN"])
    return str(json.load(made)["secret"])


def answer_question(refusal: str, token: str, answer: str = "confirm") -> int:
    """Answer the question that a refusal names, with a token; return the status."""
    found = re.search(r"/ui/confirmations/([0-9a-f-]{36})", refusal)
    assert found, refusal
    try:
        return int(_native(f"/v1/confirmations/{found[1]}", {"answer": answer}, token).status)
    except urllib.error.HTTPError as error:
        return error.code


def _native(path: str, body: Any, token: str) -> Any:
    request = urllib.request.Request(  # our own server
        os.environ["QWICKET_URL"] + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    return urllib.request.urlopen(request, timeout=30)
