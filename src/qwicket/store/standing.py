"""Who stands in line for a device: what a forecast and an operator are told."""

from __future__ import annotations

from typing import NamedTuple


class WaitingJob(NamedTuple):
    """What a forecast needs of a job that waits.

    `express_turn` is its account's in the express slot, the least first; None where the job may
    not start there.
    """

    id: str
    project: str
    est_seconds: float
    account: str = ""
    express_turn: int | None = None


class RunningJob(NamedTuple):
    """What a forecast needs of a job that runs."""

    id: str
    est_seconds: float
    started_at: int


class Depth(NamedTuple):
    """Jobs that wait for a device, and jobs that were claimed and have not ended."""

    waiting: int
    running: int


class EndedJob(NamedTuple):
    """How long a job really ran, beside what was estimated."""

    est_seconds: float
    started_at: int
    ended_at: int


class ProjectShare(NamedTuple):
    """How much of a device a project that waits has used, and its number of shares."""

    project: str
    vtime: float
    shares: int


class Line(NamedTuple):
    """Who stands in line for a device: all that a forecast is made from.

    `recent` are the last jobs that were completed; `epoch` is that of fair share, in Unix ms.
    """

    waiting: list[WaitingJob]
    running: list[RunningJob]
    shares: list[ProjectShare]
    recent: list[EndedJob]
    epoch: int
