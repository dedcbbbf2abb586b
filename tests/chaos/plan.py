"""What is disturbed and when, drawn from a seed: the same seed is the same plan."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from typing import Final, NamedTuple


class Disturbance(NamedTuple):
    """One step of a plan.

    Attributes:
        at_s: When it begins, in seconds after the start.
        kind: What it is, a function of `disturbances`.
        pick: Which of the parts of this kind it hits, as a number from 0 to 1.
        lasts_s: How long it lasts; 0 for what is over at once.
        size: How far a clock is moved, as a number from -1 to 1.
    """

    at_s: float
    kind: str
    pick: float
    lasts_s: float
    size: float

    @property
    def is_kill(self) -> bool:
        return self.kind.startswith("kill_")

    def __str__(self) -> str:
        return f"{self.at_s:9.2f} s  {self.kind:<16} {self.lasts_s:5.2f} s  {self.pick:.3f}"


class Lane(NamedTuple):
    """Disturbances that come one after the other, each some time after the one before it.

    Attributes:
        kinds: From which each is drawn, with its weight.
        pause_s: Least and longest time between two of them.
    """

    kinds: dict[str, int]
    pause_s: tuple[float, float]


LANES: Final[dict[str, Lane]] = {
    "processes": Lane(
        {
            "kill_server": 2,
            "kill_worker": 4,
            "kill_parser": 2,
            "kill_agent": 3,
            "kill_pilot": 3,
            "pause_server": 1,
            "pause_worker": 1,
            "pause_agent": 1,
            "pause_pilot": 1,
        },
        (0.3, 3.0),
    ),
    "network": Lane({"break_connections": 3, "cut_answer": 4, "cut_off": 1}, (0.5, 5.0)),
    "database": Lane({"kill_database": 1}, (5.0, 40.0)),
    "sessions": Lane({"end_sessions": 1}, (10.0, 40.0)),
    "disk": Lane({"fill_disk": 1}, (12.0, 40.0)),
    "clock": Lane({"move_clock": 1}, (6.0, 30.0)),
}
ONLY_POSTGRES: Final = frozenset({"database", "sessions"})

_LASTS_S: Final[dict[str, tuple[float, float]]] = {
    "cut_off": (0.2, 3.0),
    "fill_disk": (0.5, 4.0),
    "move_clock": (1.0, 6.0),
}
_PAUSE_BEYOND_S: Final = (0.3, 2.0)


def plan(seed: int, database: str, *, lease_s: float, pace: float = 1.0) -> Iterator[Disturbance]:
    """Yield disturbances in the order of their times, without end.

    Args:
        seed: Seed of all that is drawn.
        database: `sqlite` or `postgres`.
        lease_s: Lease time; a paused process stays so for longer than this.
        pace: By how much the times between disturbances are divided.
    """
    lanes = [
        _lane(seed, name, lane, lease_s, pace)
        for name, lane in LANES.items()
        if database == "postgres" or name not in ONLY_POSTGRES
    ]
    return heapq.merge(*lanes)


def until_kills(steps: Iterator[Disturbance], kills: int) -> list[Disturbance]:
    """Return the steps up to this number of kills."""
    found = []
    while kills > 0:
        step = next(steps)
        kills -= step.is_kill
        found.append(step)
    return found


def _lane(seed: int, name: str, lane: Lane, lease_s: float, pace: float) -> Iterator[Disturbance]:
    rng = random.Random(f"{seed} {name}")
    at_s = 1.0
    while True:
        at_s += rng.uniform(*lane.pause_s) / pace
        (kind,) = rng.choices([*lane.kinds], [*lane.kinds.values()])
        low, high = _LASTS_S.get(kind, (0.0, 0.0))
        lasts_s = rng.uniform(low, high)
        if kind.startswith("pause_"):
            lasts_s = lease_s + rng.uniform(*_PAUSE_BEYOND_S)
        yield Disturbance(at_s, kind, rng.random(), lasts_s, rng.uniform(-1, 1))
