"""Clients that submit until they are stopped, and record the responses."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from support.programs import BELL
from support.server import LiveServer
from support.waiting import until

LAST_S = 60.0
PAUSE_S = 0.02


class Submitter(threading.Thread):
    """Submits one job after another until it is stopped.

    With keys, it repeats a submission without an answer, or with a 503, under the same key until it
    is acknowledged. Without keys, it does not repeat it.
    """

    def __init__(
        self,
        server: LiveServer,
        token: str,
        *,
        with_keys: bool,
        program: dict[str, Any] = BELL,
        maximum: int = 1_000_000,
    ) -> None:
        super().__init__(daemon=True)
        self._server, self._token, self._with_keys = server, token, with_keys
        self._body = {"program": program, "device": "simulator", "shots": 10}
        self._maximum = maximum
        self.acknowledged: list[str] = []
        self.keys: dict[str, set[str]] = {}
        self.refusals: list[httpx.Response] = []
        self.seconds: list[float] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        with self._server.client(self._token) as client:
            while not self.stopping.is_set() and len(self.acknowledged) < self._maximum:
                self._submit(client, str(uuid.uuid4()))

    def _submit(self, client: httpx.Client, key: str) -> None:
        headers = {"Idempotency-Key": key} if self._with_keys else {}
        deadline = time.monotonic() + LAST_S
        while time.monotonic() < deadline:
            answer = self._post(client, headers)
            if answer is not None and answer.status_code == 201:
                job = answer.json()["id"]
                self.acknowledged.append(job)
                self.keys.setdefault(key, set()).add(job)
                return
            if answer is not None:
                assert answer.status_code == 503, answer.text
                self.refusals.append(answer)
            threading.Event().wait(PAUSE_S)
            if not self._with_keys:
                return
        raise AssertionError(f"not acknowledged within {LAST_S} s")

    def _post(self, client: httpx.Client, headers: dict[str, str]) -> httpx.Response | None:
        began = time.monotonic()
        try:
            return client.post("/v1/jobs", json=self._body, headers=headers)
        except httpx.TransportError:
            return None
        finally:
            self.seconds.append(time.monotonic() - began)


class Crowd:
    """Several submitters at once."""

    def __init__(self, members: list[Submitter]) -> None:
        self.members = members

    @property
    def acknowledged(self) -> list[str]:
        return [job for each in self.members for job in each.acknowledged]

    @property
    def keys(self) -> dict[str, set[str]]:
        return {key: jobs for each in self.members for key, jobs in each.keys.items()}

    @property
    def refusals(self) -> list[httpx.Response]:
        return [answer for each in self.members for answer in each.refusals]

    @property
    def slowest_s(self) -> float:
        return max(seconds for each in self.members for seconds in each.seconds)

    def await_more(self, number: int) -> None:
        """Wait until this many more submissions are acknowledged."""
        enough = len(self.acknowledged) + number
        until(lambda: len(self.acknowledged) >= enough, "they go on", timeout_s=30)

    def stop(self) -> None:
        for each in self.members:
            each.stopping.set()
        self.join()

    def join(self, timeout_s: float = 2 * LAST_S) -> None:
        for each in self.members:
            each.join(timeout_s)
            assert not each.is_alive()


@contextmanager
def crowd(*members: Submitter) -> Iterator[Crowd]:
    """Start submitters; stop them at the end."""
    made = Crowd(list(members))
    for each in members:
        each.start()
    try:
        yield made
    finally:
        made.stop()
