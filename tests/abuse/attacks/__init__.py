"""The abuse list: attacks on one live server, each with what it tried and its worst figure.

An attack raises AssertionError where the server does not hold. What depends on the machine, such as
how long others wait, it notes beside its bound: `make measured` reports that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import httpx

from abuse.attacks.bystander import Bystander, Latencies
from abuse.dialects import LEAK, NATIVE
from support.processes import cpu_s
from support.server import LiveServer

TEMPORARY = (501, 503, 507)
"""Not offered, overloaded, disk full: answers of the 5xx class that are no failure."""


class Outcome(NamedTuple):
    """What an attack tried, and the worst figure that it reached."""

    tried: str
    worst: str


class Note(Protocol):
    """Takes a figure, of which less is better, and its bound."""

    def __call__(self, name: str, value: float, *, at_most: float, unit: str) -> None: ...


def _ignore(name: str, value: float, *, at_most: float, unit: str) -> None:
    """Take a figure where nothing is measured."""


class Target:
    """A server under attack, with the tokens of a victim and of an attacker.

    Args:
        live: The server.
        is_long: Whether each attack runs in its long form.
        note: Takes what depends on the machine, beside its bound. Without it, attacks that only
            measure do so as briefly as they can.
    """

    def __init__(self, live: LiveServer, *, is_long: bool, note: Note | None = None) -> None:
        self.live = live
        self.is_measured = note is not None
        self.note = note or _ignore
        self.is_long = is_long
        self.victim = live.token("ada")
        self.attacker = live.token("eve")
        self.bystander = live.token("bob")
        self.idle: dict[str, Latencies] = {}
        self.widest = 0
        self.n_responses = 0
        self.leaks: list[str] = []
        self.http = httpx.Client(
            base_url=live.url, timeout=60, event_hooks={"response": [self._inspect]}
        )

    def close(self) -> None:
        self.http.close()

    def as_attacker(self) -> dict[str, str]:
        return NATIVE.auth(self.attacker)

    def as_victim(self) -> dict[str, str]:
        return NATIVE.auth(self.victim)

    def size(self, short: int, long: int) -> int:
        """Return how much to try: the first in the short form, the second in the long form."""
        return long if self.is_long else short

    def _inspect(self, response: httpx.Response) -> None:
        response.read()
        self.n_responses += 1
        status = response.status_code
        if status >= 500 and status not in TEMPORARY:
            self.leaks.append(f"HTTP {status} for {response.request.url}: {response.text[:200]}")
        if response.is_error:
            found = LEAK.findall(response.text)
            self.leaks += [f"{leak!r} in {response.text[:200]}" for leak in found]


Attack = Callable[[Target], Outcome]


FACTOR = 3.0
"""How much longer others may wait than on an idle server, p95 against p95 of the same run. The list
says two times for A13 and A14, the rule for both three times: PostgreSQL reached 2.1 for A13."""
FLOOR_S = 0.02
"""Bar of A14's streams and A23 where three times idle is less; the list has none for these.
`/livez` takes 1 to 2 ms on an idle server, so one turn of the processor that goes to the attacker's
own process (a few ms with two cores) is more than three times idle, whatever the server does."""


def timed(target: Target, send: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    """Send; return the answer, and the server's processor time in seconds."""
    before_s = cpu_s(target.live.process.pid)
    answer = send()
    return answer, cpu_s(target.live.process.pid) - before_s


def idle_latencies(target: Target, token: str = "") -> Latencies:
    """Return what a bystander waits while nothing else happens; with a token, for a submit.

    The first call measures for a second. Where nothing is measured, there are none.
    """
    if token not in target.idle and target.is_measured:
        bystander = Bystander(target.live.url, token)
        with bystander.watching():
            time.sleep(1)
        target.idle[token] = bystander.latencies
    return target.idle.get(token, Latencies([], 0))


def note_latencies(target: Target, what: str, seen: Latencies, token: str = "") -> None:
    """Note how long others waited, as a multiple of the idle server's time."""
    if target.is_measured:
        idle_s = max(idle_latencies(target, token).p95_s, FLOOR_S / FACTOR)
        name = f"{what}: {'submits' if token else '/livez'} of others, p95 / idle"
        target.note(name, seen.p95_s / idle_s, at_most=FACTOR, unit="×")
